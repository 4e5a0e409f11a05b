import pytest
import torch

from recsys.errors import DataError
from recsys.training.ratings.factorisation import Factorisation, FactorisationConfig
from recsys.training.ratings.loop import Loop, LoopConfig, Ratings
from recsys.training.ratings.objectives import Observed

SHAPE = (20, 30)


def ratings():
    """Reader and news of the same parity like each other."""
    readers = torch.arange(20).repeat_interleave(30)
    news = torch.arange(30).repeat(20)
    labels = ((readers + news) % 2 == 0).float()
    return Ratings(readers, news, labels, torch.ones(600))


def objective(penalty=1e-4):
    generator = torch.Generator().manual_seed(0)
    return Observed(Factorisation(SHAPE, FactorisationConfig(dim=4), generator), penalty)


def fit(target, data, score=lambda: 0.0, reweigh=None, seed=0, **settings):
    config = LoopConfig(**{"max_epochs": 30, "batch": 100, **settings})
    return Loop(config, SHAPE, torch.Generator().manual_seed(seed)).fit(
        target, data, score, reweigh
    )


def test_the_loop_learns_a_pattern():
    target, data = objective(), ratings()
    steps = iter(range(1000))
    fit(target, data, score=lambda: float(next(steps)))
    right = (target.recommender.predict(data.readers, data.news) > 0) == (data.labels > 0)
    assert right.float().mean() > 0.99


def test_the_best_epoch_is_kept_and_patience_ends_the_rest():
    target, data = objective(), ratings()
    seen, values = [], iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.1])

    def score():
        seen.append(target.recommender.readers.detach().clone())
        return next(values)

    trained = fit(target, data, score, patience=3)
    assert trained.best_epoch == 2
    assert len(trained.scores) == 5
    assert torch.equal(target.recommender.readers, seen[1])


def test_the_same_seed_gives_the_same_recommender():
    first, second = objective(), objective()
    for target in (first, second):
        fit(target, ratings(), max_epochs=2)
    assert torch.equal(first.recommender.news, second.recommender.news)


def test_only_ratios_of_weights_matter():
    first, second, data = objective(), objective(), ratings()
    fit(first, data, max_epochs=2)
    fit(
        second, Ratings(data.readers, data.news, data.labels, torch.full((600,), 7.0)), max_epochs=2
    )
    assert torch.allclose(first.recommender.news, second.recommender.news, atol=1e-5)


def test_new_weights_take_effect_from_the_epoch_they_are_given():
    asked = []

    def reweigh(epoch):
        asked.append(epoch)
        return torch.where(ratings().labels > 0, 1e-3, 1.0) if epoch == 1 else None

    target = objective(penalty=10.0)  # leaves the intercept alone to answer
    steps = iter(range(100))
    fit(target, ratings(), lambda: float(next(steps)), reweigh, max_epochs=20)
    scores = target.recommender.predict(ratings().readers, ratings().news)
    assert asked == list(range(20))
    assert (scores < 0).float().mean() > 0.9


def test_without_a_score_the_last_epoch_is_kept():
    scored, unscored, data = objective(), objective(), ratings()
    steps = iter(range(100))
    fit(scored, data, lambda: float(next(steps)), max_epochs=3)
    trained = fit(unscored, data, None, max_epochs=3, patience=1)
    assert torch.equal(scored.recommender.news, unscored.recommender.news)
    assert (trained.best_epoch, trained.scores) == (3, [])


def test_marked_ratings_are_taken():
    data = ratings()
    taken = data.take(data.labels > 0)
    assert len(taken) == int(data.labels.sum())
    assert bool(((taken.readers + taken.news) % 2 == 0).all())


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_weight_is_refused(bad):
    data = ratings()
    with pytest.raises(DataError, match="above 0 and finite"):
        Ratings(data.readers, data.news, data.labels, data.weights * bad)


def test_no_rating_is_refused():
    empty = torch.empty(0)
    with pytest.raises(DataError, match="found none"):
        Ratings(empty.long(), empty.long(), empty, empty)
