r"""Weights that make what was observed match the whole: kernel-based causal balancing.

The program of Li et al. (ICLR 2024, openreview Ffjc8ApSbt), each constraint by itself:

.. math::
   \min_w \; \mathrm{KL}(p \,\|\, q) + \gamma \sum_j (|S_j| - C)_+ , \qquad
   S_j = \sum_{i \in O} p_i h_j(x_i) - \frac{1}{|D|} \sum_{i \in D} h_j(x_i), \quad p = w / n

with ``q`` the normalised base weights (uniform gives the entropy objective, 1/p of any propensity
model gives the paper's residual weights). The paper descends on it with a matrix-factorised ``w``;
here its convex dual is solved instead, which is exact and has one variable a function:

.. math::
   \min_{|\lambda_j| \le \gamma} \; \log \sum_i q_i e^{\lambda \cdot h(x_i)}
   - \lambda \cdot m + C |\lambda|_1 , \qquad w_i \propto q_i e^{\lambda \cdot h(x_i)}

(entropy balancing, Hainmueller 2012, doi:10.1093/pan/mpr025; the box is the conjugate of the
hinge). Weights are positive by construction, and bounded by the box even without overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from recsys.config import Config
from recsys.errors import DataError
from recsys.propensity.kernels import BLOCK

COARSE = 200_000
"""Observations that find the start of a larger sample's solution."""

LEAST = -300.0
"""Logarithm of the smallest weight, relative to the largest: none is 0."""


class BalanceConfig(Config):
    """How closely to balance, and how hard to try."""

    slack: NonNegativeFloat = 0.001
    """Imbalance of a function that is let pass (C), in units of the function."""
    pull: PositiveFloat = 100.0
    """Price of imbalance beyond the slack (gamma): bounds every multiplier."""
    max_iterations: PositiveInt = 500
    """Steps of L-BFGS-B at most."""


@dataclass(frozen=True)
class Balanced:
    """Balancing weights, and what they achieve."""

    weights: Float64[np.ndarray, " observed"]
    """Above 0, mean 1."""
    multipliers: Float64[np.ndarray, " functions"]
    """How hard each function pulls; at ``BalanceConfig.pull`` it gave up."""
    imbalance: Float64[np.ndarray, " functions"]
    """Weighted observed mean minus the whole's mean, per function."""
    iterations: int
    unmet: int
    """Functions that stayed outside the slack: no overlap where they peak."""


def balance(
    values: Float32[np.ndarray, "observed functions"],
    whole: Float64[np.ndarray, " functions"],
    base: Float64[np.ndarray, " observed"],
    config: BalanceConfig,
) -> Balanced:
    """Solve for the weights closest to ``base`` that balance every function.

    Time is linear in observations times functions, memory is a few vectors beside ``values``.

    Args:
        values: The balancing functions at the observed pairs.
        whole: Their means over all pairs.
        base: Weights to stay close to, above 0 and finite.
        config: Slack, pull and steps.

    Raises:
        DataError: There is nothing to weight, or a base weight is not above 0 and finite.
    """
    _check(values, base)
    dual = _Dual(values, whole, np.log(base / base.sum()), config.slack)
    num = len(whole)
    with threadpool_limits(limits=1):  # products with few columns: threads wait more than they work
        halves, iterations = _minimise(dual, _start(values, whole, base, config), config)
    multipliers = halves[:num] - halves[num:]
    imbalance = dual.imbalance(multipliers)
    return Balanced(
        weights=dual.shares * len(values),
        multipliers=multipliers,
        imbalance=imbalance,
        iterations=iterations,
        unmet=int((np.abs(imbalance) > config.slack + 1e-4).sum()),
    )


def _start(
    values: Float32[np.ndarray, "observed functions"],
    whole: Float64[np.ndarray, " functions"],
    base: Float64[np.ndarray, " observed"],
    config: BalanceConfig,
) -> Float64[np.ndarray, " twice_functions"]:
    """Solve for every n-th observation first: the full sample then needs a few steps only."""
    if len(values) <= COARSE:
        return np.zeros(2 * len(whole))
    every = slice(None, None, -(-len(values) // COARSE))
    coarse = balance(values[every], whole, base[every], config).multipliers
    return np.concatenate([np.maximum(coarse, 0), np.maximum(-coarse, 0)])


class _Dual:
    """The dual and its gradient, in two passes over blocks; remembers the last weights."""

    def __init__(
        self,
        values: Float32[np.ndarray, "observed functions"],
        whole: Float64[np.ndarray, " functions"],
        log_base: Float64[np.ndarray, " observed"],
        slack: float,
    ) -> None:
        self.values, self.whole, self.log_base, self.slack = values, whole, log_base, slack
        self.shares = np.empty_like(log_base)
        self.log_total = 0.0

    def imbalance(
        self, multipliers: Float64[np.ndarray, " functions"]
    ) -> Float64[np.ndarray, " functions"]:
        """Weigh with ``multipliers``; return each function's weighted mean minus the whole's."""
        for rows in self._blocks():
            self.shares[rows] = self.log_base[rows] + self._double(rows) @ multipliers
        top = self.shares.max()
        self.shares -= top
        np.maximum(self.shares, LEAST, out=self.shares)
        np.exp(self.shares, out=self.shares)
        total = self.shares.sum()
        self.shares /= total
        self.log_total = float(top + np.log(total))
        mean = sum(self.shares[rows] @ self._double(rows) for rows in self._blocks())
        return mean - self.whole

    def value_and_gradient(
        self, halves: Float64[np.ndarray, " twice_functions"]
    ) -> tuple[float, Float64[np.ndarray, " twice_functions"]]:
        """Evaluate the dual at ``lambda = rise - fall``."""
        rise, fall = np.split(halves, 2)
        slope = self.imbalance(rise - fall)
        value = self.log_total - (rise - fall) @ self.whole + self.slack * halves.sum()
        return value, np.concatenate([self.slack + slope, self.slack - slope])

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, start + BLOCK) for start in range(0, len(self.values), BLOCK))

    def _double(self, rows: slice) -> Float64[np.ndarray, "block functions"]:
        """Compute in double: in single, line searches stall at an imbalance of a thousandth."""
        return self.values[rows].astype(np.float64)


def _minimise(
    dual: _Dual, start: Float64[np.ndarray, " twice_functions"], config: BalanceConfig
) -> tuple[Float64[np.ndarray, " twice_functions"], int]:
    """Find the rise and fall of each function, and the steps taken.

    With lambda = rise - fall, both at least 0, the absolute value is linear and the hinge a box.
    Now and then a step at the box's edge gains nothing long before the end, and L-BFGS-B stops: it
    starts again from there until that gains nothing either.
    """
    halves, best, steps = start, np.inf, 0
    while steps < config.max_iterations:
        found = minimize(
            dual.value_and_gradient,
            halves,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, config.pull)] * len(halves),
            options={"maxiter": config.max_iterations - steps, "ftol": 0.0, "gtol": 1e-6},
        )
        if not found.fun < best:
            break
        halves, best, steps = found.x, found.fun, steps + int(found.nit)
    return halves, steps


def _check(
    values: Float32[np.ndarray, "observed functions"],
    base: Float64[np.ndarray, " observed"],
) -> None:
    if not values.size:
        raise DataError("balancing: expected observed pairs and functions, found none")
    bad = ~(np.isfinite(base) & (base > 0))
    if bad.any():
        raise DataError(
            f"balancing: {bad.sum()} base weights are not above 0 and finite "
            f"(first: observation {bad.argmax()} is {base[bad.argmax()]})"
        )
