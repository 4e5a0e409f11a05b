"""The Python client of the ranking service; needs grpcio only."""
