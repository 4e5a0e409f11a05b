"""Ways to learn a ranker from biased clicks: each turns a batch into a loss.

All are trained by the one loop of :mod:`recsys.ltr.loop` on the one data path of
:mod:`recsys.ltr.batches`.
"""

from collections.abc import Callable

from recsys.ltr.methods.listwise import DualLearning, InversePropensity, Naive, TrueLabels
from recsys.ltr.methods.method import Method, Setup
from recsys.ltr.methods.pairwise import PairwiseDebiasing, PropensityRatio
from recsys.ltr.methods.regression_em import RegressionEM
from recsys.ltr.methods.two_tower import DroppedTower, ReversedTower, TwoTower

METHODS: dict[str, Callable[[Setup], Method]] = {
    "true-labels": TrueLabels,
    "naive": Naive,
    "ips": lambda setup: InversePropensity(setup, setup.known()),
    "ips-estimated": lambda setup: InversePropensity(setup, setup.estimated()),
    "dla": DualLearning,
    "regression-em": RegressionEM,
    "pairwise-debias": PairwiseDebiasing,
    "prs": lambda setup: PropensityRatio(setup, setup.estimated()),
    "two-tower": TwoTower,
    "two-tower-dropout": DroppedTower,
    "two-tower-reversal": ReversedTower,
}
"""Neural methods by the name the command line knows them by."""

__all__ = ["METHODS", "Method", "Setup"]
