import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from pipelines.cli import run
from recsys.data.writer import DatasetWriter
from recsys.store.memory import MemoryStore
from tests.serving import world


@pytest.fixture(scope="module")
def target():
    store = MemoryStore()
    world.publish(store)
    with world.serving(store) as server:
        yield server.address


def rank(target, *arguments):
    return run(["rank", "--target", target, *arguments])


def answer(capsys, target, *arguments):
    assert rank(target, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_json_is_one_object_with_the_promised_keys(capsys, target):
    found = answer(capsys, target, "--user", "ann", "--k", "3")
    assert found["news_ids"] == world.best(0, "ann", hidden=world.clicked("ann"))[:3]
    assert len(found["scores"]) == len(found["propensities"]) == 3
    assert found["rung"] == "cached"
    assert found["model_version"].startswith("20260501T030000-")
    assert found["slate_id"]


@pytest.mark.parametrize(
    ("arguments", "rung"),
    [
        (["--user", "ann"], "cached"),
        (["--user", "ann", "--history", "N7, N8"], "session"),
        (["--user", "stranger"], "popular"),
        ([], "popular"),
    ],
)
def test_the_rung_is_named(capsys, target, arguments, rung):
    assert answer(capsys, target, *arguments)["rung"] == rung


def test_candidates_and_filters_reach_the_service(capsys, target):
    found = answer(capsys, target, "--candidates", "N4,N5,N8,N12", "--category", "sports")
    assert sorted(found["news_ids"]) == ["N12", "N4", "N8"]
    found = answer(capsys, target, "--k", "40", "--provider", "daily", "--exclude", "N1,N3")
    assert set(found["news_ids"]) == {f"N{row}" for row in range(5, 40, 2)}
    found = answer(capsys, target, "--k", "40", "--after", "1970-01-01T11:00:00")
    assert set(found["news_ids"]) == {"N39"}
    found = answer(capsys, target, "--k", "40", "--user", "ann", "--show-seen")
    assert len(found["news_ids"]) == 40


def test_a_person_reads_a_table_with_titles(capsys, target, tmp_path):
    with DatasetWriter(tmp_path / "data", "test") as writer:
        titles = [
            f"[video] Title of {news}, longer than a screen is wide [/b]" for news in world.IDS
        ]
        writer.news(pa.table({"news_id": world.IDS, "title": titles}))
        writer.impressions(
            pa.table(
                {
                    "slate_id": [1],
                    "user_id": ["ann"],
                    "time": pa.array([datetime(2026, 5, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
                    "news_id": ["N0"],
                    "position": pa.array([1], pa.int16()),
                    "clicked": [True],
                }
            )
        )
    assert rank(target, "--user", "ann", "--k", "2", "--dataset", str(tmp_path / "data")) == 0
    table = capsys.readouterr().out
    first, second = world.best(0, "ann", hidden=world.clicked("ann"))[:2]
    for place, news in enumerate((first, second), start=1):
        (line,) = (line for line in table.splitlines() if f"[video] Title of {news}," in line)
        assert re.search(rf"{place} +│ {news} +│.*│ +\d+\.\d{{4}} │ +1 │", line)
    assert "from the reader's published vector" in table


def one_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_nobody_there_is_one_line_and_exit_code_2(capsys):
    assert rank("127.0.0.1:1", "--user", "ann") == 2
    assert one_line(capsys) == "recsys: no answer from 127.0.0.1:1: Connection refused"


def test_a_wrong_field_is_one_line_and_exit_code_2(capsys, target):
    assert rank(target, "--user", "ann", "--k", "5000") == 2
    assert one_line(capsys) == "recsys: k: expected 1 to 1000, or 0 for 10, found 5000"


def test_a_number_that_no_message_can_carry_is_one_line_and_exit_code_2(capsys, target):
    assert rank(target, "--user", "ann", "--k", "-1") == 2
    assert one_line(capsys) == "recsys: k: Value out of range: -1"
