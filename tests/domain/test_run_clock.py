"""The run's wall clock: the least delayed fragment counts, drift is followed, no slew is more than 500 ppm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.camera_notes import ClockFacts
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


PART_US = 500_000


def watched(
    arrivals: list[tuple[int, int]], *, told: tuple[int, int, int] | None = (0, NOON_US, 0)
) -> tuple[RunClock, ClockFacts | None]:
    """A clock that saw (media end, arrival) in microseconds since noon, and what it says of itself."""
    clock = RunClock()
    for media_us, arrival_us in arrivals:
        clock.observe(media_us, NOON_US + arrival_us)
    if told is not None:
        clock.place(*told)
    return clock, clock.facts()


def paced(count: int, *, delays_us: list[int], first_us: int = 0) -> list[tuple[int, int]]:
    """Fragments in real time, each with the next of the delays."""
    ends = [first_us + PART_US * (index + 1) for index in range(count)]
    return [(end, end + delays_us[index % len(delays_us)]) for index, end in enumerate(ends)]


def burst(media_us: int, *, at_us: int, first_us: int = 0) -> list[tuple[int, int]]:
    """Fragments that all come at once."""
    return [(end, at_us) for end in range(first_us + PART_US, first_us + media_us + 1, PART_US)]


SLOW_CAMERA = [(PART_US * n, PART_US * n + 100 * PART_US * n // SECOND_US) for n in range(1, 1200)]


@pytest.mark.parametrize(
    ("arrivals", "offset_us", "is_settled"),
    [
        pytest.param(paced(1, delays_us=[5_000]), 5_000, False, id="a single fragment shows no pace"),
        pytest.param(paced(4, delays_us=[5_000]), 5_000, True, id="in real time"),
        pytest.param(burst(6 * SECOND_US, at_us=6_900_000), 900_000, False, id="a burst is all that came"),
        pytest.param(
            [*burst(6 * SECOND_US, at_us=6_900_000), *paced(3, delays_us=[20_000, 9_000], first_us=6 * SECOND_US)],
            9_000,
            True,
            id="the last group of pictures again, then real time",
        ),
        pytest.param(
            [*paced(8, delays_us=[7_000]), *burst(9 * SECOND_US, at_us=13_100_000, first_us=4 * SECOND_US)],
            7_000,
            True,
            id="a network that stalled for nine seconds, and its burst",
        ),
        pytest.param(
            [*paced(8, delays_us=[7_000]), *paced(8, delays_us=[9_007_000], first_us=4 * SECOND_US)],
            7_000,
            True,
            id="a network that is nine seconds late for good",
        ),
        pytest.param(
            [(40_000 * n, 40_000 * n + 30_000 * (n % 3)) for n in range(1, 40)], 0, True, id="a fragment per picture"
        ),
        pytest.param(
            [(40_000 * n, 1_560_000 + 8_000 * n) for n in range(1, 40)],
            1_560_000 - 32_000 * 39,
            False,
            id="a burst of fragments of one picture, read one by one",
        ),
    ],
)
def test_the_least_delayed_counts_whatever_came_before(
    arrivals: list[tuple[int, int]], offset_us: int, is_settled: bool
) -> None:
    clock, _ = watched(arrivals)
    assert (clock.offset_us, clock.is_settled) == (NOON_US + offset_us, is_settled)


@pytest.mark.parametrize(
    ("arrivals", "told", "error_us"),
    [
        pytest.param(paced(200, delays_us=[0]), (0, NOON_US, 0), 0, id="as told"),
        pytest.param(paced(200, delays_us=[2_000, 14_000, 9_000]), (0, NOON_US, 0), 9_000, id="what is usual"),
        pytest.param(paced(200, delays_us=[0]), (0, NOON_US + 40_000, 0), 40_000, id="told too late"),
        pytest.param(paced(200, delays_us=[0]), (0, NOON_US - 40_000, 0), 40_000, id="told too early"),
        pytest.param(
            paced(7200, delays_us=[0]),
            (0, NOON_US + 3600 * SECOND_US, 0),
            3600 * SECOND_US,
            id="the clock was set back",
        ),
        pytest.param(
            paced(7200, delays_us=[0]),
            (0, NOON_US + 3600 * SECOND_US, -LARGEST_SLEW_PPB),
            3600 * SECOND_US - 1_800_000 + 74_500,
            id="and is slewed for an hour",
        ),
        pytest.param(SLOW_CAMERA, (0, NOON_US, 0), 59_950 + 3_050, id="a slow camera that is not followed"),
        pytest.param(SLOW_CAMERA, (0, NOON_US, 100_000), 0, id="one that is"),
        pytest.param(
            [*paced(400, delays_us=[0]), *burst(9 * SECOND_US, at_us=209_000_000, first_us=200 * SECOND_US)],
            (0, NOON_US, 0),
            0,
            id="a burst after a stall is not usual",
        ),
        pytest.param(
            [*burst(30 * SECOND_US, at_us=30_000_000), *paced(2, delays_us=[4_000], first_us=30 * SECOND_US)],
            (0, NOON_US + 4_000, 0),
            0,
            id="nor is the burst at the beginning",
        ),
        pytest.param(
            [*paced(400, delays_us=[0]), *paced(400, delays_us=[9 * SECOND_US], first_us=200 * SECOND_US)],
            (0, NOON_US, 0),
            9 * SECOND_US,
            id="late for good: nobody can tell that from a clock that was set back",
        ),
    ],
)
def test_the_error_bound(arrivals: list[tuple[int, int]], told: tuple[int, int, int], error_us: int) -> None:
    _, facts = watched(arrivals, told=told)
    assert facts is not None
    assert facts.error_us == pytest.approx(error_us, abs=100)


def test_no_facts_before_there_are_any() -> None:
    assert RunClock().facts() is None
    assert watched(paced(9, delays_us=[0]), told=None)[1] is None
    assert watched([])[1] is None


def test_facts_tell_the_drift() -> None:
    clock = clock_of([(600, 0)], [(1200, 60_000)])
    clock.place(1200 * SECOND_US, NOON_US + 1200 * SECOND_US + 60_000, 100_000)
    facts = clock.facts()
    assert facts is not None
    assert facts.drift_ppb == 100_000


@given(
    st.lists(st.integers(0, 3_000_000), min_size=2, max_size=200),
    st.integers(0, 10 * SECOND_US),
    st.integers(-LARGEST_SLEW_PPB, LARGEST_SLEW_PPB),
)
def test_what_is_told_is_off_by_no_more_than_the_bound_when_the_newest_fragment_was_not_delayed(
    delays_us: list[int], off_us: int, slew_ppb: int
) -> None:
    """Media time 0 is noon, exactly."""
    arrivals = paced(len(delays_us), delays_us=delays_us)
    arrivals[-1] = (arrivals[-1][0], arrivals[-1][0])
    _, facts = watched(arrivals, told=(0, NOON_US + off_us, slew_ppb))
    newest_us = arrivals[-1][0]
    assert facts is not None
    assert facts.error_us >= abs(off_us + slew_ppb * newest_us // 10**9)
