import numpy as np
import pandas as pd
import pytest

from recsys.data.sources import policy_table
from recsys.data.sources.policy_table import PolicyColumns
from recsys.errors import DataError

ROWS = pd.DataFrame(
    {
        "action": ["b", "a", "b", "c"],
        "reward": [0, 1, 0, 2.5],
        "propensity": [0.5, 0.25, 0.5, 0.25],
        "place": [3, 1, 2, 1],
        "user": ["u", "v", "u", "w"],
        "age": [1.0, 2.0, 3.0, np.nan],
    }
)


def load(tmp_path, rows=ROWS, **columns):
    rows.to_csv(tmp_path / "log.csv", index=False)
    return policy_table.load(tmp_path / "log.csv", PolicyColumns(**columns))


def test_actions_are_codes_into_sorted_names(tmp_path):
    log = load(tmp_path)
    assert log.action_names == ["a", "b", "c"] and log.actions.tolist() == [1, 0, 1, 2]
    assert log.rewards.tolist() == [0, 1, 0, 2.5] and len(log) == 4


def test_without_a_position_there_is_one_place(tmp_path):
    assert load(tmp_path).positions.tolist() == [0, 0, 0, 0]


def test_positions_and_slates_are_codes(tmp_path):
    log = load(tmp_path, position="place", slate="user")
    assert log.position_names == ["1", "2", "3"] and log.positions.tolist() == [2, 0, 1, 0]
    assert log.slates.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("column", ["action", "place", "user"])
def test_a_round_that_names_no_action_place_or_slate_is_named(tmp_path, column):
    rows = ROWS.astype({column: object})
    rows.loc[1, column] = None
    with pytest.raises(DataError, match=rf"log\.csv:3: {column}: expected a name, found "):
        load(tmp_path, rows, position="place", slate="user")


def test_actions_keep_their_leading_zeros(tmp_path):
    log = load(tmp_path, ROWS.assign(action=["07", "7", "07", "NA"]))
    assert log.action_names == ["07", "7", "NA"] and log.actions.tolist() == [0, 1, 0, 2]


def test_numbers_are_standardised_and_texts_become_indicators(tmp_path):
    context = load(tmp_path, context=("age", "user")).context
    assert context[:3, 0] == pytest.approx(np.array([-1, 0, 1]) * np.sqrt(3 / 2))
    assert context[3, 0] == 0.0  # unknown: the mean
    assert context[:, 1:].sum(axis=1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, None, "often"])
def test_a_propensity_out_of_range_is_named(tmp_path, value):
    rows = ROWS.astype({"propensity": object})
    rows.loc[1, "propensity"] = value
    with pytest.raises(DataError, match=r"log\.csv:3: propensity: expected a probability"):
        load(tmp_path, rows)


def test_the_new_policys_own_column_may_hold_zero(tmp_path):
    log = load(tmp_path, ROWS.assign(new=[0.0, 1.0, 0.5, 0.5]), target="new")
    assert log.target.tolist() == [0.0, 1.0, 0.5, 0.5]


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(DataError, match="'shop' is missing"):
        load(tmp_path, context=("shop",))
