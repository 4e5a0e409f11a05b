"""Measures of ranking and of policy value: pure functions of arrays."""
