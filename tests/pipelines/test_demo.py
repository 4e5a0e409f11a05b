import json

import pytest

from pipelines import cli


@pytest.mark.slow
def test_the_demo_ends_in_titles_for_three_readers(tmp_path, capsys):
    small = ["--readers", "300", "--set", "optimizer.max_epochs=1"]
    assert cli.run(["demo", str(tmp_path / "demo"), *small]) == 0
    said = capsys.readouterr().out
    assert said.count("bias-free ranking") == 3
    assert said.count("way: cached") == 3
    audited = json.loads((tmp_path / "demo" / "run" / "audit.json").read_text())
    assert f"verdict of the audit: {audited['verdict']}" in said
    assert (tmp_path / "demo" / "run" / "audit.html").exists()
