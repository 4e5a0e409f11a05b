"""The guide is run as it stands: every shell command and every piece of Python, in order."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from pipelines import cli

GUIDE = Path(__file__).parents[1] / "docs" / "ultr.md"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_step_of_the_guide_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, str(GUIDE), "exec"), {})
            continue
        for line in text.splitlines():
            verb, *arguments = shlex.split(line)
            assert verb == "recsys"
            assert cli.run(arguments) == 0, line
    torch.set_num_threads(before)
    said = capsys.readouterr().out
    assert "gap closed" in said and "effective rounds" in said
    assert {"ultr.html", "policy.html"} <= {path.name for path in tmp_path.iterdir()}


def test_the_guide_has_something_to_run():
    assert len(BLOCKS) >= 7
