"""Sections of the page: from `audit.json`'s tree to charts, tables and sentences."""

from collections.abc import Sequence
from typing import Any

from pipelines.auditing.charts import SHAPES, Guide, Mark, Row, forest, scatter, swatch
from pipelines.auditing.maps import Map
from pipelines.auditing.text import interval, number, percent

Tree = dict[str, Any]

KINDS = {
    "served": ("served vectors", "circle"),
    "baseline": ("baseline", "diamond"),
    "bias_aware": ("bias-aware vectors (never served)", "square"),
}
"""Kinds of vectors: their name, and the shape of their marks."""

CAPTIONS = {
    "served": "After: the vectors that would be served.",
    "baseline": "Before: the baseline's vectors.",
    "bias_aware": "For comparison: the bias-aware vectors, which are never served.",
}
DISTANCES = ("dp_js", "dp_js_non_personalised", "dp_js_before_test", "eo_js")
LISTS = {
    "with_seen_filter": "seen left out",
    "without_seen_filter": "seen left in",
    "non_personalised": "one ranking for all, seen left out",
}
"""Kinds of lists: what they are made of."""
MAX_OWNERS = 24
"""Owners drawn in a chart or named in a sentence; the tables below have all of them."""


def leakage(audit: Tree) -> list[Tree]:
    """Chart each attribute's attackers, beside the baseline and the bias-aware vectors."""
    limit = audit["thresholds"]["max_leakage"]
    guides = [
        Guide(1 - limit, "threshold", "limit", "left"),
        Guide(0.5, "chance", "chance"),
        Guide(limit, "threshold", "limit", "right"),
    ]
    charts = []
    for name, found in audit["leakage"].items():
        kinds = {"served": found} | {k: found[k] for k in KINDS if k in found}
        values = ", ".join(f"{value} ({count:,})" for value, count in found["values"].items())
        rows = [_attacker(one["attacker"], kinds) for one in found["attackers"]]
        charts.append(
            {
                "name": name,
                "outcome": found["outcome"],
                "readers": f"{found['readers']:,} readers attacked: {values or 'none'}",
                "legend": [(KINDS[kind][0], swatch(KINDS[kind][1], kind)) for kind in kinds],
                "svg": rows and forest(rows, guides, f"AUC of telling {name}"),
            }
        )
    return charts


def _attacker(attacker: str, kinds: Tree) -> Row:
    marks = []
    for kind, found in kinds.items():
        for one in found["attackers"]:
            if one["attacker"] == attacker:
                text, shape = KINDS[kind]
                tip = f"{attacker}, {text}: AUC {interval(one)}"
                marks.append(Mark(kind, shape, one["auc"], one["low"], one["high"], tip))
    served = next(one for one in kinds["served"]["attackers"] if one["attacker"] == attacker)
    return Row(attacker, marks, numbers=interval(served, 2))


def maps(found: Sequence[Map]) -> list[Tree]:
    """Draw each attribute's readers before and after."""
    shapes = list(SHAPES)
    return [
        {
            "name": one.attribute,
            "legend": [
                (value, swatch(shapes[index % len(shapes)], f"v{index % 8}"))
                for index, value in enumerate(one.values)
            ],
            "panels": [
                {"svg": scatter(points, one.values, CAPTIONS[kind]), "caption": CAPTIONS[kind]}
                for kind, points in one.panels.items()
            ],
        }
        for one in found
    ]


def groups(audit: Tree) -> list[Tree]:
    """Chart ranking quality and click rate of each group."""
    everyone = audit["utility"]["ndcg@10"]["mean"]
    guides = [] if everyone is None else [Guide(everyone, "all readers", "chance")]
    return [
        {
            "name": name,
            "gap": _gap(metrics["ndcg@10"]["gap"]),
            "svg": _groups(metrics["ndcg@10"]["groups"], guides, "nDCG@10"),
            "clicks": metrics["click_rate"]
            and _groups(metrics["click_rate"]["groups"], [], "clicks per impression"),
        }
        for name, metrics in audit["groups"].items()
    ]


def _groups(found: list[Tree], guides: Sequence[Guide], label: str) -> str:
    rows = []
    for group in found:
        size = f"{group['readers']:,} readers"
        marks = []
        if group["sufficient"]:
            tip = f"{group['name']}: {label} {interval(group)}, {size}"
            marks = [Mark("served", "circle", group["mean"], group["low"], group["high"], tip)]
        rows.append(Row(group["name"], marks, f"insufficient data ({size})", size if marks else ""))
    return forest(rows, guides, label, digits=3)


def _gap(gap: Tree | None) -> str:
    if gap is None:
        return "Fewer than two groups are large enough to be compared."
    told = ""
    if gap["among"] > 2:
        told = f" The interval allows for their being the extremes of {gap['among']} groups."
    if gap["low"] <= 0:
        told += " The interval holds zero: the data do not tell them apart."
    return (
        f"Best: {gap['best']}. Worst: {gap['worst']}, {percent(gap['ratio'])} of the best; they "
        f"differ by {number(gap['difference'], 4)} "
        f"[{number(gap['low'], 4)}, {number(gap['high'], 4)}].{told}"
    )


def lists(audit: Tree) -> list[Tree]:
    """Tabulate what lists give away, and the distance between groups' lists."""
    return [
        {
            "name": name,
            "leaks": (leaks := _leaks(found["leakage"])),
            "majority": percent(_majority(found["leakage"])) if leaks else "",
            "distances": [
                [f"first {k}", *(cell for kind in DISTANCES for cell in _distance(found[kind][k]))]
                for k in found["dp_js"]
            ],
        }
        for name, found in audit["lists"].items()
    ]


def _distance(found: Tree) -> list[str]:
    return [number(found["distance"]), number(found["floor"])]


def _leaks(found: Tree) -> list[list[str]]:
    return [
        [
            LISTS[kind],
            "which news" if seen == "news" else "their topics",
            k,
            number(one["auc"]),
            interval(one, bounds_only=True),
            percent(one["accuracy"]),
            number(one["macro_f1"]),
        ]
        for kind, parts in found.items()
        for seen, each in parts.items()
        for k, one in each.items()
        if one
    ]


def _majority(found: Tree) -> float:
    return next(
        one["majority"] for part in found["with_seen_filter"].values() for one in part.values()
    )


def exposure(audit: Tree) -> list[Tree]:
    """Chart who gets shown, beside their share of the catalogue."""
    names = {"provider": "Providers", "category": "Topics"}
    return [_exposure(names[kind], found) for kind, found in audit["exposure"].items()]


def _exposure(name: str, found: Tree | None) -> Tree:
    if found is None:
        return {"name": name, "svg": ""}
    owners = sorted(found["owners"], key=lambda owner: -(owner["share_of_exposure"] or 0))
    less = [owner["name"] for owner in owners if owner["protected"]]
    kinds = [("share of attention", "circle", "served"), ("share of catalogue", "bar", "baseline")]
    return {
        "name": name,
        "legend": [(text, swatch(shape, kind)) for text, shape, kind in kinds],
        "svg": forest([_owner(one) for one in owners[:MAX_OWNERS]], [], "share", digits=2),
        "left_out": max(0, len(owners) - MAX_OWNERS),
        "protected": f"The less clicked half by clicks a news: {_some(less)}; "
        f"{percent(found['protected_share_of_catalogue'])} of the catalogue.",
        "cuts": list(found["er"]),
        "er": [number(value, 2) for value in found["er"].values()],
        "rnd": [number(value, 2) for value in found["rnd"].values()],
        "tables": [_by_group(attribute, owners) for attribute in owners[0]["by_group"]],
    }


def _some(names: list[str]) -> str:
    more = len(names) - MAX_OWNERS
    told = names if more <= 0 else [*names[:MAX_OWNERS], f"and {more} more"]
    return ", ".join(told)


def _owner(owner: Tree) -> Row:
    shares = (owner["share_of_exposure"] or 0.0, owner["share_of_catalogue"])
    tip = f"{owner['name']}: {percent(shares[0])} of attention, {percent(shares[1])} of catalogue"
    marks = [
        Mark("served", "circle", shares[0], None, None, tip),
        Mark("baseline", "bar", shares[1], None, None, tip),
    ]
    return Row(owner["name"], marks, numbers=f"{percent(shares[0])} of {percent(shares[1])}")


def _by_group(attribute: str, owners: list[Tree]) -> Tree:
    values = list(owners[0]["by_group"][attribute])
    rows = [
        [one["name"], *(percent(one["by_group"][attribute][value]) for value in values)]
        for one in owners
    ]
    return {"attribute": attribute, "columns": values, "rows": rows}
