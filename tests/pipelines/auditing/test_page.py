"""The page in a real browser, light and dark, on screen and on paper."""

import json
import shutil

import pytest

from pipelines.audit import audit
from pipelines.auditing.page import render
from pipelines.auditing.settings import AuditConfig
from recsys.fairness.leakage import LeakageConfig
from tests.pipelines.audit_world import build

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    world, before = build(folder / "after", leaky=False), build(folder / "before", leaky=True)
    how = LeakageConfig(attackers=("logistic regression", "RBF SVM"), num_samples=50)
    config = AuditConfig(leakage=how, num_samples=50, exposure_cuts=(5, 10))
    audit(world.run, world.dataset, baseline=before.run, config=config)
    return world.run / "audit.html"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def _open(browser, report, **options):
    page = browser.new_page(**options)
    page.requested, page.complaints = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(report.as_uri())
    return page


def test_nothing_is_fetched_and_nothing_complains(browser, report):
    page = _open(browser, report)
    assert [url for url in page.requested if not url.startswith(("file:", "data:"))] == []
    assert page.complaints == []


def test_verdict_is_on_top(browser, report):
    page = _open(browser, report, viewport={"width": 1100, "height": 700})
    word = page.locator("#verdict .word")
    assert word.inner_text().strip() in {"Pass", "Fail", "Insufficient data"}
    assert word.bounding_box()["y"] < 300
    assert page.locator("#verdict li").count() == 2  # gender and ranking


def test_every_section_says_something(browser, report):
    page = _open(browser, report)
    for name in ("leakage", "maps", "groups", "lists", "exposure", "unknown", "identity"):
        assert len(page.locator(f"#{name}").inner_text()) > 100


def test_marks_say_what_they_are(browser, report):
    page = _open(browser, report)
    marks = page.locator("#leakage .mark")
    assert marks.count() == 2 * 2 + 1  # two attackers on served and baseline, one on bias-aware
    assert "AUC" in marks.first.locator("title").text_content()
    assert page.locator("#maps g title").first.text_content() in {"F", "M"}


def test_values_have_shapes_as_well_as_colours(browser, report):
    page = _open(browser, report)
    drawn = page.locator("#maps figure path").evaluate_all(
        "paths => paths.map(path => [path.getAttribute('class'), path.getAttribute('d')])"
    )
    assert len({shape for _, shape in drawn}) == len({colour for colour, _ in drawn}) == 2


def test_dark_is_dark_and_light_is_light(browser, report):
    grounds = {}
    for scheme in ("light", "dark"):
        page = _open(browser, report, color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds[scheme] = sum(int(part) for part in colour.strip("rgb()").split(",")[:3])
    assert grounds["light"] > 600 > 150 > grounds["dark"]


def test_narrow_screens_need_no_sideways_scrolling(browser, report):
    page = _open(browser, report, viewport={"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_it_prints(browser, report):
    paper = _open(browser, report).pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert len(paper) > 20_000


def test_page_stands_alone(report):
    text = report.read_text()
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_every_bracket_is_told_with_its_level(report):
    tree = json.loads((report.parent / "audit.json").read_text())
    tree["settings"]["level"] = 0.8
    assert "95 % intervals of what attackers find, and 80 % intervals of" in render(tree, [])
    assert "Brackets are 95 % intervals." in report.read_text()
