from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.slates import any_in_slate, has_repeats, slate_of

SLATES = st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=8)


def flat(slates):
    return np.array(list(chain.from_iterable(slates)), np.int64), np.array(
        [len(s) for s in slates], np.int64
    )


def test_each_row_belongs_to_the_slate_whose_turn_it_is():
    assert slate_of(np.array([2, 0, 1])).tolist() == [0, 0, 2]


@given(SLATES)
def test_a_slate_has_repeats_when_a_set_is_smaller(slates):
    news, lengths = flat(slates)
    assert has_repeats(news, lengths).tolist() == [len(set(s)) < len(s) for s in slates]


def test_large_codes_do_not_collide():
    news = np.array([0, 2**31, 1, 2**31])
    assert has_repeats(news, np.array([2, 2])).tolist() == [False, False]


@given(SLATES)
def test_any_in_slate_is_any_of_each(slates):
    news, lengths = flat(slates)
    assert any_in_slate(news > 3, lengths).tolist() == [any(n > 3 for n in s) for s in slates]
