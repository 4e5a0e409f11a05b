"""Ranking quality on held-out events, of a model and of the popularity it has to beat."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor

from recsys.data.reading_log import ReadingLog
from recsys.data.splits import Questions
from recsys.evaluation.ranking import ndcg, ndcg_at_rank, rank_of
from recsys.model.fairrec import FairRec, ModelConfig, NewsVectors
from recsys.model.news_encoder import NewsEncoder
from recsys.model.user_encoder import UserEncoder
from recsys.training.corpus import Corpus
from recsys.training.loader import histories, training_ends
from recsys.training.progress import VectorsOverflow

SCORES_AT_ONCE = 4_000_000
"""Bounds memory: scores held at a time."""


def encode_news(model: FairRec, corpus: Corpus) -> NewsVectors:
    """Encode every news of a corpus, rounded as it is served (float16).

    Raises:
        VectorsOverflow: A number is too large for that.
    """
    encoded = encode_all(model.news_encoder, corpus)
    sides = model.sides(encoded, corpus.news.features.evenness.to(encoded.device))
    return NewsVectors(*(_served(side).float() for side in sides))


@torch.no_grad()
def encode_all(encoder: NewsEncoder, corpus: Corpus) -> Float[Tensor, "news width"]:
    """Encode every news of a corpus by one encoder, rounded to float16.

    Raises:
        VectorsOverflow: A number is too large for that.
    """
    encoder.eval()
    device = encoder.unknown.device
    parts = []
    for rows in torch.arange(len(corpus.log.news_ids)).split(8192):
        features = corpus.news.take(rows)
        parts.append(encoder(type(features)(*(c.to(device) for c in features))))
    return _served(torch.cat(parts)).float()


@torch.no_grad()
def encode_readers(
    encoder: UserEncoder,
    news: Float[Tensor, "news dim"],
    log: ReadingLog,
    *,
    readers: np.ndarray,
    ends: np.ndarray,
    max_history: int,
) -> Float[np.ndarray, "events dim"]:
    """Encode readers from their clicks up to ``ends``, rounded as they are served (float16).

    Raises:
        VectorsOverflow: A number is too large for that.
    """
    encoder.eval()
    parts = []
    for at in range(0, len(readers), 4096):
        history, mask = histories(log, readers[at : at + 4096], ends[at : at + 4096], max_history)
        index, known = torch.from_numpy(history), torch.from_numpy(mask)
        parts.append(_served(encoder(news, index.to(news.device), known.to(news.device))).cpu())
    return torch.cat(parts).float().numpy()


def _served(vectors: Float[Tensor, "rows dim"]) -> Float16[Tensor, "rows dim"]:
    rounded = vectors.half()
    if not torch.isfinite(rounded).all():
        raise VectorsOverflow
    return rounded


def encode_everybody(
    model: FairRec, corpus: Corpus, config: ModelConfig
) -> tuple[Int[np.ndarray, " readers"], Float[np.ndarray, "readers dim"]]:
    """Encode the bias-free part of all readers with clicks to learn from, after the last of these.

    Returns:
        Rows of the readers, and their vectors as they are served.
    """
    readers, ends = training_ends(corpus)
    vectors = encode_readers(
        model.bias_free,
        encode_news(model, corpus).read,
        corpus.log,
        readers=readers,
        ends=ends,
        max_history=config.max_history,
    )
    return readers, vectors


def answer(
    log: ReadingLog,
    questions: Questions,
    readers: Float[np.ndarray, "events dim"],
    news: Float[np.ndarray, "news dim"],
) -> Float[np.ndarray, " events"]:
    """NDCG@10 of each held-out event, ranked by dot product.

    Where a slate is asked about, its impressions are ranked; where clicks are, they are looked for
    in the whole catalogue without what the reader had clicked before.
    """
    results = []
    width = 1000 if questions.ranks_slates else len(news)
    for part in _chunks(len(questions.reader), width):
        if not questions.ranks_slates:
            results.append(_find(log, questions, part, readers[part] @ news.T))
        else:
            rows, shown, mask = _slates(log, questions.slate[part])
            scores = np.einsum("ed,esd->es", readers[part], news[rows])
            results.append(ndcg(scores, shown, mask))
    return np.concatenate(results)


def answer_by_popularity(
    log: ReadingLog, questions: Questions, train: np.ndarray
) -> Float[np.ndarray, " events"]:
    """NDCG@10 of the ranking by clicks, the same for every reader.

    Whole catalogue: clicks of the training part. Slates: all clicks before the slate, as a live
    counter would have them, so that news younger than the training part count too.
    """
    if not questions.ranks_slates:
        clicks = np.bincount(log.clicks.news[train], minlength=len(log.news_ids)).astype(float)
        ones = np.ones((len(questions.reader), 1))
        return answer(log, questions, ones, clicks[:, None])
    count = clicks_before(log)
    results = []
    for part in _chunks(len(questions.reader), 1000):
        rows, shown, mask = _slates(log, questions.slate[part])
        scores = count(rows, questions.slate[part]).astype(float)
        results.append(ndcg(scores, shown, mask))
    return np.concatenate(results)


def _chunks(num_events: int, width: int) -> list[np.ndarray]:
    at_once = max(1, SCORES_AT_ONCE // width)
    return [np.arange(s, min(s + at_once, num_events)) for s in range(0, num_events, at_once)]


def _find(
    log: ReadingLog,
    questions: Questions,
    part: np.ndarray,
    scores: Float[np.ndarray, "events news"],
) -> Float[np.ndarray, " events"]:
    clicks, end = log.clicks, questions.end[part]
    allowed = np.ones(scores.shape, dtype=bool)
    allowed[_spans(clicks.news, clicks.offsets[questions.reader[part]], end)] = False
    event, wanted = np.unique(_spans(clicks.news, end, questions.until[part]), axis=1)
    allowed[event, wanted] = True  # clicked once more
    gains = np.empty(len(event))
    for pairs in _chunks(len(event), scores.shape[1]):
        rank, ties = rank_of(scores[event[pairs]], wanted[pairs], allowed[event[pairs]])
        gains[pairs] = ndcg_at_rank(rank, 10, ties=ties)
    ideal = np.cumsum(ndcg_at_rank(np.arange(1, 11)))  # of so many wanted news, the first ten
    found = np.bincount(event, gains, minlength=len(part))
    return found / ideal[np.minimum(np.bincount(event, minlength=len(part)), 10) - 1]


def _spans(
    news: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[Int[np.ndarray, " clicks"], Int[np.ndarray, " clicks"]]:
    """List the events and the news of ``news[start:end]`` of each event."""
    size = end - start
    event = np.repeat(np.arange(len(start)), size)
    within = np.arange(len(event)) - np.repeat(np.cumsum(size) - size, size)
    return event, news[np.repeat(start, size) + within]


def _slates(log: ReadingLog, slates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pad slates to the longest: news, clicks (as numbers), and what is not padding."""
    start, end = log.shown.offsets[slates], log.shown.offsets[slates + 1]
    at = start[:, None] + np.arange((end - start).max())
    mask = at < end[:, None]
    at = np.where(mask, at, 0)
    return log.shown.news[at], np.where(mask, log.shown.clicked[at], False).astype(float), mask


def clicks_before(log: ReadingLog) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function of news ``[events, slate]`` and slates ``[events]``.

    It counts the clicks of each news in slates that began before the event's slate.
    """
    clicked = np.flatnonzero(log.shown.clicked)
    slate = np.searchsorted(log.shown.offsets, clicked, side="right") - 1
    span = len(log.shown.reader) + 1
    keys = np.sort(log.shown.news[clicked] * span + slate)

    def count(news: np.ndarray, slates: np.ndarray) -> np.ndarray:
        start = np.searchsorted(keys, news * span)
        return np.searchsorted(keys, news * span + slates[:, None]) - start

    return count
