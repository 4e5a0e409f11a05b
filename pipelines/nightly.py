"""`recsys nightly`: data, training, audit, publishing, in order, with the audit as gate."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field, PositiveInt, model_validator
from rich.table import Table

from pipelines import nights, propensity
from pipelines.audit import audit
from pipelines.auditing.settings import AuditConfig
from pipelines.configurations import default_config
from pipelines.console import emit, err, out
from pipelines.ingest import SOURCES, ingest
from pipelines.propensity import METHODS, PropensityConfig
from pipelines.publish import gate, publish
from pipelines.simulate import SOURCE, simulate
from pipelines.train import train
from pipelines.versions import DEFAULT_STORE
from recsys import config as settings
from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.errors import Refused
from recsys.folders import alone
from recsys.ranker import bundle as bundles
from recsys.simulation.config import WorldConfig
from recsys.store.connect import open_store
from recsys.training.settings import TrainConfig

LOOKS = "propensity"
"""Folder of a night's propensities."""


class IngestStep(Config):
    """A raw log to read anew every night."""

    source: str
    """A layout `recsys ingest` knows."""
    raw: Path
    """Folder of the files as their publisher ships them."""
    skip_bad_rows: bool = False

    @model_validator(mode="after")
    def _known(self) -> "IngestStep":
        if self.source not in SOURCES:
            raise ValueError(f"source is one of {', '.join(SOURCES)}")
        return self


class PropensityStep(PropensityConfig):
    """How likely impressions were seen, so that clicks count as if everything had been."""

    method: tuple[str, ...]
    """As `recsys propensity --method`; several are multiplied."""

    @model_validator(mode="after")
    def _known(self) -> "PropensityStep":
        if not self.method or set(self.method) - set(METHODS):
            raise ValueError(f"method is some of {', '.join(METHODS)}")
        return self


class NightlyConfig(Config):
    """What happens every night; one of ``ingest``, ``simulate`` and ``dataset`` is given."""

    out: Path
    """Every night's folder is made in it, named by the time it began."""
    redis: str = DEFAULT_STORE
    """Store to publish into."""
    keep: PositiveInt = 3
    """Versions the store keeps."""
    ingest: IngestStep | None = None
    simulate: WorldConfig | None = None
    dataset: Path | None = None
    """A dataset that something else keeps up to date."""
    propensity: PropensityStep | None = None
    """Estimated before training, which then uses it."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of `recsys train`, on top of those for the dataset's source."""
    audit: AuditConfig = Field(default_factory=AuditConfig)

    @model_validator(mode="after")
    def _one_source(self) -> "NightlyConfig":
        given = [n for n in ("ingest", "simulate", "dataset") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected exactly one of ingest, simulate and dataset, found {given or 'none'}"
            )
        return self


def main(
    config: Annotated[Path, typer.Argument(help="TOML file; see deploy/nightly.toml.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in train.fairness=paper.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(envvar="RECSYS_REDIS", help="Store; wins over the file's.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Ingest (or simulate), train, audit and publish; nothing is published when the audit fails.

    Each night's folder keeps begun.json, dataset/, propensity/ (if asked for), run/ and
    outcome.json. A night that failed or was cut short is taken up where it stopped, unless settings
    or data have changed: then it is abandoned, and a new one begins. Exit code 3: the audit did not
    pass, and the live version stays.

    Example: recsys nightly deploy/nightly.toml
    """
    overrides = [*(set_ or []), *([f"redis={redis}"] if redis else [])]
    wanted = settings.load(NightlyConfig, config, overrides)
    with alone(wanted.out, "nightly"):
        night = nights.begin(wanted.out, _begun(wanted))
        outcome = run(wanted, night)
    if json_:
        emit(outcome)
    else:
        _show(outcome, night)
    if not outcome["published"]:
        raise Refused(f"the audit says {outcome['verdict']!r}; see {night}/run/audit.html")


def _begun(config: NightlyConfig) -> dict[str, Any]:
    """Say all that decides the outcome: settings but for where it goes, and data given to it.

    Raises:
        InputError: The settings of training are wrong, or ``dataset`` is none.
    """
    given = Dataset.open(config.dataset).info if config.dataset else None
    source = given.source if given else config.ingest.source if config.ingest else SOURCE
    return {
        **config.model_dump(mode="json", exclude={"out", "redis", "keep"}),
        "train": _train_config(config, source).model_dump(mode="json"),
        "sha256": given.sha256 if given else {},
        "raw": _files(config.ingest.raw) if config.ingest else {},
    }


def _files(folder: Path) -> dict[str, list[int]]:
    """Tell a raw log from a later one without reading it: size and time of change of each file."""
    found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {str(p.relative_to(folder)): [s.st_size, s.st_mtime_ns] for p, s in found.items()}


def run(config: NightlyConfig, night: Path) -> dict[str, Any]:
    """Do what is left of one night; the outcome says what happened and how long it took."""
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any], done: Path | None = None) -> Any:
        start, result = time.monotonic(), None
        if done and done.exists():
            err.print(f"{name}: done before, kept")
        else:
            err.rule(name)
            result = work()
        seconds[name] = round(time.monotonic() - start, 2)
        return result

    data = config.dataset or night / "dataset"
    folder = night / "run"
    step("data", lambda: _make_data(config, data), data / "dataset.json")
    if config.propensity:
        looks = night / LOOKS
        step("propensity", lambda: _estimate(config, data, looks), looks / "diagnostics.json")
    step("train", lambda: _train(config, data, folder), folder / "metrics.json")
    step("audit", lambda: audit(folder, data, config=config.audit), folder / "audit.json")
    verdict = json.loads((folder / "audit.json").read_text())["verdict"]
    report = step("publish", lambda: _publish(config, folder)) if verdict == "pass" else {}
    outcome = {
        "night": night.name,
        "verdict": verdict,
        "published": verdict == "pass",
        "version": report.get("version", ""),
        "metrics": json.loads((folder / "metrics.json").read_text()),
        "seconds": seconds,
    }
    nights.end(night, outcome)
    return outcome


def _make_data(config: NightlyConfig, data: Path) -> None:
    if config.ingest:
        ingest(
            config.ingest.source,
            config.ingest.raw,
            data,
            skip_bad_rows=config.ingest.skip_bad_rows,
        )
    elif config.simulate:
        simulate(data, config.simulate)


def _estimate(config: NightlyConfig, data: Path, looks: Path) -> None:
    if config.propensity:
        methods = list(config.propensity.method)
        found = propensity.estimate(Dataset.open(data), methods, config.propensity)
        propensity.write(found, looks, replace=True)


def _train_config(config: NightlyConfig, source: str) -> TrainConfig:
    return settings.load_over(TrainConfig, default_config(source), config.train, where="train")


def _train(config: NightlyConfig, data: Path, folder: Path) -> None:
    dataset = Dataset.open(data)
    looks = folder.parent / LOOKS if config.propensity else None
    train(dataset, folder, _train_config(config, dataset.info.source), propensity=looks)


def _publish(config: NightlyConfig, folder: Path) -> dict[str, Any]:
    bundle = bundles.load(folder / "bundle")
    asked = config.audit.leakage.attackers
    verdict = gate(folder, bundle.manifest, require_audit=True, force=False, attackers=asked)
    store = open_store(config.redis)
    try:
        return publish(bundle, store, verdict=verdict, keep=config.keep, activate=True)
    finally:
        store.close()


def _show(outcome: dict[str, Any], night: Path) -> None:
    table = Table(title=f"night {outcome['night']}")
    for column in ("step", "seconds"):
        table.add_column(column)
    for name, seconds in outcome["seconds"].items():
        table.add_row(name, f"{seconds:.1f}")
    out.print(table)
    done = f"version {outcome['version']} is live" if outcome["published"] else "nothing published"
    out.print(f"audit: {outcome['verdict']}; {done}; report: {night}/run/audit.html")
