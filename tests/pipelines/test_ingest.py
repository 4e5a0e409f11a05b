import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import cli
from pipelines.ingest import SOURCES
from recsys.data.dataset import Dataset
from recsys.data.sources.yahoo_r3 import PARTS

REPOSITORY = Path(__file__).parents[2]
GOOD = "1\tU1\t11/15/2019 9:05:58 AM\tN3\tN1-0 N2-1\n"
BAD = "2\tU1\tsome time ago\tN3\tN1-0 N2-1\n"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "news.tsv").write_text("N1\tnews\tworld\tTitle\tAbstract\turl\t[]\t[]\n")
    (folder / "behaviors.tsv").write_text(GOOD)
    return folder


def ingest(raw, out, *options, source="mind"):
    return cli.run(["ingest", source, str(raw), str(out), *options])


def test_a_raw_folder_becomes_a_dataset(raw, tmp_path, capsys):
    assert ingest(raw, tmp_path / "d", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["slates"], result["impressions"], result["clicks"]) == (1, 2, 1)
    dataset = Dataset.open(tmp_path / "d")
    assert dataset.info.source == "mind"
    assert dataset.info.counts.unknown_news == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("gender", ["male"]),
        ("article_ids_inview", [[10, None]]),
        ("impression_time", [1684393200]),
    ],
)
def test_a_column_of_another_kind_is_one_line_too(tmp_path, capsys, column, values):
    table = {
        "impression_id": [5],
        "impression_time": pa.array([0], pa.timestamp("us")),
        "article_ids_inview": [[10, 11]],
        "article_ids_clicked": [[10]],
        "user_id": [1],
        "next_read_time": [1.0],
        "gender": [0],
        "age": [40],
    }
    pq.write_table(pa.table(table | {column: values}), tmp_path / "behaviors.parquet")
    assert ingest(tmp_path, tmp_path / "d", source="ebnerd") == 2
    assert "is not laid out as ebnerd is" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "d").exists()


def test_without_json_stdout_stays_empty(raw, tmp_path, capsys):
    ingest(raw, tmp_path / "d")
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 slates, 2 impressions, 1 clicks; 0 rows left out" in said.err


def test_a_log_of_ratings_is_told_by_its_ratings(tmp_path, capsys):
    for name in PARTS:
        (tmp_path / name).write_text("1\t7\t5\n")
    ingest(tmp_path, tmp_path / "d", source="yahoo-r3")
    assert "d: 2 ratings; 0 rows left out" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("behaviors", "message"),
    [
        (GOOD + BAD, "behaviors.tsv:2: expected time: a time like"),
        ("", "the log is empty"),
        (GOOD.encode() + b"\xff\n", "behaviors.tsv:2: expected utf-8 text"),
        (GOOD + "2\tU1\n", "behaviors.tsv:2: expected 5 fields"),
        (GOOD + GOOD, "behaviors.tsv:2: expected slate_id: no duplicate"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(raw, tmp_path, capsys, behaviors, message):
    data = behaviors if isinstance(behaviors, bytes) else behaviors.encode()
    (raw / "behaviors.tsv").write_bytes(data)
    assert ingest(raw, tmp_path / "d") == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_bad_rows_are_skipped_when_asked(raw, tmp_path):
    (raw / "behaviors.tsv").write_text(BAD + GOOD)
    assert ingest(raw, tmp_path / "d", "--skip-bad-rows") == 0
    report = json.loads((tmp_path / "d" / "rejected.json").read_text())
    assert report["reasons"][0]["samples"] == [{"at": "behaviors.tsv:1", "found": "some time ago"}]
    [reason] = Dataset.open(tmp_path / "d").info.dropped
    assert reason.startswith("behaviors.tsv: expected time")


def test_a_log_of_bad_rows_only_is_empty(raw, tmp_path, capsys):
    (raw / "behaviors.tsv").write_text(BAD)
    assert ingest(raw, tmp_path / "d", "--skip-bad-rows") == 2
    assert "the log is empty: expected an impression or rating; 1 rows were left out" in " ".join(
        capsys.readouterr().err.split()
    )


def test_an_existing_dataset_needs_force(raw, tmp_path, capsys):
    ingest(raw, tmp_path / "d")
    assert ingest(raw, tmp_path / "d") == 2
    assert "--force" in capsys.readouterr().err
    assert ingest(raw, tmp_path / "d", "--force") == 0


def test_an_unknown_source_is_named_with_those_there_are(raw, tmp_path, capsys):
    assert ingest(raw, tmp_path / "d", source="yelp") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"expected one of {', '.join(SOURCES)}" in said


@pytest.mark.slow
def test_the_benchmark_runs_on_a_small_log_in_bounded_memory():
    script = [sys.executable, str(REPOSITORY / "benchmarks" / "ingest.py")]
    done = subprocess.run(
        [*script, "--slates", "3000"], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    result = json.loads(done.stdout)
    assert result["impressions"] == 3000 * 36
    assert result["ratio"] > 0
    assert 0 < result["peak_gib"] < result["limit_gib"]
