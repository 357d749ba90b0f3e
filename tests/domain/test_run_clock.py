"""The run's wall clock: the least delayed fragment counts, drift is followed, no slew is more than 500 ppm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.run_clock import LARGEST_SLEW_PPB, RunClock

SECOND_US = 1_000_000
TEN_MINUTES_US = 600 * SECOND_US
NOON_US = 1_795_348_800 * SECOND_US


def clock_of(*recordings: list[tuple[int, int]]) -> RunClock:
    """A clock that saw (media second, delay in microseconds), by recording."""
    clock = RunClock()
    for sightings in recordings:
        for media_s, delay_us in sightings:
            clock.observe(media_s * SECOND_US, NOON_US + media_s * SECOND_US + delay_us)
        clock.roll()
    return clock


def test_nothing_is_known_at_first() -> None:
    clock = RunClock()
    assert (clock.offset_us, clock.drift_ppb) == (None, 0)
    clock.roll()
    assert (clock.offset_us, clock.slew_ppb(0, NOON_US, TEN_MINUTES_US)) == (None, 0)


def test_the_least_delayed_fragment_counts() -> None:
    clock = RunClock()
    for media_s, delay_us in [(1, 90_000), (2, 5_000), (3, 70_000)]:
        clock.observe(media_s * SECOND_US, NOON_US + media_s * SECOND_US + delay_us)
    assert clock.offset_us == NOON_US + 5_000


def test_a_finished_recording_counts_until_the_next_is_finished() -> None:
    clock = clock_of([(1, 5_000)])
    clock.observe(700 * SECOND_US, NOON_US + 700 * SECOND_US)
    assert clock.offset_us == NOON_US + 5_000
    clock.roll()
    assert clock.offset_us == NOON_US
    clock.roll()
    assert clock.offset_us == NOON_US, "a recording that nobody saw grow says nothing"


@pytest.mark.parametrize(
    ("recordings", "drift_ppb"),
    [
        pytest.param([[(600, 0)], [(1200, 60_000)]], 100_000, id="a slow camera"),
        pytest.param([[(600, 60_000)], [(1200, 0)]], -100_000, id="a fast camera"),
        pytest.param([[(15, 0)], [(30, 5_000)]], 0, id="too close together to tell drift from delay"),
        pytest.param([[(599, 0)], [(601, 30_000)]], 0, id="seconds apart although of two recordings"),
        pytest.param([[(600, 0)], [(1200, SECOND_US)]], LARGEST_SLEW_PPB, id="more than any camera drifts"),
    ],
)
def test_drift(recordings: list[list[tuple[int, int]]], drift_ppb: int) -> None:
    assert clock_of(*recordings).drift_ppb == drift_ppb


@pytest.mark.parametrize(
    ("off_us", "before_us", "slew_ppb"),
    [
        (0, TEN_MINUTES_US, 0),
        (6_000, TEN_MINUTES_US, -10_000),
        (-6_000, TEN_MINUTES_US, 10_000),
        (6_000, 2 * SECOND_US, -10_000),
        (36_000, 6 * TEN_MINUTES_US, -10_000),
        (10 * SECOND_US, TEN_MINUTES_US, -LARGEST_SLEW_PPB),
        (-10 * SECOND_US, TEN_MINUTES_US, LARGEST_SLEW_PPB),
    ],
)
def test_what_is_off_is_made_up_for(off_us: int, before_us: int, slew_ppb: int) -> None:
    clock = clock_of([(600, 0)])
    assert clock.slew_ppb(TEN_MINUTES_US, NOON_US + TEN_MINUTES_US + off_us, before_us) == slew_ppb


def test_drift_since_the_last_sighting_is_reckoned_in() -> None:
    clock = clock_of([(0, 0)], [(600, 60_000)])  # a slow camera shows its least delay when a recording begins
    here_us = NOON_US + 2 * TEN_MINUTES_US + 120_000
    assert clock.slew_ppb(2 * TEN_MINUTES_US, here_us, TEN_MINUTES_US) == 100_000


_sightings = st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**9), 10**9)), max_size=4)


@given(st.lists(_sightings, max_size=12), st.integers(0, 10**12), st.integers(0, 2**52), st.integers(0, 2**40))
def test_no_slew_is_ever_larger_than_allowed(
    recordings: list[list[tuple[int, int]]], media_us: int, wall_us: int, before_us: int
) -> None:
    assert abs(clock_of(*recordings).slew_ppb(media_us, wall_us, before_us)) <= LARGEST_SLEW_PPB
