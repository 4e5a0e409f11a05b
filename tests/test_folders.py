import os
from pathlib import Path

import pytest

from recsys.errors import DataError, InputError
from recsys.folders import alone, check_target, empty, made, write_text, writing


def check(folder, *, replace):
    check_target(folder, "run", mark="config.toml", replace=replace)


@pytest.mark.parametrize("replace", [False, True])
def test_a_new_or_empty_folder_may_be_written(tmp_path, replace):
    check(tmp_path, replace=replace)
    check(tmp_path / "new", replace=replace)


def test_our_own_is_replaced_only_if_asked_to(tmp_path):
    (tmp_path / "config.toml").touch()
    check(tmp_path, replace=True)
    with pytest.raises(DataError, match=r"a run is there already; expected a new folder, or --for"):
        check(tmp_path, replace=False)


@pytest.mark.parametrize("replace", [False, True])
def test_the_work_of_others_is_never_written_over(tmp_path, replace):
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    for target in (tmp_path, thesis):
        with pytest.raises(DataError, match=r"is no run; expected a new or empty folder"):
            check(target, replace=replace)


def test_a_folder_is_held_by_one_at_a_time_and_nothing_is_left_in_it(tmp_path):
    folder = tmp_path / "new"
    second = pytest.raises(InputError, match=r"new: another `recsys train` is at work there; wait")
    with alone(folder, "train"), second, alone(folder, "train"):
        pass
    with alone(folder, "train") as lock, alone(folder, "nightly"):
        assert lock.exists()
    assert not list(folder.iterdir())


def test_a_lock_that_a_killed_process_left_is_in_nobodys_way(tmp_path):
    with alone(tmp_path, "train") as lock:
        check(tmp_path, replace=True)
    lock.touch()
    check(tmp_path, replace=True)
    with alone(tmp_path, "train"):
        assert lock.exists()


def test_emptying_spares_one_file_and_what_links_lead_to(tmp_path):
    folder, other = tmp_path / "run", tmp_path / "other"
    for path in (folder / "deep" / "er", other):
        path.mkdir(parents=True)
    for path in (folder / "kept", folder / "deep" / "gone", folder / "gone", other / "theirs"):
        path.touch()
    (folder / "link").symlink_to(other)
    empty(folder, but=folder / "kept")
    assert list(folder.iterdir()) == [folder / "kept"] and (other / "theirs").exists()


def make(out, text, *, replace=True):
    with made(out, "run", mark="run.toml", replace=replace) as partial:
        assert not list(partial.iterdir())
        (partial / "run.toml").write_text(text)


def test_a_folder_appears_whole_and_takes_the_place_of_an_empty_one_or_of_its_kind(tmp_path):
    out = tmp_path / "deep" / "run"
    make(out, "first", replace=False)
    make(out, "second")
    assert (out / "run.toml").read_text() == "second"
    assert list(out.parent.iterdir()) == [out]
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty", "third", replace=False)
    assert (tmp_path / "empty" / "run.toml").read_text() == "third"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_all_is_as_it_was(tmp_path, error):
    make(tmp_path / "run", "first")
    again = made(tmp_path / "run", "run", mark="run.toml", replace=True)
    with pytest.raises(error), again as partial:
        (partial / "run.toml").write_text("second")
        raise error
    assert (tmp_path / "run" / "run.toml").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_what_a_killed_process_put_aside_is_in_nobodys_way(tmp_path):
    with made(tmp_path / "run", "run", mark="run.toml", replace=True) as partial:
        (partial / "run.toml").touch()
    for left in (partial, tmp_path / ".run.old"):
        left.mkdir()
        (left / "run.toml").touch()
    make(tmp_path / "run", "again")
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_a_folder_that_came_meanwhile_is_not_replaced_unasked(tmp_path):
    late = made(tmp_path / "run", "run", mark="run.toml", replace=False)
    with pytest.raises(DataError, match="a run is there already"), late:
        make(tmp_path / "run", "somebody else's")
    assert (tmp_path / "run" / "run.toml").read_text() == "somebody else's"


def test_a_link_stays_one(tmp_path):
    make(tmp_path / "run", "old")
    (tmp_path / "current").symlink_to(tmp_path / "run")
    make(tmp_path / "current", "new")
    assert (tmp_path / "current").is_symlink()
    assert (tmp_path / "run" / "run.toml").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"current", "run"}


def test_a_folder_that_cannot_be_moved_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path):
        with pytest.raises(DataError, match="cannot be replaced as a whole"):
            make(out, "never written")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_hold_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/run: cannot be written: Not a directory"):
        make(tmp_path / "file" / "run", "never written")


def test_a_file_appears_whole_whatever_a_killed_process_left_aside(tmp_path):
    path = tmp_path / "deep" / "page.html"
    path.parent.mkdir()
    (path.parent / ".page.html.writing").write_text("longer than what comes now")
    write_text(path, "whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_file_is_as_it_was(tmp_path, error):
    write_text(tmp_path / "page.html", "old")
    with pytest.raises(error), writing(tmp_path / "page.html") as aside:
        aside.write_text("half of the n")
        raise error
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_of_two_files_written_together_both_stay_where_one_finds_the_disk_full(tmp_path):
    pair = [tmp_path / "audit.json", tmp_path / "audit.html"]
    for path in pair:
        write_text(path, "old")
    with (
        pytest.raises(DataError, match=r"^.*/audit\.html: cannot be written: No space left"),
        writing(pair[0]) as numbers,
        writing(pair[1]) as page,
    ):
        numbers.write_text("new")
        page.symlink_to("/dev/full")
        page.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted(pair)
    assert [path.read_text() for path in pair] == ["old", "old"]


def test_a_file_is_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(os, "fsync", lambda number: found.append((tmp_path / "a").exists()))
    write_text(tmp_path / "a", "text")
    assert found == [False]


def test_all_files_of_a_folder_are_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    synced, fsync = {}, os.fsync

    def watch(number):
        synced[os.fstat(number).st_ino] = (tmp_path / "run").exists()
        fsync(number)

    monkeypatch.setattr(os, "fsync", watch)
    with made(tmp_path / "run", "run", mark="run.toml", replace=False) as partial:
        (partial / "deep").mkdir()
        files = [partial / "run.toml", partial / "deep" / "vectors"]
        numbers = [file.write_text("x") and file.stat().st_ino for file in files]
    assert synced == dict.fromkeys(numbers, False)


def test_a_place_that_cannot_hold_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/page\.html: cannot be written: "):
        write_text(tmp_path / "file" / "page.html", "never written")
