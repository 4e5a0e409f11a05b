"""One module a raw format, which knows its publisher's layout: ``read(raw, writer)``."""
