import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys.simulation import clicks, log


def stacked(blocks, name):
    return np.concatenate([getattr(block, name) for block in blocks])


def attribute_auc(world, blocks):
    """AUC with which gender is found in readers' clicks per topic, section and tone."""
    slates, places = np.nonzero(stacked(blocks, "clicked"))
    readers, news = stacked(blocks, "readers")[slates], stacked(blocks, "news")[slates, places]
    counts = np.zeros(world.readers.tastes.shape)
    np.add.at(counts, readers, world.news.points[news])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    gender = world.readers.attributes["gender"].codes
    attacker = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    found = cross_val_predict(attacker, shares, gender, cv=4, method="predict_proba")[:, 1]
    return roc_auc_score(gender, found)


def shown_and_clickable(world, blocks):
    """For each slate in order: which live news the reader has not clicked, by hour."""
    clicked = np.zeros((world.config.readers, world.config.news), bool)
    for block in blocks:
        live = np.zeros(world.config.news, bool)
        live[world.news.live(int(block.times[0] // 3_600_000_000))] = True
        yield block, live & ~clicked[block.readers]
        slates, places = np.nonzero(block.clicked)
        clicked[block.readers[slates], block.news[slates, places]] = True


def test_attribute_bias_puts_the_attribute_into_the_clicks(simulate):
    found = []
    for bias in (0, 1.5, 3):
        world, _, blocks = simulate(
            readers=2_000, news=400, days=3, attribute_bias=bias, slates_per_reader=24, seed=2
        )
        found.append(attribute_auc(world, blocks))
    none, moderate, strong = found
    assert none == pytest.approx(0.5, abs=0.05)
    assert none + 0.1 < moderate < strong - 0.05


def test_clicks_fall_with_the_place_as_the_examination_curve_does(small):
    world, _, blocks = small
    clicked, relevance = stacked(blocks, "clicked"), stacked(blocks, "relevance")
    expected = relevance * clicks.examination(world.config.slate, world.config.position_bias)
    error = np.sqrt((expected * (1 - expected)).sum(axis=0))
    assert (np.abs(clicked.sum(axis=0) - expected.sum(axis=0)) < 4 * error).all()


def test_a_fixed_news_weighs_as_much_as_if_it_were_always_shown(small):
    world, _, blocks = small
    long_lived = np.argsort(world.news.dies - np.maximum(world.news.born, 0))[-40:]
    weight, variance, slates = np.zeros(40), np.zeros(40), np.zeros(40)
    for block, clickable in shown_and_clickable(world, blocks):
        for index, news in enumerate(long_lived):
            p = block.propensity[:, 0][block.news[:, 0] == news]
            weight[index] += (1 / p).sum()
            variance[index] += (1 / p**2).sum()
            slates[index] += clickable[:, news].sum()
    assert (np.abs(weight - slates) < 4 * np.sqrt(variance)).all()


def test_inverse_propensities_recover_a_policy_that_the_naive_mean_misses(simulate):
    world, _, blocks = simulate(readers=3_000, news=300, days=3, exposure_bias=2, seed=1)
    curve = clicks.examination(world.config.slate, world.config.position_bias)
    naive, weighted, true = [], [], []
    for block, clickable in shown_and_clickable(world, blocks):
        click = block.clicked[:, 0]
        # the policy to be evaluated: any of the news that may be shown, at random, on top
        weights = 1 / clickable.sum(axis=1) / block.propensity[:, 0]
        logits = world.readers.tastes[block.readers] @ world.news.points.T + world.news.appeal
        relevance = clicks.relevance(logits, world.config.noise)
        true.append(curve[0] * (relevance * clickable).sum(axis=1) / clickable.sum(axis=1))
        naive.append(click)
        weighted.append(click * weights)
    naive, weighted, true = map(np.concatenate, (naive, weighted, true))
    half_width = [1.96 * x.std() / np.sqrt(len(x)) for x in (weighted, naive)]
    assert abs(weighted.mean() - true.mean()) < half_width[0]
    assert abs(naive.mean() - true.mean()) > 3 * half_width[1]


def test_exposure_bias_concentrates_what_is_shown(simulate):
    shares = []
    for bias in (0, 1, 3):
        _, _, blocks = simulate(readers=500, news=300, days=3, exposure_bias=bias)
        shown = np.sort(np.bincount(stacked(blocks, "news").ravel()))
        shares.append(shown[-30:].sum() / shown.sum())
    assert shares[0] + 0.05 < shares[1] < shares[2] - 0.05


def test_interest_ranks_slates_better_than_popularity(small):
    world, _, blocks = small
    news, clicked = stacked(blocks, "news"), stacked(blocks, "clicked")
    popularity = np.bincount(news[clicked], minlength=world.config.news)[news]
    best = [
        np.take_along_axis(clicked, score.argmax(axis=1)[:, None], axis=1).mean()
        for score in (stacked(blocks, "relevance"), popularity)
    ]
    assert best[0] > 1.3 * best[1]


def test_only_live_news_that_the_reader_has_not_clicked_are_shown(small):
    world, _, blocks = small
    for block, clickable in shown_and_clickable(world, blocks):
        assert np.take_along_axis(clickable, block.news, axis=1).all()


def test_slates_are_numbered_in_order_of_time(small):
    _, _, blocks = small
    assert (np.diff(stacked(blocks, "times")) >= 0).all()
    first = [block.first_id for block in blocks]
    np.testing.assert_array_equal(np.diff(first), [len(block.readers) for block in blocks][:-1])


def test_the_bound_on_memory_does_not_change_the_log(simulate, small, monkeypatch):
    monkeypatch.setattr(log, "MAX_CELLS", 1 << 13)
    _, _, blocks = simulate(readers=1_500, news=400, days=3, seed=3)
    assert len(blocks) > len(small[2])
    for name in ("readers", "news", "clicked", "propensity"):
        np.testing.assert_array_equal(stacked(blocks, name), stacked(small[2], name))


def test_readers_who_run_out_of_unclicked_news_keep_propensities_in_range(simulate):
    settings = {"readers": 400, "news": 150, "days": 3, "slates_per_reader": 20}
    _, _, blocks = simulate(**settings, position_bias=0.0)
    propensity = np.concatenate([block.propensity.ravel() for block in blocks])
    assert propensity.min() > 0
    assert propensity.max() <= 1
