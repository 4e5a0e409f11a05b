import numpy as np
import pyarrow.parquet as pq
import pytest

from recsys.data.queries import ClickLog, Collection, Queries, concatenate, read, write
from recsys.errors import DataError


def queries(sizes=(2, 0, 3), dims=4, seed=0):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Queries(
        [f"q{index}" for index in range(len(sizes))],
        offsets,
        rng.random((offsets[-1], dims), dtype=np.float32),
        rng.integers(0, 5, offsets[-1]).astype(np.float32),
        np.arange(len(sizes)),
    )


LOG = ClickLog(
    np.array([0, 2, 3]),
    np.array([1, 0, 4]),
    np.array([1, 2, 1]),
    np.array([True, False, True]),
    np.array([0.9, 0.5, 0.9], np.float32),
)


@pytest.fixture
def folder(tmp_path):
    split = {"train": queries((2, 3)), "test": queries((1,), seed=1)}
    write(Collection(split, LOG), tmp_path / "data")
    return tmp_path / "data"


def test_select_takes_whole_queries_in_the_order_asked_for():
    part = queries()
    chosen = part.select(np.array([2, 0]))
    assert chosen.ids == ["q2", "q0"]
    assert chosen.offsets.tolist() == [0, 3, 5]
    assert (chosen.features == part.features[[2, 3, 4, 0, 1]]).all()
    assert (chosen.labels == part.labels[[2, 3, 4, 0, 1]]).all()


def test_select_of_an_empty_query_is_empty():
    assert queries().select(np.array([1])).features.shape == (0, 4)


def test_concatenate_puts_queries_one_after_another():
    joined = concatenate([queries((2,)), queries((3,))])
    assert joined.offsets.tolist() == [0, 2, 5] and len(joined) == 2


def test_parts_of_different_width_are_refused():
    with pytest.raises(DataError, match=r"found \[3, 4\]"):
        concatenate([queries(dims=3), queries(dims=4)])


def test_a_collection_survives_the_disk(folder):
    found = read(folder)
    expected = queries((2, 3))
    train = found.splits["train"]
    assert train.ids == expected.ids and (train.offsets == expected.offsets).all()
    assert (train.features == expected.features).all() and (train.labels == expected.labels).all()
    assert (train.buckets == expected.buckets).all()
    for name in ("offsets", "documents", "positions", "clicks", "propensities"):
        assert (getattr(found.log, name) == getattr(LOG, name)).all()


def test_labels_may_be_unknown(tmp_path):
    part = Queries(["a"], np.array([0, 1]), np.ones((1, 2), np.float32))
    write(Collection({"train": part}), tmp_path / "data")
    assert read(tmp_path / "data").splits["train"].labels is None


def test_a_folder_is_never_overwritten(folder):
    with pytest.raises(DataError, match="is there already"):
        write(Collection({"train": queries()}), folder)


def test_nothing_is_left_of_a_failed_write(tmp_path):
    broken = Queries(["a"], np.array([0, 1]), np.ones((2, 2), np.float32))
    with pytest.raises(Exception, match=r"length|same"):
        write(Collection({"train": broken}), tmp_path / "data")
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"queries\.parquet"):
        read(tmp_path)


def test_an_unknown_split_is_named(folder):
    table = pq.read_table(folder / "queries.parquet").to_pandas()
    table["split"] = "holdout"
    table.to_parquet(folder / "queries.parquet")
    with pytest.raises(DataError, match="'holdout'"):
        read(folder)


def test_a_session_of_an_unknown_document_is_named(folder):
    sessions = pq.read_table(folder / "sessions.parquet").to_pandas()
    sessions.loc[1, "document"] = 99
    sessions.to_parquet(folder / "sessions.parquet")
    with pytest.raises(DataError, match=r"sessions\.parquet:2: document: .* found 99"):
        read(folder)
