"""The canonical tables that every source is turned into, one Parquet file each.

``news`` may carry an ``embedding``, a fixed-size list of float32; ``attributes`` carries one
nullable string column for each sensitive attribute. Every other column is listed here.
"""

import numpy as np
import pyarrow as pa

from recsys.errors import DataError

TIME = pa.timestamp("us", "UTC")
MAX_SECONDS = 2**32
"""Latest time of a log in seconds since 1970, in the year 2106: milliseconds are beyond it."""
MAX_POSITION = 2**15 - 1
LARGEST = float(np.finfo(np.float32).max)
"""Numbers are kept and computed with in single precision."""


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


NEWS = pa.schema(
    [
        _required("news_id", pa.string()),
        _required("title", pa.string()),  # empty: a news without text
        pa.field("abstract", pa.string()),
        pa.field("category", pa.string()),
        pa.field("subcategory", pa.string()),
        pa.field("provider", pa.string()),
        pa.field("published_at", TIME),
    ]
)
IMPRESSIONS = pa.schema(
    [
        _required("slate_id", pa.int64()),
        _required("user_id", pa.string()),
        _required("time", TIME),
        _required("news_id", pa.string()),
        _required("position", pa.int16()),  # 1-based; 0 unknown
        _required("clicked", pa.bool_()),
        pa.field("propensity", pa.float32()),  # in (0, 1], as logged
        pa.field("dwell_seconds", pa.float32()),
    ]
)
HISTORIES = pa.schema(
    [
        _required("user_id", pa.string()),
        _required("time", TIME),
        _required("history", pa.list_(pa.string())),  # newest last
    ]
)
ATTRIBUTES = pa.schema([_required("user_id", pa.string())])
RATINGS = pa.schema(
    [
        _required("user_id", pa.string()),
        _required("news_id", pa.string()),
        _required("value", pa.float32()),
        pa.field("time", TIME),
        _required("randomised", pa.bool_()),  # shown by chance: the unbiased test
    ]
)
TABLES = {
    "news": NEWS,
    "impressions": IMPRESSIONS,
    "histories": HISTORIES,
    "attributes": ATTRIBUTES,
    "ratings": RATINGS,
}
ENCODED = pa.dictionary(pa.int32(), pa.string())
ENCODED_COLUMNS = {"impressions": ("user_id", "news_id")}
"""Columns that are handled as codes into their distinct values: read and checked once each."""


def conform(name: str, table: pa.Table) -> pa.Table:
    """Bring a table into the exact form in which it is checked and written.

    Columns are put in order, absent nullable ones are filled with nulls, types are cast where
    nothing is lost, and the columns of ``ENCODED_COLUMNS`` are dictionary-encoded.

    Args:
        name: A key of ``TABLES``.
        table: Columns in any order.

    Raises:
        DataError: A column is missing, unknown, of another type, or null where it must not be.
    """
    wanted = in_memory(name, canonical(name, table.schema))
    unknown = [column for column in table.column_names if column not in wanted.names]
    if unknown:
        raise DataError(
            f"{name}: unknown column {unknown[0]!r}; expected {', '.join(wanted.names)}"
        )
    return pa.table([_column(name, table, field) for field in wanted], schema=wanted)


def canonical(name: str, found: pa.Schema) -> pa.Schema:
    """Return the schema on disk of a table, given the optional columns that it has.

    Raises:
        DataError: ``embedding`` is not a list of a fixed size.
    """
    schema = TABLES[name]
    if name == "attributes":
        names = [column for column in found.names if column != "user_id"]
        return pa.schema([*schema, *(pa.field(column, pa.string()) for column in names)])
    if name == "news" and "embedding" in found.names:
        kind = found.field("embedding").type
        if not pa.types.is_fixed_size_list(kind):
            raise DataError(f"news: embedding: expected a fixed-size list of float32, found {kind}")
        return schema.append(pa.field("embedding", pa.list_(pa.float32(), kind.list_size)))
    return schema


def in_memory(name: str, schema: pa.Schema) -> pa.Schema:
    """Return a canonical schema with the columns of ``ENCODED_COLUMNS`` dictionary-encoded."""
    for column in ENCODED_COLUMNS.get(name, ()):
        index = schema.get_field_index(column)
        schema = schema.set(index, schema.field(index).with_type(ENCODED))
    return schema


def _column(name: str, table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        if not field.nullable:
            raise DataError(f"{name}: column {field.name!r} is missing; expected {field.type}")
        return pa.nulls(table.num_rows, field.type)
    column = table[field.name]
    if not field.nullable and column.null_count:
        raise DataError(f"{name}: {field.name}: {column.null_count} values are null")
    if column.type == field.type:
        return column
    if pa.types.is_timestamp(field.type) and getattr(column.type, "tz", None) is None:
        raise DataError(f"{name}: {field.name}: expected times in UTC, found {column.type}")
    try:
        return _cast(column, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{name}: {field.name}: expected {field.type}: {error}") from None


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kind == ENCODED and not pa.types.is_dictionary(column.type):
        return column.cast(pa.string()).dictionary_encode()
    return column.cast(kind)
