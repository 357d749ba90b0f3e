"""Instruments that a user runs: `hlscam bench`. They measure and tell."""
