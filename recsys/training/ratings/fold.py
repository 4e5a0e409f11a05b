"""One seed's cut of the self-selected ratings into training and validation."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.propensity.estimate import Observations, exposure_model, factors
from recsys.propensity.exposure import Factorised
from recsys.propensity.kernels import Pairs
from recsys.training.ratings.factorisation import Confounder
from recsys.training.ratings.study import Rated, Study


@dataclass(frozen=True)
class Fold:
    """One seed's training and validation ratings, with what is derived from the training part."""

    study: Study
    training: Rated
    validation: Rated
    exposure: Factorised
    """What was rated, factorised: the substitute for confounders."""
    seed: int

    @classmethod
    def draw(cls, study: Study, seed: int, validation: float = 0.1) -> "Fold":
        """Hold a share of the self-selected ratings out for validation."""
        rng = np.random.default_rng(seed)
        held = rng.random(len(study.chosen)) < validation
        # that a pair was rated is known for the validation part too; its rating is not used
        model = exposure_model(study.observations(study.chosen), rng)
        return cls(study, study.chosen.take(~held), study.chosen.take(held), model, seed)

    def observations(self) -> Observations:
        """Describe the training part to the exposure models, factors as covariates."""
        return self.study.observations(self.training, factors(self.exposure))

    def confounder(self) -> Confounder:
        """Return the factors of a pair's logit of having been rated."""
        sides = (self.exposure.readers, self.exposure.news)
        return Confounder(*(torch.as_tensor(side, dtype=torch.float32) for side in sides))


def as_tensors(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Turn row numbers into tensors."""
    return torch.from_numpy(pairs.readers), torch.from_numpy(pairs.news)
