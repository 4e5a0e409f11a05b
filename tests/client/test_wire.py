from datetime import UTC, datetime

import pytest

from recsys.client import Filter, Impression, Request, wire
from recsys.errors import InvalidRequest
from recsys.rpc.v1 import ranking_pb2


def test_a_request_without_a_filter_carries_none():
    assert not wire.rank_request(Request("U1")).HasField("filter")


def test_every_condition_travels():
    wanted = Filter(
        categories=["sports"],
        providers=["daily"],
        published_after=datetime(1970, 1, 1, 0, 1, tzinfo=UTC),
        exclude_ids=["N1"],
        show_seen=True,
    )
    message = wire.rank_request(Request("U1", filter=wanted)).filter
    assert list(message.categories) == ["sports"]
    assert list(message.providers) == ["daily"]
    assert message.published_after.seconds == 60
    assert list(message.exclude_ids) == ["N1"]
    assert message.seen == ranking_pb2.SEEN_SHOW


@pytest.mark.parametrize("rung", ranking_pb2.Rung.keys()[1:])
def test_every_rung_of_the_wire_has_its_word(rung):
    response = ranking_pb2.RankResponse(rung=rung)
    assert f"RUNG_{wire.ranking(response).rung.upper()}" == rung


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (Request("U1", k=-1), {"k"}),
        (Request("U1", k=1 << 32), {"k"}),
        (Request("\ud800", k=-1), {"user_id", "k"}),
        (Request("U1", candidate_ids=["\ud800"]), {"candidate_ids"}),
    ],
)
def test_what_the_wire_cannot_carry_is_named(request_, fields):
    with pytest.raises(InvalidRequest) as caught:
        wire.rank_request(request_)
    assert set(caught.value.violations) == fields


def test_an_impression_without_a_time_leaves_it_to_the_service():
    (shown,) = wire.report_request([Impression("s", "U1", "N1")]).impressions
    assert not shown.HasField("time")


@pytest.mark.parametrize(
    ("field", "write"),
    [
        (
            "published_after",
            lambda t: wire.rank_request(Request("U1", filter=Filter(published_after=t))),
        ),
        ("time", lambda t: wire.report_request([Impression("s", "U1", "N1", time=t)])),
    ],
)
def test_a_time_without_a_zone_is_not_taken_for_another_one(field, write):
    with pytest.raises(InvalidRequest, match=f"^{field}: expected a time with a time zone"):
        write(datetime(2026, 5, 1))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request("U1", filter=Filter(categories="sports")), "categories"),
        (Request("U1", filter=Filter(providers="")), "providers"),
        (Request("U1", filter=Filter(exclude_ids="N1")), "exclude_ids"),
        (Request("U1", history_ids="N1"), "history_ids"),
        (Request("U1", candidate_ids="N1"), "candidate_ids"),
    ],
)
def test_a_text_in_the_place_of_a_list_is_refused(request_, field):
    with pytest.raises(InvalidRequest, match=rf"^{field}: expected a list, as \['"):
        wire.rank_request(request_)
