import numpy as np
import pytest

from recsys.fairness.attackers import ATTACKERS, folds, out_of_fold
from recsys.fairness.auc import PairwiseAuc
from tests.fairness.vectors import genders, noise, with_linear_bit, with_xor


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def _auc(name, vectors, values):
    labels = (np.array(values) == "F").astype(int)
    fold = folds(labels, seed=0)
    scores = out_of_fold(ATTACKERS[name], vectors.astype(float), labels, fold, seed=0)
    return PairwiseAuc(scores[:, 1], labels == 1, fold)(np.ones((1, len(labels))))[0]


@pytest.mark.parametrize("name", ATTACKERS)
def test_every_attacker_finds_a_linear_bit(name, rng):
    values = genders(rng, 600)
    assert _auc(name, with_linear_bit(noise(rng, 600), values), values) > 0.9


@pytest.mark.parametrize("name", [each for each in ATTACKERS if each != "logistic regression"])
def test_every_attacker_but_the_linear_one_finds_an_exclusive_or(name, rng):
    values = genders(rng, 600)
    assert _auc(name, with_xor(noise(rng, 600), values, rng), values) > 0.9


@pytest.mark.parametrize("name", ["logistic regression", "neural network"])
def test_a_bit_in_a_direction_of_next_to_no_variance_is_found(name, rng):
    values = genders(rng, 600)
    vectors = noise(rng, 600).astype(float)
    vectors[:, 0] = 1e-3 * (vectors[:, 0] + 3 * (np.array(values) == "F"))
    turned = vectors @ np.linalg.qr(rng.standard_normal((16, 16)))[0]
    assert _auc(name, turned, values) > 0.9


def test_a_linear_attacker_is_blind_to_an_exclusive_or(rng):
    values = genders(rng, 2000)
    vectors = with_xor(noise(rng, 2000), values, rng)
    assert _auc("logistic regression", vectors, values) == pytest.approx(0.5, abs=0.05)


def test_network_finds_an_exclusive_or_among_64_dimensions(rng):
    values = genders(rng, 1000)
    assert _auc("neural network", with_xor(noise(rng, 1000, 64), values, rng), values) > 0.9


def test_many_readers_are_attacked_through_random_features(rng, monkeypatch):
    monkeypatch.setattr("recsys.fairness.attackers.MAX_SVM_READERS", 100)
    values = genders(rng, 1500)
    assert _auc("RBF SVM", with_xor(noise(rng, 1500, 8), values, rng), values) > 0.9


def test_folds_hold_every_class_evenly():
    labels = np.repeat([0, 1], [50, 10])
    fold = folds(labels, seed=3)
    assert (np.bincount(fold, labels) == 2).all()
    assert (np.bincount(fold) == 12).all()


def test_directions_that_only_rounding_fills_hide_nothing(rng):
    name = "logistic regression"
    values = genders(rng, 600)
    vectors = noise(rng, 600, 8)
    vectors[:, 3] += 0.8 * (np.array(values) == "F")
    turned = vectors @ np.linalg.qr(rng.standard_normal((64, 64)))[0][:8]
    alone, among = (_auc(name, each.astype(np.float16), values) for each in (vectors, turned))
    assert among == pytest.approx(alone, abs=0.015)


def test_readers_who_are_all_alike_are_told_apart_by_nobody():
    values = ["F", "M"] * 100
    assert _auc("logistic regression", np.full((200, 4), 0.3, np.float16), values) == 0.5
