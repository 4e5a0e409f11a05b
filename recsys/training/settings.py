"""Every setting of a training run, as ``config.toml`` keeps it."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from recsys.config import Config, Seed
from recsys.data.splits import SplitConfig
from recsys.model.fairrec import ModelConfig
from recsys.training.attributes import AttributesConfig
from recsys.training.counterfactual import CounterfactualConfig
from recsys.training.loader import LoaderConfig
from recsys.training.objective import FairnessConfig


class OptimizerConfig(Config):
    """How fast, and for how long."""

    learning_rate: PositiveFloat = 1e-3
    """Of the dense networks (Adam)."""
    table_learning_rate: PositiveFloat = 0.02
    """Of the embedding tables (row-wise Adagrad)."""
    warm_start: bool = True
    """Start news ids from the factors of a linear autoencoder, and what is read as what is ranked,
    less what tells readers apart."""
    discriminator_learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.0
    """Of the dense networks, decoupled."""
    average_steps: PositiveInt = 1
    """Judge and publish the mean of the weights after about so many steps; 1: the newest alone."""
    max_epochs: PositiveInt = 20
    patience: PositiveInt = 3
    """Epochs without a better validation nDCG before training ends."""
    checkpoint_minutes: PositiveFloat = 5.0
    """Time between checkpoints inside an epoch; there is one at each epoch's end as well."""


class ExportConfig(Config):
    """What a run's bundle remembers beside the vectors."""

    popularity_half_life_days: PositiveFloat = 1.0
    """A click this old counts half when news are ordered by popularity."""


class PropensityProvenance(Config):
    """Which propensities a run learned with."""

    folder: str
    methods: tuple[str, ...]
    sha256: str
    """Of ``weights.parquet``."""


class Provenance(Config):
    """Where a run came from; filled in by the run itself."""

    git_revision: str
    dataset: str
    dataset_sha256: dict[str, str]
    torch: str
    propensity: PropensityProvenance | None = None


class TrainConfig(Config):
    """Every setting of a training run."""

    seed: Seed = 0
    """Of every draw."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    model: ModelConfig = ModelConfig()
    attributes: AttributesConfig = AttributesConfig()
    fairness: FairnessConfig = Field(default_factory=lambda: FairnessConfig())
    """A preset's name (off, paper, default), or settings."""
    split: SplitConfig = SplitConfig()
    loader: LoaderConfig = LoaderConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    export: ExportConfig = ExportConfig()
    counterfactual: CounterfactualConfig | None = None
    """How propensities are used; only with ``--propensity``, which brings the defaults."""
    provenance: Provenance | None = None
    """Written by the run, ignored when it is read."""

    @model_validator(mode="after")
    def _somebody_listens(self) -> "TrainConfig":
        if self.fairness.balances and not self.loader.audience:
            raise ValueError(
                "loader.audience: expected readers over whom fairness.balance is charged, found 0; "
                "fairness.balance=0 charges nothing"
            )
        return self
