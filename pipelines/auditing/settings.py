"""Every setting of an audit."""

from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from recsys.config import Config, Seed
from recsys.fairness.attackers import QUICK
from recsys.fairness.leakage import LeakageConfig
from recsys.fairness.verdict import Thresholds


class AuditConfig(Config):
    """Every setting of an audit, as a TOML file may give them."""

    seed: Seed = 0
    """Of folds, attackers and resamples."""
    attributes: tuple[str, ...] = ()
    """What to audit; empty: every attribute of the dataset."""
    thresholds: Thresholds = Thresholds()
    leakage: LeakageConfig = LeakageConfig()
    min_group: PositiveInt = 30
    """Readers below which a group's ranking quality is insufficient data."""
    list_lengths: tuple[PositiveInt, ...] = Field(default=(1, 3, 5, 10), min_length=1)
    """K of the list measures; the largest is the length of the lists."""
    exposure_cuts: tuple[Annotated[int, Field(ge=2)], ...] = Field((10, 30, 50), min_length=1)
    """K of exposure ratio and rND; at least 2 each, ascending."""
    num_samples: PositiveInt = 1000
    """Bootstrap resamples of means."""
    map_readers: PositiveInt = 600
    """Readers drawn on a map, at most."""
    level: float = Field(default=0.95, gt=0, lt=1)
    """Of the intervals of means."""

    @field_validator("exposure_cuts")
    @classmethod
    def _ascend(cls, cuts: tuple[int, ...]) -> tuple[int, ...]:
        if list(cuts) != sorted(set(cuts)):
            raise ValueError(f"expected ascending numbers, found {list(cuts)}")
        return cuts

    def quick(self) -> "AuditConfig":
        """Two attackers instead of four, and fewer resamples: for a demonstration."""
        leakage = self.leakage.model_copy(update={"attackers": QUICK, "num_samples": 300})
        return self.model_copy(update={"leakage": leakage, "num_samples": 300})
