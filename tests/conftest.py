"""What every test has: hypothesis without a stopwatch, and a clock that is moved by hand.

Examples are never judged by how long they took (this machine may be busy). In CI they are the same in every run, so
that a red build is a change's fault; at a desk they are new each time, which is how they find something.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.manual_clock import ManualClock

settings.register_profile("hlscam", deadline=None)
settings.register_profile("hlscam-ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("hlscam-ci" if os.environ.get("CI") else "hlscam")


@pytest.fixture
def clock() -> ManualClock:
    """Time, standing still at 2026-11-22T12:00:00Z until the test moves it."""
    return ManualClock()
