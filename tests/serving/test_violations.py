import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from recsys.errors import InvalidRequest
from recsys.serving.violations import Violations


def found(check):
    violations = Violations()
    check(violations)
    try:
        violations.refuse()
    except InvalidRequest as error:
        return error.violations
    return {}


def test_nothing_wrong_refuses_nothing():
    assert found(lambda v: v.id("user_id", "U1")) == {}


def test_everything_wrong_is_named_with_its_prefix():
    def check(violations):
        violations.prefix = "requests[3]."
        violations.check("k", False, "expected 1 to 1000")
        violations.required_id("user_id", "")

    assert list(found(check)) == ["requests[3].k", "requests[3].user_id"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("x" * 256, True),
        ("x" * 257, False),
        ("é" * 128, True),
        ("é" * 129, False),
        ("🗞" * 64, True),
    ],
)
def test_ids_are_measured_in_bytes(text, holds):
    assert (found(lambda v: v.id("id", text)) == {}) is holds
    assert (found(lambda v: v.ids("ids", ["N1", text], 10)) == {}) is holds


def test_a_bad_id_in_a_list_is_named_by_its_place():
    assert list(found(lambda v: v.ids("ids", ["N1", "x" * 300], 10))) == ["ids[1]"]


def test_a_list_may_be_as_long_as_its_limit():
    assert found(lambda v: v.ids("ids", ["N1"] * 10, 10)) == {}
    assert list(found(lambda v: v.ids("ids", ["N1"] * 11, 10))) == ["ids"]


@pytest.mark.parametrize(
    ("seconds", "nanos", "holds"),
    [
        (0, 0, True),
        (253_402_300_799, 999_999_999, True),
        (253_402_300_800, 0, False),
        (0, -1, False),
    ],
)
def test_times_are_those_of_calendars(seconds, nanos, holds):
    moment = Timestamp(seconds=seconds, nanos=nanos)
    assert (found(lambda v: v.time("time", moment)) == {}) is holds
