from datetime import UTC, datetime

import grpc
import pytest

from recsys.client import Filter, Impression, RankerClient, Request
from recsys.errors import InvalidRequest, RecsysError, ServingError, VersionNotFound
from recsys.rpc.v1 import model_pb2, model_pb2_grpc, ranking_pb2, ranking_pb2_grpc
from tests.serving import world
from tests.serving.world import best, clicked


def test_a_known_reader_is_ranked_by_the_published_vector(client, server):
    ranking = client.rank("ann", k=5)
    assert ranking.news_ids == tuple(best(0, "ann", hidden=clicked("ann"))[:5])
    assert ranking.rung == "cached"
    assert ranking.model_version == server.live.model.meta.version
    assert ranking.propensities == (1.0,) * 5
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)


def test_every_rung_says_its_name(client):
    client.report([Impression("s", "eve", "N3", clicked=True)])
    assert client.rank("ann", history_ids=["N9"]).rung == "session"
    assert client.rank("ann").rung == "cached"
    assert client.rank("eve").rung == "history"
    assert client.rank("stranger").rung == "popular"


def test_filters_hold(client):
    wanted = Filter(
        categories=["sports"],
        providers=["weekly"],
        published_after=datetime(1970, 1, 1, 5, tzinfo=UTC),
        exclude_ids=["N20"],
    )
    expected = {f"N{row}" for row in range(0, 40, 4) if (row + 1) * 1_000 >= 18_000} - {"N20"}
    assert set(client.rank("ann", k=40, filter=wanted).news_ids) == expected


def test_a_batch_answers_in_order_with_one_version(client):
    users = ["bob", "", "ann"]
    rankings = client.rank_batch([Request(user, k=3) for user in users])
    assert [ranking.rung for ranking in rankings] == ["cached", "popular", "cached"]
    assert [r.news_ids for r in rankings] == [client.rank(user, k=3).news_ids for user in users]
    assert len({ranking.model_version for ranking in rankings}) == 1


def test_an_empty_batch_is_answered_with_nothing(client):
    assert client.rank_batch([]) == []


def test_a_wrong_request_is_refused_with_every_field(client):
    with pytest.raises(InvalidRequest) as caught:
        client.rank("u" * 257, k=1_001)
    assert set(caught.value.violations) == {"user_id", "k"}


def test_a_reported_click_is_remembered_hidden_and_waits_for_collection(client, published):
    shown = client.rank("stranger", k=3)
    taken = client.report(shown.impressions("stranger", clicked={shown.news_ids[0]}))
    assert taken == 3
    events = list(published.events())
    assert [event.news_id for event in events] == list(shown.news_ids)
    assert [event.clicked for event in events] == [True, False, False]
    assert [event.position for event in events] == [1, 2, 3]
    assert {event.slate_id for event in events} == {shown.slate_id}
    assert shown.news_ids[0] not in client.rank("stranger", k=40).news_ids


def test_the_model_that_answers_is_described(client, server):
    model, meta = client.model(), server.live.model.meta
    assert (model.version, model.live, model.audit_verdict) == (meta.version, True, "pass")
    assert (model.dim, model.num_news, model.num_readers) == (8, 40, 3)
    assert model.created_at == meta.created_at


def test_a_rollback_answers_at_once_from_the_older_version(client, published):
    older = client.model().version
    newer = world.publish(published, seed=1, day=2).version
    client.activate(newer)
    expected = tuple(best(1, "bob", hidden=clicked("bob"))[:5])
    assert client.rank("bob", k=5).news_ids == expected
    assert client.activate(older).version == older
    assert client.rank("bob", k=5).model_version == older
    assert [(one.version, one.live) for one in client.versions()] == [(older, True), (newer, False)]


def test_an_unknown_version_cannot_be_activated(client):
    with pytest.raises(VersionNotFound, match="20990101"):
        client.activate("20990101T000000-00000000")


def test_a_broken_version_cannot_be_activated(client, published):
    before = client.model()
    broken = world.publish(published, seed=1, day=2, encoder=b"damaged", activate=False)
    with pytest.raises(RecsysError, match="encoder"):
        client.activate(broken.version)
    assert client.model() == before


def test_a_version_whose_news_are_damaged_fails_its_precondition(server, published):
    damaged = world.publish(published, seed=1, day=2, activate=False).version
    published._redis.append(published._keys.part(damaged, "news:0"), b"!")
    with grpc.insecure_channel(server.address) as channel:
        activate = model_pb2_grpc.ModelServiceStub(channel).Activate
        with pytest.raises(grpc.RpcError, match="publish it again") as caught:
            activate(model_pb2.ActivateRequest(version=damaged))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_forgotten_reader_becomes_a_stranger_for_good(client, published):
    assert client.forget("ann") > 0
    assert client.rank("ann").rung == "popular"
    client.activate(world.publish(published, seed=1, day=2).version)
    assert client.rank("ann", history_ids=["N9"]).rung == "popular"
    assert client.report([Impression("s", "ann", "N3", clicked=True)]) == 0


def test_before_anything_is_published_callers_are_told_so(store):
    with world.serving(store) as server, RankerClient(server.address, timeout_s=60) as client:
        for call in (lambda: client.rank("ann"), client.model):
            with pytest.raises(ServingError, match="no version is published"):
                call()
        assert client.versions() == []


def test_a_message_over_one_mebibyte_is_refused(server):
    with grpc.insecure_channel(server.address) as channel:
        request = ranking_pb2.RankRequest(candidate_ids=["x" * 200] * 6_000)
        with pytest.raises(grpc.RpcError) as caught:
            ranking_pb2_grpc.RankingServiceStub(channel).Rank(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_largest_allowed_request_is_answered(client):
    candidates = [f"M{i}" for i in range(9_960)] + world.IDS
    assert len(client.rank("ann", k=1_000, candidate_ids=candidates).news_ids) == 37
