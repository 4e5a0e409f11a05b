"""What `recsys propensity` reads of a dataset, as arrays: impressions, or chosen ratings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64

from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.propensity import position
from recsys.propensity.covariates import Described, describe
from recsys.propensity.estimate import Observations, exposure_model, factors
from recsys.propensity.kernels import Pairs
from recsys.propensity.position import Counts, Examination
from recsys.propensity.slates import reader_exposure, slate_rate
from recsys.propensity.weights import check
from recsys.training.ratings.study import Study

EXAMINATION = {
    "randomised": position.randomised,
    "harvesting": position.harvested,
    "em": position.expectation_maximisation,
}
"""Estimators of the examination curve by the name that a user gives."""


@dataclass(frozen=True)
class Seen:
    """Observed pairs of a dataset, in the order of the table they came from."""

    dataset: Dataset
    frame: pd.DataFrame
    """Impressions, or self-selected ratings."""
    readers: pd.Index
    news: pd.Index
    pairs: Pairs
    liked: Float64[np.ndarray, " observed"]
    """1 where clicked, or rated ``positive`` or better."""
    study: Study | None
    """Ratings by their use; None for impressions."""

    @classmethod
    def of(cls, dataset: Dataset, positive: float) -> "Seen":
        """Read impressions, or ratings where there are no impressions.

        Raises:
            DataError: There are neither.
        """
        if len(dataset.impressions):
            frame = dataset.impressions
            readers, news = pd.Index(frame["user_id"].unique()), pd.Index(frame["news_id"].unique())
            pairs = Pairs(
                readers.get_indexer(frame["user_id"]).astype(np.int64),
                news.get_indexer(frame["news_id"]).astype(np.int64),
            )
            liked = frame["clicked"].to_numpy(float)
            return cls(dataset, frame, readers, news, pairs, liked, None)
        if dataset.ratings is None:
            raise DataError.at(dataset.path, "has neither impressions nor ratings")
        study = Study.of(dataset.ratings, calibration=0.05, rng=np.random.default_rng(0))
        pairs, liked = study.chosen.pairs, study.chosen.labels(positive)
        frame = dataset.ratings[~dataset.ratings["randomised"]].reset_index(drop=True)
        return cls(dataset, frame, study.readers, study.news, pairs, liked, study)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of readers and news."""
        return len(self.readers), len(self.news)

    def describe(self) -> Described:
        """Look up attributes and news columns as covariates."""
        return describe(self.readers, self.news, self.dataset.attributes, self.dataset.news)

    def factors(self, rng: np.random.Generator) -> Described:
        """Factorise what was observed; the factors are the covariates."""
        found = factors(exposure_model(self.observations(None), rng))
        names = [f"factor {number + 1}" for number in range(found.readers.shape[1] - 1)] + ["bias"]
        return Described(found, names, names, {})

    def observations(self, described: Described | None) -> Observations:
        """Give what the exposure models ask for."""
        covariates = described.covariates if described else None
        if self.study:
            return self.study.observations(self.study.chosen, covariates)
        return Observations(self.pairs, self.shape, covariates)

    def errors(self) -> Float64[np.ndarray, " observed"]:
        """Log loss of the simplest model, each news' smoothed rate of being liked."""
        counts = np.bincount(self.pairs.news, minlength=self.shape[1])
        likes = np.bincount(self.pairs.news, self.liked, minlength=self.shape[1])
        rate = ((likes + self.liked.mean() * 10) / (counts + 10))[self.pairs.news]
        rate = np.clip(rate, 1e-6, 1 - 1e-6)
        return -np.log(np.where(self.liked > 0, rate, 1 - rate))

    def logged(self) -> Float64[np.ndarray, " observed"]:
        """Return the log's own propensities.

        Raises:
            DataError: Some or all are missing, or are no probabilities.
        """
        column = self._impressions("logged")["propensity"]
        if column.isna().any():
            raise DataError(
                f"impressions: {column.isna().sum()} of {len(column)} carry no logged propensity; "
                "expected one in each, or choose another method"
            )
        return check(column.to_numpy(np.float64), "impressions: propensity")

    def rate(self, window_hours: float) -> Float64[np.ndarray, " observed"]:
        """Estimate by the share of a window's slates that held the news."""
        return slate_rate(*self._windows("rate", window_hours), self.pairs.news)

    def visits(self, window_hours: float) -> Float64[np.ndarray, " observed"]:
        """Estimate that the reader was shown the news at any visit."""
        windows = self._windows("visits", window_hours)
        return reader_exposure(*windows, self.pairs.readers, self.pairs.news)

    def examination(self, method: str) -> Examination:
        """Estimate the examination curve; a news is a context."""
        places = self._impressions(method)["position"].to_numpy(np.int64)
        clicked = self.liked.astype(np.int64)
        return EXAMINATION[method](Counts.of(self.pairs.news, places, clicked))

    def _windows(self, method: str, hours: float) -> tuple[np.ndarray, np.ndarray]:
        """Window and slate of each impression."""
        frame = self._impressions(method)
        seconds = frame["time"].to_numpy("datetime64[s]").astype(np.int64)
        return (seconds // (hours * 3600)).astype(np.int64), frame["slate_id"].to_numpy(np.int64)

    def _impressions(self, method: str) -> pd.DataFrame:
        if self.study:
            raise DataError(f"{method} needs impressions; this dataset has only ratings")
        return self.frame
