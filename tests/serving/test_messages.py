from datetime import UTC, datetime

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from recsys.errors import InvalidRequest
from recsys.ranker.query import Condition
from recsys.rpc.v1 import feedback_pb2, model_pb2, ranking_pb2
from recsys.serving import messages
from recsys.serving.application import Rung, Slate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHOWN = {"slate_id": "s", "user_id": "U1", "news_id": "N1"}


def violations(read, message):
    with pytest.raises(InvalidRequest) as caught:
        read(message)
    return caught.value.violations


def test_an_empty_request_is_anonymous_and_wants_ten_of_everything():
    ask = messages.ask(ranking_pb2.RankRequest())
    assert (ask.user, ask.k, ask.candidates, ask.condition) == ("", 10, [], None)
    assert ask.hide_seen


def test_limits_themselves_are_allowed():
    request = ranking_pb2.RankRequest(
        user_id="u" * 256,
        k=1_000,
        candidate_ids=["N1"] * 10_000,
        history_ids=["N1"] * 1_000,
        filter=ranking_pb2.Filter(exclude_ids=["N1"] * 10_000),
    )
    assert messages.ask(request).k == 1_000


def test_every_field_out_of_range_is_named_at_once():
    request = ranking_pb2.RankRequest(
        user_id="u" * 257,
        k=1_001,
        candidate_ids=["N1"] * 10_001,
        history_ids=["N1"] * 1_001,
        request_id="r" * 257,
        filter=ranking_pb2.Filter(
            categories=["c"] * 1_001,
            providers=["p" * 257],
            exclude_ids=["N1"] * 10_001,
            published_after=Timestamp(nanos=-1),
            seen=7,
        ),
    )
    assert set(violations(messages.ask, request)) == {
        "user_id",
        "k",
        "candidate_ids",
        "history_ids",
        "request_id",
        "filter.categories",
        "filter.providers[0]",
        "filter.exclude_ids",
        "filter.published_after",
        "filter.seen",
    }


def test_a_batch_names_the_request_as_well():
    requests = [ranking_pb2.RankRequest(), ranking_pb2.RankRequest(k=1_001)]
    assert list(violations(messages.asks, requests)) == ["requests[1].k"]


def test_a_batch_has_at_most_256_requests():
    requests = [ranking_pb2.RankRequest()] * 257
    assert list(violations(messages.asks, requests)) == ["requests"]
    assert len(messages.asks(requests[:256])) == 256


def test_a_batch_wants_at_most_10000_news_in_all():
    requests = [ranking_pb2.RankRequest(k=1_000)] * 10
    assert len(messages.asks(requests)) == 10
    assert list(violations(messages.asks, [*requests, ranking_pb2.RankRequest()])) == ["requests"]


def test_a_filter_that_asks_for_nothing_is_no_condition():
    wanted = ranking_pb2.Filter(exclude_ids=["N1"], seen=ranking_pb2.SEEN_SHOW)
    ask = messages.ask(ranking_pb2.RankRequest(filter=wanted))
    assert (ask.condition, ask.exclude, ask.hide_seen) == (None, ["N1"], False)


def test_equal_filters_become_equal_conditions():
    read = [
        messages.ask(
            ranking_pb2.RankRequest(
                filter=ranking_pb2.Filter(categories=names, published_after=Timestamp(seconds=5))
            )
        ).condition
        for names in (["a", "b"], ["b", "a"])
    ]
    assert read == [Condition(categories=frozenset("ab"), published_after=5)] * 2
    assert len(set(read)) == 1


def test_a_moment_within_a_second_leaves_that_second_out():
    wanted = ranking_pb2.Filter(published_after=Timestamp(seconds=5, nanos=1))
    condition = messages.ask(ranking_pb2.RankRequest(filter=wanted)).condition
    assert condition.published_after == 6


@pytest.mark.parametrize("rung", Rung)
def test_rungs_have_the_numbers_of_the_wire(rung):
    assert ranking_pb2.Rung.Name(rung.value) == f"RUNG_{rung.name}"


def test_a_slate_is_written_column_by_column():
    half = np.array([0.5, 0.25], np.float32)
    slate = Slate(["N2", "N1"], half, half * 2, "v7", Rung.CACHED, "s1")
    assert messages.response(slate) == ranking_pb2.RankResponse(
        news_ids=["N2", "N1"],
        scores=[0.5, 0.25],
        propensities=[1.0, 0.5],
        model_version="v7",
        rung=ranking_pb2.RUNG_CACHED,
        slate_id="s1",
    )


def report(*impressions):
    return feedback_pb2.ReportRequest(
        impressions=[feedback_pb2.Impression(**one) for one in impressions]
    )


def test_an_impression_without_a_time_was_shown_now():
    (event,) = messages.events(report(SHOWN), now=NOW)
    assert event.time == NOW


def test_an_impression_keeps_its_time():
    shown = {**SHOWN, "time": Timestamp(seconds=60)}
    (event,) = messages.events(report(shown), now=NOW)
    assert event.time == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def test_what_is_wrong_with_impressions_is_named():
    wrong = {
        **SHOWN,
        "news_id": "",
        "position": 1_001,
        "propensity": 1.5,
        "dwell_seconds": float("nan"),
        "time": Timestamp(seconds=10**15),
    }
    found = violations(lambda r: messages.events(r, now=NOW), report(SHOWN, wrong))
    fields = ("news_id", "position", "propensity", "dwell_seconds", "time")
    assert set(found) == {f"impressions[1].{field}" for field in fields}


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_report_has_1_to_1000_impressions(count):
    found = violations(lambda r: messages.events(r, now=NOW), report(*[SHOWN] * count))
    assert list(found) == ["impressions"]


def test_of_too_many_only_the_number_is_looked_at():
    """Half a million empty ones fit a message; to name each would stop the service for seconds."""
    batch = [ranking_pb2.RankRequest(k=1_001)] * 257
    assert list(violations(messages.asks, batch)) == ["requests"]
    shown = report(*[{}] * 1_001)
    assert list(violations(lambda r: messages.events(r, now=NOW), shown)) == ["impressions"]


def test_nobody_cannot_be_forgotten():
    assert list(violations(messages.user_to_forget, model_pb2.ForgetRequest())) == ["user_id"]
