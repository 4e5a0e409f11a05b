import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_svmlight_file

from recsys.data.sources import letor
from recsys.errors import DataError

LINES = """2 qid:10 1:0.5 3:1.25 # docid = A
0 qid:10 2:-1e-3 #docid = B
1 qid:7 1:1
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "train.txt").write_text(LINES)
    return tmp_path / "train.txt"


def test_absent_features_are_zero(path):
    features = letor.load(path).features
    assert features == pytest.approx(np.array([[0.5, 0, 1.25], [0, -1e-3, 0], [1, 0, 0]]))


def test_queries_keep_their_ids_and_documents(path):
    part = letor.load(path)
    assert part.ids == ["10", "7"] and part.offsets.tolist() == [0, 2, 3]
    assert part.labels.tolist() == [2, 0, 1]


LINE = st.tuples(
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(1, 9), st.floats(-9, 9, width=32)), unique_by=lambda p: p[0]),
)


@given(st.lists(st.lists(LINE, min_size=1, max_size=4), min_size=1, max_size=5))
def test_any_chunk_size_gives_the_same_queries(tmp_path_factory, groups):
    path = tmp_path_factory.mktemp("letor") / "train.txt"
    rows = [
        f"{label} qid:{query} " + " ".join(f"{i}:{v!r}" for i, v in pairs)
        for query, group in enumerate(groups)
        for label, pairs in group
    ]
    path.write_text("\n".join(rows) + "\n")
    whole = letor.load(path, num_features=9)
    parts = list(letor.stream(path, 9, chunk_bytes=1))
    assert [name for part in parts for name in part.ids] == whole.ids
    assert (np.concatenate([part.features for part in parts]) == whole.features).all()
    assert np.diff(whole.offsets).tolist() == [len(group) for group in groups]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("1 qid:7 1:x", "1 qid:7 1:x"),
        ("1 1:2", "1 1:2"),
        ("one qid:7 1:2", "one qid:7"),
        ("1 qid:7 0:2", "1 qid:7 0:2"),
        ("1 qid:7 1.5:2", "1.5:2"),
        ("1 qid:7 1:nan", "1:nan"),
        ("1 qid:7 1:1.79769313486231570E308", "1:1.797"),
        ("-1 qid:7 1:2", "-1 qid:7"),
        ("nan qid:7 1:2", "nan qid:7"),
        ("1 qid:7 1", "1 qid:7 1"),
        ("1 qid:7 1:2:3", "1:2:3"),
        ("", "found ''"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, found):
    path = tmp_path / "bad.txt"
    path.write_text(LINES + line + "\n")
    with pytest.raises(DataError, match=rf"bad\.txt:4: expected 'label qid:ID .*{found}"):
        letor.load(path)


def test_lines_of_a_query_that_are_apart_are_refused(path):
    path.write_text(LINES + LINES.splitlines()[0] + "\n")
    with pytest.raises(DataError, match=r"train\.txt: expected the lines of a query .* '10' again"):
        letor.load(path)


def test_an_index_above_the_width_is_named(path):
    with pytest.raises(DataError, match=r"train\.txt:1: .* from 1 to 2"):
        letor.load(path, num_features=2)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match="is empty"):
        letor.load(tmp_path / "empty.txt")


def test_a_fold_is_three_files(tmp_path, path):
    (tmp_path / "test.txt").write_text("1 qid:1 5:1\n")
    fold = letor.load_fold(tmp_path, ".")
    assert letor.folds(tmp_path) == ["."]
    assert fold.splits["train"].features.shape[1] == fold.splits["test"].features.shape[1] == 5


def test_a_fold_without_test_is_refused(tmp_path, path):
    with pytest.raises(DataError, match=r"expected test\.txt"):
        letor.load_fold(tmp_path, ".")


@pytest.mark.shared
def test_mq2008_reads_as_scikit_learn_reads_it(shared_data):
    part = letor.load(shared_data / "mq2008" / "S1.txt")
    features, labels, query = load_svmlight_file(
        str(shared_data / "mq2008" / "S1.txt"), query_id=True
    )
    assert (part.features == features.toarray().astype(np.float32)).all()
    assert (part.labels == labels).all()
    assert np.repeat(part.ids, np.diff(part.offsets)).astype(int).tolist() == query.tolist()


@pytest.mark.shared
def test_parts_of_mq2008_rotate_through_five_folds(shared_data):
    folder = shared_data / "mq2008"
    tests = [set(letor.load_fold(folder, fold).splits["test"].ids) for fold in letor.folds(folder)]
    assert len(tests) == 5 and sum(map(len, tests)) == len(set.union(*tests)) == 784
