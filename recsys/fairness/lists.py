"""What the ranked lists give away: the attribute predicted from the top K, and how groups differ.

Shared parameters:

* ``lists``: catalogue rows, best first, one row a reader; -1 where a list is shorter.
* ``groups``: the attribute of each reader; None where it is not stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import accuracy_score, f1_score

from recsys.fairness.attackers import folds, logistic, out_of_fold
from recsys.fairness.leakage import LeakageConfig, judge
from recsys.fairness.target import Target

Lists = Int[np.ndarray, "readers places"]
Groups = Sequence[str | None]


@dataclass(frozen=True)
class ListLeakage:
    """How well logistic regression tells the attribute from lists."""

    auc: float
    low: float
    high: float
    accuracy: float
    macro_f1: float
    majority: float
    """Accuracy of always guessing the largest group."""


def one_hot(lists: Lists, columns: Int[np.ndarray, " news"]) -> csr_array:
    """How often each column stands in each list.

    Args:
        lists: Cut to the wanted K.
        columns: Column of each news: itself, or its category; -1 for none.
    """
    reader = np.repeat(np.arange(len(lists)), lists.shape[1])
    column = np.where(lists.ravel() >= 0, columns[lists.ravel()], -1)
    known = column >= 0
    shape = (len(lists), int(columns.max(initial=0)) + 1)
    return csr_array((np.ones(known.sum()), (reader[known], column[known])), shape=shape)


def list_leakage(
    features: csr_array, groups: Groups, *, rng: np.random.Generator, config: LeakageConfig
) -> ListLeakage | None:
    """Predict the attribute from lists, as FairRec measures it (Wu et al., 2021, arXiv:2006.16742).

    Returns:
        None with insufficient data.
    """
    target = Target.of(groups, config.min_readers)
    if target.labels is None:
        return None
    labels, seed = target.labels, int(rng.integers(2**31))
    fold = folds(labels, seed)
    scores = out_of_fold(logistic, features[np.flatnonzero(target.kept)], labels, fold, seed)
    (attack,), _ = judge({"lists": scores}, labels, fold, rng=rng, config=config)
    guess = scores.argmax(axis=1)
    return ListLeakage(
        *(attack.auc, attack.low, attack.high),
        accuracy=float(accuracy_score(labels, guess)),
        macro_f1=float(f1_score(labels, guess, average="macro")),
        majority=float(np.bincount(labels).max() / len(labels)),
    )


def js_distance(
    lists: Lists, groups: Groups, num_news: int, hits: np.ndarray | None = None
) -> float:
    """Jensen-Shannon distance between the news that groups are shown, in [0, 0.833].

    FairMI's DP-JS@K, and with ``hits`` its EO-JS@K (Zhao et al., AAAI 2023): the square root of
    the divergence, in nats, of the groups' exposure counts; the mean over pairs of groups. NaN
    where a group is shown nothing, or where there are not two groups.

    Args:
        lists: Cut to the wanted K.
        groups: The attribute of each reader.
        num_news: Rows of the catalogue.
        hits: True at places whose news the reader did click; only these count.
    """
    return _distance(lists, _codes(groups), num_news, hits)


def js_floor(
    lists: Lists,
    groups: Groups,
    num_news: int,
    hits: np.ndarray | None = None,
    *,
    rng: np.random.Generator,
    num_shuffles: int = 100,
) -> float:
    """:func:`js_distance` when the attribute is dealt out at random: what it cannot go below.

    The distance of two samples of one distribution is not zero; only the excess over this floor
    says that groups are shown different news.
    """
    codes = _codes(groups)
    known = codes >= 0
    lists, codes, hits = lists[known], codes[known], None if hits is None else hits[known]
    distances = [
        _distance(lists, rng.permutation(codes), num_news, hits) for _ in range(num_shuffles)
    ]
    return float(np.mean(distances))


def _codes(groups: Groups) -> Int[np.ndarray, " readers"]:
    """Number the values of the attribute; -1 where it is not stated."""
    return pd.factorize(np.array(groups, dtype=object), sort=True)[0]


def _distance(
    lists: Lists, codes: Int[np.ndarray, " readers"], num_news: int, hits: np.ndarray | None
) -> float:
    counts = (lists >= 0) & (codes >= 0)[:, None] & (True if hits is None else hits)
    values = int(codes.max(initial=-1)) + 1
    cells = (codes[:, None] * num_news + lists)[counts]
    exposure = np.bincount(cells, minlength=values * num_news).reshape(values, num_news)
    if values < 2 or not exposure.any(axis=1).all():
        return float("nan")
    return float(np.mean([jensenshannon(a, b) for a, b in combinations(exposure, 2)]))


def hit_places(
    lists: Lists, readers: Int[np.ndarray, " clicks"], news: Int[np.ndarray, " clicks"]
) -> np.ndarray:
    """Places that hold a news which that reader clicked: bool, in the shape of ``lists``.

    Args:
        lists: What would be shown.
        readers: Row in ``lists`` of each held-out click.
        news: Catalogue row of each held-out click.
    """
    width = int(max(lists.max(initial=0), news.max(initial=0))) + 1
    keys = np.arange(len(lists))[:, None] * width + lists
    return np.isin(keys, readers * width + news) & (lists >= 0)


def discounts(num_places: int) -> Float[np.ndarray, " places"]:
    r"""Attention a place gets: :math:`1/\log_2(1 + r)`, as in nDCG."""
    return 1 / np.log2(np.arange(num_places) + 2)
