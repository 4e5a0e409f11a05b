"""Which functions to balance: at random, the worst balanced, or those the error is made of.

All three draw candidate anchors from the whole population, so that a region where nothing was
observed can still be asked for. Source: Li et al. (ICLR 2024, openreview Ffjc8ApSbt), which names
them RKB, WKB and AKB.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from recsys.errors import ConfigError
from recsys.propensity.balancing import BalanceConfig, Balanced, balance
from recsys.propensity.kernels import Functions, Pairs

FIT_LIMIT = 200_000
"""Observations used to explain errors: enough for hundreds of coefficients."""


@dataclass(frozen=True)
class Sample:
    """What balancing works on: the observed pairs and candidate functions on the whole."""

    observed: Pairs
    base: Float64[np.ndarray, " observed"]
    """Weights to start from, above 0: 1/propensity of any model, or ones."""
    candidates: Functions
    whole: Float64[np.ndarray, " candidates"]
    """Means of the candidates over all pairs."""

    @classmethod
    def of(
        cls,
        observed: Pairs,
        base: Float64[np.ndarray, " observed"],
        candidates: Functions,
        whole: Pairs,
    ) -> "Sample":
        """Average the candidates over the whole once."""
        return cls(observed, base, candidates, candidates.mean(whole))

    def balance(self, columns: Int64[np.ndarray, " chosen"], config: BalanceConfig) -> Balanced:
        """Balance the candidates at ``columns``."""
        values = self.candidates.pick(columns)(self.observed)
        return balance(values, self.whole[columns], self.base, config)


def random(
    sample: Sample, num_functions: int, rng: np.random.Generator
) -> Int64[np.ndarray, " chosen"]:
    """Choose functions without looking."""
    _check(sample, num_functions)
    return rng.choice(len(sample.candidates), num_functions, replace=False)


def worst_case(
    sample: Sample, num_functions: int, config: BalanceConfig, *, rounds: int = 4
) -> Int64[np.ndarray, " chosen"]:
    """Choose what is balanced worst, weighing again after each of ``rounds``.

    A candidate's imbalance is the MMD witness function at its anchor (Gretton et al., 2012, JMLR
    13, section 2.3): large where the observed and the whole differ most. Within a round each choice
    takes its share out of the witness (matching pursuit), lest neighbours are chosen together. Of
    fewer functions than rounds each is a round of its own.
    """
    _check(sample, num_functions)
    rounds = min(rounds, num_functions)
    likeness = sample.candidates(sample.candidates.anchors)
    chosen: list[int] = []
    weights = sample.base
    for size in np.diff(np.linspace(0, num_functions, rounds + 1).astype(int)):
        witness = sample.candidates.mean(sample.observed, weights) - sample.whole
        for _ in range(size):
            witness[chosen] = 0
            chosen.append(int(np.abs(witness).argmax()))
            witness -= likeness[:, chosen[-1]] * witness[chosen[-1]]
        weights = sample.balance(np.array(chosen), config).weights
    return np.array(chosen)


def adaptive(
    sample: Sample,
    num_functions: int,
    errors: Float64[np.ndarray, " observed"],
    rng: np.random.Generator,
    *,
    ridge: float = 1.0,
) -> Int64[np.ndarray, " chosen"]:
    r"""Choose the functions that a model's errors are made of.

    .. math:: \alpha = \arg\min \sum_{i \in O} q_i \bigl(e_i - \bar e
              - \sum_j \alpha_j (h_j(x_i) - \bar h_j)\bigr)^2 + \rho |\alpha|^2

    solved in closed form; the largest :math:`|\alpha_j|` are chosen: balancing them leaves little
    bias in the weighted mean of ``errors``.

    Args:
        sample: The observed pairs and the candidates.
        num_functions: How many to choose.
        errors: The model's loss at each observed pair (IPS), or that minus the imputed (DR).
        rng: Draws the observations that take part when there are more than ``FIT_LIMIT``.
        ridge: Penalty, relative to the candidates' mean variance.
    """
    _check(sample, num_functions)
    rows = np.arange(len(errors))
    if len(rows) > FIT_LIMIT:
        rows = rng.choice(rows, FIT_LIMIT, replace=False)
    alpha = explain(
        sample.candidates, sample.observed.take(rows), sample.base[rows], errors[rows], ridge
    )
    return np.argsort(-np.abs(alpha), kind="stable")[:num_functions]


def explain(
    candidates: Functions,
    observed: Pairs,
    base: Float64[np.ndarray, " observed"],
    errors: Float64[np.ndarray, " observed"],
    ridge: float,
) -> Float64[np.ndarray, " candidates"]:
    """Coefficients of the weighted ridge regression of ``errors`` on the candidates."""
    shares = base / base.sum()
    centre, offset = candidates.mean(observed, base), shares @ errors
    gram, moment = np.zeros((len(candidates),) * 2), np.zeros(len(candidates))
    for rows, block in observed.blocks():
        values = candidates(block) - centre
        weighted = values * shares[rows, None]
        gram += weighted.T @ values
        moment += weighted.T @ (errors[rows] - offset)
    penalty = ridge * gram.trace() / len(gram) + np.finfo(float).tiny
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)


CHOICES: tuple[str, ...] = ("random", "worst-case", "adaptive")


def _check(sample: Sample, num_functions: int) -> None:
    if not 0 < num_functions <= len(sample.candidates):
        raise ConfigError(
            f"functions: expected 1 to {len(sample.candidates)} (the candidates), "
            f"found {num_functions}"
        )
