"""`recsys evaluate-ratings`: ways of learning from chosen ratings, judged on random ones."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from jaxtyping import Float32
from pydantic import Field, NonNegativeFloat, PositiveInt
from rich.table import Table

from pipelines.console import emit, err, out, progress
from recsys import config as settings
from recsys.config import Config
from recsys.data.dataset import Dataset
from recsys.errors import ConfigError, DataError
from recsys.evaluation.bootstrap import Interval
from recsys.propensity.covariates import describe_news
from recsys.training.ratings import judge
from recsys.training.ratings.fold import Fold, as_tensors
from recsys.training.ratings.methods import Method, MethodsConfig
from recsys.training.ratings.study import Study
from recsys.training.ratings.trainer import Trainer

METHODS = (
    "naive,wmf,expomf,rel-mf,ips:popularity,ips:naive-bayes,ips:logistic,ips:factorised,"
    "ips:kernel-random,ips:kernel-worst-case,ips:kernel-adaptive,"
    "imputation,dr,dr:popularity,dr:naive-bayes,dr:kernel-adaptive,"
    "naive+exposure,ips:kernel-adaptive+exposure,dr:kernel-adaptive+exposure"
)
CONTENT = (
    ",naive+content,ips:naive-bayes+content,ips:kernel-adaptive+content,naive+content+exposure,"
    "ips:kernel-adaptive+content+exposure,dr:kernel-adaptive+content+exposure"
)
"""Where something is known of the news: a category, a subcategory, a provider or an embedding."""
AGAINST = ("naive", "ips:naive-bayes")
"""What the others are compared with unless told, as far as they are among the methods."""


class EvaluationConfig(Config):
    """A comparison of rating recommenders."""

    methods: MethodsConfig = MethodsConfig()
    """What all methods share."""
    penalties: tuple[NonNegativeFloat, ...] = Field((0.01, 0.03, 0.05, 0.07), min_length=1)
    """Tried for each method; the best mean validation AUC over the tuning folds wins."""
    tuning_folds: PositiveInt = 2
    """Seeds whose validation ratings choose the penalty."""
    calibration: float = Field(default=0.05, ge=0, lt=1)
    """Share of the randomised ratings that naive Bayes may read; never judged on."""
    rare: float = Field(default=0.5, gt=0, le=1)
    """Share of the news, those with the fewest chosen ratings, that count as rare."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Dataset with ratings, some of them randomised.")],
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: naive, wmf, expomf, rel-mf, imputation, dr, ips:P, dr:P, "
            "…+exposure, …+content.",
            show_default="all, with content where the news have some",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Splits and starts, numbered from 0.")] = 3,
    against: Annotated[
        str | None,
        typer.Option(
            help="Methods that the others are compared with, comma-separated.",
            show_default=f"{' and '.join(AGAINST)}, if among the methods, or else the first",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in methods.positive=4 or rare=0.2."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare ways of learning from self-selected ratings on ratings of randomly shown news.

    P is one of popularity, naive-bayes, logistic, factorised, kernel-random, kernel-worst-case,
    kernel-adaptive. The recommender may be given more than ids: with +exposure how likely a pair
    was to be rated, with +content what the news are about. Doubly robust training (dr; without P
    all ratings weigh alike) learns from labels that an imputation gives to every pair, moved to
    agree with the weighted ratings; imputation is that model by itself, which is given both where
    that helps it to predict ratings it has not seen.
    Every method gets the same splits, the same penalties to choose from and the same validation
    measure; no test rating is read before all of them are trained.

    Example: recsys evaluate-ratings data/coat --seeds 10 --methods naive,ips:kernel-adaptive
    """
    wanted = settings.load(EvaluationConfig, None, set_ or [])
    opened = Dataset.open(dataset)
    content = describe_news(pd.Index(opened.news["news_id"]), opened.news).names
    names = (methods or METHODS + CONTENT * bool(content)).split(",")
    chosen = [Method.parse(name) for name in names]
    baselines = _baselines(against, names)
    report = evaluate(opened, chosen, baselines, seeds, wanted)
    if json_:
        emit(report)
        return
    _show(report)


def _baselines(against: str | None, methods: list[str]) -> list[str]:
    if against is None:
        return [name for name in AGAINST if name in methods] or methods[:1]
    baselines = against.split(",")
    if unknown := [name for name in baselines if name not in methods]:
        raise ConfigError(f"--against {unknown[0]!r} is not among the methods")
    return baselines


def evaluate(
    dataset: Dataset,
    methods: list[Method],
    baselines: list[str],
    seeds: int,
    config: EvaluationConfig,
) -> dict[str, Any]:
    """Train every method on every seed, then judge them all.

    Raises:
        DataError: The dataset has no ratings, or none of news shown by chance.
        ConfigError: So small a share of the news is rare that none of them is in the test.
    """
    if dataset.ratings is None:
        raise DataError.at(dataset.path, "has no ratings; expected ratings.parquet")
    rng = np.random.default_rng(0)
    study = Study.of(dataset.ratings, calibration=config.calibration, rng=rng)
    if not study.rare(config.rare).any():
        raise ConfigError(f"rare={config.rare:g}: none of these news is in the test; give more")
    content = describe_news(study.news, dataset.news).table
    scores, penalties = train(study, methods, seeds, config, content)
    results, raw = _results(study, scores, config)
    return {
        "dataset": str(dataset.path),
        "readers": len(study.readers),
        "news": len(study.news),
        "training_ratings": len(study.chosen),
        "calibration_ratings": len(study.calibration),
        "test_ratings": len(study.test),
        "seeds": seeds,
        "penalties": penalties,
        "results": results,
        "differences": _differences(raw, baselines),
        "settings": config.model_dump(mode="json"),
    }


def train(
    study: Study,
    methods: list[Method],
    seeds: int,
    config: EvaluationConfig,
    content: Float32[np.ndarray, "news columns"],
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Choose each method's penalty, train it on every seed, and score the test pairs.

    Returns:
        By method: scores ``[seeds, test]``; the penalty chosen.
    """
    count = max(seeds, config.tuning_folds)
    trainers = [Trainer(Fold.draw(study, seed), config.methods, content) for seed in range(count)]
    pairs = as_tensors(study.test.pairs)  # which pairs, not how they were rated
    scores, penalties = {}, {}
    with progress("method") as bar:
        size = len(methods) * (len(config.penalties) * config.tuning_folds + seeds)
        task = bar.add_task("training", total=size, method="")
        for method in methods:
            bar.update(task, method=method.name)
            tried = {}
            for penalty in config.penalties:
                tuned = trainers[: config.tuning_folds]
                tried[penalty] = np.mean([one.train(method, penalty)[1] for one in tuned])
                bar.advance(task, len(tuned))
            penalties[method.name] = max(tried, key=lambda penalty: tried[penalty])
            rows = []
            for trainer in trainers[:seeds]:
                recommender, _ = trainer.train(method, penalties[method.name])
                rows.append(recommender.predict(*pairs).double().numpy())
                bar.advance(task)
            scores[method.name] = np.array(rows)
    return scores, penalties


def _results(
    study: Study, scores: dict[str, np.ndarray], config: EvaluationConfig
) -> tuple[list[dict[str, Any]], dict[str, dict[str, dict[str, np.ndarray]]]]:
    labels, readers = study.test.labels(config.methods.positive), study.test.pairs.readers
    parts = {"all": np.ones(len(labels), bool), "rare": study.rare(config.rare)}
    results: list[dict[str, Any]] = []
    raw: dict[str, dict[str, dict[str, np.ndarray]]] = {name: {} for name in parts}
    for part, rows in parts.items():
        for method, table in scores.items():
            found, material = judge.measures(table[:, rows], labels[rows], readers[rows], 0)
            raw[part][method] = material
            results += [_line(method, part, name, value) for name, value in found.items()]
    return results, raw


def _differences(
    raw: dict[str, dict[str, dict[str, np.ndarray]]], baselines: list[str]
) -> list[dict[str, Any]]:
    pairs = [
        (name, base)
        for place, base in enumerate(baselines)
        for name in raw["all"]
        if name not in baselines[: place + 1]
    ]
    if {"rel-mf", "wmf"} <= set(raw["all"]):
        pairs.append(("rel-mf", "wmf"))
    return [
        _line(method, part, name, value) | {"against": base, "excludes_zero": value.excludes_zero}
        for part in raw
        for method, base in pairs
        for name, value in judge.difference(raw[part][method], raw[part][base], 0).items()
    ]


def _line(method: str, part: str, metric: str, value: Interval) -> dict[str, Any]:
    return {"method": method, "news": part, "metric": metric, **asdict(value)}


def _show(report: dict[str, Any]) -> None:
    metrics = ("auc", *judge.PER_READER)
    for part in ("all", "rare"):
        table = Table("method", *metrics, title=f"{part} news, mean [95 % over readers]")
        for method in report["penalties"]:
            table.add_row(method, *(_cell(report["results"], method, part, m) for m in metrics))
        out.print(table)
    table = Table("method", "against", *metrics, title="difference, all news")
    for base in dict.fromkeys(line["against"] for line in report["differences"]):
        lines = [line for line in report["differences"] if line["against"] == base]
        for method in dict.fromkeys(line["method"] for line in lines):
            table.add_row(method, base, *(_cell(lines, method, "all", m) for m in metrics))
    out.print(table)
    err.print(f"{report['seeds']} seeds, {report['test_ratings']} randomised test ratings")


def _cell(lines: list[dict[str, Any]], method: str, part: str, metric: str) -> str:
    found = next(
        line
        for line in lines
        if (line["method"], line["news"], line["metric"]) == (method, part, metric)
    )
    star = "*" if found.get("excludes_zero") else ""
    return f"{found['mean']:.4f}{star} [{found['low']:.4f}, {found['high']:.4f}]"
