import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.fairness.erasure import faint, fit, from_sums, one_hot
from recsys.fairness.leakage import LeakageConfig, leakage
from tests.fairness.vectors import genders, noise, with_linear_bit, with_xor

LINEAR = LeakageConfig(attackers=("logistic regression",), num_samples=300)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def _planted(rng, readers):
    values = np.array(genders(rng, readers))
    vectors = with_linear_bit(noise(rng, readers), values).astype(float)
    return vectors @ np.linalg.qr(rng.standard_normal((16, 16)))[0], values


def test_each_value_has_a_column():
    columns = one_hot(np.array(["b", "a", "b", "c"]))
    np.testing.assert_array_equal(columns, [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_nothing_linear_is_left_on_the_readers_it_was_fitted_on(rng):
    vectors, values = _planted(rng, 500)
    erased = fit(vectors, one_hot(values)).apply(vectors)
    centred = erased - erased.mean(axis=0)
    np.testing.assert_allclose(centred.T @ one_hot(values), 0, atol=1e-8)


def test_faint_directions_go_and_what_is_left_stays_as_it_was(rng):
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    straight = rng.standard_normal((500, 6)) * [1, 1, 1, 1, 0.03, 0.01]
    vectors = straight @ turn + 5
    left = faint(vectors, 0.01).apply(vectors)
    spread = np.linalg.eigvalsh(np.cov(left, rowvar=False))
    np.testing.assert_allclose(spread[:2], 0, atol=1e-12)
    assert (spread[2:] > 0.5).all()
    assert np.abs(left - vectors).max() < 0.2


def test_vectors_without_a_faint_direction_stay_as_they_are(rng):
    vectors = rng.standard_normal((500, 6))
    np.testing.assert_array_equal(faint(vectors, 0.01).apply(vectors), vectors)


def test_readers_it_never_saw_are_hidden_too(rng):
    vectors, values = _planted(rng, 6000)
    eraser = fit(vectors[:3000], one_hot(values[:3000]))
    unseen, truth = vectors[3000:], list(values[3000:])
    assert leakage(unseen, truth, rng=rng, config=LINEAR).best.auc > 0.9
    best = leakage(eraser.apply(unseen), truth, rng=rng, config=LINEAR).best
    assert best.leakage < 0.55


def test_what_is_not_linear_stays(rng):
    values = genders(rng)
    vectors = with_xor(noise(rng), values, rng).astype(float)
    erased = fit(vectors, one_hot(np.array(values))).apply(vectors)
    config = LeakageConfig(attackers=("RBF SVM",), num_samples=50)
    assert leakage(erased, values, rng=rng, config=config).best.auc > 0.9


def test_rank_lost_is_that_of_the_concepts(rng):
    vectors, values = _planted(rng, 500)
    assert np.linalg.matrix_rank(fit(vectors, one_hot(values)).projection) == 1
    ages = rng.integers(3, size=500)
    both = np.concatenate([one_hot(values), one_hot(ages)], axis=1)
    assert np.linalg.matrix_rank(fit(vectors, both).projection) == 3


def test_no_smaller_change_does_it(rng):
    """Least squares in the vectors' own metric: the plain projection changes more."""
    vectors, values = _planted(rng, 800)
    eraser = fit(vectors, one_hot(values))
    shift = vectors[values == "F"].mean(axis=0) - vectors[values == "M"].mean(axis=0)
    shift /= np.linalg.norm(shift)
    plain = (vectors - vectors.mean(axis=0)) @ shift
    change = np.square(vectors - eraser.apply(vectors)).sum()
    assert change <= np.square(plain).sum() * (1 + 1e-9)


def test_constant_dimensions_are_harmless(rng):
    vectors, values = _planted(rng, 300)
    vectors[:, 0] = 7.0
    erased = fit(vectors, one_hot(values)).apply(vectors)
    assert np.isfinite(erased).all()
    np.testing.assert_allclose(erased[:, 0], 7.0)


def test_erasing_twice_changes_nothing_more(rng):
    vectors, values = _planted(rng, 300)
    eraser = fit(vectors, one_hot(values))
    once = eraser.apply(vectors)
    np.testing.assert_allclose(eraser.apply(once), once, atol=1e-8)


def _clicks(rng, readers=300, news=40):
    clicked = rng.random((readers, news)) < 0.3
    clicked[0] = False  # somebody who clicked nothing
    return csr_array(clicked.astype(float))


def test_sums_of_what_was_changed_are_uncorrelated_with_any_concept(rng):
    clicked, news = _clicks(rng), rng.standard_normal((40, 8))
    beliefs = rng.dirichlet(np.ones(3), 300)
    changed = from_sums(news, clicked, beliefs, ridge=10)
    known = beliefs[1:] - beliefs[1:].mean(axis=0)
    sums = (clicked @ changed)[1:] / np.sqrt(clicked.sum(axis=1)[1:, None])
    np.testing.assert_allclose(known.T @ sums, 0, atol=1e-8)
    before = (clicked @ news)[1:] / np.sqrt(clicked.sum(axis=1)[1:, None])
    assert np.abs(known.T @ before).max() > 1


def test_it_is_the_least_change_that_does(rng):
    """Any other change that hides the concept, the same one and more, moves sums further."""
    clicked, news = _clicks(rng), rng.standard_normal((40, 4))
    beliefs, ridge = rng.random((300, 1)), 10.0
    changed = from_sums(news, clicked, beliefs, ridge=ridge)
    hidden = from_sums(rng.standard_normal((40, 4)), clicked, beliefs, ridge=ridge)

    def moved(other):
        return np.square(clicked @ (other - news)).sum() + ridge * np.square(other - news).sum()

    for step in (-0.1, 0.1):
        assert moved(changed) < moved(changed + step * hidden)


def test_as_many_directions_are_left_as_there_were(rng):
    clicked, news = _clicks(rng), rng.standard_normal((40, 8))
    changed = from_sums(news, clicked, rng.random((300, 1)), ridge=10)
    assert np.linalg.matrix_rank(clicked @ changed) == 8
    assert (
        np.linalg.matrix_rank(fit(clicked @ news, rng.random((300, 1))).apply(clicked @ news)) == 8
    )


@pytest.mark.parametrize("concepts", [np.zeros((300, 0)), np.full((300, 2), 0.5)])
def test_news_stay_as_they_are_where_nothing_is_believed(rng, concepts):
    news = rng.standard_normal((40, 4))
    np.testing.assert_array_equal(from_sums(news, _clicks(rng), concepts, ridge=10), news)


def test_news_that_nobody_clicked_are_left_as_they_are():
    news, nobody = np.eye(3), csr_array((4, 3))
    left = from_sums(news, nobody, np.full((4, 2), 0.5), ridge=1.0)
    np.testing.assert_array_equal(left, news)
