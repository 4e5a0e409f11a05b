"""One module a raw format, which knows its publisher's layout: ``read(raw) -> tables``.

``read`` yields ``(name, table)`` pairs, name being a key of `recsys.data.schema.TABLES`, in
whatever order the raw files come. It knows nothing of where the tables go.
"""
