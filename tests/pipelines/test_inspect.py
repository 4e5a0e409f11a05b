import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import cli
from recsys.data.bad_rows import BadRows
from recsys.data.writer import DatasetWriter
from tests.data.tables import TWO_SLATES, impressions, news


@pytest.fixture
def folder(tmp_path):
    dropped = BadRows(skip=True)
    dropped.leave_out(tmp_path / "log", 5, "front pages")
    with DatasetWriter(tmp_path / "d", "test", bad_rows=dropped) as writer:
        writer.news(news("a"))
        writer.impressions(impressions(*TWO_SLATES))
        known = {"user_id": ["u", "v", "elsewhere"], "gender": ["F", None, "M"]}
        writer.attributes(pa.table(known))
    return tmp_path / "d"


def inspect(folder, capsys, *options):
    code = cli.run(["inspect", str(folder), *options])
    return code, capsys.readouterr()


def test_the_report_counts_what_is_there(folder, capsys):
    code, said = inspect(folder, capsys, "--json")
    report = json.loads(said.out)
    assert code == 0
    stable = {name: report[name] for name in ("readers", "news", "slates", "impressions", "clicks")}
    assert stable == {"readers": 2, "news": 1, "slates": 2, "impressions": 3, "clicks": 1}
    assert report["click_rate"] == 1 / 3
    assert report["without_text_share"] == 1 / 3  # the impression of b
    assert report["first_time"] == "2026-01-01 00:01:00+00:00"
    assert report["dropped"] == {"log: front pages": 5}


def test_coverage_is_of_the_readers_who_were_shown_something(folder, capsys):
    _, said = inspect(folder, capsys, "--json")
    assert json.loads(said.out)["attributes"] == {
        "gender": {"known": 1, "missing": 1, "coverage": 0.5, "values": {"F": 1}}
    }


def test_people_get_tables(folder, capsys):
    code, said = inspect(folder, capsys)
    assert code == 0
    for words in ("impressions", "33.33%", "gender", "missing", "left out: 5 rows of log"):
        assert words in said.out


def test_names_and_values_in_brackets_are_shown_as_they_are(folder, capsys):
    with DatasetWriter(folder.parent / "[b]d", "test") as writer:
        writer.news(news("a"))
        writer.impressions(impressions(*TWO_SLATES))
        writer.attributes(pa.table({"user_id": ["u", "v"], "[i]age": ["[20", "[/unknown]"]}))
    code, said = inspect(folder.parent / "[b]d", capsys)
    assert code == 0
    for words in ("[b]d", "[i]age", "[20", "[/unknown]"):
        assert words in said.out


def test_a_dataset_that_changed_is_refused(folder, capsys):
    table = pq.read_table(folder / "impressions.parquet")
    pq.write_table(pa.concat_tables([table, table]), folder / "impressions.parquet")
    code, said = inspect(folder, capsys, "--json")
    assert (code, said.out) == (2, "")
    assert "impressions.parquet: has changed since" in " ".join(said.err.split())


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    code, said = inspect(tmp_path / "nowhere", capsys)
    assert code == 2
    [line] = said.err.strip().splitlines()
    assert "expected a dataset folder" in line


@pytest.mark.shared
@pytest.mark.parametrize(
    ("source", "raw", "expected"),
    [
        ("movielens", "ml-100k", {"readers": 943, "news": 1682, "impressions": 100_000}),
        ("mind", "mind", {"slates": 5000, "impressions": 189_359, "clicks": 7542}),
        ("ebnerd", "ebnerd", {"slates": 1046, "clicks": 1047}),
    ],
)
def test_the_real_slices_have_their_known_counts(
    shared_data, tmp_path, capsys, source, raw, expected
):
    assert cli.run(["ingest", source, str(shared_data / raw), str(tmp_path / "d")]) == 0
    _, said = inspect(tmp_path / "d", capsys, "--json")
    report = json.loads(said.out)
    assert {name: report[name] for name in expected} == expected
