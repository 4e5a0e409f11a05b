import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from recsys.propensity.kernels import Covariates, Functions, Kernel, Pairs
from recsys.training.ratings.imputation import Imputation
from recsys.training.ratings.targeting import Targeted, fluctuation

WORLD = np.linspace(-1, 1, 200_001)
"""Pairs, by what tells whether they are liked and rated."""
LIKED = expit(2 * WORLD)
PROPENSITY = 0.05 + 0.2 * expit(3 * WORLD)
"""Known: what is liked is rated more."""


def rated(seed=0):
    rng = np.random.default_rng(seed)
    seen = rng.random(len(WORLD)) < PROPENSITY
    return seen, (rng.random(len(WORLD)) < LIKED)[seen].astype(float)


def mean_label(imputed, weights):
    """Target by the rated pairs; average the labels of all."""
    seen, labels = rated()
    values = np.stack([WORLD**2, WORLD**3], axis=1).astype(np.float32)
    shift = fluctuation(values[seen], logit(imputed[seen]), labels, weights[seen])
    return expit(logit(imputed) + shift[0] + values @ shift[1:]).mean()


WRONG, EQUAL = np.full(len(WORLD), 0.3), np.ones(len(WORLD))


@pytest.mark.parametrize(
    ("imputed", "weights"),
    [(WRONG, 1 / PROPENSITY), (LIKED, EQUAL), (LIKED, 1 / PROPENSITY), (LIKED, PROPENSITY)],
)
def test_labels_are_unbiased_if_the_weights_or_the_imputation_are_right(imputed, weights):
    assert mean_label(imputed, weights) == pytest.approx(LIKED.mean(), abs=0.01)


def test_labels_are_biased_if_neither_is_right():
    values = np.zeros((len(WORLD), 1), np.float32)
    seen, labels = rated()
    shift = fluctuation(values[seen], logit(WRONG[seen]), labels, EQUAL[seen])
    assert expit(logit(WRONG) + shift[0]).mean() - LIKED.mean() > 0.05


def few():
    rng = np.random.default_rng(1)
    values = rng.random((300, 3)).astype(np.float32)
    return values, rng.normal(size=300), (rng.random(300) < values[:, 0]) * 1.0, rng.random(300) + 1


def test_weighted_ratings_have_nothing_left_to_say():
    values, imputed, labels, weights = few()
    free, held = (fluctuation(values, imputed, labels, weights, ridge=r) for r in (0.0, 1.0))
    for shift, along in ((free, values), (held, np.ones((300, 1)))):
        errors = expit(imputed + shift[0] + values @ shift[1:]) - labels
        assert np.abs(weights @ (errors[:, None] * along)).max() < 1e-3
    assert np.abs(held[1:]).max() < np.abs(free[1:]).max()


def test_nothing_moves_where_the_imputation_is_right():
    values, imputed, _, weights = few()
    assert np.abs(fluctuation(values, imputed, expit(imputed), weights)).max() < 1e-5


def test_only_ratios_of_weights_matter():
    values, imputed, labels, weights = few()
    found = [fluctuation(values, imputed, labels, scale * weights) for scale in (1, 50)]
    assert np.allclose(*found, atol=1e-5)


@pytest.mark.parametrize("extreme", [-50.0, 50.0])
def test_extreme_imputations_give_finite_shifts(extreme):
    values, _, labels, weights = few()
    assert np.isfinite(fluctuation(values, np.full(300, extreme), labels, weights)).all()


class Even(torch.nn.Module):
    def predict(self, readers, news):
        return torch.zeros(len(readers))


def test_a_pair_is_labelled_by_its_moved_imputation():
    table = np.arange(4, dtype=np.float32)[:, None]
    anchors = Pairs(np.array([0, 1]), np.array([2, 3]))
    functions = Functions.at(anchors, Covariates(table, table), Kernel("gaussian", 0.5))
    targeted = Targeted(Imputation([Even()], torch.zeros(0)), functions, np.array([0.1, 2.0, -1.0]))
    readers, news = torch.tensor([0, 3]), torch.tensor([2, 1])
    values = functions(Pairs(readers.numpy(), news.numpy()))
    expected = expit(0.1 + values @ np.array([2.0, -1.0]))
    assert np.allclose(targeted(readers, news).numpy(), expected, atol=1e-6)
