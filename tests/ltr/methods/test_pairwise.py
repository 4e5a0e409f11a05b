import dataclasses
import math

import numpy as np
import pytest
import torch

from recsys.ltr.batches import LoggedSource
from recsys.ltr.loop import LoopConfig, train
from recsys.ltr.methods import METHODS
from recsys.ltr.methods.pairwise import PairwiseDebiasing, PropensityRatio
from tests.ltr.methods.test_listwise import one_session
from tests.ltr.methods.world import CURVE, setup, slope_ratio, source


def test_a_fresh_model_weighs_every_pair_alike():
    loss = PairwiseDebiasing(setup()).loss(one_session([0.0, 1.0, 0, 0, 0]))
    assert loss.item() == pytest.approx(4 * math.log(2), rel=1e-5)  # equal scores, four skipped


def test_pairs_of_two_clicks_do_not_count():
    loss = PairwiseDebiasing(setup()).loss(one_session([1.0, 1.0, 0, 0, 0]))
    assert loss.item() == pytest.approx(6 * math.log(2), rel=1e-5)


def test_bias_of_the_first_position_stays_one():
    method = PairwiseDebiasing(setup())
    for _ in range(20):
        method.loss(one_session([1.0, 0, 1.0, 0, 0]))
    assert method.examination()[0].item() == pytest.approx(1.0)


def test_propensity_ratio_weighs_a_pair_by_how_surely_the_skip_was_seen():
    built = setup()
    loss = PropensityRatio(built, built.known()).loss(one_session([0.0, 1.0, 0, 0, 0]))
    others = np.delete(CURVE, 1).sum()
    assert loss.item() == pytest.approx(others / CURVE[1] * math.log(2), rel=1e-5)
    assert torch.allclose(
        PropensityRatio(built, built.known()).examination(), built.known_examination
    )


def trained_on(name, sessions):
    method = METHODS[name](setup())
    batches = sessions.batches(128, np.random.default_rng(0))
    train(method, batches, LoopConfig(steps=300))
    return method


def test_click_bias_is_the_root_of_examination_where_relevance_does_not_go_by_position():
    world = source()
    shuffled = world.sample(40_000, np.random.default_rng(0), shuffled=True)
    method = trained_on("pairwise-debias", LoggedSource(world.features, shuffled))
    assert method.examination().numpy() == pytest.approx(np.sqrt(CURVE / CURVE[0]), rel=0.1)


def test_propensity_ratio_unlearns_the_position_where_clicks_carry_no_noise():
    world = source()
    relevant = (world.features[:, 0] + 0.5 * world.features[:, 1] > 0.5).astype(float)
    clean = dataclasses.replace(world, appeal=relevant)
    naive, debiased = (slope_ratio(trained_on(name, clean)) for name in ("naive", "prs"))
    assert abs(debiased - 0.5) < 0.1 < naive - 0.5
