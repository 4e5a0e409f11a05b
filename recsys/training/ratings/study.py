"""The ratings of one comparison: what may be learned from, and what is only judged on.

The border that keeps a comparison honest: ratings of randomly shown news are cut once, by
``calibration``, into a small part that naive Bayes may read and a test that nothing reads before
the end; the self-selected ratings are cut into training and validation.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64

from recsys.errors import DataError
from recsys.propensity.estimate import Observations
from recsys.propensity.kernels import Covariates, Pairs


@dataclass(frozen=True)
class Rated:
    """Rated pairs."""

    pairs: Pairs
    values: Float32[np.ndarray, " pairs"]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> "Rated":
        """Keep the pairs at ``rows``."""
        return Rated(self.pairs.take(rows), self.values[rows])

    def labels(self, positive: float) -> Float64[np.ndarray, " pairs"]:
        """Return 1 where the value is at least ``positive``, else 0."""
        return (self.values >= positive).astype(float)


@dataclass(frozen=True)
class Study:
    """Ratings by what they may be used for."""

    readers: pd.Index
    news: pd.Index
    chosen: Rated
    """Self-selected: to learn from."""
    calibration: Rated
    """Shown by chance; may be learned from, never judged on."""
    test: Rated
    """Shown by chance; only judged on."""

    @classmethod
    def of(cls, ratings: pd.DataFrame, *, calibration: float, rng: np.random.Generator) -> "Study":
        """Cut the ratings of a dataset.

        Args:
            ratings: As in `recsys.data.schema.RATINGS`.
            calibration: Share of the randomised ratings that naive Bayes may read, in [0, 1).
            rng: Draws the calibration part; what it draws does not depend on any rating's value.

        Raises:
            DataError: There are no self-selected ratings, or too few randomised ones to judge on.
        """
        readers, news = pd.Index(ratings["user_id"].unique()), pd.Index(ratings["news_id"].unique())
        readers, news = readers.sort_values(), news.sort_values()
        pairs = Pairs(
            readers.get_indexer(ratings["user_id"]).astype(np.int64),
            news.get_indexer(ratings["news_id"]).astype(np.int64),
        )
        rated = Rated(pairs, ratings["value"].to_numpy(np.float32))
        by_chance = ratings["randomised"].to_numpy(bool)
        held = rng.random(len(rated)) < calibration
        study = cls(
            readers,
            news,
            chosen=rated.take(~by_chance),
            calibration=rated.take(by_chance & held),
            test=rated.take(by_chance & ~held),
        )
        if not len(study.chosen) or not len(study.test):
            raise DataError(
                "ratings: expected self-selected ratings to learn from and randomised ones to "
                f"judge on, found {len(study.chosen)} and {len(study.test)}"
            )
        return study

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of readers and news."""
        return len(self.readers), len(self.news)

    def observations(self, rated: Rated, covariates: Covariates | None = None) -> Observations:
        """Describe self-selected ratings to the exposure models."""
        return Observations(
            rated.pairs,
            self.shape,
            covariates,
            rated.values,
            self.calibration.values,
        )

    def rare(self, share: float) -> Bool[np.ndarray, " test"]:
        """Mark test ratings of the news with the fewest self-selected ratings: ``share`` of all."""
        counts = np.bincount(self.chosen.pairs.news, minlength=len(self.news))
        rarest = np.argsort(counts, kind="stable")[: int(share * len(self.news))]
        return np.isin(self.test.pairs.news, rarest)
