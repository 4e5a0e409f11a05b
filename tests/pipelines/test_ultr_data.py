import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.ultr_data import collections
from recsys.data import queries
from recsys.data.sources import baidu_ultr
from recsys.data.sources.baidu_ultr import COLUMNS, SESSIONS
from recsys.data.sources.click_table import ClickColumns
from recsys.errors import DataError


def one(path, max_sessions=None):
    [(_, collection)] = collections(path, ClickColumns(), max_sessions)
    return collection


def sessions(first, number):
    rows = []
    for session in range(number):
        for rank in (1, 2):
            row = dict.fromkeys(COLUMNS)
            row |= {"session": session, "query_id": f"q{first + session}", "reformulation": ""}
            row |= {"query": [1, 2], "title": [rank], "abstract": [], "position": rank}
            rows.append(row | {"click": int(rank == 1)})
    return pa.Table.from_pylist(rows, schema=SESSIONS)


@pytest.fixture
def baidu(tmp_path):
    for index in (0, 1):
        baidu_ultr.write_sessions(iter([sessions(3 * index, 3)]), tmp_path / f"part-{index}.gz")
    (tmp_path / "annotations.txt").write_text("7\t1\x012\t1\t\t4\t0\n7\t2\t5\t\t1\t9\n")
    return tmp_path


def test_baidu_files_are_one_log_with_lexical_features(baidu):
    found = one(baidu)
    assert len(found.log) == 6 and found.log.clicks.tolist() == [True, False] * 6
    assert found.splits["train"].features.shape == (12, 14)
    test = found.splits["test"]
    assert len(test) == 2 and test.labels.tolist() == [4, 1] and test.buckets.tolist() == [0, 9]


def test_sessions_can_be_limited_across_files(baidu):
    assert len(one(baidu, max_sessions=4).log) == 4


def test_baidu_files_without_a_document_are_refused(tmp_path):
    baidu_ultr.write_sessions(iter([]), tmp_path / "part-0.gz")
    with pytest.raises(DataError, match="expected logged sessions, found none"):
        one(tmp_path)


def test_sessions_of_a_table_and_of_a_collection_can_be_limited(tmp_path):
    table = tmp_path / "clicks.csv"
    rows = [f"q,{document},{place},1,0.5" for document in "abc" for place in (1, 2)]
    table.write_text("\n".join(["query,document,position,click,feature_x", *rows]))
    whole = one(table)
    queries.write(whole, tmp_path / "collection")
    assert len(whole.log) == 3
    for path in (table, tmp_path / "collection"):
        log = one(path, max_sessions=2).log
        assert len(log) == 2 and log.documents.tolist() == [0, 0, 1, 1]
        assert len(one(path, max_sessions=9).log) == 3


def test_vectors_are_found_by_their_file(tmp_path):
    table = pa.table(
        {
            "query_document_embedding": [[[1.0]], [[2.0]]],
            "position": [[1], [1]],
            "click": [[0], [1]],
        }
    )
    pq.write_table(table, tmp_path / "clicks.parquet")
    assert len(one(tmp_path).log) == 2


def test_a_folder_of_something_else_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"queries\.parquet .*LETOR"):
        one(tmp_path)


@pytest.mark.shared
def test_five_parts_are_five_folds(shared_data):
    names = [name for name, _ in collections(shared_data / "mq2008", ClickColumns(), None)]
    assert names == ["Fold1", "Fold2", "Fold3", "Fold4", "Fold5"]
