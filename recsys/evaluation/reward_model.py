"""A reward model for direct and doubly robust estimates, fitted on rounds it does not predict.

Ridge regression on context and action indicators, additive: a plain model whose errors the weights
of doubly robust estimators correct. Its estimates are linear in the rewards it was taught, so that
what the fit adds to the uncertainty of a value has a closed form and no resample needs a new fit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from recsys.evaluation.offpolicy import Rounds

NUM_FOLDS = 3
"""Parts the rounds are dealt into."""


@dataclass(frozen=True)
class _Ridge:
    """Coefficients, and the normal equations they solve: the actions' own block is diagonal."""

    shared: Float[np.ndarray, " features"]
    effects: Float[np.ndarray, " actions"]
    crossed: Float[np.ndarray, "actions features"]
    counts: Float[np.ndarray, " actions"]
    """Rounds of each action plus the penalty."""
    reduced: Float[np.ndarray, "features features"]
    """Schur complement of the actions' block."""

    def solve(
        self, shared: Float[np.ndarray, " features"], effects: Float[np.ndarray, " actions"]
    ) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, " actions"]]:
        return _solve(self.crossed, self.counts, self.reduced, (shared, effects))


@dataclass(frozen=True)
class CrossFit:
    """Models of the same rounds, each taught by those outside one fold and asked about the fold.

    Cross-fitting keeps a model's overfit out of the estimate (Chernozhukov et al., 2018,
    doi:10.1111/ectj.12097).
    """

    context: Float[np.ndarray, "rounds features"]
    """A column of ones first."""
    actions: Int[np.ndarray, " rounds"]
    fold: Int[np.ndarray, " rounds"]
    models: list[_Ridge]

    def logged(self) -> Rounds:
        """Guess the reward of every round's logged action."""
        return self._asked(lambda model, rows: model.effects[self.actions[rows]])

    def averaged(
        self, policy: Float[np.ndarray, "positions actions"], positions: Int[np.ndarray, " rounds"]
    ) -> Rounds:
        """Guess every round's reward under a policy, by position."""
        return self._asked(lambda model, rows: (policy @ model.effects)[positions[rows]])

    def taught(
        self,
        rewards: Rounds,
        used: Rounds,
        policy: Float[np.ndarray, "positions actions"],
        positions: Int[np.ndarray, " rounds"],
    ) -> Rounds:
        r"""What each round's reward adds to an estimate through the models it taught.

        The estimate is the mean of :math:`\hat q(x_i, \pi) + c_i (r_i - \hat q(x_i, a_i))`. Its
        gradient g by the coefficients of a model reaches a round of its training as
        :math:`g^\top (X^\top X + \Lambda)^{-1} x_i (r_i - \hat q_i)`: the infinitesimal jackknife
        (Jaeckel, 1972; Efron, 1982, doi:10.1137/1.9781611970319).

        Args:
            rewards: Of every round; others than those observed ask "what if".
            used: Weight c of each round's error in the estimate; 0 for the direct method.
            policy: The new policy's probabilities at each position.
            positions: Of every round, as codes.
        """
        added = np.zeros(len(rewards))
        for held, model in enumerate(self.models):
            asked, rows = self.fold == held, self.fold != held
            weights, size = used[asked], policy.shape[1]
            shared = (1 - weights) @ self.context[asked]
            chosen = np.bincount(positions[asked], minlength=len(policy)) @ policy
            effects = chosen - np.bincount(self.actions[asked], weights, minlength=size)
            by_context, by_action = model.solve(shared, effects)
            context, actions = self.context[rows], self.actions[rows]
            error = rewards[rows] - context @ model.shared - model.effects[actions]
            added[rows] += (context @ by_context + by_action[actions]) * error
        return added

    def _asked(self, effect: Callable[[_Ridge, np.ndarray], np.ndarray]) -> Rounds:
        guesses = np.empty(len(self.actions))
        for held, model in enumerate(self.models):
            rows = self.fold == held
            guesses[rows] = self.context[rows] @ model.shared + effect(model, rows)
        return guesses


def cross_fit(
    context: Float[np.ndarray, "rounds features"],
    actions: Int[np.ndarray, " rounds"],
    rewards: Rounds,
    num_actions: int,
    *,
    penalty: float = 10.0,
    rng: np.random.Generator,
) -> CrossFit:
    """Fit a model for each fold on the rounds outside it.

    Args:
        context: Features of each round, numbers of comparable size.
        actions: Logged action, from 0.
        rewards: Observed rewards.
        num_actions: Size of the action set.
        penalty: Ridge penalty, in rounds, above 0: an action seen that often is shrunk half way to
            the mean.
        rng: Deals the rounds.
    """
    design = np.column_stack([np.ones(len(actions)), context])
    fold = rng.permutation(len(actions)) % NUM_FOLDS
    models = [
        _fit(
            design[fold != held], actions[fold != held], rewards[fold != held], num_actions, penalty
        )
        for held in range(NUM_FOLDS)
    ]
    return CrossFit(design, actions, fold, models)


def _fit(
    design: Float[np.ndarray, "rounds features"],
    actions: Int[np.ndarray, " rounds"],
    rewards: Rounds,
    num_actions: int,
    penalty: float,
) -> _Ridge:
    """Penalise every coefficient but that of the first column."""
    crossed = np.column_stack([np.bincount(actions, column, num_actions) for column in design.T])
    counts = np.bincount(actions, minlength=num_actions) + penalty
    reduced = design.T @ design + penalty * np.eye(design.shape[1])
    reduced[0, 0] -= penalty
    reduced -= crossed.T @ (crossed / counts[:, None])
    sums = design.T @ rewards, np.bincount(actions, rewards, num_actions)
    return _Ridge(*_solve(crossed, counts, reduced, sums), crossed, counts, reduced)


def _solve(
    crossed: Float[np.ndarray, "actions features"],
    counts: Float[np.ndarray, " actions"],
    reduced: Float[np.ndarray, "features features"],
    right: tuple[Float[np.ndarray, " features"], Float[np.ndarray, " actions"]],
) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, " actions"]]:
    shared = np.linalg.solve(reduced, right[0] - crossed.T @ (right[1] / counts))
    return shared, (right[1] - crossed @ shared) / counts
