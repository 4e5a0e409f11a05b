import numpy as np
import pytest

from recsys.errors import DataError
from recsys.training.ratings.study import Study
from tests.training.ratings.chosen import table


def test_the_calibration_part_is_never_judged_on(honest):
    study = honest.study

    def codes(rated):
        return set(zip(rated.pairs.readers, rated.pairs.news, strict=True))

    assert not codes(study.calibration) & codes(study.test)
    assert len(study.calibration) + len(study.test) == table()["randomised"].sum()


def test_rare_news_are_those_with_the_fewest_chosen_ratings(honest):
    study = honest.study
    counts = np.bincount(study.chosen.pairs.news, minlength=50)
    rare = study.rare(0.5)
    assert counts[study.test.pairs.news[rare]].max() <= counts[study.test.pairs.news[~rare]].min()


def test_ratings_without_a_randomised_part_are_refused():
    frame = table().query("not randomised")
    with pytest.raises(DataError, match="randomised ones to judge on"):
        Study.of(frame, calibration=0.1, rng=np.random.default_rng(0))
