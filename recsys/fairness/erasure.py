"""Closed-form erasure of what linear attackers could find (LEACE), and of faint directions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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


def one_hot(values: np.ndarray) -> Float[np.ndarray, "readers values"]:
    """One column a distinct value."""
    return (values[:, None] == np.unique(values)).astype(np.float64)
