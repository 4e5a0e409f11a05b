import numpy as np
import pytest

from recsys.errors import DataError
from recsys.propensity.position import Counts, expectation_maximisation, harvested, randomised

TRUTH = np.array([1.0, 0.6, 0.35, 0.2])


def log(slates, spread, seed=0):
    """Slates of four of twelve news; the better stand higher, the more so the less ``spread``."""
    rng = np.random.default_rng(seed)
    relevance = np.linspace(0.1, 0.8, 12)
    noise = spread * rng.gumbel(size=(slates, 12))
    shown = np.argsort(-(relevance + noise), axis=1)[:, :4]
    clicked = rng.random(shown.shape) < TRUTH * relevance[shown]
    positions = np.broadcast_to(np.arange(1, 5), shown.shape)
    return Counts.of(shown.ravel(), positions.ravel(), clicked.ravel().astype(int))


def test_counts_are_a_table_of_contexts_and_positions():
    counts = Counts.of(np.array([7, 7, 9]), np.array([1, 2, 1]), np.array([1, 0, 0]))
    assert counts.shown.tolist() == [[1, 1], [1, 0]]
    assert counts.clicked.tolist() == [[1, 0], [0, 0]]


def test_randomised_slates_tell_examination_by_click_rate_alone():
    found = randomised(log(200_000, spread=1000.0))
    assert found.curve == pytest.approx(TRUTH, rel=0.03)


def test_click_rate_on_ranked_slates_overstates_the_bias():
    assert randomised(log(100_000, spread=0.2)).curve[-1] < 0.95 * TRUTH[-1]


@pytest.mark.parametrize("estimate", [harvested, expectation_maximisation])
def test_examination_is_recovered_from_ranked_slates_that_swap(estimate):
    found = estimate(log(200_000, spread=0.2))
    assert found.curve == pytest.approx(TRUTH, rel=0.05)
    assert found.curve[0] == 1


def test_maximisation_goes_on_until_no_position_moves():
    counts = log(2_000, spread=0.2)
    found, exact = (expectation_maximisation(counts, tolerance=t) for t in (1e-7, 0.0))
    assert found.curve == pytest.approx(exact.curve, rel=1e-3)


def test_harvesting_needs_a_swap():
    contexts, positions = np.array([1, 2, 1, 2]), np.array([1, 2, 1, 2])
    with pytest.raises(DataError, match="position 2"):
        harvested(Counts.of(contexts, positions, np.array([1, 1, 0, 0])))


def test_harvesting_goes_through_positions_in_between():
    # 1 and 3 share no news, but both share one with 2: clicks at rates 1/2, 1/4, 1/8
    rows = [(1, 1, 4, 8), (1, 2, 2, 8), (2, 2, 2, 8), (2, 3, 1, 8)]
    columns = [
        (news, position, int(number < clicks))
        for news, position, clicks, shown in rows
        for number in range(shown)
    ]
    found = harvested(Counts.of(*(np.array(column) for column in zip(*columns, strict=True))))
    assert found.curve == pytest.approx([1, 1 / 2, 1 / 4], rel=1e-3)


@pytest.mark.parametrize("estimate", [randomised, harvested, expectation_maximisation])
def test_a_position_without_a_click_keeps_a_propensity_above_zero(estimate):
    contexts, positions = np.repeat([1, 2], 20), np.tile([1, 2], 20)
    clicked = (positions == 1).astype(int)
    assert estimate(Counts.of(contexts, positions, clicked)).curve[1] > 0


def test_unknown_positions_are_refused_with_their_number():
    with pytest.raises(DataError, match="2 of 3 impressions have no position"):
        Counts.of(np.ones(3, int), np.array([0, 1, 0]), np.zeros(3, int))


def test_a_curve_without_clicks_at_the_top_is_refused():
    with pytest.raises(DataError, match="never clicked"):
        randomised(Counts.of(np.ones(2, int), np.array([1, 2]), np.array([0, 1])))


def test_propensities_are_looked_up_by_position_and_at_most_one():
    found = randomised(Counts.of(np.ones(4, int), np.array([1, 1, 2, 2]), np.array([1, 0, 1, 1])))
    assert found.curve == pytest.approx([1, 2])
    assert found.of(np.array([2, 1])) == pytest.approx([1, 0.5])
    with pytest.raises(DataError, match="expected 1 to 2"):
        found.of(np.array([3]))
