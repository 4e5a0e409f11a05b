r"""Off-policy estimates of a new policy's value from another policy's log.

An estimator returns :class:`Terms`, the contributions of the single rounds; :attr:`Terms.value`
is the estimate and ``offpolicy_interval`` gives it an interval. Slates are in ``slates``, what to
believe of it all in ``overlap``. Rewards share one unit throughout: clicks a round, say.

Shared parameters, one entry a logged round:

* ``rewards``: observed rewards.
* ``weights``: new over logging probability of the logged action, at least 0.
* ``logged_value``: a reward model's guess for the logged action.
* ``policy_value``: its guess averaged over the new policy's actions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Rounds = Float[np.ndarray, " rounds"]


@dataclass(frozen=True)
class Terms:
    r"""What every round adds: :math:`\frac1n\sum_i d_i + \sum_k \sum_i c_{ik} / \sum_i n_{ik}`.

    One column for single actions, one a position for slates.
    """

    direct: Rounds
    """The reward model's share; 0 for estimators without one."""
    correction: Float[np.ndarray, "rounds columns"]
    """The weighted share."""
    normaliser: Float[np.ndarray, "rounds columns"]
    """Ones, or the weights where the estimator divides by their sum."""

    @property
    def value(self) -> float:
        """The estimate, in reward a round."""
        return float(self.per_round.mean())

    @property
    def per_round(self) -> Rounds:
        """Terms whose mean is the estimate."""
        scale = self.normaliser.mean(axis=0)
        safe = np.where(scale > 0, scale, 1.0)
        return self.direct + (self.correction / safe).sum(axis=1)

    @property
    def error(self) -> float:
        r"""Standard error of the estimate, rounds being independent (delta method).

        .. math:: \frac{1}{\sqrt n} \operatorname{sd}_i
                  \Bigl(d_i + \sum_k (c_{ik} - v_k n_{ik}) / \bar n_k\Bigr), \quad
                  v_k = \sum_i c_{ik} / \sum_i n_{ik}

        A ratio errs less than its numerator: a round of large weight adds to both of its sums.
        """
        scale = self.normaliser.mean(axis=0)
        safe = np.where(scale > 0, scale, 1.0)
        ratio = self.correction.mean(axis=0) / safe
        off = self.direct + ((self.correction - ratio * self.normaliser) / safe).sum(axis=1)
        return float(off.std() / np.sqrt(len(off)))

    @property
    def is_self_normalised(self) -> bool:
        """Whether the estimate is a ratio: its terms then have no bound of their own."""
        return bool((self.normaliser != 1).any())


def ips(rewards: Rounds, weights: Rounds) -> Terms:
    r"""Inverse propensity score: :math:`w_i r_i`.

    Unbiased while the log explores whatever the new policy does; high variance when it rarely
    does (Horvitz and Thompson, 1952, doi:10.1080/01621459.1952.10483446).
    """
    return _plain(np.zeros_like(rewards), weights * rewards)


def snips(rewards: Rounds, weights: Rounds) -> Terms:
    r"""Self-normalised IPS: :math:`\sum w_i r_i / \sum w_i`, a little bias for less variance.

    Swaminathan and Joachims, 2015, "The self-normalized estimator for counterfactual learning".
    """
    return _normalised(np.zeros_like(rewards), weights * rewards, weights)


def clipped_ips(rewards: Rounds, weights: Rounds, *, limit: float) -> Terms:
    r"""IPS with weights of at most ``limit``: :math:`\min(w_i, \lambda) r_i`.

    Biased down for rewards that are never negative (Ionides, 2008,
    doi:10.1198/106186008X320456).
    """
    return ips(rewards, np.minimum(weights, limit))


def direct_method(policy_value: Rounds) -> Terms:
    """The reward model alone: no variance from weights, all the bias of the model."""
    return _plain(policy_value, np.zeros_like(policy_value))


def doubly_robust(
    rewards: Rounds, weights: Rounds, logged_value: Rounds, policy_value: Rounds
) -> Terms:
    r"""Reward model plus an IPS correction of its error: :math:`\hat v_i + w_i (r_i - \hat q_i)`.

    Unbiased if either the propensities or the reward model are right (Dudík et al., 2011,
    arXiv:1103.4601, eq. 1).
    """
    return _plain(policy_value, weights * (rewards - logged_value))


def self_normalised_dr(
    rewards: Rounds, weights: Rounds, logged_value: Rounds, policy_value: Rounds
) -> Terms:
    """Doubly robust, its correction divided by the mean weight (Robins et al., 2007)."""
    return _normalised(policy_value, weights * (rewards - logged_value), weights)


def switch_dr(
    rewards: Rounds, weights: Rounds, logged_value: Rounds, policy_value: Rounds, *, limit: float
) -> Terms:
    """Doubly robust where the weight is at most ``limit``, else the reward model alone.

    Wang et al., 2017, arXiv:1612.01205, the doubly robust form.
    """
    return doubly_robust(rewards, switched(weights, limit), logged_value, policy_value)


def shrunk_dr(
    rewards: Rounds, weights: Rounds, logged_value: Rounds, policy_value: Rounds, *, limit: float
) -> Terms:
    r"""DR with optimistic shrinkage (DRos): weights :math:`\lambda w / (w^2 + \lambda)`.

    ``limit`` 0 is the direct method, infinity is doubly robust (Su et al., 2020,
    arXiv:1907.09623, eq. 9).
    """
    return doubly_robust(rewards, shrunk(weights, limit), logged_value, policy_value)


def switched(weights: Rounds, limit: float) -> Rounds:
    """Weights that switch-DR uses: 0 above the limit."""
    return np.where(weights <= limit, weights, 0.0)


def shrunk(weights: Rounds, limit: float) -> Rounds:
    """Weights that DRos uses."""
    return weights if np.isinf(limit) else limit * weights / (weights**2 + limit + 1e-300)


def tuned(
    estimator: Callable[[float], Terms], unbiased: Terms, limits: Sequence[float]
) -> tuple[float, Terms]:
    r"""The limit with the smallest estimated error: :math:`\hat b^2 + \hat\sigma^2 / n`.

    The bias is estimated as the distance to an unbiased estimator, less what noise alone would
    make of it (after Wang et al., 2017, section 3.3).

    Args:
        estimator: Terms for a limit.
        unbiased: Terms of IPS or DR on the same rounds.
        limits: Candidates, such as quantiles of the weights.
    """
    candidates = [(limit, estimator(limit)) for limit in limits]
    return min(candidates, key=lambda pair: _squared_error(pair[1], unbiased))


def _squared_error(terms: Terms, unbiased: Terms) -> float:
    rounds = len(terms.direct)
    gap = terms.per_round - unbiased.per_round
    noise = gap.var() / rounds
    return max(float(gap.mean()) ** 2 - noise, 0.0) + float(terms.per_round.var()) / rounds


def _plain(direct: Rounds, correction: Rounds) -> Terms:
    return Terms(direct, correction[:, None], np.ones((len(direct), 1)))


def _normalised(direct: Rounds, correction: Rounds, weights: Rounds) -> Terms:
    return Terms(direct, correction[:, None], weights[:, None])
