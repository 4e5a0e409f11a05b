"""Ranking metrics over padded slates, one slate a row; pure numpy, no model in sight.

Shared parameters:

* ``scores``: higher is shown first. News of one score are shown in random order and every metric
  is the expectation over that order (McSherry and Najork, 2008, doi:10.1007/978-3-540-78646-7_38),
  so that no metric depends on the order of the candidates and a constant model gains nothing.
  NaN stands behind everything else.
* ``labels``: relevance, at least 0 (clicks: 0 and 1, or bool).
* ``mask``: True where there is a news, False on padding; None when nothing is padded.
* ``k``: news counted from the top, at least 1.

A slate without a relevant news has no metric and is NaN: average with ``np.nanmean``.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

Scores = Float[np.ndarray, "slates items"]
Labels = Shaped[np.ndarray, "slates items"]
Mask = Bool[np.ndarray, "slates items"]
PerSlate = Float[np.ndarray, " slates"]


def dcg(scores: Scores, labels: Labels, mask: Mask | None = None, *, k: int = 10) -> PerSlate:
    r"""Discounted cumulative gain, at least 0.

    .. math:: \mathrm{DCG@}k = \sum_{r=1}^{k} \frac{2^{y_{(r)}} - 1}{\log_2(1 + r)}

    Järvelin and Kekäläinen, 2002, doi:10.1145/582415.582418, with the gain of Burges et al., 2005.
    A slate without a relevant news has 0.
    """
    return _discounted(_ranked(scores, _gains(labels), mask), k)


def ndcg(scores: Scores, labels: Labels, mask: Mask | None = None, *, k: int = 10) -> PerSlate:
    """:func:`dcg` over that of the best order of the same slate, in [0, 1]."""
    gains = _gains(labels) if mask is None else _gains(labels) * mask
    return _ratio(dcg(scores, labels, mask, k=k), _discounted(-np.sort(-gains, axis=1), k))


def recall(scores: Scores, labels: Labels, mask: Mask | None = None, *, k: int = 10) -> PerSlate:
    """Share of the relevant news (label above 0) that stand among the first ``k``, in [0, 1]."""
    hits = _ranked(scores, labels > 0, mask)
    return _ratio(hits[:, :k].sum(axis=1), hits.sum(axis=1))


def mrr(scores: Scores, labels: Labels, mask: Mask | None = None) -> PerSlate:
    """Mean of 1/rank over a slate's relevant news, in (0, 1]: the reciprocal rank if it is one.

    As in MIND's evaluation (Wu et al., 2020, doi:10.18653/v1/2020.acl-main.331).
    """
    hits = _ranked(scores, labels > 0, mask)
    return _ratio(hits @ (1 / np.arange(1, hits.shape[1] + 1)), hits.sum(axis=1))


def auc(scores: Scores, labels: Labels, mask: Mask | None = None) -> PerSlate:
    """Probability that a relevant news scores above another one of its slate; a tie counts half.

    NaN as well where every news is relevant.
    """
    hits = _ranked(scores, labels > 0, mask)
    misses = _ranked(scores, labels <= 0, mask)
    # With ties averaged, a news shares its place with itself: half of it stands above.
    misses_above = np.cumsum(misses, axis=1) - misses / 2
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    return _ratio(pairs - (hits * misses_above).sum(axis=1), pairs)


def ndcg_at_rank(
    rank: Int[np.ndarray, " events"],
    k: int = 10,
    *,
    ties: Int[np.ndarray, " events"] | None = None,
) -> Float[np.ndarray, " events"]:
    r"""NDCG of a list with one relevant news, from its rank: :math:`1/\log_2(1 + r)` up to ``k``.

    Args:
        rank: 1 + the number of news that score above the relevant one.
        k: News counted from the top.
        ties: How many news have the relevant one's score, itself included; the mean over their
            places is returned. None: nothing ties.
    """
    sums = np.concatenate([[0.0], np.cumsum(_discounts(k))])
    width = np.ones_like(rank) if ties is None else ties
    return (sums[np.minimum(rank + width - 1, k)] - sums[np.minimum(rank - 1, k)]) / width


def rank_of(
    scores: Float[np.ndarray, "events items"],
    relevant: Int[np.ndarray, " events"],
    mask: Bool[np.ndarray, "events items"] | None = None,
) -> tuple[Int[np.ndarray, " events"], Int[np.ndarray, " events"]]:
    """Rank of each row's one relevant news and how many tie with it, for :func:`ndcg_at_rank`.

    Args:
        scores: Higher is shown first. Where the relevant news has NaN, it stands last.
        relevant: Column of the relevant news.
        mask: False on news that may not be shown; the relevant one always counts.
    """
    own = np.take_along_axis(scores, relevant[:, None], axis=1)
    allowed = np.ones_like(scores, dtype=bool) if mask is None else mask.copy()
    np.put_along_axis(allowed, relevant[:, None], False, axis=1)
    above = (scores > own) | np.isnan(own)
    return (above & allowed).sum(axis=1) + 1, ((scores == own) & allowed).sum(axis=1) + 1


def _gains(labels: Labels) -> Scores:
    return np.exp2(labels.astype(float)) - 1


def _discounts(k: int) -> Float[np.ndarray, " ranks"]:
    return 1 / np.log2(np.arange(k) + 2)


def _discounted(gains: Scores, k: int) -> PerSlate:
    top = gains[:, :k]
    return top @ _discounts(top.shape[1])


def _ratio(part: PerSlate, whole: PerSlate) -> PerSlate:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _ranked(scores: Scores, values: Labels, mask: Mask | None) -> Scores:
    """Values in order of rank; among equal scores each place holds their mean; padding last."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    if mask is not None:  # NaN sorts behind everything, so padding takes no news' place
        scores, values = np.where(mask, scores, np.nan), np.where(mask, values, 0)
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    first = np.ones(scores.shape, dtype=bool)  # of its run of equal scores
    first[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    run = np.cumsum(first.ravel()) - 1
    sums = np.bincount(run, np.take_along_axis(values, order, axis=1).ravel())
    return (sums / np.bincount(run))[run].reshape(scores.shape)
