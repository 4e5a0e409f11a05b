import json

import numpy as np
import pandas as pd
import pytest

from recsys.data.dataset import Dataset
from recsys.data.reading_log import read
from recsys.data.writer import DatasetWriter
from recsys.errors import DataError
from recsys.training.seen import Seen
from tests.data.tables import impressions, news

ROWS = ((2, "v", "a", True), (2, "v", "b", False), (1, "u", "b", True), (1, "u", "a", False))
"""Not in the order of time, which is that of the slates."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("seen") / "dataset"
    with DatasetWriter(path, "test") as writer:
        writer.news(news("a", "b"))
        writer.impressions(impressions(*ROWS))
    return Dataset.open(path)


@pytest.fixture
def table(dataset):
    propensity = np.array([0.1, 0.2, 0.4, 0.5], np.float32)
    log = dataset.impressions[["slate_id", "news_id"]]
    return log.assign(propensity=propensity, weight=1 / propensity, imputed=np.float32(0.3))


def written(folder, table, diagnostics='{"methods": ["em"], "settings": {"held_out": 0.2}}'):
    table.to_parquet(folder / "weights.parquet")
    (folder / "diagnostics.json").write_text(diagnostics)
    return folder


def test_estimates_follow_the_reading_log(dataset, table, tmp_path):
    seen = Seen.load(written(tmp_path, table), dataset)
    np.testing.assert_allclose(seen.propensity, [0.4, 0.5, 0.1, 0.2])
    np.testing.assert_allclose(seen.weight * seen.propensity, 1)
    assert read(dataset).shown.ids.tolist() == [1, 2]
    assert seen.methods == ("em",)


def test_the_same_estimates_are_known_by_their_digest(dataset, table, tmp_path):
    first = Seen.load(written(tmp_path, table), dataset).sha256
    assert Seen.load(written(tmp_path, table), dataset).sha256 == first
    other = table.assign(imputed=np.float32(0.4))
    assert Seen.load(written(tmp_path, other), dataset).sha256 != first


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("propensity", 0.0, r"not in \(0, 1\] \(first: row 1 is 0\.0\)"),
        ("propensity", 1.5, r"row 1 is 1\.5"),
        ("propensity", np.nan, "row 1 is nan"),
        ("weight", 0.0, "row 1: weight is 0.0; expected a finite number above 0"),
        ("weight", np.inf, "row 1: weight is inf"),
        ("weight", np.nan, "row 1: weight is nan"),
        ("weight", 9.0, r"row 1: weight.* is 9\.0; expected at most 1 / propensity"),
        ("imputed", 1.1, r"row 1: imputed is 1\.1.*; expected a relevance in \[0, 1\]"),
        ("imputed", np.nan, "row 1: imputed is nan"),
        ("slate_id", 7, "row 1: slate_id is 7, but 2 in the impressions"),
        ("news_id", "x", "row 1: news_id is x, but b in the impressions"),
        ("news_id", None, "row 1: news_id is nan"),
    ],
)
def test_a_wrong_number_is_named_with_its_row(dataset, table, tmp_path, column, value, message):
    table.loc[1, column] = value
    with pytest.raises(DataError, match=message):
        Seen.load(written(tmp_path, table), dataset)


def test_a_missing_row_is_counted(dataset, table, tmp_path):
    with pytest.raises(DataError, match="3 rows; expected 4"):
        Seen.load(written(tmp_path, table.iloc[:3]), dataset)


def test_weights_of_ratings_are_no_weights_of_impressions(dataset, table, tmp_path):
    ratings = table.drop(columns=["slate_id", "imputed"]).assign(user_id="u")
    with pytest.raises(DataError, match="slate_id"):
        Seen.load(written(tmp_path, ratings), dataset)


def test_a_truncated_file_is_named(dataset, table, tmp_path):
    path = written(tmp_path, table) / "weights.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"weights\.parquet: cannot be read"):
        Seen.load(tmp_path, dataset)


def test_a_folder_without_weights_is_named(dataset, tmp_path):
    with pytest.raises(DataError, match="expected a folder written by `recsys propensity`"):
        Seen.load(tmp_path / "none", dataset)


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"methods": None})])
def test_damaged_diagnostics_are_named(dataset, table, tmp_path, text):
    with pytest.raises(DataError, match=r"diagnostics\.json"):
        Seen.load(written(tmp_path, table, text), dataset)


def test_texts_in_place_of_numbers_are_refused(dataset, table, tmp_path):
    texts = table.assign(propensity=pd.Series(["a"] * 4))
    with pytest.raises(DataError, match="propensity"):
        Seen.load(written(tmp_path, texts), dataset)
