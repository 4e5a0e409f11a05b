"""The settings of a simulated world."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field, field_validator, model_validator

from recsys.config import Config, Seed

MAX_SLATES_A_DAY = 10


class WorldConfig(Config):
    """How large the world is, and how strong each bias is: 0 is none, 1 moderate, 3 strong."""

    readers: int = Field(2_000, ge=1, le=5_000_000)
    """Readers; each visits at least once."""
    news: int = Field(1_200, ge=1, le=1_000_000)
    """News published over the whole time; each lives for one to two days."""
    days: int = Field(7, ge=1, le=366)
    """Length of the log, in days."""
    seed: Seed = 0
    """The same seed and settings give the same bytes."""
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    """The first hour of the log, with its time zone."""
    slate: int = Field(10, ge=1, le=100)
    """News shown at a visit."""
    slates_per_reader: float = Field(25.0, ge=1)
    """Mean number of visits of a reader, at most ten a day; as nobody comes twice in an hour, it is
    2 % less at seven a day and 6 to 8 % less at ten."""
    attribute_bias: float = Field(1.0, ge=0, le=10)
    """How strongly interests depend on the sensitive attributes."""
    position_bias: float = Field(1.0, ge=0, le=10)
    """Power of the examination curve; 0: every position is looked at."""
    exposure_bias: float = Field(1.0, ge=0, le=10)
    """Power of popularity in the logging policy; 0: every live news is as likely to be shown."""
    exploration: float = Field(0.1, gt=0, le=1)
    """Share of uniform chance in the logging policy, so that no propensity is zero."""
    noise: float = Field(0.02, ge=0, lt=1)
    """Probability that an examined news without any interest is clicked all the same."""
    missing: float = Field(0.1, ge=0, le=1)
    """Share of readers for whom an attribute is not known; drawn for each attribute apart."""
    attributes: dict[str, dict[str, float]] = Field(
        {
            "gender": {"female": 0.5, "male": 0.5},
            "age_band": {"18-29": 0.2, "30-44": 0.3, "45-64": 0.3, "65+": 0.2},
        }
    )
    """Each sensitive attribute's values and their shares, above 0; they need not sum to 1."""

    @field_validator("start")
    @classmethod
    def _has_time_zone(cls, start: datetime) -> datetime:
        if start.tzinfo is None:
            raise ValueError("expected a time with its zone, as in 2026-01-05T00:00:00Z")
        return start

    @field_validator("attributes")
    @classmethod
    def _can_be_drawn(cls, attributes: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for name, shares in attributes.items():
            if name == "user_id" or len(shares) < 2 or not all(x > 0 for x in shares.values()):
                raise ValueError(f"{name}: expected two or more values with shares above 0")
        return attributes

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.news < self.slate:
            raise ValueError(f"news: expected at least slate ({self.slate}), found {self.news}")
        if self.slates_per_reader > MAX_SLATES_A_DAY * self.days:
            raise ValueError(
                f"slates_per_reader: expected 1 to {MAX_SLATES_A_DAY * self.days} "
                f"({MAX_SLATES_A_DAY} a day), found {self.slates_per_reader:g}"
            )
        return self

    @property
    def hours(self) -> int:
        """Length of the log, in hours."""
        return 24 * self.days
