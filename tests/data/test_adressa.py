import json

import pytest

from recsys.data.sources import adressa
from recsys.errors import DataError
from tests.data.reading import tables


def event(number, **fields):
    return {
        "eventId": number,
        "userId": "cx:1",
        "id": "news-a",
        "time": 1483225200 + number,
        "url": "http://adressa.no/nyheter",
        "profile": [{"item": "x", "groups": []}],
    } | fields


def write(path, *events):
    path.write_text("".join(json.dumps(fields) + "\n" for fields in events), encoding="utf-8")


def read(folder, **options):
    return tables(adressa.read, folder, **options)


def test_each_event_on_a_news_is_a_click_of_its_own(tmp_path):
    write(tmp_path / "20170101", event(1, activeTime=15), event(2, userId="cx:2"))
    shown = read(tmp_path)[0]["impressions"]
    assert shown["slate_id"].tolist() == [1, 2]
    assert shown["user_id"].tolist() == ["cx:1", "cx:2"]
    assert shown["clicked"].all()
    assert (shown["position"] == 0).all()
    assert shown["dwell_seconds"].iloc[0] == 15
    assert str(shown["time"].iloc[0]) == "2016-12-31 23:00:01+00:00"


def test_a_news_is_put_together_from_its_events_across_files(tmp_path):
    write(tmp_path / "20170101", event(1), event(2, title="Ærfugl"))
    write(
        tmp_path / "20170102",
        event(3, title="Later", category1="nyheter|trondheim|sentrum"),
        event(4, publishtime="2017-01-01T14:52:33.000Z"),
        event(5, id="news-b", category1="sport", publishtime="soon"),
    )
    news = read(tmp_path)[0]["news"].set_index("news_id")
    a, b = news.loc["news-a"], news.loc["news-b"]
    assert (a["title"], a["category"], a["subcategory"]) == (
        "Ærfugl",
        "nyheter",
        "trondheim|sentrum",
    )
    assert str(a["published_at"]) == "2017-01-01 14:52:33+00:00"
    assert (b["title"], b["category"]) == ("", "sport")
    assert b[["subcategory", "published_at"]].isna().all()


def test_many_files_give_each_news_once(tmp_path):
    for day in range(40):
        write(tmp_path / f"day{day:02}", event(day + 1, title=f"Title of day {day}"))
    news = read(tmp_path)[0]["news"]
    assert news["title"].tolist() == ["Title of day 0"]


def test_front_pages_are_left_out_and_counted(tmp_path):
    write(tmp_path / "20170101", event(1, id=None), event(2))
    whole, dropped = read(tmp_path)
    assert len(whole["impressions"]) == 1
    assert dropped == {"20170101: events on pages that are no news": 1}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (event(1), "eventId: no duplicate"),
        (event(2, eventId=None), "eventId: a value"),
        (event(2, userId=""), "userId: a value"),
        (event(2, time=-5), "time: seconds since 1970"),
        (event(2, time="noon"), "a JSON object with eventId"),
        (event(2, activeTime=-1), "activeTime: at least 0"),
    ],
)
def test_a_bad_event_is_named_and_may_be_skipped(tmp_path, bad, message):
    write(tmp_path / "20170101", event(1), bad)
    with pytest.raises(DataError, match=f"20170101:2: expected {message}"):
        read(tmp_path)
    whole, dropped = read(tmp_path, skip=True)
    assert len(whole["impressions"]) == sum(dropped.values()) == 1


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected files of JSON lines, found none"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017-01-01T14:52:33Z", "2017-01-01 14:52:33+00:00"),
        ("2017-01-01T14:52:33", "2017-01-01 14:52:33+00:00"),
        ("2017-01-01T14:52:33+01:00", "NaT"),
    ],
)
def test_a_time_of_publishing_in_another_zone_is_unknown(tmp_path, text, moment):
    write(tmp_path / "20170101", event(1, publishtime=text))
    assert str(read(tmp_path)[0]["news"]["published_at"].iloc[0]) == moment
