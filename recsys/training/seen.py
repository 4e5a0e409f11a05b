"""How likely each impression was seen, as `recsys propensity` wrote it; nothing odd gets past."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from recsys.data.dataset import Dataset
from recsys.data.reading_log import in_order
from recsys.errors import DataError
from recsys.propensity.weights import check

WEIGHTS, DIAGNOSTICS = "weights.parquet", "diagnostics.json"
KEYS = ("slate_id", "news_id")
NUMBERS = ("propensity", "weight", "imputed")
ROUNDING = 1e-4
"""How far a weight may exceed 1 / propensity, relatively: both are single precision."""


@dataclass(frozen=True)
class Seen:
    """Estimates for each impression, in the order of the reading log."""

    propensity: Float32[np.ndarray, " impressions"]
    """Of being seen, in (0, 1]."""
    weight: Float32[np.ndarray, " impressions"]
    """What a click counts: above 0, at most 1 / propensity."""
    imputed: Float32[np.ndarray, " impressions"]
    """Relevance by another model, in [0, 1]."""
    sha256: str
    """Of the file of weights."""
    methods: tuple[str, ...]
    held_out: float
    """Share of slates, the last by time, whose clicks no estimate has read, in [0, 1)."""

    @classmethod
    def load(cls, folder: Path, dataset: Dataset) -> "Seen":
        """Read what `recsys propensity DATASET FOLDER` wrote for the same dataset.

        Raises:
            DataError: The folder is no such folder, is damaged or of another dataset, or a number
                is out of its range; the first such row is named.
        """
        path = folder / WEIGHTS
        table = _read(path)
        _check_rows(table, dataset, path)
        numbers = {name: table[name].to_numpy() for name in NUMBERS}
        _check_numbers(numbers, path)
        order = in_order(dataset.impressions).index
        numbers = {name: values[order] for name, values in numbers.items()}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        methods, held_out = _origin(folder / DIAGNOSTICS)
        return cls(**numbers, sha256=digest, methods=methods, held_out=held_out)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path, columns=[*KEYS, *NUMBERS]).to_pandas()
        return table.astype(dict.fromkeys(NUMBERS, np.float32))
    except FileNotFoundError:
        raise DataError.at(
            path, "is missing; expected a folder written by `recsys propensity`"
        ) from None
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError.at(
            path, f"cannot be read ({reason}); expected columns {', '.join([*KEYS, *NUMBERS])}"
        ) from None


def _check_rows(table: pd.DataFrame, dataset: Dataset, path: Path) -> None:
    """Refuse anything but a row for each impression, in order."""
    log = dataset.impressions
    if len(table) != len(log):
        raise DataError.at(
            path, f"{len(table)} rows; expected {len(log)}, one for each impression of the dataset"
        )
    for key in KEYS:
        other = table[key].to_numpy() != log[key].to_numpy()
        if other.any():
            row = int(other.argmax())
            raise DataError.at(
                path,
                f"row {row}: {key} is {table[key].iloc[row]}, but {log[key].iloc[row]} in the "
                "impressions; expected propensities of this dataset, in its order",
            )


def _check_numbers(numbers: dict[str, np.ndarray], path: Path) -> None:
    propensity = check(numbers["propensity"], str(path))
    weight, imputed = numbers["weight"], numbers["imputed"]
    wrong = {
        "weight": (~((weight > 0) & np.isfinite(weight)), "a finite number above 0"),
        "weight, with its propensity,": (
            weight * propensity > 1 + ROUNDING,
            "at most 1 / propensity",
        ),
        "imputed": (~((imputed >= 0) & (imputed <= 1)), "a relevance in [0, 1]"),
    }
    for name, (bad, expected) in wrong.items():
        if bad.any():
            row = int(bad.argmax())
            value = numbers[name.partition(",")[0]][row]
            raise DataError.at(path, f"row {row}: {name} is {value}; expected {expected}")


def _origin(path: Path) -> tuple[tuple[str, ...], float]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return tuple(map(str, told["methods"])), float(told["settings"]["held_out"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError.at(
            path, "cannot be read; expected the diagnostics that `recsys propensity` wrote"
        ) from None
