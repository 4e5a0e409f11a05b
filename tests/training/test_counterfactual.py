from dataclasses import replace

import numpy as np
import pytest

from recsys.training.counterfactual import CounterfactualConfig, Imputed, choosing_weights, count
from recsys.training.events import events
from recsys.training.seen import Seen


@pytest.fixture(scope="module")
def seen(corpus):
    rng = np.random.default_rng(0)
    propensity = rng.uniform(0.05, 1, len(corpus.log.shown.news)).astype(np.float32)
    imputed = rng.uniform(0.1, 0.9, len(propensity)).astype(np.float32)
    return Seen(propensity, 1 / propensity, imputed, "", (), 0.2)


def counted(corpus, seen, estimator, clip=1000.0):
    config = CounterfactualConfig(estimator=estimator, clip=clip)
    return count(corpus.log, corpus.split.train, seen, config)


@pytest.fixture(scope="module")
def clicked(corpus):
    return corpus.log.clicks.impression[corpus.split.train]


def test_ips_counts_a_click_by_its_weight(corpus, seen, clicked):
    found = counted(corpus, seen, "ips")
    np.testing.assert_allclose(found.weights, 1 / seen.propensity, rtol=1e-6)
    assert found.imputed is None


def test_snips_counts_training_clicks_one_on_average_and_in_proportion(corpus, seen, clicked):
    weights = counted(corpus, seen, "snips").weights
    assert weights[clicked].mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(weights * seen.propensity, weights[0] * seen.propensity[0], 1e-5)


def test_equal_propensities_change_nothing(corpus, seen):
    half = np.full_like(seen.propensity, 0.5)
    alike = replace(seen, propensity=half, weight=1 / half)
    for estimator in ("snips", "dr"):
        found = counted(corpus, alike, estimator)
        np.testing.assert_allclose(found.weights, 1, rtol=1e-5)
        assert found.imputed is None


def test_weights_are_clipped_at_multiples_of_the_mean(corpus, seen, clicked):
    raw = 1 / seen.propensity
    found = counted(corpus, seen, "ips", clip=2)
    np.testing.assert_allclose(found.weights, np.minimum(raw, 2 * raw[clicked].mean()), rtol=1e-5)


def test_without_clipping_imputation_cancels(corpus, seen):
    found = counted(corpus, seen, "dr")
    np.testing.assert_allclose(found.weights, counted(corpus, seen, "snips").weights, rtol=1e-4)
    assert found.imputed is None


def test_right_imputation_undoes_clipping_in_expectation(corpus, seen, clicked):
    """With r the imputed relevance and E[c] = p r, the mean estimate of each news is r."""
    clip, relevance = 0.7, seen.imputed
    found = counted(corpus, seen, "dr", clip=clip)
    raw = 1 / seen.propensity
    cap = np.minimum(raw, clip * raw[clicked].mean())
    scale = 1 / cap[clicked].mean()
    rows = found.imputed.impression
    chance = (seen.propensity * relevance)[rows]
    mean = chance * found.weights[rows] + (1 - chance) * found.imputed.gain
    np.testing.assert_allclose(mean, relevance[rows] * scale, rtol=1e-4)


def test_only_unclicked_news_of_the_training_time_are_imputed(corpus, seen):
    log = corpus.log
    rows = counted(corpus, seen, "dr", clip=0.5).imputed.impression
    slate = np.searchsorted(log.shown.offsets, rows, side="right") - 1
    assert len(rows) > 100
    assert not log.shown.clicked[rows].any()
    assert slate.max() < min(corpus.split.validation.slate.min(), corpus.split.test.slate.min())


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_clicks_that_are_held_out_change_nothing(corpus, seen, estimator):
    log = corpus.log
    start = log.shown.offsets[corpus.split.validation.slate.min()]
    clicked = log.shown.clicked.copy()
    clicked[start:] = ~clicked[start:]
    poisoned = replace(log, shown=replace(log.shown, clicked=clicked))
    config = CounterfactualConfig(estimator=estimator, clip=0.5)
    first = count(log, corpus.split.train, seen, config)
    second = count(poisoned, corpus.split.train, seen, config)
    np.testing.assert_array_equal(first.weights, second.weights)
    if estimator == "dr":
        np.testing.assert_array_equal(first.imputed.impression, second.imputed.impression)


def test_an_epochs_draw_is_worth_what_all_are_and_follows_the_gains():
    imputed = Imputed(np.array([4, 9]), np.array([30.0, 90.4], np.float32))
    assert imputed.per_epoch == 120
    assert imputed.per_epoch * imputed.share == pytest.approx(120.4)
    drawn = np.concatenate([imputed.draw(np.random.default_rng(n)) for n in range(50)])
    assert drawn.mean() == pytest.approx(90.4 / 120.4, abs=0.02)


def test_epochs_are_chosen_by_what_clicks_count(corpus, seen):
    weighed = corpus.weighed(seen, CounterfactualConfig())
    log, asked = weighed.log, corpus.split.validation
    found = choosing_weights(log, asked)
    slate = asked.slate[3]
    at = slice(log.shown.offsets[slate], log.shown.offsets[slate + 1])
    expected = log.shown.weights[at][log.shown.clicked[at]].mean()
    assert found[3] == pytest.approx(expected, rel=1e-5)
    assert (choosing_weights(corpus.log, asked) == 1).all()


def test_imputed_news_come_with_the_clicks_their_reader_had_made_by_then(corpus, seen):
    weighed = corpus.weighed(seen, CounterfactualConfig(estimator="dr", clip=0.5))
    log, imputed = corpus.log, weighed.imputed
    found = events(weighed)
    first = len(log.clicks.news)
    assert len(found.news) == first + len(imputed.impression)
    for place in (0, 50, len(imputed.impression) - 1):
        row, event = imputed.impression[place], first + place
        slate = found.slate[event]
        assert log.shown.offsets[slate] <= row < log.shown.offsets[slate + 1]
        reader = log.shown.reader[slate]
        assert (found.reader[event], found.news[event]) == (reader, log.shown.news[row])
        own = log.clicks.slate[log.clicks.offsets[reader] : log.clicks.offsets[reader + 1]]
        assert found.history_end[event] - log.clicks.offsets[reader] == (own < slate).sum()


def test_without_propensities_the_events_are_the_clicks(corpus):
    found = events(corpus)
    np.testing.assert_array_equal(found.news, corpus.log.clicks.news)
    assert (found.weight == 1).all()
