"""Where news ids start: the factors of a linear autoencoder, which has a closed form."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.linalg import eigh
from scipy.sparse import csr_array

from recsys.model.fairrec import FairRec
from recsys.training.corpus import Corpus

LARGEST_CATALOGUE = 6000
"""News beyond it, the least clicked, keep their random start: the inverse is cubic."""
RIDGE = 300.0
"""Of the autoencoder, in clicks."""


@torch.no_grad()
def warm_start(model: FairRec, corpus: Corpus) -> None:
    """Give the id table the factors of the training clicks; without ids nothing changes.

    A reader who is the sum of the news clicked, ranked by dot product, is then a good recommender
    before the first step, and what is trained is where it differs.
    """
    if "id" not in model.news_encoder.topics:
        return
    train, log = corpus.split.train, corpus.log
    ids = corpus.news.features.ids.numpy()[log.clicks.news[train]]
    table = model.news_encoder.tables.collection.embeddings["id"].weight
    counts = np.bincount(ids, minlength=len(table))
    kept = np.sort(np.argsort(-counts, kind="stable")[:LARGEST_CATALOGUE])
    kept = kept[(counts[kept] > 0) & (kept > 0)]
    factors = autoencoder_factors(
        log.reader_of_click[train], ids, kept, num_readers=len(log.user_ids), dim=table.shape[1]
    )
    rows = torch.from_numpy(factors).to(table)
    # News that hardly anybody clicked have no direction; they would only be short.
    table[torch.from_numpy(kept)] = rows / rows.square().sum(dim=1).mean().sqrt()


def autoencoder_factors(
    readers: Int[np.ndarray, " clicks"],
    news: Int[np.ndarray, " clicks"],
    kept: Int[np.ndarray, " kept"],
    *,
    num_readers: int,
    dim: int,
) -> Float[np.ndarray, "kept dim"]:
    r"""Factor the item-item weights of a linear autoencoder with an empty diagonal.

    .. math:: E E^\top \approx -D^{1/2} (P - \mathrm{diag}\,P)\, D^{1/2}, \qquad
        P = (X^\top X + \lambda I)^{-1}, \; D = (\mathrm{diag}\,P)^{-1}

    Steck, 2019, arXiv:1905.03375, eq. 8, has :math:`D` on one side; shared between both the
    weights are symmetric, and the largest eigenvectors make one vector a news do for both what a
    reader clicked and what is ranked.

    Args:
        readers: Who clicked.
        news: What was clicked.
        kept: News to factor, ascending.
        num_readers: One more than the largest reader.
        dim: Length of a vector; padded with zeros if there are fewer news.
    """
    known = np.isin(news, kept)
    pairs = np.searchsorted(kept, news[known])
    clicks = csr_array((np.ones(len(pairs)), (readers[known], pairs)), (num_readers, len(kept)))
    clicks.data[:] = np.minimum(clicks.data, 1)
    together = (clicks.T @ clicks).toarray()
    together[np.diag_indices_from(together)] += RIDGE
    precision = np.linalg.inv(together)
    scale = np.diag(precision) ** -0.5
    weights = -scale[:, None] * precision * scale
    np.fill_diagonal(weights, 0)
    size = min(dim, len(kept))
    values, vectors = eigh(weights, subset_by_index=[len(kept) - size, len(kept) - 1])
    factors = vectors * np.sqrt(np.maximum(values, 0))
    return np.pad(factors, ((0, 0), (0, dim - size))).astype(np.float32)
