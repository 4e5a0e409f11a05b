import pytest

from pipelines import page
from recsys.errors import DataError


def test_what_users_wrote_is_escaped():
    assert "&lt;b&gt;" in page.table(["a"], [["<b>"]]) and "&lt;b&gt;" in page.text("<b>")


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    page.write(tmp_path / "a" / "page.html", "Title", page.section("Part", page.text("words")))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["page.html"]
    assert (tmp_path / "a" / "page.html").read_text().startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        page.write(tmp_path / "file" / "page.html", "Title")
