"""Recommenders for data that has only ratings: one factorisation, one loop, many objectives."""
