import pyarrow as pa
import pytest

from recsys.data.census import Census
from recsys.data.schema import conform
from recsys.errors import DataError
from tests.data.tables import START, TWO_SLATES, impressions, news, times

AFAR = pa.array([2**60], pa.int64()).cast(pa.timestamp("us", "UTC"))


def census(*tables):
    counted = Census()
    for name, table in tables:
        counted.add(name, conform(name, table))
    return counted


def shown(*rows, **columns):
    return ("impressions", impressions(*rows, **columns))


def rated(**columns):
    row = {"user_id": ["u"], "news_id": ["a"], "value": [4.0], "randomised": [False]}
    return ("ratings", pa.table(row | columns))


def remembered(user):
    return ("histories", pa.table({"user_id": [user], "time": times(0), "history": [["x"]]}))


def test_everything_is_counted():
    counted = census(
        ("news", news("a")),
        ("news", news("b", title="")),
        shown(*TWO_SLATES),
        shown((3, "v", "c", True)),
        remembered("u"),
        ("attributes", pa.table({"user_id": ["u", "v"], "gender": ["F", None]})),
    )
    counts = counted.close()
    assert (counts.readers, counts.news, counts.slates) == (2, 2, 3)
    assert (counts.impressions, counts.clicks) == (4, 2)
    assert (counts.histories, counts.attributes, counts.ratings) == (1, 2, 0)
    assert counts.unknown_news == 1  # c
    assert counts.without_text == 2  # b and c
    assert [time.minute for time in counted.time_range] == [1, 3]


def test_news_may_come_after_the_impressions_that_show_them():
    assert census(shown(*TWO_SLATES), ("news", news("a", "b"))).close().unknown_news == 0


def test_ratings_alone_are_a_dataset():
    counted = census(rated())
    assert counted.close().ratings == 1
    assert counted.time_range is None


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], "the log is empty"),
        ([("news", news("a"))], "the log is empty"),
        ([shown(*TWO_SLATES), ("news", news("a", "b", "a"))], "news_id 'a' comes twice"),
        ([shown((1, "u", "a", True)), shown((1, "u", "b", True))], "slate_id 1 comes twice"),
        (
            [shown((1, "u", "a", True), (2, "u", "b", True), (1, "u", "c", True))],
            "slate_id 1 comes twice",
        ),
        ([shown((1, "", "a", True))], "user_id: expected an id"),
        ([shown((1, "u", "", True))], "news_id: expected an id"),
        ([shown((7, "u", "a", True), (7, "u", "a", False))], "slate_id 7 has a news twice"),
        ([shown((7, "u", "a", True), (7, "v", "b", False))], "slate_id 7 has more than one user"),
        (
            [shown((1, "u", "a", True), (1, "u", "b", False), time=times(1, 2))],
            "slate_id 1 has more than one time",
        ),
        ([shown((1, "u", "a", True), time=AFAR)], "time: expected a year from 1 to 9999"),
        ([shown((1, "u", "a", True), position=pa.array([-1]))], "position: expected 0"),
        ([shown((1, "u", "a", True), propensity=pa.array([0.0]))], "propensity: expected"),
        ([shown((1, "u", "a", True), propensity=pa.array([1.5]))], "propensity: expected"),
        ([shown((1, "u", "a", True), propensity=pa.array([float("nan")]))], "propensity"),
        ([shown((1, "u", "a", True), dwell_seconds=pa.array([-1.0]))], "dwell_seconds"),
        (
            [shown(*TWO_SLATES), ("attributes", pa.table({"user_id": ["u", "u"]}))],
            "attributes: user_id 'u' comes twice",
        ),
        ([("attributes", pa.table({"user_id": [""]}))], "attributes: user_id: expected an id"),
        ([remembered("")], "histories: user_id: expected an id"),
        ([rated(user_id=[""])], "ratings: user_id: expected an id"),
        ([rated(news_id=[""])], "ratings: news_id: expected an id"),
        ([rated(value=[float("nan")])], "ratings: value: expected a finite number, found nan"),
    ],
)
def test_what_breaks_the_contract_is_refused(tables, message):
    with pytest.raises(DataError, match=message):
        census(*tables).close()


def test_a_certain_propensity_and_an_unknown_one_are_fine():
    table = shown(*TWO_SLATES, propensity=pa.array([1.0, None, 1e-6]))
    assert census(table).close().impressions == 3


def test_the_same_user_and_time_in_two_slates_is_fine():
    same = pa.array([START, START], pa.timestamp("us", "UTC"))
    assert census(shown((1, "u", "a", True), (2, "u", "a", False), time=same)).close().slates == 2
