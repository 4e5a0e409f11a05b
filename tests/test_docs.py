"""What the documents name is there: pages, paths, commands, and every row of their tables."""

import importlib
import re
import shlex

import pytest
import typer

from pipelines import evaluate_ultr, propensity
from pipelines.cli import VERBS
from pipelines.ingest import SOURCES
from recsys.serving.metrics import Metrics
from recsys.serving.settings import ServeSettings
from recsys.serving.status import STATUS
from recsys.store.memory import MemoryStore
from tests.documents import ROOT, names, rows
from tests.serving import world

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "benchmarks|deploy|docs|pipelines|proto|recsys|requirements|tests"
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def links(page):
    """Each page that is linked, with the anchor."""
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        yield (page.parent / path if path else page).resolve(), anchor


def anchors(page):
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_every_link_leads_to_a_page_and_a_heading(page):
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_no_page_is_more_than_two_clicks_from_the_readme():
    near = {target for target, _ in links(README)}
    found = near | {target for page in near & set(PAGES) for target, _ in links(page)}
    assert set(PAGES) - {README} <= found


@pages
def test_every_path_in_the_project_is_there(page):
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists() or "/a/" in path, path


def commands(page):
    """The words of each line that is a command."""
    start = r"^(?: {4}|\.venv/bin/|RECSYS_\w+=\S+ )?recsys ([a-z].*)$"
    for line in re.findall(start, page.read_text(), re.MULTILINE):
        yield shlex.split(line.replace("…", ""), comments=True)


def options(verb):
    app = typer.Typer()
    app.command()(importlib.import_module(VERBS[verb][0]).main)
    return {name for one in typer.main.get_command(app).params for name in one.opts}


@pages
def test_every_command_is_a_verb_with_options_of_it(page):
    for verb, *arguments in commands(page):
        given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        assert given <= options(verb), verb


@pytest.mark.parametrize(
    ("page", "head", "known"),
    [
        ("data.md", "`recsys ingest …`", SOURCES),
        ("propensity.md", "method", propensity.METHODS),
        ("ultr.md", "method", evaluate_ultr.ALL_METHODS),
        ("serving.md", "variable", [f"RECSYS_{x.upper()}" for x in ServeSettings.model_fields]),
    ],
)
def test_every_choice_has_its_row(page, head, known):
    assert sorted(names(page, head)) == sorted(known)


def test_the_services_defaults_are_what_is_said():
    for variables, said, *_ in rows("serving.md", "variable"):
        given = re.findall(r"`([^`]+)`", said)  # none: the default is in words
        for name, default in zip(re.findall(r"RECSYS_(\w+)", variables), given, strict=False):
            kept = ServeSettings.model_fields[name.lower()].default
            assert default == str(kept).lower().removesuffix(".0"), name


def test_every_metric_and_status_has_its_row():
    kinds = {"counter": "_total"}
    known = {one.name + kinds.get(one.type, "") for one in Metrics().registry.collect()}
    listed = {name.partition("{")[0] for name in names("serving.md", "metric")}
    assert listed == {name for name in known if name.startswith("recsys_")}
    assert {code.name for code in STATUS.values()} <= {
        row[0] for row in rows("serving.md", "status")
    }


@pytest.mark.parametrize("page", ["README.md", "docs/serving.md"])
def test_the_clients_examples_rank_and_report(page):
    store = MemoryStore()
    world.publish(store)
    with world.serving(store) as server:
        for example in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S):
            exec(example.replace("localhost:50051", server.address), {})
    assert len(list(store.events())) == 5


def test_the_readmes_pins_are_those_of_the_lock():
    pins = set(re.findall(r"[\w-]+==[\d.]+\d", README.read_text()))
    assert pins
    assert pins <= set((ROOT / "requirements" / "cpu.txt").read_text().split())
