import pytest

from recsys.errors import DataError, InputError
from recsys.folders import alone, check_target, empty


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


def test_emptying_spares_one_file_and_what_links_lead_to(tmp_path):
    folder, other = tmp_path / "run", tmp_path / "other"
    for path in (folder / "deep" / "er", other):
        path.mkdir(parents=True)
    for path in (folder / "kept", folder / "deep" / "gone", folder / "gone", other / "theirs"):
        path.touch()
    (folder / "link").symlink_to(other)
    empty(folder, but=folder / "kept")
    assert list(folder.iterdir()) == [folder / "kept"] and (other / "theirs").exists()
