"""A reward model for direct and doubly robust estimates, fitted on rounds it does not predict."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import Ridge

NUM_FOLDS = 3
"""Parts the rounds are dealt into."""


def cross_fit(
    context: Float[np.ndarray, "rounds features"],
    actions: Int[np.ndarray, " rounds"],
    rewards: Float[np.ndarray, " rounds"],
    num_actions: int,
    *,
    penalty: float = 10.0,
    rng: np.random.Generator,
) -> Float[np.ndarray, "rounds actions"]:
    """Guess every action's reward in every round, each by a model that never saw the round.

    Ridge regression on context and action indicators, additive: a plain model whose errors the
    weights of doubly robust estimators correct. Cross-fitting keeps the model's overfit out of
    the estimate (Chernozhukov et al., 2018, doi:10.1111/ectj.12097).

    Args:
        context: Features of each round, numbers of comparable size.
        actions: Logged action, from 0.
        rewards: Observed rewards.
        num_actions: Size of the action set.
        penalty: Ridge penalty, in rounds: an action seen that often is shrunk half way to the
            mean.
        rng: Deals the rounds.
    """
    fold = rng.permutation(len(actions)) % NUM_FOLDS
    guesses = np.empty((len(actions), num_actions))
    indicators = _one_hot(actions, num_actions)
    for held in range(NUM_FOLDS):
        inside = fold != held
        design = hstack([csr_matrix(context[inside]), indicators[inside]]).tocsr()
        model = Ridge(alpha=penalty).fit(design, rewards[inside])
        shared = context[~inside] @ model.coef_[: context.shape[1]] + model.intercept_
        guesses[~inside] = shared[:, None] + model.coef_[context.shape[1] :]
    return guesses


def _one_hot(values: np.ndarray, size: int) -> csr_matrix:
    rows = np.arange(len(values))
    return csr_matrix((np.ones(len(values)), (rows, values)), shape=(len(values), size))
