"""Where news ids start: the factors of a linear autoencoder, which has a closed form."""

import numpy as np
import torch
from scipy.sparse import csr_array

from recsys.model.fairrec import FairRec
from recsys.training import autoencoder
from recsys.training.corpus import Corpus


@torch.no_grad()
def warm_start(model: FairRec, corpus: Corpus) -> bool:
    """Give the id table the factors of the training clicks; without ids nothing changes.

    A reader who is the sum of the news clicked, ranked by dot product, is then a good recommender
    before the first step, and what is trained is where it differs. What is read of a news starts
    as what is ranked; news without factors keep their random start.

    Returns:
        Whether there is such a start.
    """
    if "id" not in model.news_encoder.topics:
        return False
    train, log = corpus.split.train, corpus.log
    ids = corpus.news.features.ids.numpy()[log.clicks.news[train]]
    train, ids = train[ids > 0], ids[ids > 0]
    table = model.news_encoder.tables.collection.embeddings["id"].weight
    shape = (len(log.user_ids), len(table))
    clicked = csr_array((np.ones(len(ids)), (log.reader_of_click[train], ids)), shape=shape)
    rows = torch.from_numpy(autoencoder.factors(clicked, model.dim)).to(table)
    kept = rows.any(dim=1)
    # News that hardly anybody clicked have no direction; they would only be short.
    length = rows[kept].square().sum(dim=1).mean().sqrt()
    table[kept] = (rows[kept] / length).tile(table.shape[1] // model.dim)
    return bool(kept.any())
