import gzip

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.sources import baidu_ultr
from recsys.data.sources.baidu_ultr import COLUMNS, SESSIONS
from recsys.errors import DataError

VALUES = {
    "position": lambda rank: rank,
    "url_md5": lambda rank: f"url{rank}",
    "title": lambda rank: [5, 6, rank],
    "abstract": lambda rank: [] if rank == 2 else [9],
    "click": lambda rank: int(rank == 1),
    "skip": lambda rank: 0,
}


def table(num_sessions=3, first=0):
    """A log with a value in every column; sessions of one to three documents."""
    rows = []
    for session in range(first, first + num_sessions):
        for rank in range(1, session % 3 + 2):
            values = {name: VALUES.get(name, lambda rank: None)(rank) for name in COLUMNS}
            for name in COLUMNS:
                if values[name] is None:
                    kind = SESSIONS.field(name).type
                    values[name] = rank + 0.5 if pa.types.is_floating(kind) else f"{name}-{rank}"
            head = {"session": session, "query_id": f"q{session}", "query": [1, 2, session]}
            rows.append(head | {"reformulation": f"r{session}"} | values)
    return pa.Table.from_pylist(rows, schema=SESSIONS)


@pytest.fixture
def path(tmp_path):
    baidu_ultr.write_sessions(iter([table(40)]), tmp_path / "part-00001.gz")
    return tmp_path / "part-00001.gz"


@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
def test_every_column_survives_a_round_trip_at_any_block_size(path, block):
    found = pa.concat_tables(baidu_ultr.sessions(path, block))
    assert found.to_pylist() == table(40).to_pylist()


def test_there_are_32_columns():
    assert len(COLUMNS) == len(set(COLUMNS)) == 32


def test_uncompressed_files_read_alike(path, tmp_path):
    plain = tmp_path / "part-00001"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert pa.concat_tables(baidu_ultr.sessions(plain)).num_rows == table(40).num_rows


def lines(path):
    return gzip.decompress(path.read_bytes()).decode().split("\n")


def corrupt(path, number, change):
    text = lines(path)
    text[number - 1] = change(text[number - 1])
    path.write_bytes(gzip.compress("\n".join(text).encode()))


def test_a_line_of_another_length_is_named(path):
    corrupt(path, 4, lambda line: line + "\tmore")
    with pytest.raises(DataError, match=r"part-00001\.gz:4: expected 3 fields .* or 32"):
        list(baidu_ultr.sessions(path, 200))


def test_a_value_of_another_type_is_named(path):
    corrupt(path, 5, lambda line: "first" + line[1:])
    with pytest.raises(DataError, match=r"part-00001\.gz:5: expected position as int16.*'first'"):
        list(baidu_ultr.sessions(path))


@pytest.mark.parametrize(
    ("column", "value"),
    [("position", ""), ("position", "0"), ("position", "31"), ("click", "")],
)
def test_a_document_without_place_or_click_is_named(path, column, value):
    def change(line):
        fields = line.split("\t")
        fields[baidu_ultr.COLUMNS.index(column)] = value
        return "\t".join(fields)

    corrupt(path, 2, change)
    with pytest.raises(DataError, match=r":2: expected a position from 1 to 30, and whether"):
        list(baidu_ultr.sessions(path))


def test_a_token_that_is_no_number_is_named(path):
    corrupt(path, 2, lambda line: line.replace("5\x016", "5\x01six"))
    with pytest.raises(DataError, match=r":2: expected title as list<item: int32>"):
        list(baidu_ultr.sessions(path))


def test_documents_before_any_query_are_refused(path):
    corrupt(path, 1, lambda line: lines(path)[1])
    with pytest.raises(DataError, match=r":1: expected a query before its documents"):
        list(baidu_ultr.sessions(path))


def test_a_damaged_archive_is_refused(path):
    whole = path.read_bytes()
    for damaged in (whole[:200], whole[:100] + bytes(50) + whole[150:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot be read"):
            list(baidu_ultr.sessions(path))


def test_annotations_keep_queries_that_share_an_id_apart(tmp_path):
    path = tmp_path / "annotations.txt"
    path.write_text("7\t1\x012\t3\t4\x015\t4\t0\n7\t1\x013\t3\t\t0\t9\n")
    found = baidu_ultr.annotations(path)
    assert found["query"].to_pylist() == [[1, 2], [1, 3]]
    assert found["abstract"].to_pylist() == [[4, 5], []]
    assert found["label"].to_pylist() == [4.0, 0.0] and found["bucket"].to_pylist() == [0, 9]


def test_an_annotation_of_another_length_is_named(tmp_path):
    (tmp_path / "annotations.txt").write_text("7\t1\t3\t4\t4\t0\n7\t1\n")
    with pytest.raises(DataError, match=r"annotations\.txt:2: expected 6 tab-separated fields"):
        baidu_ultr.annotations(tmp_path / "annotations.txt")


def test_tokens_of_an_empty_text_are_none():
    assert baidu_ultr.tokens(pa.array(["", "7", "1\x012"])).to_pylist() == [[], [7], [1, 2]]


def test_blocks_are_bounded(path):
    sizes = [part.num_rows for part in baidu_ultr.sessions(path, 1000)]
    assert len(sizes) > 3 and max(sizes) < np.sum(sizes) / 2
