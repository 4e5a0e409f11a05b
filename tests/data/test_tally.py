from collections import Counter
from itertools import chain

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.tally import Seen, Tally


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=8), max_size=8), st.integers(1, 9))
def test_a_tally_counts_as_a_counter_does(columns, compact_rows):
    counted = Tally(compact_rows)
    for column in columns:
        counted.add(pa.array(column, pa.string()).dictionary_encode())
    found = counted.counts().to_pydict()
    assert dict(zip(found["id"], found["count"], strict=True)) == Counter(
        chain.from_iterable(columns)
    )


def test_values_of_a_dictionary_that_do_not_occur_are_not_counted():
    counted = Tally()
    counted.add(pa.DictionaryArray.from_arrays(pa.array([1]), pa.array(["never", "once"])))
    assert counted.counts()["id"].to_pylist() == ["once"]


@given(st.lists(st.lists(st.integers(-5, 5), max_size=8), max_size=12))
def test_all_but_the_first_of_each_key_are_repeated(batches):
    seen, met = Seen(), set()
    for batch in batches:
        expected = []
        for key in batch:
            expected.append(key in met)
            met.add(key)
        assert seen.add(np.array(batch, np.int64)).tolist() == expected
