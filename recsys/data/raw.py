"""A folder of raw files, read in blocks of bounded size; bad rows are known by file and line."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from recsys.data.bad_rows import BadRows
from recsys.data.parquet import reading
from recsys.data.rows import Rows
from recsys.errors import DataError

BLOCK_BYTES = 8 << 20
BATCH_ROWS = 1 << 15
"""Rows of a Parquet file read at a time."""

Parse = Callable[[bytes], pa.Table]
"""Reads whole lines as one row each; ArrowInvalid or UnicodeError where it cannot."""


class RawFolder:
    """Where a publisher's files lie, how far they were read, and which rows were bad.

    Args:
        path: The folder.
        skip_bad_rows: Leave bad rows out and count them; otherwise the first one is an error.
        block_bytes: How much text is held at a time.

    Raises:
        DataError: There is no such folder.
    """

    def __init__(
        self, path: Path, *, skip_bad_rows: bool = False, block_bytes: int = BLOCK_BYTES
    ) -> None:
        if not path.is_dir():
            raise DataError.at(path, "expected a folder of raw files")
        self.path = path
        self.bad_rows = BadRows(skip=skip_bad_rows)
        self.total_bytes = 0
        """Size of the files opened so far."""
        self.read_bytes = 0
        self._block_bytes = block_bytes

    def has(self, name: str) -> bool:
        """Say whether an optional file is there."""
        return (self.path / name).is_file()

    def file(self, name: str) -> Path:
        """Return the path of a file that must be there.

        Raises:
            DataError: It is not.
        """
        if not self.has(name):
            raise DataError.at(self.path / name, "the file is missing")
        return self.path / name

    def names(self) -> list[str]:
        """List the files that are there, hidden ones aside, in order."""
        paths = (path for path in self.path.iterdir() if path.is_file())
        return sorted(path.name for path in paths if not path.name.startswith("."))

    def encoding(self, name: str) -> str:
        """Tell UTF-8 from latin-1 by reading a small file whole; latin-1 admits every byte."""
        try:
            self.file(name).read_bytes().decode()
        except UnicodeDecodeError:
            return "latin-1"
        return "utf-8"

    def delimited(
        self, name: str, columns: Sequence[str], delimiter: str, *, encoding: str = "utf-8"
    ) -> Iterator[Rows]:
        """Read a text file without header or quotes; every column comes as text.

        Args:
            name: The file.
            columns: What its fields are called; a line with more or fewer is bad.
            delimiter: What stands between two fields, in ASCII.
            encoding: A line that does not decode is bad.
        """
        parse = _delimited_parser(columns, delimiter, encoding)
        expected = f"{len(columns)} fields ({', '.join(columns)}) separated by {delimiter!r}"
        return self._rows(name, parse, expected, encoding)

    def json_lines(self, name: str, schema: pa.Schema) -> Iterator[Rows]:
        """Read one JSON object a line; fields that ``schema`` does not name are ignored."""
        kinds = ", ".join(f"{field.name} ({field.type})" for field in schema)
        return self._rows(name, _json_parser(schema), f"a JSON object with {kinds}", "utf-8")

    def parquet(self, name: str, columns: Sequence[str]) -> Iterator[Rows]:
        """Read some columns of a Parquet file; `Rows.lines` count its rows.

        Raises:
            DataError: It is no Parquet file, is damaged or lacks a column.
        """
        path = self._open(name)
        with reading(path), pq.ParquetFile(path) as file:
            missing = [column for column in columns if column not in file.schema_arrow.names]
            if missing:
                raise DataError.at(path, f"column {missing[0]!r} is missing")
            size, first = path.stat().st_size, 1
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                table, lines = pa.table(batch), np.arange(first, first + len(batch))
                yield Rows(path, table.select(list(columns)), lines, self.bad_rows)
                first += len(batch)
                self.read_bytes += size * len(batch) // file.metadata.num_rows

    def _rows(self, name: str, parse: Parse, expected: str, encoding: str) -> Iterator[Rows]:
        path = self._open(name)
        first = 1
        with path.open("rb") as file:
            for block in _blocks(file, self._block_bytes):
                lines = np.arange(first, first + block.count(b"\n"))
                table, bad = _parsed(block, len(lines), parse)
                for index, text in bad.items():
                    self._reject(path, first + index, text, expected, encoding)
                good = np.delete(lines, list(bad))
                first += len(lines)
                self.read_bytes += len(block)
                if table is not None:
                    yield Rows(path, table, good, self.bad_rows)

    def _open(self, name: str) -> Path:
        path = self.file(name)
        self.total_bytes += path.stat().st_size
        return path

    def _reject(self, path: Path, line: int, text: bytes, expected: str, encoding: str) -> None:
        try:
            found = text.decode(encoding)
        except UnicodeDecodeError as error:
            expected, found = f"{encoding} text", f"byte {text[error.start]:#04x} in {text!r}"
        self.bad_rows.reject(path, [line], expected, [found])


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Cut a file into blocks of whole lines, each ending with a newline."""
    while block := file.read(size):
        block += file.readline()
        yield block if block.endswith(b"\n") else block + b"\n"


def _parsed(block: bytes, num_lines: int, parse: Parse) -> tuple[pa.Table | None, dict[int, bytes]]:
    """Parse whole lines; where that fails, halve them until the bad ones stand alone.

    Returns:
        The good rows, if there are any, and the bad lines by their place in the block.
    """
    try:
        table = parse(block)
        if table.num_rows == num_lines:
            return table, {}
    except (pa.ArrowInvalid, UnicodeError):
        pass  # some line is bad: find out which
    if num_lines == 1:
        return None, {0: block.rstrip(b"\r\n")}
    lines = [line + b"\n" for line in block.split(b"\n")[:-1]]
    half = num_lines // 2
    left, bad = _parsed(b"".join(lines[:half]), half, parse)
    right, more = _parsed(b"".join(lines[half:]), num_lines - half, parse)
    bad |= {half + index: text for index, text in more.items()}
    tables = [table for table in (left, right) if table is not None]
    return (pa.concat_tables(tables) if tables else None), bad


def _delimited_parser(columns: Sequence[str], delimiter: str, encoding: str) -> Parse:
    # Arrow wants one character between fields: a longer delimiter becomes a control character
    # that no text has.
    mark = delimiter if len(delimiter) == 1 else "\x1f"
    parsing = pyarrow.csv.ParseOptions(delimiter=mark, quote_char=False, double_quote=False)
    text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()))

    def parse(block: bytes) -> pa.Table:
        if encoding != "utf-8":
            block = block.decode(encoding).encode()
        if mark != delimiter:
            block = block.replace(delimiter.encode(), mark.encode())
        reading = pyarrow.csv.ReadOptions(
            column_names=list(columns), use_threads=False, block_size=len(block) + 1
        )
        return pyarrow.csv.read_csv(pa.BufferReader(block), reading, parsing, text)

    return parse


def _json_parser(schema: pa.Schema) -> Parse:
    parsing = pyarrow.json.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="ignore", newlines_in_values=False
    )

    def parse(block: bytes) -> pa.Table:
        block.decode()  # Arrow's JSON reader would let other bytes through
        reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
        return pyarrow.json.read_json(pa.BufferReader(block), reading, parsing)

    return parse
