"""What an audit looks at: a run and a dataset, brought into the order of the bundle's readers."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.numpy
from jaxtyping import Bool, Float, Float16, Int
from pydantic import ValidationError

from recsys.data.dataset import Dataset
from recsys.data.splits import SplitConfig
from recsys.errors import CheckpointError, DataError, InputError
from recsys.ranker import bundle as bundles
from recsys.ranker.bundle import Bundle
from recsys.ranker.query import Query
from recsys.ranker.ranker import Ranker
from recsys.training import truth

READERS_AT_ONCE = 256


@dataclass(frozen=True)
class Run:
    """A run folder, read."""

    path: Path
    bundle: Bundle
    config: dict[str, Any]
    events: pd.DataFrame
    """Held-out events: ``user_id``, ``slate_id``, ``ndcg@10``, ``popularity_ndcg@10``.

    Slates without a click ask nothing and are missing; `pipelines.auditing.questions` has them."""
    open_to_attack: Bool[np.ndarray, " readers"]
    """Readers whose attributes training never used."""
    bias_aware: Float16[np.ndarray, "readers dim"] | None
    true_ndcg: pd.DataFrame | None
    """``user_id`` and ``true_ndcg@10``; None where the dataset does not know what is liked."""

    @classmethod
    def load(cls, path: Path, dataset: Dataset) -> "Run":
        """Read a run, which must have been trained on ``dataset``.

        Attributes may have become known, or been corrected, since.

        Raises:
            CheckpointError: A part is missing or does not fit the others.
            DataError: It was trained on other data.
        """
        config = _config(path / "config.toml")
        trained_on = config.get("provenance", {}).get("dataset_sha256", dataset.info.sha256)
        if other := _differing(trained_on, dataset.info.sha256):
            raise DataError.at(
                dataset.path,
                f"is not the dataset that {path} was trained on ({', '.join(other)} differ)",
            )
        bundle = bundles.load(path / "bundle")
        readers = _table(path / "offline" / "readers.parquet", ["user_id", "attribute_role"])
        if list(readers["user_id"]) != list(bundle.readers.ids):
            where = path / "offline" / "readers.parquet"
            raise CheckpointError(f"{where}: readers are not the bundle's, in its order")
        metrics = ["ndcg@10", "popularity_ndcg@10"]
        judged = path / "offline" / truth.FILE
        return cls(
            path,
            bundle,
            config,
            _table(path / "offline" / "evaluation.parquet", ["user_id", "slate_id", *metrics]),
            (readers["attribute_role"] == "audit").to_numpy(),
            _bias_aware(path / "offline" / "bias_aware.safetensors", bundle),
            _table(judged, ["user_id", truth.METRIC]) if judged.exists() else None,
        )

    @cached_property
    def split(self) -> SplitConfig:
        """What was held out."""
        try:
            return SplitConfig.model_validate(self.config.get("split", {}))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise CheckpointError(f"{self.path / 'config.toml'}: split: {reason}") from None

    @property
    def seed(self) -> int:
        """What drew it, with protocol random, and all else in training."""
        return int(self.config.get("seed", 0))

    @cached_property
    def ranker(self) -> Ranker:
        """The published model, as the service runs it."""
        return Ranker.load(self.bundle.catalogue, self.bundle.manifest, self.bundle.encoder)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each reader in the bundle."""
        return {user: row for row, user in enumerate(self.bundle.readers.ids)}

    def clicks(self, row: int) -> Int[np.ndarray, " clicks"]:
        """Catalogue rows a reader clicked, oldest first."""
        start, end = self.bundle.readers.offsets[row : row + 2]
        return self.bundle.readers.clicks[start:end].astype(np.int64)

    def encode(
        self, histories: Sequence[Int[np.ndarray, " clicks"]]
    ) -> Float16[np.ndarray, "readers dim"]:
        """Encode histories as the service does when a request brings one."""
        parts = [
            self.ranker.encode([one.tolist() for one in histories[at : at + READERS_AT_ONCE]])
            for at in range(0, len(histories), READERS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.bundle.manifest.dim), "f2")

    def lists(
        self,
        vectors: Float16[np.ndarray, "readers dim"],
        hidden: Sequence[Int[np.ndarray, " hidden"]],
        k: int,
    ) -> Int[np.ndarray, "readers places"]:
        """Rank the whole catalogue as the service does; -1 where a list is shorter than ``k``."""
        result = np.full((len(vectors), k), -1, dtype=np.int64)
        rng = np.random.default_rng(0)  # the ranker draws nothing: it does not explore here
        for at in range(0, len(vectors), READERS_AT_ONCE):
            part = range(at, min(at + READERS_AT_ONCE, len(vectors)))
            queries = [Query(vectors[row], k, hidden=hidden[row]) for row in part]
            for row, slate in zip(part, self.ranker.rank(queries, rng), strict=True):
                result[row, : len(slate.rows)] = slate.rows
        return result


def attribute_values(
    dataset: Dataset, users: Sequence[str], names: Sequence[str]
) -> dict[str, list[str | None]]:
    """Look up each attribute of each reader; None where it is not stated.

    Raises:
        DataError: A name is no attribute of the dataset.
    """
    known = dataset.info.attributes
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise DataError.at(dataset.path, f"attribute {name!r} is unknown; expected of {listed}")
    if dataset.attributes is None:
        return {}
    table = dataset.attributes.set_index("user_id").reindex(list(users))
    return {
        name: [None if pd.isna(value) else str(value) for value in table[name]]
        for name in names or known
    }


def same_questions(runs: Sequence[Run]) -> None:
    """Refuse to set runs side by side that were not asked the same.

    Raises:
        InputError: Their split settings differ, or the seeds that drew what is held out.
    """
    first = runs[0]
    for other in runs[1:]:
        ours, theirs = first.split.model_dump(), other.split.model_dump()
        if first.split.protocol == "random":
            ours, theirs = ours | {"seed": first.seed}, theirs | {"seed": other.seed}
        differ = [
            f"{key} {ours[key]} and {theirs[key]}" for key in ours if ours[key] != theirs[key]
        ]
        if differ:
            raise InputError(
                f"{first.path} and {other.path} were asked different questions "
                f"(split: {'; '.join(differ)}); expected runs that hold the same out"
            )


def largest_difference(
    a: Float[np.ndarray, "readers dim"], b: Float[np.ndarray, "readers dim"]
) -> float:
    """Largest difference of a number, in units of the vectors' largest number."""
    scale = max(float(np.abs(a).max(initial=0)), 1e-6)
    return float(np.abs(a.astype(float) - b).max(initial=0)) / scale


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        text = "is missing; expected a run written by `recsys train`"
        raise CheckpointError(f"{path}: {text}") from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: cannot be read as Parquet: {reason}") from None


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Name the tables that differ, attributes apart."""
    tables = sorted(({*one} | {*other}) - {"attributes.parquet"})
    return [name for name in tables if one.get(name) != other.get(name)]


def _config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; expected a run's settings") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CheckpointError(f"{path}: not valid TOML: {error}") from None


def _bias_aware(path: Path, bundle: Bundle) -> Float16[np.ndarray, "readers dim"] | None:
    if not path.exists():
        return None
    try:
        vectors = safetensors.numpy.load(path.read_bytes())["vectors"]
    except (safetensors.SafetensorError, KeyError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    if len(vectors) != len(bundle.readers.ids):
        expected = f"{len(vectors)} vectors, expected {len(bundle.readers.ids)}"
        raise CheckpointError(f"{path}: {expected}, one a reader of the bundle")
    if not np.isfinite(vectors).all():
        raise CheckpointError(f"{path}: vectors are not all finite")
    return vectors
