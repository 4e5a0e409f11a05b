import pytest

from recsys.errors import ConfigError
from recsys.training.ratings.methods import Method


@pytest.mark.parametrize(
    "name",
    [
        *("ips", "ips:magic", "naive:popularity", "naive:", "dr:", "", "expomf+exposure"),
        *("imputation+content", "imputation:popularity", "dr:+exposure"),
        *("naive+magic", "naive+", "naive+content+content"),
    ],
)
def test_an_unknown_method_is_refused(name):
    with pytest.raises(ConfigError, match="is unknown"):
        Method.parse(name)


def test_a_name_is_taken_apart():
    method = Method.parse("dr:kernel-adaptive+content+exposure")
    assert (method.objective, method.propensity) == ("dr", "kernel-adaptive")
    assert method.given == {"exposure", "content"}


def test_doubly_robust_training_may_weigh_all_alike():
    assert Method.parse("dr+exposure").propensity == ""
