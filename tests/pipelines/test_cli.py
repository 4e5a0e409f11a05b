import importlib
import subprocess
import sys

import pytest

from pipelines import cli
from recsys.errors import DataError, Interrupted, RecsysError, Refused, StoreUnavailable


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_a_command_that_explains_itself(verb, capsys):
    assert importlib.import_module(cli.VERBS[verb][0]).main.__doc__
    assert cli.run([verb, "--help"]) == 0
    assert "Example" in capsys.readouterr().out or verb == "doctor"


def test_help_lists_every_verb_without_importing_one():
    code = (
        "import sys; from pipelines.cli import run; run(['--help']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in cli.VERBS)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError.at("u.data", "expected 4 fields, found 3", line=17), 2),
        (StoreUnavailable("redis://localhost: refused"), 2),
        (Refused("the audit failed"), 3),
        (RecsysError("ours"), 1),
        (Interrupted("stopped; the same training goes on from latest.pt"), 130),
        (OSError(28, "No space left on device", "runs/x"), 2),
    ],
)
def test_errors_are_one_line_and_an_exit_code(monkeypatch, capsys, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert cli.run([]) == code
    said = capsys.readouterr().err
    assert said.startswith("recsys: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_an_unknown_log_level_is_one_line_that_names_the_variable(monkeypatch, capsys):
    monkeypatch.setenv("RECSYS_LOG", "bogus")
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("recsys: RECSYS_LOG: expected one of CRITICAL")
    assert said.endswith("found 'bogus'")


def test_unknown_verbs_and_options_are_the_users_mistakes(capsys):
    assert cli.run(["frobnicate"]) == 2
    assert cli.run(["doctor", "--frobnicate"]) == 2
