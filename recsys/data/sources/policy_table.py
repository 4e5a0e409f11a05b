"""A log of actions with propensities as a plain table, columns named by the user.

CSV, TSV or Parquet, read part by part; one row a round (an action, or one position of a slate).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from recsys.config import Config
from recsys.data import plain_table

MAX_CATEGORIES = 30
"""Values of a text column that get an indicator of their own; rarer ones share none."""


class PolicyColumns(Config):
    """Which column of the table is what."""

    action: str = "action"
    reward: str = "reward"
    propensity: str = "propensity"
    """Probability in (0, 1] that the logging policy took this action in this round."""
    position: str | None = None
    """Place on the page; policies are then understood per position."""
    slate: str | None = None
    """Rounds of one slate or reader, resampled together."""
    context: tuple[str, ...] = ()
    """Columns that describe the round: numbers are standardised, texts become indicators."""
    target: str | None = None
    """The new policy's probability of the logged action, where the table has it."""

    @property
    def ids(self) -> list[str]:
        """The columns that name an action, position or slate."""
        return [name for name in (self.action, self.position, self.slate) if name]

    @property
    def named(self) -> list[str]:
        """Every column that must be there."""
        optional = [self.target] if self.target else []
        return [*self.ids, self.reward, self.propensity, *self.context, *optional]


@dataclass(frozen=True)
class PolicyLog:
    """Rounds of a log; actions and positions as codes into their sorted names."""

    actions: Int[np.ndarray, " rounds"]
    action_names: list[str]
    rewards: Float[np.ndarray, " rounds"]
    propensities: Float[np.ndarray, " rounds"]
    positions: Int[np.ndarray, " rounds"]
    """All 0 where the table has no position."""
    position_names: list[str]
    slates: Int[np.ndarray, " rounds"] | None
    context: Float[np.ndarray, "rounds features"]
    target: Float[np.ndarray, " rounds"] | None

    def __len__(self) -> int:
        """Count the rounds."""
        return len(self.actions)


def load(path: Path, columns: PolicyColumns) -> PolicyLog:
    """Read a log of actions.

    Raises:
        DataError: The file cannot be read, a column is missing, a row names no action, position or
            slate, or its reward or propensity is out of range; the message names file, line and
            column.
    """
    parts = plain_table.stream(path, columns.named, texts=columns.ids)
    table = pd.concat([_checked(path, frame, columns) for frame in parts])
    actions, action_names = _codes(table[columns.action])
    positions, position_names = np.zeros(len(table), dtype=np.int64), [""]
    if columns.position:
        positions, position_names = _codes(table[columns.position])
    return PolicyLog(
        actions,
        action_names,
        table[columns.reward].to_numpy(float),
        table[columns.propensity].to_numpy(float),
        positions,
        position_names,
        pd.factorize(table[columns.slate])[0] if columns.slate else None,
        _context(table[list(columns.context)]),
        table[columns.target].to_numpy(float) if columns.target else None,
    )


def _checked(path: Path, frame: pd.DataFrame, columns: PolicyColumns) -> pd.DataFrame:
    """Refuse rows without a name, rewards that are no numbers and probabilities out of range."""
    names = {name: plain_table.names(path, frame, name) for name in columns.ids}
    numbers = {columns.reward: plain_table.numbers(path, frame, columns.reward)}
    numbers[columns.propensity] = plain_table.numbers(
        path, frame, columns.propensity, low=1e-300, high=1.0, expected="a probability in (0, 1]"
    )
    if columns.target:
        numbers[columns.target] = plain_table.numbers(
            path, frame, columns.target, low=0.0, high=1.0, expected="a probability in [0, 1]"
        )
    return frame[list(dict.fromkeys(columns.named))].assign(**names, **numbers)


def _codes(column: pd.Series) -> tuple[Int[np.ndarray, " rounds"], list[str]]:
    codes, names = pd.factorize(column, sort=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _context(table: pd.DataFrame) -> Float[np.ndarray, "rounds features"]:
    columns = [np.zeros((len(table), 0))]
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            values = table[name].to_numpy(float)
            centred = values - np.nanmean(values)
            columns.append(np.nan_to_num(centred / (np.nanstd(values) or 1.0))[:, None])
            continue
        common = table[name].value_counts().index[:MAX_CATEGORIES]
        columns.append((table[name].to_numpy()[:, None] == common.to_numpy()[None]).astype(float))
    return np.concatenate(columns, axis=1)
