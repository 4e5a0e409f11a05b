import numpy as np
import pytest
from scipy.stats import spearmanr

from recsys.evaluation import click

ALL = np.ones((4, 2), dtype=bool)
CLICKS = np.array([[True, False], [True, False], [False, False], [True, True]])


def test_a_coin_has_perplexity_two():
    assert click.perplexity(np.full((4, 2), 0.5), CLICKS, ALL) == pytest.approx(2.0)


def test_perplexity_is_least_at_the_true_rate():
    rates = [click.perplexity(np.full((4, 2), rate), CLICKS, ALL)[0] for rate in (0.6, 0.75, 0.9)]
    assert min(rates) == rates[1]


def test_hidden_positions_do_not_count():
    mask = ALL.copy()
    mask[:, 1] = False
    guess = np.column_stack([np.full(4, 0.75), np.full(4, 1e-9)])
    assert np.isnan(click.perplexity(guess, CLICKS, mask)[1])
    expected = 0.75 * np.log(0.75) + 0.25 * np.log(0.25)
    assert click.log_likelihood(guess, CLICKS, mask) == pytest.approx(expected)


def test_an_impossible_event_stays_finite():
    assert np.isfinite(click.log_likelihood(np.zeros((4, 2)), CLICKS, ALL))


def test_spearman_is_that_of_scipy_with_ties():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 10) * 1.0, rng.integers(0, 5, 10) * 1.0
    assert click.spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_a_flat_curve_has_no_rank_correlation():
    assert np.isnan(click.spearman(np.ones(3), np.arange(3.0)))


def test_relative_curve_starts_at_one():
    assert click.relative(np.array([0.5, 0.25])).tolist() == [1.0, 0.5]
