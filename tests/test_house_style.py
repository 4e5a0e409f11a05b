"""The rules no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    path
    for folder in ("recsys", "pipelines")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "__init__.py" and "rpc" not in path.parts
]
names = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))


@names
def test_files_and_functions_fit_a_glance(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{node.name} has {lines} lines"


@names
def test_no_unfinished_work(path):
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError", path.read_text())
