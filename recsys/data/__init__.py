"""Logs in any format, as canonical tables; arrow and pandas only, no torch."""
