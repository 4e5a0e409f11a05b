r"""Baidu-ULTR (Zou et al., 2022, arXiv:2207.03051): sessions and expert annotations.

Sessions are gzipped text. A line of three tab-separated fields opens a query (id, query,
reformulation), lines of 32 fields are its documents as shown; text is token ids joined by
``\x01``. Annotations are lines of query id, query, title, abstract, label 0 to 4 and frequency
bucket 0 to 9. 8 % of queries share an id, so :func:`annotations` keys on the query's text.
Formats: https://github.com/ChuXiaokai/baidu_ultr_dataset

Token ids are kept as published; a BERT vocabulary that puts ``[CLS] [SEP] [PAD] [MASK]`` first
adds :data:`TOKEN_OFFSET` to each.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from recsys.errors import DataError

TOKEN_OFFSET = 10
LAST_POSITION = 30
"""As published: positions are 1 to 30."""
BLOCK_BYTES = 1 << 25
JOINT = "\x01"
TEXT = {"title", "abstract"}
_FIELDS = """
    position url_md5 title abstract multimedia_type click unknown_6 unknown_7 skip serp_height
    displayed_time displayed_time_middle first_click displayed_count serp_max_show_height
    slipoff_count_after_click dwelling_time displayed_time_top serp_to_top displayed_count_top
    displayed_count_bottom slipoff_count unknown_22 final_click displayed_time_bottom
    click_count displayed_count_2 unknown_27 last_click reverse_display_count
    displayed_count_middle unknown_31
"""
COLUMNS = tuple(_FIELDS.split())
"""A document line's fields, in order; the publisher does not say what the unknown ones are."""

_TOKENS = pa.list_(pa.int32())
_KINDS = dict.fromkeys(COLUMNS, pa.string()) | {
    "position": pa.int16(),
    "click": pa.int16(),
    "skip": pa.int16(),
    "serp_height": pa.float32(),
    "displayed_time": pa.float32(),
    "displayed_time_middle": pa.float32(),
    "dwelling_time": pa.float32(),
    "displayed_time_top": pa.float32(),
    "displayed_time_bottom": pa.float32(),
}
SESSIONS = pa.schema(
    [
        ("session", pa.int64()),
        ("query_id", pa.string()),
        ("query", _TOKENS),
        ("reformulation", pa.string()),
        *((name, _TOKENS if name in TEXT else _KINDS[name]) for name in COLUMNS),
    ]
)
"""One row a document shown; ``session`` counts the query lines of the file from 0."""
ANNOTATIONS = pa.schema(
    [
        ("query_id", pa.string()),
        ("query", _TOKENS),
        ("title", _TOKENS),
        ("abstract", _TOKENS),
        ("label", pa.float32()),
        ("bucket", pa.int16()),
    ]
)


def sessions(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
    """Stream a session file as tables of :data:`SESSIONS`, in memory bounded by the block.

    Args:
        path: ``part-*.gz``, or the same uncompressed.
        block_bytes: Text parsed at a time.

    Raises:
        DataError: The file cannot be read or a line breaks the format; the message has its number.
    """
    line, session = 0, -1
    query = None
    for lines in _blocks(path, block_bytes):
        table, session, query = _parse(path, lines, line, session, query)
        line += len(lines)
        if table.num_rows:
            yield table


def annotations(path: Path) -> pa.Table:
    """Read expert annotations as a table of :data:`ANNOTATIONS`.

    Raises:
        DataError: The file cannot be read, or a line does not have its six fields.
    """
    rows: list[bytes] = [line for block in _blocks(path, BLOCK_BYTES) for line in block]
    wrong = next((i for i, row in enumerate(rows) if row.count(b"\t") != 5), None)
    if wrong is not None:
        raise _bad(path, rows[wrong], wrong + 1, "6 tab-separated fields")
    table = _typed(path, rows, np.arange(len(rows)), list(ANNOTATIONS.names), ANNOTATIONS)
    return table.cast(ANNOTATIONS)


def write_sessions(tables: Iterator[pa.Table], path: Path) -> None:
    """Write tables of :data:`SESSIONS` in Baidu's own format, for tests and for generated logs."""
    previous = None
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        for table in tables:
            for row in table.to_pylist():
                if row["session"] != previous:
                    previous = row["session"]
                    file.write(
                        f"{row['query_id']}\t{_text(row['query'])}\t{row['reformulation']}\n"
                    )
                file.write("\t".join(_text(row[name]) for name in COLUMNS) + "\n")


def _blocks(path: Path, size: int) -> Iterator[list[bytes]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            rest = b""
            while block := file.read(size):
                *lines, rest = (rest + block).split(b"\n")
                yield lines
            if rest:
                yield [rest]
    except (OSError, EOFError, zlib.error) as error:
        raise DataError.at(path, f"cannot be read: {error}") from None


def _parse(
    path: Path, lines: list[bytes], line: int, session: int, query: bytes | None
) -> tuple[pa.Table, int, bytes | None]:
    """Parse a block: document lines as one CSV, query lines beside it."""
    tabs = np.array([text.count(b"\t") for text in lines])
    opens, shown = tabs == 2, tabs == len(COLUMNS) - 1
    wrong = np.flatnonzero(~(opens | shown))
    if len(wrong):
        at = int(wrong[0])
        raise _bad(path, lines[at], line + at + 1, "3 fields (a query) or 32 (a document)")
    heads = ([] if query is None else [query]) + [lines[i] for i in np.flatnonzero(opens)]
    rows = np.flatnonzero(shown)
    owner = np.cumsum(opens)[rows] - (query is None)
    if len(owner) and owner[0] < 0:
        raise _bad(path, lines[rows[0]], line + int(rows[0]) + 1, "a query before its documents")
    documents = _typed(path, [lines[i] for i in rows], line + rows, list(COLUMNS), SESSIONS)
    position, click = documents["position"], documents["click"]
    inside = pc.and_(pc.greater_equal(position, 1), pc.less_equal(position, LAST_POSITION))
    placed = pc.and_(inside, click.is_valid())
    wrong = np.flatnonzero(~np.asarray(pc.fill_null(placed, False), dtype=bool))
    if len(wrong):
        at = int(rows[wrong[0]])
        expected = f"a position from 1 to {LAST_POSITION}, and whether it was clicked"
        raise _bad(path, lines[at], line + at + 1, expected)
    fields = [head.decode(errors="replace").split("\t") for head in heads] or [["", "", ""]]
    ids, texts, others = (pa.array(column) for column in zip(*fields, strict=True))
    take = pa.array(owner)
    first = session + (query is None)
    before = {
        "session": pa.array(owner + first, pa.int64()),
        "query_id": ids.take(take),
        "query": tokens(texts).take(take),
        "reformulation": others.take(take),
    }
    table = pa.table({**before, **{name: documents[name] for name in COLUMNS}}, schema=SESSIONS)
    return table, session + int(opens.sum()), heads[-1] if heads else None


def tokens(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    r"""Token ids of texts such as ``"12\x0134"``; an empty text has none.

    Raises:
        pyarrow.ArrowInvalid: Something between the separators is no number.
    """
    split = pc.split_pattern(texts, JOINT)
    empty = pa.scalar([], pa.list_(pa.string()))
    return pc.if_else(pc.equal(texts, ""), empty, split).cast(_TOKENS)


def _typed(
    path: Path, lines: list[bytes], numbers: np.ndarray, names: list[str], schema: pa.Schema
) -> pa.Table:
    if not lines:
        return pa.table({name: pa.array([], schema.field(name).type) for name in names})
    plain = {
        name: pa.string() if schema.field(name).type == _TOKENS else schema.field(name).type
        for name in names
    }
    try:
        table = csv.read_csv(
            pa.BufferReader(b"\n".join(lines)),
            read_options=csv.ReadOptions(column_names=names, block_size=1 << 26),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(column_types=plain, null_values=[""]),
        )
        for index, name in enumerate(names):
            if schema.field(name).type == _TOKENS:
                table = table.set_column(index, name, tokens(table[name]))
        return table
    except pa.ArrowInvalid as error:
        raise _first_bad(path, lines, numbers, plain, error) from None


def _first_bad(
    path: Path,
    lines: list[bytes],
    numbers: np.ndarray,
    kinds: dict[str, pa.DataType],
    error: pa.ArrowInvalid,
) -> DataError:
    """Find the field that broke a block: cast column by column, value by value."""
    for line, number in zip(lines, numbers, strict=True):
        for (name, kind), value in zip(kinds.items(), line.decode().split("\t"), strict=True):
            wanted = _TOKENS if name in {*TEXT, "query"} else kind
            try:
                _cast_one(value, wanted)
            except pa.ArrowInvalid:
                return _bad(path, value.encode(), int(number) + 1, f"{name} as {wanted}")
    return DataError.at(path, str(error))


def _cast_one(value: str, kind: pa.DataType) -> None:
    text = pa.array([value or None], pa.string())
    if kind == _TOKENS:
        tokens(text)
    else:
        text.cast(kind)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return JOINT.join(map(str, value))
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _bad(path: Path, found: bytes, number: int, expected: str) -> DataError:
    shown = found.decode(errors="replace")[:60]
    return DataError.at(path, f"expected {expected}, found {shown!r}", line=number)
