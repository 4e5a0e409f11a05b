"""Who gets shown: exposure of providers and topics, over all readers and by group of readers.

Shared parameters:

* ``lists``: catalogue rows, best first, one row a reader; -1 where a list is shorter.
* ``owner``: provider or topic of each news of the catalogue, as a number; -1 unknown.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from recsys.fairness.lists import discounts

Lists = Int[np.ndarray, "readers places"]
Owner = Int[np.ndarray, " news"]


def exposure_share(lists: Lists, owner: Owner, num_owners: int) -> Float[np.ndarray, " num_owners"]:
    r"""Share of all readers' attention that each owner gets; sums to 1 over known owners.

    A news at rank r gets :math:`1/\log_2(1 + r)` (Singh and Joachims, 2018,
    doi:10.1145/3219819.3220088). NaN when no known owner is shown.
    """
    held = np.where(lists >= 0, owner[lists], -1)
    weights = np.broadcast_to(discounts(lists.shape[1]), lists.shape)
    counts = np.bincount(held[held >= 0], weights[held >= 0], minlength=num_owners)
    return counts / counts.sum() if counts.sum() else np.full(num_owners, np.nan)


def share_by_group(
    lists: Lists, owner: Owner, num_owners: int, groups: Sequence[str | None]
) -> Mapping[str, Float[np.ndarray, " num_owners"]]:
    """:func:`exposure_share` of each group of readers."""
    return {
        value: exposure_share(lists[[group == value for group in groups]], owner, num_owners)
        for value in sorted({group for group in groups if group is not None})
    }


def least_clicked(
    clicks: Float[np.ndarray, " news"], owner: Owner, num_owners: int, share: float = 0.5
) -> Bool[np.ndarray, " num_owners"]:
    """Mark the protected owners: the ``share`` of them with the fewest clicks a news.

    As in ProFairRec (Qi et al., 2022, doi:10.1145/3477495.3532048), there with a prior of 1 000
    unclicked news an owner, which suits its catalogue; here without.
    """
    known = owner >= 0
    news = np.bincount(owner[known], minlength=num_owners)
    popularity = np.bincount(owner[known], clicks[known], minlength=num_owners)
    rate = popularity / np.maximum(news, 1)
    protected = np.zeros(num_owners, dtype=bool)
    protected[np.argsort(rate, kind="stable")[: int(num_owners * share)]] = True
    return protected


def protected_share(
    lists: Lists, owner: Owner, protected: Bool[np.ndarray, " owners"], k: int
) -> float:
    """Share of the shown news of known owners, among the first ``k``, that is of protected ones."""
    top = lists[:, :k]
    held = np.where(top >= 0, owner[top], -1)
    return float(protected[held[held >= 0]].mean()) if (held >= 0).any() else float("nan")


def exposure_ratio(shown: float, available: float) -> float:
    r"""ER: odds of protected news among the shown, over those in the catalogue; 1 is fair.

    .. math:: \mathrm{ER} = \frac{p/a}{(1-p)/(1-a)}

    Args:
        shown: p, from :func:`protected_share`.
        available: a, their share of the catalogue.

    Returns:
        At least 0; infinite when nothing else is shown, NaN when nothing else is there.
    """
    if not 0 < available < 1:
        return float("nan")
    if shown == 1:
        return float("inf")
    return (shown / available) / ((1 - shown) / (1 - available))


def rnd(shown: Sequence[float], available: float, ks: Sequence[int]) -> Float[np.ndarray, " cuts"]:
    r"""Compute rND at each K: discounted distance from the catalogue's share; 0 is fair.

    .. math::
        \mathrm{rND}@K = \frac{1}{Z} \sum_{k \le K} \frac{|p_k - a|}{\log_2 k}, \quad
        Z = \sum_{k \le K} \frac{a}{\log_2 k}

    over the given cuts k (Yang and Stoyanovich, 2017, doi:10.1145/3085504.3085526, with the
    normaliser of ProFairRec's evaluation: 1 when no protected news is shown).

    Args:
        shown: Protected share at each K.
        available: Protected share of the catalogue, above 0.
        ks: The cuts, at least 2 each, ascending.
    """
    weight = 1 / np.log2(np.asarray(ks, dtype=float))
    distance = np.cumsum(np.abs(np.asarray(shown) - available) * weight)
    return distance / np.cumsum(available * weight)
