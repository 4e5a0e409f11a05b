"""What does it cost in ranking quality to keep an attribute out of readers' vectors?

Every recipe is trained with several seeds, and its published vectors are attacked by the product's
own four attackers on readers whose attributes training never used. Leakage is the largest of the
attackers' mean AUC over seeds (not the mean of the largest, which noise alone would raise), counted
from the middle: 0.5 + |AUC - 0.5|. The peer is the unconstrained recipe, ``off``. What is complete
already is not done again, so that the same command goes on after Ctrl-C, or adds seeds and recipes.
With ``--jobs`` several runs are trained side by side, each with its share of the cores.

    python benchmarks/frontier.py data/ml runs/frontier --config movielens-random --jobs 2

OUT receives runs/RECIPE-SEED (runs, each with a measured.json), frontier.svg, frontier.md and
frontier.json, which holds ``dataset``, ``config``, ``attribute``, ``seeds``, ``git_revisions`` (of
the code that trained the runs) and, by name, ``recipes``. Of each recipe:

* ``settings``: its ``--set``.
* ``ndcg@10``: by true relevance where the dataset knows it, otherwise of held-out clicks; over
  seeds, ``mean``, ``se`` (standard error; null for one seed) and ``by_seed``.
* ``share_of_off``: the same of the ratio to ``off`` with the same seed, null without ``off``.
* ``leakage``: by attribute, ``leakage``, its ``se``, ``attacker``, ``readers`` attacked by seed,
  and ``attackers``: the AUC of each, over seeds.
* ``lists``: of the first ten for the attacked readers, over seeds: ``dp_js`` of the lists that nDCG
  is measured on (held-out clicks unknown, and to be found), its ``floor`` under shuffled attributes
  and the ``excess``; the excess of published lists, and of non-personalised ones, the same ranking
  for everybody less what each has seen; and the AUC of telling the attribute from which news or
  categories are published, with news seen before left out (unseen news) and in (all news).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from pipelines import console
from pipelines.auditing import shown
from pipelines.auditing.evidence import Run, attribute_values
from pipelines.auditing.questions import held_out
from pipelines.auditing.settings import AuditConfig
from pipelines.configurations import along, default_config
from pipelines.scatter import Point, Value, scatter
from pipelines.train import train
from recsys import config as settings
from recsys.data.dataset import Dataset
from recsys.errors import InputError, Interrupted
from recsys.fairness.leakage import leakage
from recsys.training import truth
from recsys.training.settings import TrainConfig

Tree = dict[str, Any]

AUDIT = AuditConfig(list_lengths=(10,))
FILTERS = {"with_seen_filter": "unseen news", "without_seen_filter": "all news"}


def recipes(attribute: str) -> dict[str, list[str]]:
    """Settings of each recipe over the file's, roughly the quickest first."""
    alone = f'attributes.names=["{attribute}"]'
    return {
        "off": ["fairness=off", alone],
        "paper": ["fairness=paper", alone],
        "default": [alone],
        "erasure": [alone, "fairness.balance=0", "fairness.erase=true"],
        "gender-age": ['attributes.names=["gender","age"]'],
        "tenth": [alone, "attributes.share=0.1"],
    }


def main() -> None:
    """Train, attack, and write the figure, the table and the numbers behind them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", type=Path, help="TOML file, or a name such as movielens-random")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipe", action="extend", nargs="+", choices=list(recipes("")))
    parser.add_argument("--attribute", default="gender")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, without their bars")
    options = parser.parse_args()
    try:
        result = explore(options)
    except InputError as error:
        parser.exit(2, f"{error}\n")
    except (Interrupted, KeyboardInterrupt):
        parser.exit(130, "stopped; the same command goes on\n")
    (options.out / "frontier.svg").write_text(chart(result), encoding="utf-8")
    (options.out / "frontier.md").write_text(tables(result), encoding="utf-8")
    (options.out / "frontier.json").write_text(json.dumps(result, indent=2), encoding="utf-8")


def explore(options: argparse.Namespace) -> Tree:
    """Bring every recipe and seed to its numbers, and summarise them."""
    dataset, attribute = Dataset.open(options.dataset), options.attribute
    config = along(options.config) if options.config else default_config(dataset.info.source)
    known = recipes(attribute)
    wanted = {name: known[name] for name in options.recipe or known}
    seeds = range(options.seeds)

    def bring(name: str, seed: int) -> Tree:
        console.err.quiet = False
        console.err.print(f"{name}, seed {seed}")
        console.err.quiet = options.jobs > 1  # bars of several runs would overwrite one another
        chosen = settings.load(TrainConfig, config, [*wanted[name], f"seed={seed}"])
        return measured(options.out / "runs" / f"{name}-{seed}", dataset, chosen, attribute)

    tasks = [(name, seed) for name in reversed(wanted) for seed in seeds]  # none that is long last
    found = Parallel(n_jobs=options.jobs)(delayed(bring)(*task) for task in tasks)
    by_task = dict(zip(tasks, found, strict=True))
    runs = {name: [by_task[name, seed] for seed in seeds] for name in wanted}
    return {
        "dataset": dataset.info.source,
        "config": config.stem if config else None,
        "attribute": attribute,
        "seeds": list(seeds),
        "git_revisions": sorted({run["git_revision"] for each in runs.values() for run in each}),
        "recipes": {
            name: {"settings": wanted[name]} | summary(each, runs.get("off"))
            for name, each in runs.items()
        },
    }


def measured(run: Path, dataset: Dataset, config: TrainConfig, attribute: str) -> Tree:
    """Train and attack one run, or read what was found before.

    Raises:
        InputError: The folder holds a run of other settings or data.
    """
    if not (run / "metrics.json").exists():
        train(dataset, run, config)
    trained = settings.load(TrainConfig, run / "config.toml")
    origin = trained.provenance
    same = trained.model_copy(update={"provenance": None}) == config
    if not same or origin is None or origin.dataset_sha256 != dataset.info.sha256:
        raise InputError(f"{run}: is a run of other settings or data; give another folder")
    attacked = list(dict.fromkeys((attribute, *config.attributes.names)))
    cache = run / "measured.json"
    if not cache.exists() or list(json.loads(cache.read_text())["leakage"]) != attacked:
        found = {"git_revision": origin.git_revision} | attack(run, dataset, attacked)
        cache.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return json.loads(cache.read_text(encoding="utf-8"))


def attack(path: Path, dataset: Dataset, attributes: Sequence[str]) -> Tree:
    """Attack published vectors, and the lists ranked with them, for the first attribute."""
    run = Run.load(path, dataset)
    rows = np.flatnonzero(run.open_to_attack)
    vectors, users = run.bundle.readers.vectors[rows], [run.bundle.readers.ids[r] for r in rows]
    values = attribute_values(dataset, users, attributes)
    metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    quality = metrics.get(truth.METRIC, metrics["ndcg@10"])["mean"]
    found: Tree = {"ndcg@10": quality, "leakage": {}, "readers": {}}
    for name in attributes:
        rng = np.random.default_rng(AUDIT.seed)
        leaks = leakage(vectors, values[name], rng=rng, config=AUDIT.leakage)
        if leaks.best is None:
            raise InputError(f"{path}: too few readers with {name!r} are left to attack")
        found["leakage"][name] = {one.attacker: one.auc for one in leaks.attacks}
        found["readers"][name] = leaks.readers
    first = {attributes[0]: values[attributes[0]]}
    lists = shown.lists(run, rows, first, held_out(run, dataset), AUDIT)[attributes[0]]
    asked = lists["dp_js_before_test"]["10"]
    away = {
        "dp_js": asked["distance"],
        "floor": asked["floor"],
        "excess": excess(asked),
        "excess, published": excess(lists["dp_js"]["10"]),
        "excess, non-personalised": excess(lists["dp_js_non_personalised"]["10"]),
    }
    aucs = {
        f"{kind}, {told}": each["10"]["auc"]
        for which, told in FILTERS.items()
        for kind, each in lists["leakage"][which].items()
    }
    return found | {"lists": away | aucs}


def excess(found: Mapping[str, float]) -> float:
    """Distance between groups' lists beyond what chance leaves."""
    return found["distance"] - found["floor"]


def summary(runs: Sequence[Tree], off: Sequence[Tree] | None) -> Tree:
    """Summarise a recipe's runs over seeds; ``off`` are the peer's, with the same seeds."""
    quality = [run["ndcg@10"] for run in runs]
    peers = [run["ndcg@10"] for run in off or runs]
    shares = [ours / peer for ours, peer in zip(quality, peers, strict=True)]
    return {
        "ndcg@10": over_seeds(quality),
        "share_of_off": over_seeds(shares) if off else None,
        "leakage": {
            name: worst([run["leakage"][name] for run in runs])
            | {"readers": [run["readers"][name] for run in runs]}
            for name in runs[0]["leakage"]
        },
        "lists": {
            name: over_seeds([run["lists"][name] for run in runs]) for name in runs[0]["lists"]
        },
    }


def worst(runs: Sequence[Mapping[str, float]]) -> Tree:
    """Find the attacker whose mean AUC over runs is furthest from one half."""
    attackers = {name: over_seeds([run[name] for run in runs]) for name in runs[0]}
    name = max(attackers, key=lambda each: abs(attackers[each]["mean"] - 0.5))
    far = 0.5 + abs(attackers[name]["mean"] - 0.5)
    return {"leakage": far, "se": attackers[name]["se"], "attacker": name, "attackers": attackers}


def over_seeds(values: Sequence[float]) -> Tree:
    """Mean and its standard error; None for the error of a single value."""
    error = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "se": error, "by_seed": list(values)}


def tables(result: Tree) -> str:
    """Write Markdown tables: quality and leakage, and what lists give away."""
    found = result["recipes"]
    attackers = list(next(iter(found.values()))["leakage"][result["attribute"]]["attackers"])
    lists = list(next(iter(found.values()))["lists"])
    rows = [
        [name, number(one["ndcg@10"], 4), number(one["share_of_off"], 3), attribute]
        + [f"{told(leaks)} ({leaks['attacker']})"]
        + [number(leaks["attackers"][attacker]) for attacker in attackers]
        + [f"{np.mean(leaks['readers']):.0f}"]
        for name, one in found.items()
        for attribute, leaks in one["leakage"].items()
    ]
    headings = ["recipe", "nDCG@10", "of off", "attribute", "leakage", *attackers, "readers"]
    listed = [[name, *(number(one["lists"][key]) for key in lists)] for name, one in found.items()]
    return f"{table(headings, rows)}\n{table(['recipe', *lists], listed)}"


def number(value: Tree | None, digits: int = 3) -> str:
    """Format a mean with its standard error."""
    if value is None:
        return "–"
    error = "" if value["se"] is None else f" ± {value['se']:.{digits}f}"
    return f"{value['mean']:.{digits}f}{error}"


def told(leaks: Tree) -> str:
    """Format a leakage with its standard error."""
    return number({"mean": leaks["leakage"], "se": leaks["se"]})


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def chart(result: Tree) -> str:
    """Draw ranking quality over leakage, a point for each recipe."""
    points = []
    for name, one in result["recipes"].items():
        leak, quality = one["leakage"][result["attribute"]], one["ndcg@10"]
        x, y = Value(leak["leakage"], leak["se"] or 0), Value(quality["mean"], quality["se"] or 0)
        points.append(Point(f"{name}: {told(leak)}, {number(quality, 4)}", x, y))
    label = f"leakage of {result['attribute']}: AUC of the best attacker, mean over seeds"
    return scatter(points, label, "nDCG@10; bars are standard errors over seeds")


if __name__ == "__main__":
    main()
