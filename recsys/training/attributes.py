"""Sensitive attributes, as far as training may know them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from pydantic import Field, field_validator

from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.errors import ConfigError


class AttributesConfig(Config):
    """Which sensitive attributes there are to protect, and of whom training may know them."""

    names: tuple[str, ...] = ()
    """What the bias-free part is kept from; empty: all the dataset has. Every value costs ranking
    quality: name those that matter."""
    share: float = Field(default=0.5, ge=0, le=1)
    """Share of readers whose attributes training may use; the audit attacks the others."""

    @field_validator("names")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"expected each attribute once, found {list(names)}")
        return names


@dataclass(frozen=True)
class ReaderAttributes:
    """Sensitive attributes of a log's readers, as far as training may know them."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """Values of each attribute, in the order of their classes."""
    labels: Int[np.ndarray, "readers attributes"]
    """0 where it is not known."""
    known: Bool[np.ndarray, "readers attributes"]
    """False where it is missing, or kept from training."""
    fit: Bool[np.ndarray, " readers"]
    """Readers whose attributes training may use; those of the others are for the audit alone."""

    @property
    def num_classes(self) -> list[int]:
        """Count the values of each attribute."""
        return [len(values) for values in self.values]


def protected(dataset: Dataset, names: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the table of the named attributes; no names mean all that somebody states.

    Raises:
        ConfigError: The dataset has no attribute of that name.
    """
    table = dataset.attributes
    known = None if table is None else table.dropna(axis="columns", how="all")
    if not names:
        return known
    there = [] if known is None else list(known.columns.drop("user_id"))
    if missing := sorted(set(names) - set(there)):
        raise ConfigError(
            f"attributes.names: {missing} not in {dataset.path}; it has {there or 'none'}"
        )
    assert known is not None
    return known[["user_id", *names]]


def reader_attributes(
    table: pd.DataFrame | None, user_ids: list[str], fit: np.ndarray
) -> ReaderAttributes:
    """Number the values of each attribute, alphabetically, for the readers of a log."""
    if table is None:
        table = pd.DataFrame({"user_id": pd.Series(dtype=str)})
    aligned = table.set_index(table["user_id"].astype(str)).drop(columns="user_id")
    aligned = aligned.reindex(user_ids)
    coded = [pd.factorize(aligned[name], sort=True) for name in aligned.columns]
    shape = (len(user_ids), len(coded))
    codes = np.column_stack([c for c, _ in coded]) if coded else np.zeros(shape, dtype=np.int64)
    return ReaderAttributes(
        names=tuple(map(str, aligned.columns)),
        values=tuple(tuple(map(str, values)) for _, values in coded),
        labels=np.maximum(codes, 0).astype(np.int64).reshape(shape),
        known=((codes >= 0) & fit[:, None]).reshape(shape),
        fit=fit,
    )
