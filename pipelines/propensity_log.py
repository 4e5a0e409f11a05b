"""What `recsys propensity` reads of a dataset, as arrays: impressions, or chosen ratings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

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
    learned: Bool[np.ndarray, " observed"]
    """Rows whose ``liked`` may be looked at."""
    study: Study | None
    """Ratings by their use; None for impressions."""

    @classmethod
    def of(cls, dataset: Dataset, positive: float, held_out: float) -> "Seen":
        """Read impressions, or ratings where there are no impressions.

        Args:
            dataset: Where the tables are.
            positive: Ratings from here on are liked.
            held_out: Share of slates, the last by time, whose clicks are not looked at.

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
            learned = _before(frame, held_out)
            return cls(dataset, frame, readers, news, pairs, liked, learned, None)
        if dataset.ratings is None:
            raise DataError.at(dataset.path, "has neither impressions nor ratings")
        study = Study.of(dataset.ratings, calibration=0.05, rng=np.random.default_rng(0))
        pairs, liked = study.chosen.pairs, study.chosen.labels(positive)
        frame = dataset.ratings[~dataset.ratings["randomised"]].reset_index(drop=True)
        learned = np.ones(len(frame), bool)
        return cls(dataset, frame, study.readers, study.news, pairs, liked, learned, study)

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
        news, liked = self.pairs.news[self.learned], self.liked[self.learned]
        counts = np.bincount(news, minlength=self.shape[1])
        likes = np.bincount(news, liked, minlength=self.shape[1])
        rate = ((likes + liked.mean() * 10) / (counts + 10))[self.pairs.news]
        rate = np.clip(rate, 1e-6, 1 - 1e-6)
        chance = np.where(self.learned, self.liked, rate)  # held out: the loss to be expected
        return -chance * np.log(rate) - (1 - chance) * np.log(1 - rate)

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
        places = self._impressions(method)["position"].to_numpy(np.int64)[self.learned]
        clicked = self.liked.astype(np.int64)[self.learned]
        return EXAMINATION[method](Counts.of(self.pairs.news[self.learned], places, clicked))

    def relevance(
        self, propensities: Float64[np.ndarray, " observed"]
    ) -> Float64[np.ndarray, " observed"]:
        """Estimate each news' relevance to the average reader: clicks over expected looks.

        Smoothed by ten looks of the average news, in [0, 1].
        """
        news, liked = self.pairs.news[self.learned], self.liked[self.learned]
        clicks = np.bincount(news, liked, minlength=self.shape[1])
        looks = np.bincount(news, propensities[self.learned], minlength=self.shape[1])
        mean = clicks.sum() / looks.sum()
        return np.clip((clicks + 10 * mean) / (looks + 10), 0, 1)[self.pairs.news]

    def _windows(self, method: str, hours: float) -> tuple[np.ndarray, np.ndarray]:
        """Window and slate of each impression."""
        frame = self._impressions(method)
        seconds = frame["time"].to_numpy("datetime64[s]").astype(np.int64)
        return (seconds // (hours * 3600)).astype(np.int64), frame["slate_id"].to_numpy(np.int64)

    def _impressions(self, method: str) -> pd.DataFrame:
        if self.study:
            raise DataError(f"{method} needs impressions; this dataset has only ratings")
        return self.frame


def _before(frame: pd.DataFrame, held_out: float) -> Bool[np.ndarray, " impressions"]:
    """Tell the impressions of the first slates by time, as training's split orders them."""
    slates = frame.drop_duplicates("slate_id").sort_values(["time", "slate_id"], kind="stable")
    first = slates["slate_id"].iloc[: round(len(slates) * (1 - held_out))]
    return frame["slate_id"].isin(first).to_numpy()
