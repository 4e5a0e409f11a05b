"""A linear autoencoder of clicks in closed form: which news go together, and a vector for each."""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import eigh
from scipy.sparse import csr_array

LARGEST_CATALOGUE = 6000
"""News beyond it, the least clicked, have no vector: the inverse is cubic."""
RIDGE = 300.0
"""Of the autoencoder, in clicks."""


def factors(clicked: csr_array, dim: int) -> Float[np.ndarray, "news dim"]:
    r"""Factor the item-item weights of a linear autoencoder with an empty diagonal.

    .. math:: E E^\top \approx -D^{1/2} (P - \mathrm{diag}\,P)\, D^{1/2}, \qquad
        P = (X^\top X + \lambda I)^{-1}, \; D = (\mathrm{diag}\,P)^{-1}

    Steck, 2019, arXiv:1905.03375, eq. 8, has :math:`D` on one side; shared between both the
    weights are symmetric, and the largest eigenvectors make one vector a news do for both what a
    reader clicked and what is ranked.

    Args:
        clicked: Readers by news; anything above 0 is a click.
        dim: Length of a vector, the strongest factor last; zeros in front if there are fewer news.

    Returns:
        A row for each news; zeros for one that nobody clicked, or that is beyond
        `LARGEST_CATALOGUE`.
    """
    clicked = (clicked > 0).astype(float)
    kept = most_clicked(clicked)
    vectors = np.zeros((clicked.shape[1], dim), np.float32)
    if len(kept):
        vectors[kept] = _factors(clicked[:, kept], dim)
    return vectors


def most_clicked(clicked: csr_array) -> Int[np.ndarray, " kept"]:
    """List the news that anybody clicked, in their order, `LARGEST_CATALOGUE` of them at most."""
    counts = clicked.sum(axis=0)
    kept = np.sort(np.argsort(-counts, kind="stable")[:LARGEST_CATALOGUE])
    return kept[counts[kept] > 0]


def _factors(clicked: csr_array, dim: int) -> Float[np.ndarray, "kept dim"]:
    together = (clicked.T @ clicked).toarray()
    together[np.diag_indices_from(together)] += RIDGE
    precision = np.linalg.inv(together)
    scale = np.diag(precision) ** -0.5
    weights = -scale[:, None] * precision * scale
    np.fill_diagonal(weights, 0)
    number = len(weights)
    size = min(dim, number)
    values, vectors = eigh(weights, subset_by_index=[number - size, number - 1])
    return np.pad(vectors * np.sqrt(np.maximum(values, 0)), ((0, 0), (dim - size, 0)))
