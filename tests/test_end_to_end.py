"""From a raw log to ranked news, over real processes: ingest, train, publish, serve, rank."""

import json
import re
import subprocess
import sys

import pytest

from pipelines import cli
from recsys.data.dataset import Dataset
from recsys.ranker import bundle
from recsys.store.connect import open_store

RECSYS = [sys.executable, "-m", "pipelines.cli"]


def recsys(*arguments):
    done = subprocess.run([*RECSYS, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def published(tmp_path_factory, shared_data):
    """A quickly trained model of MovieLens-100K, in a store of its own."""
    root = tmp_path_factory.mktemp("main-job")
    counts = recsys("ingest", "movielens", shared_data / "ml-100k", root / "data", "--json")
    assert (counts["readers"], counts["news"], counts["impressions"]) == (943, 1682, 100_000)
    settings = ("--set", "optimizer.max_epochs=2", "--set", "fairness.balance=0")
    metrics = recsys("train", root / "data", root / "run", *settings, "--json")
    version = recsys("publish", root / "run", "--redis", f"embedded://{root}/store", "--json")
    return root, metrics, version["version"]


@pytest.fixture(scope="module")
def target(published):
    """The address of a service in a process of its own."""
    root, _, _ = published
    command = [*RECSYS, "serve", "--redis", f"embedded://{root}/store", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        for line in server.stderr:
            if found := re.search(r"ready on (\S+)", line):
                yield found[1]
                break
        server.terminate()


@pytest.mark.slow
def test_a_briefly_trained_model_beats_popularity_on_real_readers(published):
    _, metrics, _ = published
    assert metrics["protocol"] == "next_click"
    assert metrics["gain_ndcg@10"]["low"] > 0


@pytest.mark.slow
def test_a_known_reader_is_ranked_from_the_published_vector(published, target):
    root, _, version = published
    answer = recsys("rank", "--user", "1", "--k", 10, "--target", target, "--json")
    assert answer["rung"] == "cached"
    assert answer["model_version"] == version
    assert len(set(answer["news_ids"])) == 10
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    readers = bundle.load(root / "run" / "bundle").readers
    at = readers.ids.index("1")
    clicked = readers.clicks[readers.offsets[at] : readers.offsets[at + 1]]
    catalogue = bundle.load(root / "run" / "bundle").catalogue
    assert not set(answer["news_ids"]) & {catalogue.ids[row] for row in clicked}


@pytest.mark.slow
def test_a_stranger_with_a_history_and_one_without_get_their_rungs(target):
    session = recsys("rank", "--user", "x", "--history", "50,181", "--target", target, "--json")
    popular = recsys("rank", "--user", "x", "--target", target, "--json")
    assert (session["rung"], popular["rung"]) == ("session", "popular")


@pytest.mark.slow
def test_no_attribute_and_nothing_bias_aware_leaves_the_offline_world(published):
    root, _, _ = published
    genders = {f'"{value}"' for value in Dataset.open(root / "data").attributes["occupation"]}
    aware = (root / "run" / "offline" / "bias_aware.safetensors").read_bytes()
    needles = [value.strip('"').encode() for value in genders] + [aware[-256:], b"bias_aware"]
    kept = [path.read_bytes() for path in (root / "run" / "bundle").iterdir()]
    kept += [path.read_bytes() for path in (root / "store").rglob("*") if path.is_file()]
    store = open_store(f"embedded://{root}/store")
    try:
        kept.append(store.news(store.live()) + store.encoder(store.live()))
    finally:
        store.close()
    for needle in needles:
        assert not any(needle in data for data in kept), needle


def test_the_command_knows_its_exit_codes(tmp_path, capsys):
    assert cli.run(["publish", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
