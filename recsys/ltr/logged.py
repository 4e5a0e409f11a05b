"""A contest on a real log: sessions to learn from, later sessions to be judged on.

Nothing is simulated and, unless labels came with the data, no truth is known: rankings are judged
by held-out clicks weighted by inverse examination, which is right as far as the examination
estimate is. Where the documents of the log have labels, some queries are kept out of it altogether,
so that no method has seen anything of what labels judge it by.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from recsys.data.queries import ClickLog, Collection, Queries
from recsys.errors import DataError
from recsys.evaluation import click, ir
from recsys.evaluation.ir import PerQuery
from recsys.ltr.batches import LoggedSource
from recsys.ltr.clicks import FITS, Fitted, position
from recsys.ltr.clicks.sessions import Sessions, rectangle
from recsys.ltr.experiment import Contest, Scorer
from recsys.ltr.protocol import standardised

HELD_OUT = 0.2
"""Share of the sessions, the last ones, that rankings are judged on."""
TEST_SHARE = 0.2
"""Share of the queries kept out of the log where it has labels and no test queries come with it."""
MAX_FITTED = 200_000
"""Sessions that click models are fitted to."""
DEPTH = 10


@dataclass(frozen=True)
class LoggedContest:
    """A log, cut in time."""

    contest: Contest
    train: Sessions
    held_out: Sessions
    features: Float[np.ndarray, "documents dim"]
    test: Queries | None
    """Labelled queries, where the data have them; none has a session in the log."""
    examination: Float[np.ndarray, " length"]
    """What held-out clicks are weighted by: as logged, or else as estimated."""


def prepare(collection: Collection, length: int) -> LoggedContest:
    """Cut the log, estimate examination by EM, and take labels where there are any.

    A session that shows nothing at the positions used, such as a second page, is left out. Without
    test queries a share of the labelled ones becomes them, the same every time, and their
    sessions leave the log: neither their labels nor their clicks are learned from.

    Args:
        collection: Training documents with a log; perhaps labelled test queries.
        length: Positions used, at most; no more than the log has.

    Raises:
        DataError: There is no log, no two sessions in it, none but of test queries, or no click at
            the first position.
    """
    if collection.log is None or not len(collection.log):
        raise DataError("expected logged sessions, found none")
    log, collection = collection.log, standardised(collection)
    queries, test = collection.splits["train"], collection.splits.get("test")
    if test is None and queries.labels is not None:
        kept_out = _kept_out(queries)
        test, log = queries.select(kept_out), _without(log, queries, kept_out)
    length = min(length, int(log.positions.max()))
    train, held_out = _cut(rectangle(log, length))
    estimated, _ = position.estimate(_part(train, slice(MAX_FITTED)), len(queries.features))
    known = _known(log, length)
    appeal = None if queries.labels is None else queries.labels / max(queries.labels.max(), 1.0)
    contest = Contest(
        LoggedSource(queries.features, train, appeal),
        queries.features.shape[1],
        length,
        queries if test is None else test,
        known,
        estimated,
    )
    curve = estimated if known is None else known
    return LoggedContest(contest, train, held_out, queries.features, test, click.relative(curve))


def held_out_gain(scorer: Scorer, contest: LoggedContest, max_weight: float) -> dict[str, PerQuery]:
    r"""Judge a ranker by held-out clicks: :math:`\sum_i (c_i / \theta_i) / \log_2(1 + rank_i)`.

    Joachims et al., 2017, arXiv:1608.04468, section 4, with weights of at most ``max_weight``;
    ``click-dcg@10`` has no weights and rewards a ranker for repeating the old order.
    """
    sessions = contest.held_out
    scores = scorer(contest.features)[sessions.documents[sessions.mask]]
    offsets = np.concatenate([[0], np.cumsum(sessions.mask.sum(axis=1))])
    clicks = sessions.clicks.astype(float)

    def gain(values: Float[np.ndarray, "sessions length"]) -> PerQuery:
        return ir.dcg(ir.rank(scores, values[sessions.mask], offsets), DEPTH, ir.linear)

    weighted = clicks * np.minimum(1 / contest.examination, max_weight)
    return {"ips-dcg@10": gain(weighted), "click-dcg@10": gain(clicks)}


def click_models(contest: LoggedContest) -> list[dict[str, object]]:
    """Fit every click model to the training sessions; say how well each predicts the others."""
    train, fresh = _part(contest.train, slice(MAX_FITTED)), contest.held_out
    rows: list[dict[str, object]] = []
    for name, fit in FITS.items():
        found = _known_documents(fit(train, len(contest.features)), train)
        chances = found.model.probabilities(found.appeal, fresh)
        rows.append(
            {
                "model": name,
                "log_likelihood": click.log_likelihood(chances, fresh.clicks, fresh.mask),
                "perplexity": click.perplexity(chances, fresh.clicks, fresh.mask).tolist(),
            }
        )
    return rows


def _kept_out(queries: Queries) -> Int[np.ndarray, " chosen"]:
    """The queries whose hashed ids come first: the same ones whatever their order."""
    order = np.argsort(pd.util.hash_array(np.array(queries.ids, dtype=object)), kind="stable")
    return np.sort(order[: max(1, round(TEST_SHARE * len(queries)))])


def _without(log: ClickLog, queries: Queries, chosen: Int[np.ndarray, " chosen"]) -> ClickLog:
    """Leave out every session that shows a document of the chosen queries."""
    owner = np.repeat(np.arange(len(queries)), np.diff(queries.offsets))
    sizes = np.diff(log.offsets)
    session = np.repeat(np.arange(len(log)), sizes)
    shows = np.isin(owner, chosen)[log.documents]
    kept = np.bincount(session[shows], minlength=len(log)) == 0
    if not kept.any():
        raise DataError(
            "expected sessions of more queries: those with labels are split by query, and none is "
            "left to learn from"
        )
    rows = kept[session]
    return replace(
        log,
        offsets=np.concatenate([[0], np.cumsum(sizes[kept])]),
        documents=log.documents[rows],
        positions=log.positions[rows],
        clicks=log.clicks[rows],
        propensities=None if log.propensities is None else log.propensities[rows],
    )


def _cut(sessions: Sessions) -> tuple[Sessions, Sessions]:
    """Sessions to learn from, and the last ones to judge by."""
    sessions = _part(sessions, np.flatnonzero(sessions.mask.any(axis=1)))
    if len(sessions.clicks) < 2:
        raise DataError(
            f"expected two sessions or more, some to learn from and some to judge by, found "
            f"{len(sessions.clicks)}"
        )
    cut = min(round(len(sessions.clicks) * (1 - HELD_OUT)), len(sessions.clicks) - 1)
    train, held_out = _part(sessions, slice(cut)), _part(sessions, slice(cut, None))
    if not train.clicks[:, 0].any():
        raise DataError(
            "position 1 was never clicked in the sessions to learn from; expected a click there, "
            "as examination is relative to it"
        )
    return train, held_out


def _part(sessions: Sessions, chosen: slice | Int[np.ndarray, " chosen"]) -> Sessions:
    return Sessions(sessions.documents[chosen], sessions.clicks[chosen], sessions.mask[chosen])


def _known(log: ClickLog, length: int) -> Float[np.ndarray, " length"] | None:
    """Mean logged propensity of each position."""
    if log.propensities is None:
        return None
    kept = log.positions <= length
    place = log.positions[kept] - 1
    total = np.bincount(place, weights=log.propensities[kept], minlength=length)
    count = np.bincount(place, minlength=length)
    return total / np.maximum(count, 1)


def _known_documents(found: Fitted, train: Sessions) -> Fitted:
    """Documents that were never shown get the mean appeal of those that were."""
    shown = train.by_document(np.ones(train.clicks.shape), len(found.appeal)) > 0
    return Fitted(found.model, np.where(shown, found.appeal, found.appeal[shown].mean()))
