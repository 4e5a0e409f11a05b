import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.simulation import clicks, tables
from recsys.simulation.truth import Truth, exposure, log_missed
from recsys.simulation.truth_writer import TruthWriter


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    world, log, blocks = small
    folder = tmp_path_factory.mktemp("dataset")
    writer = TruthWriter(folder, world)
    half = len(blocks) // 2
    writer.impressions(blocks[:half])
    writer.impressions(blocks[half:])
    writer.finish(log)
    return folder


@pytest.fixture(scope="module")
def truth(written):
    return Truth.load(written)


@pytest.fixture(scope="module")
def impressions(written):
    return pd.read_parquet(written / "truth" / "impressions.parquet")


def test_rows_are_those_of_the_log(small, impressions):
    world, _, blocks = small
    public = tables.impressions(world, blocks).to_pandas()
    for column in ("slate_id", "user_id", "news_id"):
        assert (public[column].astype(str) == impressions[column].astype(str)).all()


def test_relevance_of_a_pair_is_what_the_log_drew_clicks_with(truth, impressions):
    some = impressions.sample(2_000, random_state=0)
    found = truth.relevance(some["user_id"].to_list(), some["news_id"].to_list())
    np.testing.assert_allclose(found, some["relevance"], rtol=1e-5)


def test_the_table_of_relevance_agrees_with_the_pairs(truth):
    users, news = list(truth.readers[:3]), list(truth.news[5:9])
    pairs = truth.relevance(np.repeat(users, 4).tolist(), news * 3)
    np.testing.assert_allclose(truth.relevance_table(users, news).ravel(), pairs, rtol=1e-5)


def test_exposure_of_a_pair_agrees_with_the_impressions(truth, impressions):
    some = impressions.sample(2_000, random_state=1)
    found = truth.exposure(some["user_id"].to_list(), some["news_id"].to_list())
    np.testing.assert_allclose(found, some["exposure"], rtol=1e-5)


def test_exposure_is_one_minus_the_chance_of_being_missed_at_every_visit():
    visits = np.array([[True, False, True]])
    unseen = np.log1p(-np.array([[0.5, 0.9, 0.2]]))
    np.testing.assert_allclose(exposure(visits, unseen), 1 - 0.5 * 0.8)


def test_a_news_of_every_slate_is_seen_by_who_came_and_by_nobody_else():
    visits = np.array([[True, False], [False, True], [False, False]])
    found = exposure(visits, log_missed(np.array([[1.0, 0.0]])))
    assert found.tolist() == [1.0, 0.0, 0.0]
    assert not np.signbit(found).any()


def test_a_news_can_be_shown_in_every_hour_of_its_life_and_in_no_other(written, small):
    config = small[0].config
    news = pd.read_parquet(written / "truth" / "news.parquet").set_index("news_id")
    shown = pd.read_parquet(written / "truth" / "inclusion.parquet")
    hours = shown.groupby(shown["news_id"].astype(str))["hour"].agg(["min", "max", "size"])
    life = news[["live_from", "live_until"]].sub(config.start).div(pd.Timedelta(hours=1))
    life = life.clip(0, config.hours).loc[hours.index]
    assert (hours["min"] == life["live_from"]).all()
    assert (hours["max"] + 1 == life["live_until"]).all()
    assert (hours["size"] == life["live_until"] - life["live_from"]).all()


def test_exposure_is_calibrated(truth, impressions):
    users, news = truth.readers, truth.news
    seen = np.zeros((len(users), len(news)), bool)
    rows = users.get_indexer(impressions["user_id"].astype(str))
    seen[rows, news.get_indexer(impressions["news_id"].astype(str))] = True
    expected = truth.exposure(np.repeat(users, len(news)), np.tile(news, len(users)))
    seen = seen.ravel()
    assert not seen[expected == 0].any()
    for low, high in ((0.01, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1)):
        bin_ = (low <= expected) & (expected < high)
        mean = expected[bin_].mean()
        assert abs(seen[bin_].mean() - mean) < 4 * np.sqrt(mean / bin_.sum()) + 0.04 * mean


def test_attributes_are_all_known(truth, small):
    assert not truth.attributes.isna().any().any()
    assert list(truth.attributes) == list(small[0].config.attributes)


def test_the_examination_curve_is_there(truth):
    np.testing.assert_allclose(truth.examination, clicks.examination(10, 1.0))


def test_a_stranger_is_refused(truth):
    with pytest.raises(DataError, match="'nobody' is not of this simulated world"):
        truth.relevance(["nobody"], [truth.news[0]])


def test_a_dataset_without_truth_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"truth: is missing; expected .*recsys simulate"):
        Truth.load(tmp_path)


def test_damaged_truth_is_refused(written, tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "world.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        Truth.load(tmp_path)
