import json

from pipelines import nights


def begun_before(folder, settings, name="20260501T030000"):
    return nights.begin(folder, settings).rename(folder / name)


def test_a_night_that_was_cut_short_goes_on_with_the_same_settings(tmp_path):
    night = begun_before(tmp_path, {"seed": 1, "rate": 0.1})
    assert nights.begin(tmp_path, {"rate": 0.1, "seed": 1}) == night


def test_with_other_settings_it_is_abandoned_and_a_new_one_begins(tmp_path, capsys):
    old = begun_before(tmp_path, {"seed": 1})
    new = nights.begin(tmp_path, {"seed": 2})
    assert new > old
    assert json.loads((old / "outcome.json").read_text()) == {
        "night": old.name,
        "published": False,
        "abandoned": True,
    }
    said = capsys.readouterr().err
    assert f"{old}: abandoned, as it was begun with other settings" in said
    assert said.count("\n") == 1
    assert nights.begin(tmp_path, {"seed": 2}) == new


def test_a_night_that_does_not_say_what_it_was_begun_with_is_abandoned(tmp_path):
    old = begun_before(tmp_path, {})
    (old / "begun.json").unlink()
    assert nights.begin(tmp_path, {}) != old


def test_after_a_night_that_ended_a_new_one_begins_whatever_else_lies_there(tmp_path):
    ended = begun_before(tmp_path, {}, "20260502T030000")
    nights.end(ended, {"published": True})
    overtaken = tmp_path / "20260501T030000"
    overtaken.mkdir()
    (tmp_path / "NOTES.TXT").touch()
    assert nights.begin(tmp_path, {}) not in (overtaken, ended)


def test_an_archive_of_a_night_is_no_night(tmp_path):
    night = begun_before(tmp_path, {})
    (tmp_path / f"{night.name}.tar.gz").touch()
    assert nights.begin(tmp_path, {}) == night
