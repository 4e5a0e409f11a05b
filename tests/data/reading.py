"""Read a source in full: its tables by name, as a dataset would hold them."""

import pyarrow as pa

from recsys.data.raw import RawFolder
from recsys.data.schema import conform


def tables(read, folder, *, skip=False):
    """Return name to table (in memory) and what was left out."""
    raw = RawFolder(folder, skip_bad_rows=skip)
    parts = {}
    for name, table in read(raw):
        parts.setdefault(name, []).append(conform(name, table))
    whole = {name: pa.concat_tables(found).to_pandas() for name, found in parts.items()}
    return whole, raw.bad_rows.counts()
