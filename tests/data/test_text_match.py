import numpy as np
import pyarrow as pa
import pytest

from recsys.data.text_match import NAMES, match


def features(query, text):
    row = match(pa.array([query], pa.list_(pa.int32())), pa.array([text], pa.list_(pa.int32())))[0]
    return dict(zip(NAMES, row, strict=True))


def test_a_hand_worked_pair():
    found = features([1, 2, 3], [9, 1, 2, 1])
    assert found["query_length"] == pytest.approx(np.log(4))
    assert found["matched"] == pytest.approx(np.log(4))  # 1, 2 and 1 again
    assert found["coverage"] == pytest.approx(2 / 3)
    assert found["density"] == pytest.approx(3 / 4)
    assert found["bigrams"] == pytest.approx(np.log(2))  # (1, 2)
    assert found["first_match"] == pytest.approx(1 / 2)


def test_empty_texts_match_nothing():
    assert list(features([], []).values()) == [0.0] * len(NAMES)


def test_rows_do_not_see_each_other():
    queries = pa.array([[1], [2]], pa.list_(pa.int32()))
    texts = pa.array([[2, 1], [1, 1]], pa.list_(pa.int32()))
    assert match(queries, texts)[:, NAMES.index("coverage")].tolist() == [1.0, 0.0]
