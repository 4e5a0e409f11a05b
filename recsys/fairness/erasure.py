"""Closed-form erasure: of what vectors tell linearly (LEACE), of what sums do, of the faint."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

Vectors = Float[np.ndarray, "readers dim"]


@dataclass(frozen=True)
class Eraser:
    """The affine map ``x - (x - mean) @ projection.T``; an encoder's last layer can take it in."""

    mean: Float[np.ndarray, " dim"]
    projection: Float[np.ndarray, "dim dim"]
    """What is taken away of the centred vector; its rank is at most the number of concepts."""

    def apply(self, vectors: Vectors) -> Vectors:
        """Erase; float64 whatever came in."""
        return vectors - (vectors - self.mean) @ self.projection.T


def fit(vectors: Vectors, concepts: Float[np.ndarray, "readers concepts"]) -> Eraser:
    r"""Find the least change after which vectors and concepts are uncorrelated.

    .. math:: r(x) = x - W^+ P W (x - \bar x), \quad W = (\Sigma_{xx}^{1/2})^+,

    where P projects onto the columns of :math:`W \Sigma_{xz}` (Belrose et al., 2023,
    arXiv:2306.03819, theorem 4.3). No linear attacker beats chance on the readers that it was
    fitted on. On others the direction is only estimated, and the less of them the worse; attack
    readers that it never saw, since on its own a cross-validated attacker is driven below one half.

    Args:
        vectors: Of readers whose attributes may be used.
        concepts: What to erase, such as :func:`one_hot` columns, one block an attribute.
    """
    vectors, concepts = vectors.astype(np.float64), concepts.astype(np.float64)
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    covariance = centred.T @ centred / len(vectors)
    values, axes = np.linalg.eigh(covariance)
    spread = np.sqrt(np.where(values > values.max() * 1e-10, values, 0))
    inverse = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    whiten, colour = (axes * inverse) @ axes.T, (axes * spread) @ axes.T
    across = centred.T @ concepts / len(vectors)
    basis, strength, _ = np.linalg.svd(whiten @ across, full_matrices=False)
    basis = basis[:, strength > 1e-8]
    return Eraser(mean, colour @ basis @ basis.T @ whiten)


def faint(vectors: Vectors, share: float) -> Eraser:
    """Take away the directions that vary too little to rank with.

    A model that is kept from an attribute may squeeze it until no score changes by it: an attacker
    who stretches all directions to the same variance still reads it, if it is published.

    Args:
        vectors: Of readers.
        share: Of the mean variance over directions; what varies less goes.
    """
    vectors = vectors.astype(np.float64)
    values, axes = np.linalg.eigh(np.cov(vectors, rowvar=False, bias=True))
    gone = axes[:, values < share * values.mean()]
    return Eraser(vectors.mean(axis=0), gone @ gone.T)


def from_sums(
    news: Float[np.ndarray, "news dim"],
    clicked: csr_array,
    concepts: Float[np.ndarray, "readers concepts"],
    *,
    ridge: float,
) -> Float[np.ndarray, "news dim"]:
    r"""Change news as little as it takes for sums of the news clicked to tell nothing linearly.

    .. math:: R = E - P A (A^\top P A)^{+} A^\top E, \qquad
        A = X^\top D^{-1/2} \bar Z, \quad P = (X^\top X + \lambda I)^{-1}

    with clicks X, the number of each reader's clicks D and centred concepts Z: of all R with
    :math:`A^\top R = 0`, the one whose sums, and with weight :math:`\lambda` which itself, differ
    least from E. LEACE takes a whole direction away from readers' vectors, with all that is not the
    concept's in it; here every news pays for its own part, and no direction is lost.

    Args:
        news: What is summed.
        clicked: Readers by news, 1 or what a click counts; readers without one have no part.
        concepts: What is known, or believed, of each reader.
        ridge: Lambda, in clicks: how dear it is to change what few clicked.
    """
    readers = np.flatnonzero(clicked.sum(axis=1))
    if not len(readers):
        return news
    clicks, known = clicked[readers], concepts[readers].astype(np.float64)
    basis, strength, _ = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
    basis = basis[:, strength > 1e-3 * strength.max(initial=0)]  # groups that make up a whole
    if not basis.shape[1]:
        return news
    told = clicks.T @ (basis / np.sqrt(clicks.sum(axis=1))[:, None])
    together = (clicks.T @ clicks).toarray()
    together[np.diag_indices_from(together)] += ridge
    pulls = np.linalg.solve(together, told)
    return news - pulls @ np.linalg.pinv(told.T @ pulls) @ (told.T @ news)


def one_hot(values: np.ndarray) -> Float[np.ndarray, "readers values"]:
    """One column a distinct value."""
    return (values[:, None] == np.unique(values)).astype(np.float64)
