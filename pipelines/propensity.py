"""`recsys propensity`: how likely each news was seen, what that weighs, and whether to trust it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from pydantic import Field, PositiveFloat

from pipelines import propensity_balance, propensity_report
from pipelines.console import emit, err, out
from pipelines.propensity_log import EXAMINATION, Seen
from recsys import config as settings
from recsys.config import Config, Seed
from recsys.data.dataset import Dataset
from recsys.errors import ConfigError
from recsys.folders import check_target, made
from recsys.propensity import diagnostics
from recsys.propensity.covariates import Described
from recsys.propensity.estimate import (
    EXPOSURE,
    Balancer,
    Base,
    Estimate,
    KernelConfig,
    as_propensities,
)
from recsys.propensity.weights import WEIGHTINGS, check

KIND, DIAGNOSTICS = "folder of propensities", "diagnostics.json"
METHODS = ("logged", "rate", "visits", *EXPOSURE, "kernel", *EXAMINATION)


class PropensityConfig(Config):
    """How propensities become weights."""

    weights: Literal["inverse", "clipped", "self-normalised", "stabilised"] = "clipped"
    """What is written as the weight."""
    floor: float = Field(default=0.001, gt=0, le=1)
    """Propensities are raised to it; ``inverse`` refuses instead."""
    covariates: Literal["attributes", "factors"] = "factors"
    """Known attributes of readers and news, or factors of what was observed."""
    window_hours: PositiveFloat = 1.0
    """Span of ``rate``."""
    held_out: float = Field(default=0.2, ge=0, lt=1)
    """Share of slates, the last by time, whose clicks nothing is learned from: those that
    `recsys train` validates and tests with."""
    positive: float = 3.0
    """Ratings from here on are liked; of use to the adaptive choice only."""
    base: Base = ""
    """Exposure model that ``kernel`` starts from; empty: equal weights."""
    kernel: KernelConfig = KernelConfig()
    """Balancing."""
    seed: Seed = 0


def main(
    dataset: Annotated[Path, typer.Argument(help="Folder written by `recsys ingest` or simulate.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    method: Annotated[
        list[str],
        typer.Option(help=f"One of {', '.join(METHODS)}; several are multiplied."),
    ],
    weights: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(WEIGHTINGS)}. [default: clipped]")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in floor=0.01 or kernel.functions=64."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the diagnostics as JSON.")] = False,
) -> None:
    """Estimate how likely each observed news was seen, and what it should weigh.

    OUT receives weights.parquet (one row an impression or rating, in the dataset's order),
    diagnostics.json and report.html. For logs, being seen is being shown and being looked at: give
    one method for each, and they are multiplied.

    Example: recsys propensity data/demo out --method rate --method harvesting
    """
    overrides = [*(set_ or []), *([f"weights={weights}"] if weights else [])]
    wanted = settings.load(PropensityConfig, None, overrides)
    if unknown := [name for name in method if name not in METHODS]:
        raise ConfigError(f"--method {unknown[0]!r}: expected one of {', '.join(METHODS)}")
    check_target(folder, KIND, mark=DIAGNOSTICS, replace=force)
    found = estimate(Dataset.open(dataset), method, wanted)
    write(found, folder, replace=force)
    if json_:
        emit(found.diagnostics)
        return
    _show(found, folder)


@dataclass(frozen=True)
class Found:
    """What ends up in the folder."""

    weights: pa.Table
    diagnostics: dict[str, Any]


def estimate(dataset: Dataset, methods: list[str], config: PropensityConfig) -> Found:
    """Estimate by every method, multiply, weigh and diagnose.

    Raises:
        DataError: A method cannot be applied to this dataset, or a propensity is not in (0, 1].
    """
    rng = np.random.default_rng(config.seed)
    seen = Seen.of(dataset, config.positive, config.held_out)
    described = _covariates(seen, methods, config, rng)
    methods = list(dict.fromkeys(methods))  # nothing is seen twice
    parts = {name: _estimate(name, seen, described, config, rng) for name in methods}
    product = np.prod([part.propensities for part in parts.values()], axis=0)
    floor = 0.0 if config.weights == "inverse" else config.floor
    propensities = check(np.maximum(product, floor), " x ".join(methods))
    weights = WEIGHTINGS[config.weights](propensities, config.floor)
    about: dict[str, Any] = {
        "dataset": str(dataset.path),
        "methods": methods,
        "readers": seen.shape[0],
        "news": seen.shape[1],
        **diagnostics.diagnose(weights, product < floor).model_dump(),
        "notes": {name: part.notes for name, part in parts.items() if part.notes},
    }
    if described:
        about |= propensity_balance.differences(
            seen, described, weights, config.kernel.kernel, config.seed
        )
    for name, part in parts.items():
        if part.anywhere:
            about.setdefault("reliability", {})[name] = propensity_balance.reliability(
                seen, part.anywhere, rng
            )
    about["settings"] = config.model_dump(mode="json")
    return Found(_table(seen, propensities, weights), about)


def write(found: Found, folder: Path, *, replace: bool) -> None:
    """Write the folder aside, then move it into place.

    Raises:
        DataError: Something stands there that stays, or the folder cannot be written.
    """
    with made(folder, KIND, mark=DIAGNOSTICS, replace=replace) as partial:
        pq.write_table(found.weights, partial / "weights.parquet", compression="zstd")
        text = json.dumps(found.diagnostics, indent=2, allow_nan=False)
        (partial / DIAGNOSTICS).write_text(text + "\n", encoding="utf-8")
        page = propensity_report.render(found.diagnostics)
        (partial / "report.html").write_text(page, encoding="utf-8")


def _covariates(
    seen: Seen, methods: list[str], config: PropensityConfig, rng: np.random.Generator
) -> Described | None:
    """Examination alone needs none."""
    if not {"kernel", *EXPOSURE} & set(methods):
        return None
    return seen.factors(rng) if config.covariates == "factors" else seen.describe()


def _estimate(
    name: str,
    seen: Seen,
    described: Described | None,
    config: PropensityConfig,
    rng: np.random.Generator,
) -> Estimate:
    if name == "logged":
        return Estimate(seen.logged())
    if name == "rate":
        return Estimate(seen.rate(config.window_hours))
    if name == "visits":
        return Estimate(seen.visits(config.window_hours))
    if name in EXAMINATION:
        found = seen.examination(name)
        notes = {"curve": found.curve.tolist(), "impressions": found.impressions.tolist()}
        places = seen.frame["position"].to_numpy(np.int64)
        return Estimate(found.of(places), notes=notes)
    if name == "kernel":
        return _kernel(seen, described, config, rng)
    return EXPOSURE[name](seen.observations(described), rng)


def _kernel(
    seen: Seen, described: Described | None, config: PropensityConfig, rng: np.random.Generator
) -> Estimate:
    observations = seen.observations(described)
    base = None
    if config.base:
        base = 1 / check(EXPOSURE[config.base](observations, rng).propensities, config.base)
    weights, notes = Balancer(observations, base, config.kernel, rng).weights(seen.errors())
    return Estimate(as_propensities(weights, observations.rate), notes=notes)


def _table(seen: Seen, propensities: np.ndarray, weights: np.ndarray) -> pa.Table:
    keys = ("user_id", "news_id") if seen.study else ("slate_id", "news_id")
    columns = {key: pa.array(seen.frame[key]) for key in keys}
    columns |= {"propensity": propensities.astype(np.float32), "weight": weights.astype(np.float32)}
    if not seen.study:
        columns["imputed"] = seen.relevance(propensities).astype(np.float32)
    return pa.table(columns)


def _show(found: Found, folder: Path) -> None:
    about = found.diagnostics
    size, count = about["effective_sample_size"], about["observations"]
    out.print(f"{count:,} observations, worth {size:,.0f} of equal weight; heaviest ", end="")
    out.print(f"{about['largest_weight']:.1f} times the mean, {about['share_clipped']:.2%} clipped")
    if "mmd_before" in about:
        out.print(f"kernel MMD to the whole: {about['mmd_before']:.4f} before, ", end="")
        out.print(f"{about['mmd_after']:.4f} after")
    for warning in about["warnings"]:
        err.print(f"warning: {warning}", style="yellow")
    err.print(f"the whole of it: {folder / 'report.html'}")
    if "slate_id" in found.weights.column_names:  # nothing is trained with weights of ratings
        err.print(f"next: recsys train {about['dataset']} RUN --propensity {folder}")
