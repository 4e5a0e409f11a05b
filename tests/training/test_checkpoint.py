import pytest
import torch

from recsys.errors import CheckpointError
from recsys.training import checkpoint


def test_a_state_survives_the_disk(tmp_path):
    state = {"epoch": 3, "weights": {"w": torch.arange(3.0)}}
    checkpoint.save(state, tmp_path / "deep" / "latest.pt")
    loaded = checkpoint.load(tmp_path / "deep" / "latest.pt")
    assert loaded["epoch"] == 3
    assert loaded["weights"]["w"].equal(state["weights"]["w"])


def test_a_failed_save_leaves_the_old_state(tmp_path):
    path = tmp_path / "latest.pt"
    checkpoint.save({"epoch": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save({"epoch": lambda: 2}, path)
    assert checkpoint.load(path) == {"epoch": 1}


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    path = tmp_path / "latest.pt"
    checkpoint.save({"epoch": 1}, path)
    (tmp_path / ".latest.pt.writing").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"^.*/latest\.pt: cannot be written: .*disk full\?$"):
        checkpoint.save({"weights": torch.zeros(1000)}, path)
    assert checkpoint.load(path) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["latest.pt"]


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"x" * 99])
def test_damage_is_named(tmp_path, damage):
    path = tmp_path / "latest.pt"
    checkpoint.save({"weights": torch.zeros(1000)}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"latest\.pt: damaged checkpoint"):
        checkpoint.load(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.pt")
