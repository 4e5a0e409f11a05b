import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.dataset import Dataset
from recsys.data.parquet import reading
from recsys.data.raw import RawFolder
from recsys.errors import DataError
from tests.data.tables import TWO_SLATES, impressions


@pytest.fixture
def damaged(tmp_path):
    """A table of impressions whose footer is whole and whose first page is not."""
    path = tmp_path / "impressions.parquet"
    pq.write_table(impressions(*TWO_SLATES), path)
    data = bytearray(path.read_bytes())
    data[4:44] = b"\xff" * 40
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "read",
    [
        lambda path: Dataset(path.parent, None).impressions,
        lambda path: list(Dataset(path.parent, None).iter_impressions()),
        lambda path: list(RawFolder(path.parent).parquet(path.name, ["slate_id"])),
    ],
    ids=["whole", "streamed", "raw"],
)
def test_a_damaged_page_is_one_line_that_names_the_file(damaged, read):
    with pytest.raises(DataError, match=r"impressions\.parquet: expected a Parquet file: ") as said:
        read(damaged)
    assert "\n" not in str(said.value)


def test_an_error_of_whoever_takes_the_rows_is_theirs(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "f")
    with pytest.raises(OSError, match="disk full"):
        for _ in RawFolder(tmp_path).parquet("f", ["a"]):
            raise OSError("disk full")
    with (
        pytest.raises(DataError, match="f: expected a Parquet file: gone"),
        reading(tmp_path / "f"),
    ):
        raise OSError("gone")
