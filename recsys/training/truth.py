"""Ranking quality against what readers truly like, where a dataset knows it; training never looks.

Clicks, held out or not, carry the biases of what was shown and where. A simulated dataset keeps
the probability that each reader clicks each news once it is looked at, and published vectors can be
judged by that alone.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from recsys.data.dataset import Dataset
from recsys.evaluation import bootstrap
from recsys.evaluation.ranking import ndcg
from recsys.ranker.bundle import Bundle, Readers
from recsys.simulation.truth import FOLDER, Truth
from recsys.training.corpus import Corpus

METRIC = "true_ndcg@10"
FILE = "true_relevance.parquet"
"""In a run's ``offline/``: what :func:`measure` found."""
MAX_READERS = 2_000
"""Readers asked about; of more, a draw that is the same for every run on the dataset."""
READERS_AT_ONCE = 256
"""Bounds memory: rows of the table of readers and news held at a time."""


def measure(dataset: Dataset, bundle: Bundle, corpus: Corpus) -> pd.DataFrame | None:
    r"""Rank news by the published float16 vectors and judge the order by true relevance.

    For each reader, the candidates are the news shown in any slate of the test (those alive at the
    log's end) that this reader has not clicked, as the service would not show these again. With
    :math:`\rho_r` the true relevance of the candidate at rank :math:`r`, and
    :math:`\rho^\star_r` the r-th largest,

    .. math:: \mathrm{nDCG@10} = \sum_{r=1}^{10} \frac{\rho_r}{\log_2(1 + r)} \Big/
              \sum_{r=1}^{10} \frac{\rho^\star_r}{\log_2(1 + r)}

    The gain is linear: a relevance is a probability, and the sum the discounted number of clicks
    if all were looked at. Chance is far above 0, as no relevance is 0.

    Returns:
        ``user_id`` and ``true_ndcg@10`` in (0, 1], a row for each reader asked about; None for a
        dataset without ``truth/``.

    Raises:
        DataError: The truth is damaged, or of another world.
    """
    if not (dataset.path / FOLDER).is_dir():
        return None
    truth, news = Truth.load(dataset.path), candidates(corpus)
    rows = _drawn(len(bundle.readers.ids))
    vectors = bundle.catalogue.vectors[news].astype(np.float32)
    news_ids = [bundle.catalogue.ids[row] for row in news]
    values = []
    for part in np.array_split(rows, -(-len(rows) // READERS_AT_ONCE)):
        scores = bundle.readers.vectors[part].astype(np.float32) @ vectors.T
        relevance = truth.relevance_table([bundle.readers.ids[row] for row in part], news_ids)
        gains = np.log2(1 + relevance)  # ndcg's gain is 2^y - 1
        values.append(ndcg(scores, gains, _unclicked(bundle.readers, part, news)))
    users = [bundle.readers.ids[row] for row in rows]
    return pd.DataFrame({"user_id": users, METRIC: np.concatenate(values)})


def summary(readers: pd.DataFrame, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Mean over readers with its bootstrap interval, under :data:`METRIC`."""
    return {METRIC: asdict(bootstrap.mean_interval(readers[METRIC].to_numpy(), rng=rng))}


def candidates(corpus: Corpus) -> Int[np.ndarray, " candidates"]:
    """List the news shown in slates of the test, ascending rows of the catalogue."""
    shown, slates = corpus.log.shown, np.unique(corpus.split.test.slate)
    starts, ends = shown.offsets[slates], shown.offsets[slates + 1]
    pieces = [shown.news[start:end] for start, end in zip(starts, ends, strict=True)]
    return np.unique(np.concatenate(pieces))


def _drawn(num_readers: int) -> Int[np.ndarray, " readers"]:
    order = np.random.default_rng(0).permutation(num_readers)
    return np.sort(order[:MAX_READERS])


def _unclicked(
    readers: Readers, rows: Int[np.ndarray, " readers"], news: Int[np.ndarray, " candidates"]
) -> Bool[np.ndarray, "readers candidates"]:
    clicks = [readers.clicks[readers.offsets[row] : readers.offsets[row + 1]] for row in rows]
    return np.array([~np.isin(news, clicked) for clicked in clicks])
