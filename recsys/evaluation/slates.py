"""Off-policy estimates for whole slates, under assumptions of how a slate is read.

Arrays are ``[rounds, length]``, column 0 the first position; terms go where those of
``offpolicy`` go. The weaker the assumption, the wider the interval: take the estimator whose
assumption the log supports (a click model's fit says which).
"""

import numpy as np
from jaxtyping import Float

from recsys.evaluation.offpolicy import Terms

Slates = Float[np.ndarray, "rounds length"]


def slate_ips(rewards: Slates, weights: Slates) -> Terms:
    """No assumption: the whole slate must be likely under both policies.

    Args:
        rewards: Reward of each position.
        weights: New over logging probability of each position's news *given those above it*.
    """
    whole = weights.prod(axis=1) * rewards.sum(axis=1)
    return Terms(np.zeros(len(rewards)), whole[:, None], np.ones((len(rewards), 1)))


def reward_interaction_ips(rewards: Slates, weights: Slates) -> Terms:
    """Right where no click depends on what stands below it (RIPS).

    So for readers who go from top to bottom, and for those who look at places by themselves
    (McInerney et al., 2020, arXiv:2007.12986).

    Args:
        rewards: Reward of each position.
        weights: As for :func:`slate_ips`.
    """
    return Terms(np.zeros(len(rewards)), weights.cumprod(axis=1) * rewards, np.ones_like(weights))


def reward_interaction_snips(rewards: Slates, weights: Slates) -> Terms:
    """:func:`reward_interaction_ips`, each position divided by its own mean weight."""
    through = weights.cumprod(axis=1)
    return Terms(np.zeros(len(rewards)), through * rewards, through)


def cascade_dr(
    rewards: Slates, weights: Slates, logged_value: Slates, policy_value: Slates
) -> Terms:
    r"""Doubly robust under the cascade assumption.

    .. math:: \sum_k w_{1:k} (r_k - \hat Q_k) + w_{1:k-1} \hat V_k

    Kiyohara et al., 2022, arXiv:2202.01562, eq. 8, where :math:`\hat Q_k` guesses the reward from
    position k on *given the slate down to k* and :math:`\hat V_k` is its mean over the new
    policy's choice at k; the reward from k on is written as r_k plus the guess for what follows.

    Args:
        rewards: Reward of each position.
        weights: As for :func:`slate_ips`.
        logged_value: Guess of the reward from this position to the last, for the logged news.
        policy_value: The same, averaged over the new policy's news at this position.
    """
    through = weights.cumprod(axis=1)
    before = np.concatenate([np.ones((len(weights), 1)), through[:, :-1]], axis=1)
    columns = through * (rewards - logged_value) + before * policy_value
    return Terms(np.zeros(len(rewards)), columns, np.ones_like(weights))
