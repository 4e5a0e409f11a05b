import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.raw import RawFolder
from recsys.errors import DataError

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t\x00"), max_size=6)


LINES = [b"1\t2", b"3\t4", b"1", b"1\t2\t3", b"", b"\r", b"\xff\t2"]
GOOD = LINES[:2]


def read(folder, name="f", *, skip=False, delimiter="\t", **options):
    raw = RawFolder(folder, skip_bad_rows=skip, block_bytes=16)
    blocks = list(raw.delimited(name, ("a", "b"), delimiter, **options))
    rows = [tuple(row.values()) for block in blocks for row in block.table.to_pylist()]
    return rows, [line for block in blocks for line in block.lines.tolist()], raw.bad_rows.counts()


@settings(max_examples=60)
@given(st.lists(st.tuples(FIELD, FIELD), max_size=12), st.booleans())
def test_what_was_written_is_read(tmp_path_factory, rows, newline_at_end):
    folder = tmp_path_factory.mktemp("raw")
    text = "\n".join("\t".join(row) for row in rows) + ("\n" if newline_at_end and rows else "")
    (folder / "f").write_bytes(text.encode())
    found, lines, _ = read(folder)
    assert found == rows
    assert lines == list(range(1, len(rows) + 1))


@settings(max_examples=60)
@given(st.lists(st.sampled_from(LINES)))
def test_bad_lines_are_left_out_one_by_one(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("raw")
    (folder / "f").write_bytes(b"".join(line + b"\n" for line in lines))
    good = [place for place, line in enumerate(lines, 1) if line in GOOD]
    rows, found, counts = read(folder, skip=True)
    assert found == good
    assert rows == [tuple(lines[place - 1].decode().split("\t")) for place in good]
    assert sum(counts.values()) == len(lines) - len(good)


def test_a_wrong_number_of_fields_is_named_with_its_line(tmp_path):
    (tmp_path / "f").write_text("1\t2\n1\t2\t3\n")
    with pytest.raises(DataError, match=r"f:2: expected 2 fields \(a, b\) separated by '\\t'"):
        read(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "f").write_bytes(b"1\t2\n1\t\xe9t\xe9\n")
    with pytest.raises(DataError, match=r"f:2: expected utf-8 text, found .byte 0xe9"):
        read(tmp_path)


def test_latin_1_is_read_as_such(tmp_path):
    (tmp_path / "f").write_bytes(b"1|\xc9t\xe9\n")
    rows, _, _ = read(tmp_path, delimiter="|", encoding=RawFolder(tmp_path).encoding("f"))
    assert rows == [("1", "Été")]


def test_quotes_are_text(tmp_path):
    (tmp_path / "f").write_text('"1\t2"\n')
    assert read(tmp_path)[0] == [('"1', '2"')]


def test_a_longer_delimiter_and_windows_line_ends(tmp_path):
    (tmp_path / "f").write_bytes(b"1::x:y\r\n2::z\r\n")
    assert read(tmp_path, delimiter="::")[0] == [("1", "x:y"), ("2", "z")]


def test_a_line_longer_than_a_block_is_whole(tmp_path):
    (tmp_path / "f").write_text("1\t" + "x" * 100 + "\n2\ty\n")
    assert read(tmp_path)[0] == [("1", "x" * 100), ("2", "y")]


def test_json_lines_give_what_is_asked_for(tmp_path):
    (tmp_path / "f").write_text('{"n": 1, "other": []}\n{"t": "ø"}\n')
    schema = pa.schema([("n", pa.int64()), ("t", pa.string())])
    [rows] = RawFolder(tmp_path).json_lines("f", schema)
    assert rows.table.to_pylist() == [{"n": 1, "t": None}, {"n": None, "t": "ø"}]


@pytest.mark.parametrize("line", [b"{", b'{"n": "1"}', b"[1]", b"", b'{"t": "\xff"}'])
def test_a_line_that_is_not_the_json_expected_is_named(tmp_path, line):
    (tmp_path / "f").write_bytes(b'{"n": 1}\n' + line + b"\n")
    schema = pa.schema([("n", pa.int64()), ("t", pa.string())])
    with pytest.raises(DataError, match="f:2: expected"):
        list(RawFolder(tmp_path).json_lines("f", schema))


def test_progress_counts_every_byte(tmp_path):
    (tmp_path / "f").write_text("1\t2\n" * 100)
    raw = RawFolder(tmp_path, block_bytes=16)
    list(raw.delimited("f", ("a", "b"), "\t"))
    assert raw.read_bytes == raw.total_bytes == 400


def test_parquet_gives_the_columns_asked_for(tmp_path):
    pq.write_table(pa.table({"b": [1, 2], "a": ["x", "y"]}), tmp_path / "f")
    [rows] = RawFolder(tmp_path).parquet("f", ("a",))
    assert rows.table.to_pydict() == {"a": ["x", "y"]}
    assert rows.lines.tolist() == [1, 2]


def test_parquet_that_is_none_or_lacks_a_column_is_refused(tmp_path):
    (tmp_path / "f").write_text("text")
    with pytest.raises(DataError, match="f: expected a Parquet file"):
        list(RawFolder(tmp_path).parquet("f", ("a",)))
    pq.write_table(pa.table({"b": [1]}), tmp_path / "f")
    with pytest.raises(DataError, match="f: column 'a' is missing"):
        list(RawFolder(tmp_path).parquet("f", ("a",)))


def test_missing_folder_and_file_are_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: expected a folder"):
        RawFolder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"u.data: the file is missing"):
        RawFolder(tmp_path).file("u.data")
