import pytest
import torch

from recsys.ltr.methods.method import linear_curve
from recsys.ltr.methods.regression_em import RATE, RegressionEM
from tests.ltr.methods.test_listwise import one_session
from tests.ltr.methods.world import LENGTH, setup, trained


def test_one_session_moves_examination_by_bayes():
    method = RegressionEM(setup())
    before = method.theta.clone()
    relevance = method.ranker(torch.ones(1, 3)).sigmoid().item()
    method.loss(one_session([1.0, 0, 0, 0, 0]))
    hidden = before * (1 - relevance) / (1 - before * relevance)
    hidden[0] = 1.0
    assert method.theta == pytest.approx((before + RATE * (hidden - before)).detach().numpy())


def test_examination_falls_as_the_true_curve_does():
    curve = trained("regression-em").examination().numpy()
    assert (curve[1:] < curve[:-1]).all()
    assert curve[-1] < linear_curve(LENGTH)[-1] / linear_curve(LENGTH)[0]
