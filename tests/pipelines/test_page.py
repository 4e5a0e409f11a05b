from pipelines import page


def test_what_users_wrote_is_escaped():
    assert "&lt;b&gt;" in page.table(["a"], [["<b>"]]) and "&lt;b&gt;" in page.text("<b>")


def test_a_page_is_one_document_that_fetches_nothing(tmp_path):
    page.write(tmp_path / "page.html", "Title", page.section("Part", page.text("words")))
    text = (tmp_path / "page.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "<script" not in text and "http" not in text
