"""Where topics and ids of news start: in closed form, as far as there is one."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array
from torch import Tensor

from recsys.fairness import erasure
from recsys.model.fairrec import FairRec
from recsys.training import autoencoder
from recsys.training.corpus import Corpus

RIDGE = 10.0
"""In clicks: what few have clicked is hardly changed to keep sums from telling."""


@torch.no_grad()
def warm_start(
    model: FairRec, corpus: Corpus, beliefs: Float[np.ndarray, "readers groups"]
) -> bool:
    """Give ids the factors of the training clicks; let what is read start as what is ranked.

    With factors, a reader who is the sum of the news clicked, ranked by dot product, is a good
    recommender before the first step, and what is trained is where it differs. What is read is
    changed by the least after which readers' sums are uncorrelated with what is believed of them.
    Topics start at random: with one vector for both there is nothing to take from them.

    Args:
        model: Its tables are written.
        corpus: Whose training clicks there are.
        beliefs: What must not be told of readers; of width 0 for nothing.

    Returns:
        Whether the model can rank before the first step.
    """
    ready = False
    for view in model.news_encoder.topics:
        table = model.news_encoder.tables.collection.embeddings[view].weight
        read, ranked = table[:, : model.dim], table[:, -model.dim :]
        clicked = _clicked(corpus, view, len(table))
        if view == "id":
            ready = _start_from_factors(ranked, clicked)
        if view == "id" or table.shape[1] > model.dim:
            _start_alike(read, ranked, clicked, beliefs)
    return ready


def _clicked(corpus: Corpus, view: str, size: int) -> csr_array:
    """Sum what each reader's training clicks count, by topic or id; nothing for unknown ones."""
    features, clicks, train = corpus.news.features, corpus.log.clicks, corpus.split.train
    news, readers = clicks.news[train], corpus.log.reader_of_click[train]
    rows = features.table_rows[view].numpy()[news]
    counts = features.evenness.numpy()[news].astype(np.float64) * (rows > 0)
    return csr_array((counts, (readers, rows)), shape=(len(corpus.log.user_ids), size))


def _start_from_factors(ranked: Float[Tensor, "values dim"], clicked: csr_array) -> bool:
    """Write factors, where there are any; what has none keeps its random start."""
    factors = autoencoder.factors(clicked, ranked.shape[1])
    kept = factors.any(axis=1)
    if not kept.any():
        return False
    # News that hardly anybody clicked have no direction; they would only be short.
    scale = np.sqrt(np.square(factors[kept]).sum(axis=1).mean())
    ranked[torch.from_numpy(kept)] = torch.from_numpy(factors[kept] / scale).to(ranked)
    return True


def _start_alike(
    read: Float[Tensor, "values dim"],
    ranked: Float[Tensor, "values dim"],
    clicked: csr_array,
    beliefs: Float[np.ndarray, "readers groups"],
) -> None:
    """Write what is ranked as what is read, less what adds up to beliefs among the most clicked."""
    read.copy_(ranked)
    often = autoencoder.most_clicked(clicked)
    sums = erasure.from_sums(ranked[often].numpy(), clicked[:, often], beliefs, ridge=RIDGE)
    read[torch.from_numpy(often)] = torch.from_numpy(sums).to(read)
