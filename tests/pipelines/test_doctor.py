import json

import pytest

from pipelines import cli, doctor


def test_here_everything_works_and_is_named(capsys):
    assert cli.run(["doctor", "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)
    assert {"python", "torch", "torchrec", "fbgemm", "CUDA", "Redis (embedded)"} <= set(parts)
    assert all(part["version"] and not part["problem"] for part in parts.values())


def test_a_pair_that_does_not_fit_is_a_problem_with_a_remedy(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda p: "1.2.0" if p == "torchrec" else real(p))
    problems = {finding.part: finding.problem for finding in doctor.examine()}
    assert "goes with torchrec 1.8; run `make setup`" in problems["torchrec"]
    assert cli.run(["doctor"]) == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ImportError("undefined symbol: _ZN3c10\nand more"),
            "ImportError: undefined symbol: _ZN3c10",
        ),
        (AssertionError(), "AssertionError: "),
    ],
)
def test_a_broken_part_is_said_in_a_line_and_not_raised(error, line):
    def broken():
        raise error

    assert doctor._try("embedding lookup", broken).problem == line


def test_a_problem_is_shown_as_it_is(monkeypatch, capsys):
    found = [doctor.Finding("CUDA", "", "OSError: [/lib] is no folder")]
    monkeypatch.setattr(doctor, "examine", lambda: found)
    assert cli.run(["doctor"]) == 1
    assert "[/lib] is no folder" in capsys.readouterr().out
