"""Where news ids start: the factors of a linear autoencoder, and what fairness takes of them."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array

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
    """Give the id table the factors of the training clicks; without ids nothing changes.

    A reader who is the sum of the news clicked, ranked by dot product, is then a good recommender
    before the first step, and what is trained is where it differs. What is read of a news starts
    as what is ranked, but for the least change after which readers' sums are uncorrelated with what
    is believed of them: where news have one vector for both, nothing is taken away. News without
    factors keep their random start.

    Args:
        model: Its table is written.
        corpus: Whose training clicks there are.
        beliefs: What must not be told of readers; of width 0 for nothing.

    Returns:
        Whether there is such a start.
    """
    if "id" not in model.news_encoder.topics:
        return False
    train, log = corpus.split.train, corpus.log
    features = corpus.news.features
    id_of = features.ids.numpy()
    ids = id_of[log.clicks.news[train]]
    train, ids = train[ids > 0], ids[ids > 0]
    table = model.news_encoder.tables.collection.embeddings["id"].weight
    shape = (len(log.user_ids), len(table))
    clicked = csr_array((np.ones(len(ids)), (log.reader_of_click[train], ids)), shape=shape)
    factors = autoencoder.factors(clicked, model.dim)
    kept = factors.any(axis=1)
    if not kept.any():
        return False
    # News that hardly anybody clicked have no direction; they would only be short.
    ranked = factors[kept] / np.sqrt(np.square(factors[kept]).sum(axis=1).mean())
    sides = [ranked]
    if table.shape[1] > model.dim:
        counts = np.ones(len(table))
        counts[id_of] = features.evenness.numpy()
        read = csr_array((clicked > 0) * counts)[:, kept]
        sides.insert(0, erasure.from_sums(ranked, read, beliefs, ridge=RIDGE))
    table[torch.from_numpy(kept)] = torch.from_numpy(np.hstack(sides)).to(table)
    return True
