import json
import math

import numpy as np
import pytest
from rich.table import Table

from pipelines import console
from pipelines.console import emit

ODD = "[/b] [red]x :smile: [link=a]"
"""An id, a title or a path that rich would take for markup, or fail at."""


def test_a_number_that_is_not_finite_is_null_however_deep_it_stands(capsys):
    emit({"a": math.nan, "b": [1.5, (-math.inf, {"c": np.float64("nan")})]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, [None, {"c": None}]]}


@pytest.mark.parametrize("name", ["out", "err"])
def test_what_is_printed_is_told_as_it_is(capsys, name):
    table = Table(title=ODD, caption=ODD)
    table.add_column(ODD)
    table.add_row(ODD)
    to = getattr(console, name)
    to.print(ODD)
    to.rule(ODD)
    to.print(table)
    said = capsys.readouterr()
    assert (said.out + said.err).count(ODD) == 6


def test_progress_tells_names_as_they_are(monkeypatch, capsys):
    monkeypatch.setattr(console.err, "_force_terminal", True)
    with console.progress("loss") as bar:
        bar.add_task(ODD, total=1, loss=ODD)
    assert capsys.readouterr().err.count(ODD) >= 2
