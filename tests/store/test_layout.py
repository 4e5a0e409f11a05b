import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.errors import SpaceMismatch
from recsys.store import layout
from tests.store.contract import event, meta

rows = arrays(
    np.float16,
    st.tuples(st.integers(0, 4), st.integers(1, 9)),
    elements=st.floats(width=16, allow_nan=False),
)


def as_redis(fields):
    return {str(name).encode(): str(value).encode() for name, value in fields.items()}


@given(rows)
def test_vectors_survive_bit_for_bit(vectors):
    values = layout.pack_vectors(vectors, "1a2b3c4d")
    assert len(values) == len(vectors)
    for value, vector in zip(values, vectors, strict=True):
        assert value[:4].hex() == "1a2b3c4d"
        found = layout.unpack_vector(value, vectors.shape[1])
        assert found.tobytes() == vector.tobytes()


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(SpaceMismatch, match="2 numbers, expected 3"):
        layout.unpack_vector(bytes(8), 3)


def test_a_description_survives():
    assert layout.unpack_meta(as_redis(layout.pack_meta(meta()))) == meta()


@given(st.text(), st.integers(0, 1000), st.booleans(), st.floats(0, 1))
def test_an_event_survives(news, minute, clicked, propensity):
    whole = event(news=news, minute=minute, clicked=clicked)
    whole = whole.__class__(**{**vars(whole), "propensity": propensity})
    assert layout.unpack_event(as_redis(layout.pack_event(whole))) == whole


def test_the_pattern_of_a_space_escapes_what_would_match_others():
    assert layout.Keys("a*[b]:").vectors("s?") == rb"a\*\[b\]:s:s\?:u:*"


def test_tombstones_depend_on_the_salt():
    assert layout.tombstone("u1", b"a") != layout.tombstone("u1", b"b")
