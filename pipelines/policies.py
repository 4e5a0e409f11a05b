"""New policies for `recsys evaluate-policy`: how likely each would have done what the log did."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from recsys.data import plain_table
from recsys.data.sources import openbandit, policy_table
from recsys.data.sources.policy_table import PolicyColumns, PolicyLog
from recsys.errors import ConfigError, DataError
from recsys.evaluation.bootstrap import Interval, mean_interval

KINDS = (
    "uniform",
    "like:LOG (the policy that wrote another log, by its action frequencies)",
    "table:FILE (columns action, probability, and position if the log has it)",
    "column (columns.target of the log)",
    "run:FOLDER (a run of `recsys train` on this dataset, if it has logged propensities)",
)
MAX_GAP = 1e-3
"""Between 1 and the sum of a policy's probabilities, as rounding leaves."""
_IDS = ("action", "position")


@dataclass(frozen=True)
class Policy:
    """A policy that looks at the position only, or whose choice the log itself holds."""

    name: str
    table: Float[np.ndarray, "positions actions"] | None
    """Probability of each action at each position; None: only that of the logged action."""
    logged: Float[np.ndarray, " rounds"]
    """Probability of the action that was logged."""
    on_policy: Interval | None = None
    """Its value on its own log, where there is one: what the estimates should contain."""


def read_log(path: Path, columns: PolicyColumns) -> PolicyLog:
    """Read an Open Bandit folder or a table.

    Raises:
        DataError: Neither is there, or it breaks its format.
    """
    if openbandit.log_file(path):
        return openbandit.load(path)
    if not path.is_file():
        raise DataError.at(path, "expected a table of rounds or a folder of Open Bandit Data")
    return policy_table.load(path, columns)


def make(words: str, log: PolicyLog, columns: PolicyColumns, rng: np.random.Generator) -> Policy:
    """Build the policy that ``words`` describe, one of :data:`KINDS`.

    Raises:
        ConfigError: The words name no policy.
        DataError: The file they name breaks its format.
    """
    kind, _, name = words.partition(":")
    if kind == "uniform":
        return _tabular(words, np.full(_shape(log), 1 / len(log.action_names)), log)
    if kind == "column" and log.target is not None:
        return Policy(words, None, log.target)
    if kind == "like" and name:
        return _like(Path(name), log, columns, rng)
    if kind == "table" and name:
        return _tabular(words, _read_table(Path(name), log), log)
    raise ConfigError(f"--policy: expected {'; '.join(KINDS)}; found {words!r}")


def _tabular(
    name: str,
    table: Float[np.ndarray, "positions actions"],
    log: PolicyLog,
    on_policy: Interval | None = None,
) -> Policy:
    return Policy(name, table, table[log.positions, log.actions], on_policy)


def _like(path: Path, log: PolicyLog, columns: PolicyColumns, rng: np.random.Generator) -> Policy:
    """Take the other log's action frequencies at each position for its policy."""
    other = read_log(path, columns)
    frame = pd.DataFrame(
        {
            "position": np.array(other.position_names, object)[other.positions],
            "action": np.array(other.action_names, object)[other.actions],
        }
    )
    counts = frame.groupby(["position", "action"]).size().rename("probability").reset_index()
    value = mean_interval(other.rewards, other.slates, rng=rng)
    return _tabular(f"like {path}", _fill(path, counts, log), log, value)


def _read_table(path: Path, log: PolicyLog) -> Float[np.ndarray, "positions actions"]:
    table = pd.concat(
        _checked(path, part)
        for part in plain_table.stream(path, ["action", "probability"], texts=_IDS)
    )
    if "position" not in table.columns:
        table = table.merge(pd.DataFrame({"position": log.position_names}), how="cross")
    _demand_totals(path, table)
    return _fill(path, table, log)


def _checked(path: Path, part: pd.DataFrame) -> pd.DataFrame:
    """Refuse rows without a name and probabilities out of range."""
    ids = [name for name in _IDS if name in part.columns]
    return part.assign(
        probability=plain_table.numbers(
            path, part, "probability", low=0.0, high=1.0, expected="a probability in [0, 1]"
        ),
        **{name: plain_table.names(path, part, name) for name in ids},
    )


def _demand_totals(path: Path, table: pd.DataFrame) -> None:
    totals = table.groupby("position")["probability"].sum()
    wrong = totals[(totals - 1).abs() > MAX_GAP]
    if len(wrong):
        place = f" at position {wrong.index[0]!r}" if wrong.index[0] else ""
        message = f"expected probabilities that sum to 1{place}, found {wrong.iloc[0]:g}"
        raise DataError.at(path, message)


def _fill(path: Path, rows: pd.DataFrame, log: PolicyLog) -> Float[np.ndarray, "positions actions"]:
    """Lay rows out as the log codes them; actions the log never took keep their mass."""
    wide = rows.pivot_table(
        index="position", columns="action", values="probability", aggfunc="sum", fill_value=0.0
    )
    missing = sorted(set(log.position_names) - set(wide.index))
    if missing:
        raise DataError.at(path, f"position {missing[0]!r} of the log has no probabilities")
    share = wide.div(wide.sum(axis=1), axis=0)
    known = share.reindex(index=log.position_names, columns=log.action_names, fill_value=0.0)
    return known.to_numpy(float)


def _shape(log: PolicyLog) -> tuple[int, int]:
    return len(log.position_names), len(log.action_names)
