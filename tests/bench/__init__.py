"""Benchmarks: they measure and print, and assert nothing. `make bench`, or `python -m tests.bench NAME...`."""
