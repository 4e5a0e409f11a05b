"""The `recsys` command: one module a verb, wired from the library."""
