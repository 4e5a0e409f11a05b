"""`audit.html`: what `audit.json` says, for people; one file, no script, nothing to fetch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.auditing import views
from pipelines.auditing.maps import Map
from pipelines.auditing.text import interval, number, percent

HERE = Path(__file__).parent
Tree = dict[str, Any]

WORDS = {"pass": "Pass", "fail": "Fail", "insufficient": "Insufficient data"}
MEANINGS = {
    "pass": "No attacker tells an audited attribute from the vectors that would be served better "
    "than the threshold allows, and the ranking is better than popularity.",
    "fail": "The vectors that would be served give an attribute away, or the ranking is worse than "
    "popularity. This model should not be served.",
    "insufficient": "The evidence does not suffice to say that the model passes; that is not a "
    "pass. More readers who state their attributes, or more held-out clicks, would settle it.",
}


def render(audit: Tree, maps: Sequence[Map]) -> str:
    """Write the page.

    Args:
        audit: What ``audit.json`` holds.
        maps: Readers by attribute; they are in the page only.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent, "interval": interval}
    return environment.get_template("page.html.j2").render(
        audit=audit,
        words=WORDS,
        meaning=MEANINGS[audit["verdict"]],
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        tiles=_tiles(audit),
        leakage=views.leakage(audit),
        maps=views.maps(maps),
        groups=views.groups(audit),
        lists=views.lists(audit),
        list_length=max(audit["settings"]["list_lengths"]),
        exposure=views.exposure(audit),
        unknown=unknown(audit),
        identity=_identity(audit),
    )


def unknown(audit: Tree) -> list[str]:
    """Say in sentences what the audit could not look at."""
    lines = []
    for name, found in audit["leakage"].items():
        if found["missing"]:
            lines.append(
                f"{found['missing']:,} of the attacked readers do not state {name}. Whether their "
                "vectors give it away cannot be known."
            )
        if found["too_small"]:
            small = ", ".join(f"{value} ({n})" for value, n in found["too_small"].items())
            lines.append(f"{name}: too few readers to be attacked: {small}.")
    for name, metrics in audit["groups"].items():
        few = [g["name"] for g in metrics["ndcg@10"]["groups"] if not g["sufficient"]]
        if few:
            lines.append(f"Ranking quality by {name}: insufficient data for {'; '.join(few)}.")
    if len(audit["settings"]["leakage"]["attackers"]) < 4:
        used = " and ".join(audit["settings"]["leakage"]["attackers"])
        lines.append(f"A quick audit: only {used} attacked. Other kinds may find more.")
    if audit["baseline"] is None:
        lines.append("No baseline run was given, so nothing is said of an unconstrained model.")
    lines.append("Attackers other than these, and attributes that the data do not hold.")
    return lines


def _tiles(audit: Tree) -> list[dict[str, str]]:
    tiles = []
    for name, found in audit["leakage"].items():
        note = f"best of {len(found['attackers'])} attackers {interval(found, bounds_only=True)}"
        if found.get("baseline") and found["baseline"]["auc"] is not None:
            note += f"; baseline {number(found['baseline']['auc'])}"
        few = found["auc"] is None
        value = "not measured" if few else number(found["auc"])
        note = "insufficient data" if few else note
        tiles.append({"name": f"{name}: leakage (AUC)", "value": value, "note": note})
    ours, popular = audit["utility"]["ndcg@10"], audit["utility"]["popularity_ndcg@10"]
    note = f"{interval(ours, 4, bounds_only=True)}; popularity {number(popular['mean'], 4)}"
    tiles.append({"name": "nDCG@10", "value": number(ours["mean"], 4), "note": note})
    return tiles


def _identity(audit: Tree) -> list[tuple[str, list[tuple[str, Any]]]]:
    parts = [("Model", audit["model"]), ("Baseline", audit["baseline"]), ("Data", audit["data"])]
    facts = [
        (title, [(key.replace("_", " "), _plain(value)) for key, value in tree.items()])
        for title, tree in parts
        if tree
    ]
    how = audit["settings"]
    settings = [
        ("attackers", ", ".join(how["leakage"]["attackers"])),
        ("smallest group that is attacked", how["leakage"]["min_readers"]),
        ("smallest group of ranking quality", how["min_group"]),
        ("seed", how["seed"]),
    ]
    return [*facts, ("Settings", settings)]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " · ".join(f"{key} {_plain(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "unknown" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
