import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import CheckpointError
from recsys.ranker import columns


@given(st.lists(st.text(alphabet=st.characters(codec=None))))
def test_any_strings_survive(strings):
    assert columns.unpack(*columns.pack(strings)) == strings


@given(st.lists(st.text()), st.lists(st.text()))
def test_several_columns_survive_together(left, right):
    data = columns.to_bytes({"numbers": np.arange(3)}, left=left, right=right)
    found = columns.from_bytes(data, lambda t: (columns.strings(t, "left"), t["numbers"].tolist()))
    assert found == (left, [0, 1, 2])


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 1], [0, 3, 2, 2]])
def test_offsets_that_do_not_cut_the_blob_are_refused(offsets):
    with pytest.raises(ValueError, match="do not cut"):
        columns.unpack(np.zeros(2, np.uint8), np.array(offsets, np.int64))


def test_missing_column_is_named():
    data = columns.to_bytes({"numbers": np.arange(3)})
    with pytest.raises(CheckpointError, match="'ids' is missing"):
        columns.from_bytes(data, lambda tensors: columns.strings(tensors, "ids"))


def test_truncated_bytes_are_damaged():
    with pytest.raises(CheckpointError, match="damaged"):
        columns.from_bytes(columns.to_bytes({"numbers": np.arange(3)})[:-1], dict)
