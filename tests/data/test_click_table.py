import numpy as np
import pandas as pd
import pytest

from recsys.data import plain_table
from recsys.data.sources import click_table
from recsys.data.sources.click_table import ClickColumns
from recsys.errors import DataError

ROWS = pd.DataFrame(
    {
        "query": ["cats", "cats", "cats", "dogs", "cats"],
        "document": ["a", "b", "b", "a", "c"],
        "position": [1, 2, 1, 1, 2],
        "click": [0, 1, 1, 0, 0],
        "feature_x": [0.1, 0.2, 0.2, 0.3, 0.4],
        "feature_y": [1, 2, 2, 3, 4],
    }
)
TWO_QUERIES = ROWS.iloc[:4].assign(
    query=["cats", "cats", "dogs", "dogs"], position=[1, 2, 1, 2], session="s"
)


@pytest.fixture(params=["log.csv", "log.tsv", "log.csv.gz", "log.parquet"])
def path(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".parquet":
        ROWS.to_parquet(path)
    else:
        ROWS.to_csv(path, index=False, sep="\t" if ".tsv" in path.suffixes else ",")
    return path


def write(tmp_path, table):
    table.to_csv(tmp_path / "log.csv", index=False)
    return tmp_path / "log.csv"


def test_a_session_is_a_run_of_one_query_with_rising_positions(path):
    log = click_table.load(path, ClickColumns()).log
    assert log.offsets.tolist() == [0, 2, 3, 4, 5]
    assert log.clicks.tolist() == [False, True, True, False, False]


def test_a_document_is_one_row_however_often_it_is_shown(path):
    found = click_table.load(path, ClickColumns())
    train = found.splits["train"]
    assert train.ids == ["cats", "dogs"] and train.offsets.tolist() == [0, 3, 4]
    shown = train.features[found.log.documents]
    assert shown == pytest.approx(ROWS[["feature_x", "feature_y"]].to_numpy(np.float32))


def test_a_query_is_the_same_whatever_its_part_of_the_table_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_table, "CHUNK_ROWS", 2)
    path = write(tmp_path, ROWS.assign(query=["01", "01", "cats", "1", "01"]))
    assert click_table.load(path, ClickColumns()).splits["train"].ids == ["01", "cats", "1"]


def test_documents_of_two_queries_are_two_documents(path):
    log = click_table.load(path, ClickColumns()).log
    assert log.documents[0] != log.documents[3]  # both are called "a"


def test_parts_of_a_table_give_the_same_log(path, monkeypatch):
    whole = click_table.load(path, ClickColumns())
    monkeypatch.setattr(plain_table, "CHUNK_ROWS", 2)
    parts = click_table.load(path, ClickColumns())
    assert (parts.log.documents == whole.log.documents).all()
    assert (parts.splits["train"].features == whole.splits["train"].features).all()


def test_columns_can_have_any_name(tmp_path):
    renamed = ROWS.rename(columns={"query": "q", "click": "c", "position": "p"})
    columns = ClickColumns(query="q", click="c", position="p", features="feature_y")
    found = click_table.load(write(tmp_path, renamed), columns)
    assert found.splits["train"].features.shape == (4, 1)


def test_a_session_column_orders_rows_by_position(tmp_path):
    rows = ROWS.assign(session=[1, 0, 0, 2, 1]).iloc[::-1]
    log = click_table.load(write(tmp_path, rows), ClickColumns(session="session")).log
    found = [part.tolist() for part in np.split(log.positions, log.offsets[1:-1])]
    assert found == [[1, 2], [1], [1, 2]]


def test_queries_of_one_session_are_lists_of_their_own(tmp_path):
    found = click_table.load(write(tmp_path, TWO_QUERIES), ClickColumns(session="session"))
    assert found.log.offsets.tolist() == [0, 2, 4]
    owner = np.searchsorted(found.splits["train"].offsets, found.log.documents, side="right") - 1
    assert owner.tolist() == [0, 0, 1, 1]


def test_two_documents_at_one_position_of_a_session_are_refused(tmp_path):
    path = write(tmp_path, TWO_QUERIES.assign(query="cats"))
    with pytest.raises(DataError, match=r"log\.csv:4: position: expected each .* found 1 again"):
        click_table.load(path, ClickColumns(session="session"))


def test_labels_and_propensities_are_kept(tmp_path):
    rows = ROWS.assign(grade=[0, 1, 1, 3, 2], seen=[1.0, 0.5, 1.0, 1.0, 0.5])
    found = click_table.load(write(tmp_path, rows), ClickColumns(label="grade", propensity="seen"))
    assert found.splits["train"].labels.tolist() == [0, 1, 2, 3]
    assert found.log.propensities.tolist() == [1.0, 0.5, 1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("position", 0, r"log\.csv:4: position: expected a position, from 1, found 0"),
        ("position", "top", r"log\.csv:4: position: expected a position, from 1, found 'top'"),
        ("position", 1.5, r"log\.csv:4: position: expected a position, from 1, found 1\.5"),
        ("position", 1e9, r"log\.csv:4: position: expected a position, from 1, found"),
        ("click", None, r"log\.csv:4: click: expected a number, found nan"),
        ("feature_x", None, r"log\.csv:4: feature_x: expected a number, found nan"),
        ("feature_x", np.inf, r"log\.csv:4: feature_x: expected a number, found inf"),
        ("feature_y", 1e39, r"log\.csv:4: feature_y: expected a number, found 1e\+39"),
        ("query", None, r"log\.csv:4: query: expected a name, found "),
        ("document", None, r"log\.csv:4: document: expected a name, found "),
        ("feature_y", "many", r"log\.csv:4: feature_y: expected a number, found 'many'"),
    ],
)
def test_a_bad_value_is_named_with_its_line(tmp_path, column, value, message):
    rows = ROWS.astype({column: object})
    rows.loc[2, column] = value
    with pytest.raises(DataError, match=message):
        click_table.load(write(tmp_path, rows), ClickColumns())


def test_a_bad_value_in_a_list_of_features_is_named_with_its_line_and_place(tmp_path):
    rows = ROWS.drop(columns=["feature_x", "feature_y"])
    rows["vector"] = [[1.0, 2.0], [0.5, np.nan], [0.5, 1.0], [3.0, 4.0], [5.0, 6.0]]
    rows.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"parquet:2: vector\[1\]: expected a number, found nan"):
        click_table.load(tmp_path / "log.parquet", ClickColumns(features="vector"))


def test_a_list_of_features_is_a_column_for_each(tmp_path):
    rows = ROWS.assign(vector=ROWS[["feature_x", "feature_y"]].to_numpy().tolist())
    rows.to_parquet(tmp_path / "log.parquet")
    lists, columns = (
        click_table.load(tmp_path / "log.parquet", ClickColumns(features=name)).splits["train"]
        for name in ("vector", "feature_")
    )
    assert (lists.features == columns.features).all()


def test_a_missing_column_is_named_with_those_found(tmp_path):
    with pytest.raises(DataError, match="'click' is missing; found query, document"):
        click_table.load(write(tmp_path, ROWS.drop(columns="click")), ClickColumns())


def test_a_table_without_features_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column starts with 'dense_'"):
        click_table.load(write(tmp_path, ROWS), ClickColumns(features="dense_"))


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no rows"):
        click_table.load(write(tmp_path, ROWS.iloc[:0]), ClickColumns())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        click_table.load(tmp_path / "none.csv", ClickColumns())
