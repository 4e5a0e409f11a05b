"""Where a run came from: code, data and, where clicks were weighed, propensities."""

import subprocess
from pathlib import Path

import torch

from recsys.data.dataset import Dataset
from recsys.training.seen import Seen
from recsys.training.settings import PropensityProvenance, Provenance


def of_run(dataset: Dataset, propensity: Path | None, seen: Seen | None) -> Provenance:
    """Describe what a run is made of, for its config.toml.

    Args:
        dataset: What it learns from.
        propensity: Folder of its propensities; None without any.
        seen: What was read there.
    """
    return Provenance(
        git_revision=_revision(),
        dataset=str(dataset.path),
        dataset_sha256=dataset.info.sha256,
        torch=torch.__version__,
        propensity=seen
        and PropensityProvenance(folder=str(propensity), methods=seen.methods, sha256=seen.sha256),
    )


def _revision() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
