import pytest

from recsys.errors import DataError
from recsys.folders import check_target


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
