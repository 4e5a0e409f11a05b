import numpy as np
import pytest

from recsys.data.sources import openbandit


@pytest.mark.shared
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_the_random_policy_is_uniform_over_the_items(shared_data, campaign):
    log = openbandit.load(shared_data / "obd" / "random" / campaign)
    assert np.allclose(log.propensities, 1 / len(log.action_names))
    assert log.position_names == ["1", "2", "3"] and len(log) == 10_000


@pytest.mark.shared
def test_the_learned_policy_logs_its_own_propensities(shared_data):
    log = openbandit.load(shared_data / "obd" / "bts" / "men")
    assert log.propensities.min() > 0 and log.propensities.max() < 1
    assert log.rewards.sum() == 69


def test_another_folder_is_none_of_it(tmp_path):
    assert openbandit.log_file(tmp_path) is None
