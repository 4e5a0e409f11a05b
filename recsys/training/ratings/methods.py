"""Ways to learn from self-selected ratings, by the name a user gives.

A name is ``objective``, or ``objective:propensity`` for those that weigh. What the recommender is
given besides ids may follow: ``+exposure``, each pair's logit of having been observed, and
``+content``, what is known of the news::

    naive   wmf   expomf   rel-mf   ips:naive-bayes   dr:kernel-adaptive+exposure   naive+content

Doubly robust training learns from an imputation that is given what helps it, whatever the
recommender is given; ``dr`` weighs all ratings alike, ``imputation`` is that model by itself.
"""

from dataclasses import dataclass

from pydantic import Field, PositiveFloat, PositiveInt

from recsys.config import Config
from recsys.errors import ConfigError
from recsys.propensity.balancing import BalanceConfig
from recsys.propensity.estimate import EXPOSURE, Base, KernelConfig
from recsys.training.ratings.expomf import ExpoMFConfig
from recsys.training.ratings.factorisation import FactorisationConfig
from recsys.training.ratings.imputation import ImputationConfig
from recsys.training.ratings.loop import LoopConfig

WEIGHING = ("ips", "dr")
UNWEIGHED = ("naive", "wmf", "expomf", "rel-mf", "imputation", "dr")
ALONE = ("expomf", "imputation")
"""Take nothing: the one is published so, the other chooses for itself."""
KERNELS = tuple(f"kernel-{choice}" for choice in ("random", "worst-case", "adaptive"))
GIVEN = ("content", "exposure")
"""What a recommender may be given besides ids."""


class MethodsConfig(Config):
    """What all methods share."""

    factorisation: FactorisationConfig = FactorisationConfig()
    """The recommender."""
    loop: LoopConfig = LoopConfig()
    """Its training."""
    kernel: KernelConfig = KernelConfig(balance=BalanceConfig(slack=0.02))
    """Balancing; ``choice`` follows the method's name."""
    base: Base = ""
    """Exposure model whose inverse propensities balancing starts from; empty: equal weights."""
    floor: float = Field(default=0.01, gt=0, le=1)
    """Propensities are raised to it."""
    positive: float = 3.0
    """Ratings from here on are liked."""
    reweigh_epochs: PositiveInt = 5
    """Epochs between two adaptive choices of balancing functions."""
    unlabelled: PositiveFloat = 0.5
    """WMF's weight of pairs without a positive."""
    expomf: ExpoMFConfig = ExpoMFConfig()
    """ExpoMF's exposure."""
    imputation: ImputationConfig = ImputationConfig()
    """What doubly robust training starts from."""


@dataclass(frozen=True)
class Method:
    """A parsed name."""

    name: str
    objective: str
    propensity: str
    """Empty where the objective does not weigh."""
    given: frozenset[str]
    """Some of ``GIVEN``."""

    @classmethod
    def parse(cls, name: str) -> "Method":
        """Take a name apart.

        Raises:
            ConfigError: It names no method.
        """
        learned, *given = name.split("+")
        objective, _, propensity = learned.partition(":")
        known = objective in UNWEIGHED and learned == objective
        known |= objective in WEIGHING and propensity in (*EXPOSURE, *KERNELS)
        known &= objective not in ALONE or not given
        if not known or len({*given} & {*GIVEN}) < len(given):
            raise ConfigError(
                f"method {name!r} is unknown; expected {', '.join(UNWEIGHED)}, or ips: or dr: with "
                f"{', '.join((*EXPOSURE, *KERNELS))}, and perhaps +{' or +'.join(GIVEN)}, which "
                f"{' and '.join(ALONE)} do not take"
            )
        return cls(name, objective, propensity, frozenset(given))
