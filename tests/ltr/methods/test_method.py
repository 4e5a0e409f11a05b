"""What every method owes, whatever it is."""

import dataclasses

import pytest
import torch

from recsys.errors import ConfigError
from recsys.ltr.batches import Batch
from recsys.ltr.methods import METHODS
from recsys.ltr.methods.method import inverse
from tests.ltr.methods.world import LENGTH, batch, setup, slope_ratio, trained

EVERY = pytest.mark.parametrize("name", METHODS)


def padded(given: Batch) -> Batch:
    """The same sessions with a hidden place of nonsense at the end."""
    size = len(given.clicks)
    noise = torch.full((size, 1, given.features.shape[2]), 1e3)
    return Batch(
        torch.cat([given.features, noise], 1),
        torch.cat([given.clicks, torch.zeros(size, 1)], 1),
        torch.cat([given.positions, torch.full((size, 1), LENGTH - 1)], 1),
        torch.cat([given.mask, torch.zeros(size, 1, dtype=torch.bool)], 1),
        torch.cat([given.appeal, torch.full((size, 1), 0.5)], 1),
    )


def gradient(name: str, given: Batch) -> torch.Tensor:
    method = METHODS[name](setup())
    torch.manual_seed(0)
    method.loss(given).backward()
    return torch.cat([p.grad.flatten() for p in method.ranker.parameters()])


@pytest.mark.parametrize("name", [name for name in METHODS if name != "two-tower-dropout"])
def test_hidden_places_do_not_matter(name):  # dropout draws as many numbers as there are places
    given = batch()
    assert torch.allclose(gradient(name, padded(given)), gradient(name, given), atol=1e-5)


@EVERY
def test_a_batch_without_clicks_gives_finite_gradients(name):
    given = batch()
    silent = dataclasses.replace(given, clicks=torch.zeros_like(given.clicks))
    assert gradient(name, silent).isfinite().all()


@EVERY
def test_examination_starts_at_one_where_there_is_any(name):
    curve = METHODS[name](setup()).examination()
    assert curve is None or curve[0] == pytest.approx(1.0)


def test_naive_believes_in_the_logging_feature_and_true_labels_do_not():
    assert slope_ratio(trained("naive")) > 1.0
    assert slope_ratio(trained("true-labels")) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["ips", "dla", "two-tower"])
def test_debiasing_recovers_what_relevance_depends_on(name):
    assert slope_ratio(trained(name)) == pytest.approx(0.5, abs=0.25)


def test_regression_em_is_on_its_way_there():
    assert slope_ratio(trained("regression-em")) < slope_ratio(trained("naive")) - 0.1


@pytest.mark.parametrize(
    ("name", "missing"), [("ips", "known_examination"), ("true-labels", "appeal")]
)
def test_what_the_data_do_not_have_is_said(name, missing):
    given, built = batch(), setup()
    if missing == "appeal":
        given = dataclasses.replace(given, appeal=None)
    else:
        built = dataclasses.replace(built, known_examination=None)
    with pytest.raises(ConfigError, match=name):
        METHODS[name](built).loss(given)


def test_weights_are_really_clipped():
    curve = torch.tensor([1.0, 0.5, 0.01])
    assert inverse(curve, limit=10.0).tolist() == pytest.approx([1.0, 2.0, 10.0])
