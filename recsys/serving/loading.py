"""From a version in the store to a ranker that is warm. Runs on a background thread."""

import json

import numpy as np
import torch

from recsys.config import build
from recsys.errors import CheckpointError, ConfigError
from recsys.ranker.bundle import Catalogue, Manifest
from recsys.ranker.query import Query
from recsys.ranker.ranker import Ranker, RankerConfig
from recsys.store.base import Store, VersionMeta


def device(name: str) -> torch.device:
    """Find the device by its setting; ``auto`` is the first GPU, or else the CPU.

    Raises:
        ConfigError: A GPU is asked for that torch does not see.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = torch.device(name)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device: {name} asked for, torch sees {torch.cuda.device_count()} GPUs")
    return found


def load(store: Store, meta: VersionMeta, *, device: torch.device, config: RankerConfig) -> Ranker:
    """Fetch a version, put it on the device and warm it up.

    Raises:
        VersionNotFound: It is not in the store, or was deleted meanwhile.
        CheckpointError: Its parts are damaged or do not fit together.
    """
    manifest = _manifest(meta)
    catalogue = Catalogue.from_bytes(store.news(meta.version))
    ranker = Ranker.load(
        catalogue, manifest, store.encoder(meta.version), device=device, config=config
    )
    _warm_up(ranker)
    return ranker


def _manifest(meta: VersionMeta) -> Manifest:
    where = f"manifest of {meta.version}"
    try:
        return build(Manifest, json.loads(meta.manifest), where=where)
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{where}: not valid JSON: {error}") from None
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def _warm_up(ranker: Ranker) -> None:
    """Let no reader pay for what first calls pay for: kernels, memory, threads."""
    rng = np.random.default_rng(0)
    rows = np.arange(min(len(ranker.catalogue.ids), 100))
    (vector,) = ranker.encode([rows[:10].tolist()])
    for candidates in (rows, None):
        queries = [Query(vector=v, rows=candidates, k=10) for v in (vector, None)]
        ranker.rank(queries, rng)
