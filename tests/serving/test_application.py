import asyncio

import numpy as np
import pytest

from recsys.errors import ServingError
from recsys.ranker.query import Condition
from recsys.ranker.ranker import RankerConfig
from recsys.serving.application import Application, Ask, Rung
from recsys.serving.live import LiveModel
from recsys.serving.loading import load
from recsys.serving.lookup import Lookup
from recsys.serving.metrics import Metrics
from recsys.store.memory import MemoryStore
from tests.serving import world
from tests.serving.world import best, clicked


def ask(user="", session=(), candidates=(), k=10, condition=None, exclude=(), hide_seen=True):
    return Ask(user, session, candidates, k, condition, exclude, hide_seen)


def application(store, metrics=None):
    metrics = metrics or Metrics()
    config = RankerConfig(precision="float32")
    live = LiveModel(store, lambda s, meta: load(s, meta, device="cpu", config=config), metrics)
    asyncio.run(live.refresh())
    return Application(
        live, Lookup(store, metrics, patience_seconds=60), metrics, np.random.default_rng(0)
    )


@pytest.fixture
def store():
    store = MemoryStore()
    world.publish(store, seed=0)
    return store


@pytest.fixture
def app(store):
    return application(store)


def test_a_known_reader_is_ranked_by_the_published_vector(app):
    (slate,) = app.rank([ask("ann", hide_seen=False)])
    assert slate.rung is Rung.CACHED
    assert slate.news == best(0, "ann")[:10]
    assert slate.version.startswith("20260501T030000-")


def test_clicks_of_the_session_come_before_the_published_vector(app):
    (slate,) = app.rank([ask("ann", session=["unknown", "N7"])])
    assert slate.rung is Rung.SESSION


def test_a_session_of_unknown_news_alone_is_no_session(app):
    (slate,) = app.rank([ask("ann", session=["unknown"])])
    assert slate.rung is Rung.CACHED


def test_a_reader_with_clicks_and_no_vector_is_encoded(app, store):
    store._histories["eve"] = ["N3", "N4"]
    (stored,) = app.rank([ask("eve")])
    (session,) = app.rank([ask("", session=["N3", "N4"])])
    assert stored.rung is Rung.HISTORY
    assert stored.news == session.news


def test_an_unknown_reader_gets_popular_news(app):
    for user in ("", "stranger"):
        (slate,) = app.rank([ask(user)])
        assert slate.rung is Rung.POPULAR
        assert len(slate.news) == 10


def test_an_erased_reader_is_never_served_personally(app, store):
    store.forget("ann")
    slates = app.rank([ask("ann"), ask("ann", session=["N7"])])
    assert [slate.rung for slate in slates] == [Rung.POPULAR] * 2


def test_what_the_reader_has_clicked_is_hidden_unless_asked_for(app):
    hidden, shown = app.rank([ask("ann", k=40), ask("ann", k=40, hide_seen=False)])
    assert set(shown.news) - set(hidden.news) == clicked("ann")


def test_clicks_of_the_session_are_hidden_too(app):
    (slate,) = app.rank([ask("ann", session=["N7"], k=40)])
    assert set(world.IDS) - set(slate.news) == clicked("ann") | {"N7"}


def test_excluded_news_are_never_shown(app):
    (slate,) = app.rank([ask("bob", exclude=["N0", "N1", "unknown"], k=40, hide_seen=False)])
    assert set(world.IDS) - set(slate.news) == {"N0", "N1"}


def test_candidates_bound_the_slate_and_unknown_ones_are_left_out(app):
    candidates = ["N9", "N8", "unknown", "N9"]
    (slate,) = app.rank([ask("ann", candidates=candidates)])
    assert sorted(slate.news) == ["N8", "N9"]
    assert slate.news == [news for news in best(0, "ann") if news in candidates]


def test_unknown_candidates_alone_give_an_empty_slate_not_the_catalogue(app):
    (slate,) = app.rank([ask("ann", candidates=["unknown"])])
    assert slate.news == []


def test_a_condition_holds_for_all_that_is_shown(app):
    condition = Condition(categories=frozenset({"sports"}), published_after=20_000)
    (slate,) = app.rank([ask("ann", k=40, condition=condition, hide_seen=False)])
    expected = {f"N{row}" for row in range(40) if row % 4 == 0 and (row + 1) * 1_000 >= 20_000}
    assert set(slate.news) == expected


def test_slates_come_in_order_with_names_of_their_own(app):
    users = ["ann", "", "bob", "ann"]
    slates = app.rank([ask(user) for user in users])
    alone = [app.rank([ask(user)])[0] for user in users]
    assert [slate.news for slate in slates] == [slate.news for slate in alone]
    assert len({slate.slate_id for slate in slates}) == 4


def test_without_a_version_there_is_no_answer():
    with pytest.raises(ServingError, match="no version is published"):
        application(MemoryStore()).rank([ask()])


def test_rungs_batch_and_exposure_are_counted(store):
    metrics = Metrics()
    application(store, metrics).rank([ask("ann"), ask("bob"), ask("")])
    sample = metrics.registry.get_sample_value
    assert sample("recsys_rungs_total", {"rung": "cached"}) == 2
    assert sample("recsys_batch_size_sum") == 3
    given = sum(
        sample("recsys_exposure_total", {"kind": "provider", "value": name}) or 0
        for name in ("daily", "weekly")
    )
    assert given == pytest.approx(3 * sum(1 / np.log2(1 + place) for place in range(1, 11)))
