"""Chaos: faults of every kind over a running set of cameras. `make chaos`, or `python -m tests.chaos`."""
