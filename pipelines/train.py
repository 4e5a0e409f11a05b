"""`recsys train`: a dataset in, a run folder out."""

import ctypes
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tomlkit
import torch
import typer
from rich.table import Table

from pipelines.configurations import along, default_config
from pipelines.console import emit, err, out, progress
from pipelines.provenance import of_run
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.data.splits import SplitConfig
from recsys.errors import ConfigError, InputError
from recsys.folders import alone, check_target, empty, write_text
from recsys.ranker import bundle
from recsys.training import export, truth
from recsys.training.corpus import Corpus, assemble
from recsys.training.counterfactual import CounterfactualConfig
from recsys.training.loop import Trainer
from recsys.training.progress import Progress
from recsys.training.seen import Seen
from recsys.training.settings import TrainConfig
from recsys.training.sharding import process_group

CHECKPOINT, TOKENIZER = "checkpoint", "tokenizer.json"
"""What a run has before anything else."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Folder written by `recsys ingest` or simulate.")],
    run: Annotated[Path, typer.Argument(help="Folder to write; an interrupted run goes on.")],
    propensity: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Let clicks count as if everything had been seen: folder written by "
            "`recsys propensity DATASET OUT`. See counterfactual.estimator (ips, snips or dr) and "
            "counterfactual.clip.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file, or the name of one that comes along: movielens, movielens-random, "
            "simulation. By default the one for the dataset's source."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in optimizer.max_epochs=3 or fairness=off."),
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Replace the run that is there, once the inputs were read.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Learn bias-aware and bias-free interest, and measure the ranking on held-out clicks.

    RUN receives config.toml, metrics.json, checkpoint/, bundle/ (what serving needs) and offline/
    (what the audit needs). Ctrl-C leaves a run that the same command takes up again.

    Clicks are compared with news of the same slate, so that position is the bias that matters
    (harvesting, em); with --set loader.slate_negatives=0 --set loader.catalogue_negatives=100 they
    are compared with the catalogue, and the rate of being shown matters too (rate and harvesting).

    Example: recsys train data/ml runs/ml --set fairness=paper --set seed=1

    Example: recsys propensity data/demo looks --method harvesting &&
    recsys train data/demo runs/weighed --propensity looks --set counterfactual.estimator=snips
    """
    source = Dataset.open(dataset)
    file = along(config) if config else default_config(source.info.source)
    wanted = settings.load(TrainConfig, file, set_ or [])
    metrics = train(source, run, wanted, propensity=propensity, replace=force)
    if json_:
        emit(metrics)
    else:
        _show(metrics, run)


def train(
    dataset: Dataset,
    run: Path,
    config: TrainConfig,
    *,
    propensity: Path | None = None,
    replace: bool = False,
) -> dict[str, Any]:
    """Train, measure and write a run; one that was interrupted is taken up again.

    Args:
        dataset: What to learn from.
        run: Folder to write.
        config: Every setting.
        propensity: Folder written by `recsys propensity`; None counts all clicks alike.
        replace: Throw a run that is there away, once everything was read; never anything else.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: The run is complete already, its folder is something else or holds what is read,
            another process trains in it, its checkpoint is of other settings or weights, or the
            propensities are not of this dataset.
    """
    _check_run(run, dataset.path, propensity, replace=replace)
    torch.set_float32_matmul_precision("high")
    _keep_freed_memory()
    seen = Seen.load(propensity, dataset) if propensity else None
    if seen:
        _check_blind(seen, config.split)
    counterfactual = _counterfactual(config, propensity)
    provenance = of_run(dataset, propensity, seen)
    config = config.model_copy(update={"counterfactual": counterfactual, "provenance": provenance})
    device = torch.device(_device(config.device))
    corpus = _read(dataset, config)
    charged = config.fairness.balances and bool(corpus.groups)
    model = config.model.settled(corpus.clicks_per_reader, charged=charged)
    config = config.model_copy(update={"model": model})
    if seen and counterfactual:
        corpus = corpus.weighed(seen, counterfactual)
    with process_group(), alone(run, "train") as lock:
        if replace:
            empty(run, but=lock)
        return _train(dataset, corpus, run, config, device)


def _keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next one: mapping it anew costs a quarter of it."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):  # elsewhere than glibc: none
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most it takes
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _read(dataset: Dataset, config: TrainConfig) -> Corpus:
    """Read all that training knows, under a bar: with many readers it takes a minute."""
    believes = config.fairness.believes
    with progress() as bar:
        bar.add_task("reading clicks" + ", and what they give away" * believes, total=None)
        return assemble(
            dataset,
            split_config=config.split,
            news_config=config.model.news,
            attributes_config=config.attributes,
            believe=believes,
            seed=config.seed,
        )


def _check_run(run: Path, *inputs: Path | None, replace: bool) -> None:
    """Refuse a folder that holds what is read, what is complete, or what may not be replaced."""
    for read in filter(None, inputs):
        if read.resolve().is_relative_to(run.resolve()):
            raise InputError(f"{run}: is or holds {read}; expected a folder for the run alone")
    if replace:
        check_target(run, "run", mark=f"{CHECKPOINT}/{TOKENIZER}", replace=True)
    elif (run / "metrics.json").exists():
        raise InputError(f"{run}: is a complete run; give another folder, or --force")


def _train(
    dataset: Dataset, corpus: Corpus, run: Path, config: TrainConfig, device: torch.device
) -> dict[str, Any]:
    trainer = Trainer(corpus, config, run / CHECKPOINT, device)
    write_text(run / CHECKPOINT / TOKENIZER, corpus.tokenizer.to_str(pretty=True))
    if trainer.latest.exists():
        trainer.resume()
        at = trainer.progress
        err.print(f"going on from epoch {at.epoch + 1}, step {at.step + 1}")
    settled = tomlkit.dumps(config.model_dump(mode="json", exclude_none=True))
    write_text(run / "config.toml", settled)  # not before: a run may refuse these
    with _interruptible() as asked:
        _run(trainer, corpus, config, asked)
    events = export.measure(trainer, corpus)
    result, aware = export.bundle(trainer, corpus, dataset, config, now=datetime.now(UTC))
    bundle.save(result, run / "bundle")
    export.save_offline(run / "offline", corpus, events, aware)
    rng = np.random.default_rng(config.seed)
    summary = export.summary(events, rng)
    judged = truth.measure(dataset, result, corpus)
    if judged is not None:
        judged.to_parquet(run / "offline" / truth.FILE)
        summary |= truth.summary(judged, rng)
    return _save_metrics(run, trainer, corpus, config, events, summary)


def _run(trainer: Trainer, corpus: Corpus, config: TrainConfig, asked: list[int]) -> None:
    """Drive the loop under a progress bar that counts clicks."""
    clicks, epochs = trainer.loader.per_epoch, config.optimizer.max_epochs
    with progress("loss", "rate") as bar:
        task = bar.add_task("training", total=clicks * epochs, loss="", rate="")
        done = trainer.progress
        bar.advance(task, done.epoch * clicks + done.step * trainer.loader.batch_size)

        def watch(at: Progress, size: int, loss: float) -> bool:
            speed = bar.tasks[0].speed or 0.0
            label = f"epoch {at.epoch + 1}/{epochs}"
            bar.update(
                task,
                advance=size,
                description=label,
                loss=f"loss {loss:.4f}",
                rate=f"{speed:,.0f} clicks/s",
            )
            return bool(asked)

        trainer.run(watch)


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of dying in the middle of a step."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: asked.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _save_metrics(
    run: Path, trainer: Trainer, corpus: Corpus, config: TrainConfig, events: Any, summary: Any
) -> dict[str, Any]:
    metrics = {
        "protocol": config.split.protocol,
        "fairness": config.fairness.preset,
        "charged_for": list(corpus.groups),
        "seed": config.seed,
        "events": len(events),
        "readers": int(events["user_id"].nunique()),
        "training_clicks": len(corpus.split.train),
        **summary,
        "best_epoch": trainer.progress.best_epoch,
        "epochs": trainer.progress.history,
    }
    write_text(run / "metrics.json", json.dumps(metrics, indent=2))
    return metrics


def _check_blind(seen: Seen, split: SplitConfig) -> None:
    """Refuse weights in which clicks that are asked for have a part."""
    if split.protocol != "slates":
        raise ConfigError(
            f"--propensity: split.protocol is {split.protocol}; expected slates: in others, clicks "
            "that weights were estimated from are asked for"
        )
    if seen.held_out < split.validation + split.test - 1e-9:
        raise ConfigError(
            f"--propensity: estimated with held_out={seen.held_out}; expected at least "
            f"{split.validation + split.test:g}, split.validation and split.test together"
        )


def _counterfactual(config: TrainConfig, propensity: Path | None) -> CounterfactualConfig | None:
    """Settings of the estimator: there with propensities, and only then."""
    if propensity:
        return config.counterfactual or CounterfactualConfig()
    if config.counterfactual:
        raise ConfigError("counterfactual: expected propensities to use; give --propensity OUT")
    return None


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda was asked for, but torch finds none; see `recsys doctor`")
    return wanted


def _show(metrics: dict[str, Any], run: Path) -> None:
    asked = {
        "slates": "held-out slates",
        "next_click": "each reader's last click, whole catalogue",
        "random": "held-out clicks, whole catalogue",
    }
    table = Table(title=f"nDCG@10 · {asked[metrics['protocol']]} · {metrics['events']:,} events")
    for column in ("ranking", "mean", "95 % interval"):
        table.add_column(column)
    names = {"ndcg@10": "bias-free", "popularity_ndcg@10": "popularity", "gain_ndcg@10": "gain"}
    if truth.METRIC in metrics:
        names[truth.METRIC] = "bias-free, catalogue by true relevance"
    for key, name in names.items():
        value = metrics[key]
        table.add_row(name, f"{value['mean']:.4f}", f"{value['low']:.4f} … {value['high']:.4f}")
    out.print(table)
    err.print(f"next: recsys audit {run} DATASET, then recsys publish {run}")
