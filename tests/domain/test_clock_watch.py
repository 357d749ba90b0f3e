"""Clocks that cannot be gone by are seen at once, and no honest one is ever taken for one of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.clock_watch import LARGEST_STEP_US, ClockFault, HostClockWatch, MediaClockWatch
from tests.manual_clock import NOON_WALL_US

SECOND_US = 1_000_000
DAY_S = 86_400


def stepped(readings: Iterable[tuple[int, float]]) -> tuple[list[int], int | None]:
    """At which readings (wall microseconds since noon, monotonic seconds) a step was told, and how far it was."""
    watch = HostClockWatch()
    told = [
        number for number, (wall_us, mono_s) in enumerate(readings) if watch.observe(NOON_WALL_US + wall_us, mono_s)
    ]
    return told, watch.step_us


def seconds(count: int, *, slew_ppm: float = 0, jitter_us: int = 0) -> list[tuple[int, float]]:
    """A reading per second of a clock that NTP slews; the two clocks are read a little apart."""
    return [
        (number * SECOND_US + round(number * slew_ppm) + jitter_us * (number % 7), 5000.0 + number)
        for number in range(count)
    ]


def set_by(readings: list[tuple[int, float]], at: int, by_us: int) -> list[tuple[int, float]]:
    """The wall clock is set before reading `at`."""
    return [(wall_us + by_us * (index >= at), mono_s) for index, (wall_us, mono_s) in enumerate(readings)]


@pytest.mark.parametrize(
    "readings",
    [
        pytest.param(seconds(1), id="a single reading"),
        pytest.param(seconds(600), id="as it should be"),
        pytest.param(seconds(600, jitter_us=90_000), id="read a little apart"),
        pytest.param(seconds(DAY_S, slew_ppm=500), id="slewed forward for a day: 43 s"),
        pytest.param(seconds(DAY_S, slew_ppm=-500), id="slewed back for a day"),
        pytest.param(set_by(seconds(600), 60, LARGEST_STEP_US), id="set by two seconds"),
        pytest.param(set_by(seconds(600), 60, -LARGEST_STEP_US), id="set back by two seconds"),
        pytest.param([*seconds(30), (7200 * SECOND_US, 5000.0 + 7200)], id="nobody looked for two hours"),
        pytest.param(set_by(set_by(seconds(600), 60, 1_500_000), 90, -1_500_000), id="there and back again"),
    ],
)
def test_a_host_clock_that_is_right(readings: list[tuple[int, float]]) -> None:
    assert stepped(readings) == ([], None)


@pytest.mark.parametrize(
    ("readings", "at"),
    [
        pytest.param(set_by(seconds(600), 60, 2_001_000), 60, id="by just over two seconds"),
        pytest.param(set_by(seconds(600), 60, -2_001_000), 60, id="back by as much"),
        pytest.param(set_by(seconds(600), 1, -3600 * SECOND_US), 1, id="back by an hour"),
        pytest.param(
            set_by(seconds(600), 599, 400 * DAY_S * SECOND_US), 599, id="a clock without a battery gets its time"
        ),
        pytest.param(set_by(set_by(seconds(600), 60, 1_500_000), 90, 1_500_000), 90, id="in two leaps"),
        pytest.param(set_by(seconds(600, slew_ppm=-500), 300, 3 * SECOND_US), 300, id="while it is slewed"),
        pytest.param(set_by(set_by(seconds(600), 60, 9 * SECOND_US), 90, 9 * SECOND_US), 60, id="told once only"),
        pytest.param([*seconds(30), (7200 * SECOND_US, 5000.0 + 30)], 30, id="the machine slept for two hours"),
    ],
)
def test_a_host_clock_that_steps(readings: list[tuple[int, float]], at: int) -> None:
    told, step_us = stepped(readings)
    assert told == [at]
    assert step_us is not None
    assert abs(step_us) > LARGEST_STEP_US


def test_how_far_it_stepped() -> None:
    assert stepped(set_by(seconds(9), 5, -3600 * SECOND_US))[1] == pytest.approx(-3600 * SECOND_US, abs=500)


@given(st.lists(st.tuples(st.floats(0, 3600), st.floats(-500, 500)), max_size=60), st.floats(0, 10**9))
def test_no_slew_is_a_step(rounds: list[tuple[float, float]], mono_s: float) -> None:
    watch = HostClockWatch()
    wall_us = NOON_WALL_US
    for length_s, slew_ppm in rounds:
        mono_s += length_s
        wall_us += round(length_s * (SECOND_US + slew_ppm))
        assert not watch.observe(wall_us, mono_s)


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(-500, 500)), min_size=1, max_size=30),
    st.integers(2_100_000, 10**15),
    st.sampled_from([1, -1]),
    st.data(),
)
def test_every_step_is_seen_at_the_next_reading(
    rounds: list[tuple[float, float]], by_us: int, sign: int, data: st.DataObject
) -> None:
    watch = HostClockWatch()
    mono_s, wall_us = 100.0, 10 * NOON_WALL_US
    watch.observe(wall_us, mono_s)
    at = data.draw(st.integers(0, len(rounds) - 1))
    for number, (length_s, slew_ppm) in enumerate(rounds):
        mono_s += length_s
        wall_us += round(length_s * (SECOND_US + slew_ppm)) + sign * by_us * (number == at)
        assert watch.observe(wall_us, mono_s) == (number == at)


@dataclass(frozen=True)
class Piece:
    """A fragment of a camera: it ends `end_us` after the camera began, by its clock; taken and come by the host's."""

    end_us: int
    taken_us: int
    arrival_us: int
    pictures: int = 10
    audio_end_us: int | None = None


def verdict(pieces: Iterable[Piece]) -> tuple[ClockFault | None, int | None]:
    """The fault and the number of the piece that showed it."""
    watch = MediaClockWatch()
    found: tuple[ClockFault | None, int | None] = (None, None)
    for number, each in enumerate(pieces):
        fault = watch.observe(
            arrival_us=each.arrival_us,
            video_end_us=each.end_us,
            pictures=each.pictures,
            audio_end_us=each.audio_end_us,
        )
        if fault is not None:
            assert found == (None, None), "more than one verdict"
            found = (fault, number)
        assert watch.fault is found[0]
    return found


def camera(
    count: int = 400,
    *,
    part_s: float | Callable[[int], float] = 0.5,
    pictures: int = 10,
    drift_ppm: float = 0,
    delay_s: Callable[[int], float] = lambda number: 0.01 * (number * 7 % 5),
) -> list[Piece]:
    """An honest camera in front of an honest network."""
    lengths = (part_s(number) if callable(part_s) else part_s for number in range(count))
    pieces = []
    for number, taken_s in enumerate(accumulate(lengths)):
        taken_us = round(taken_s * SECOND_US)
        arrival_us = taken_us + round(delay_s(number) * SECOND_US)
        pieces.append(Piece(taken_us + round(taken_s * drift_ppm), taken_us, arrival_us, pictures))
    return pieces


def stalled(pieces: list[Piece], from_s: float, for_s: float, *, catch_up: float = math.inf) -> list[Piece]:
    """The network holds back everything for a while, and brings it then, `catch_up` times as fast as it was taken."""
    end_us = (from_s + for_s) * SECOND_US
    found = []
    for each in pieces:
        behind_us = max(0.0, each.taken_us - from_s * SECOND_US)
        held_us = round(end_us + behind_us / catch_up) if each.taken_us > from_s * SECOND_US else 0
        found.append(replace(each, arrival_us=max(each.arrival_us, held_us)))
    return found


def replayed(pieces: list[Piece], media_s: float, *, pace: float = math.inf) -> list[Piece]:
    """Who connects gets the last `media_s` again first, `pace` times as fast as time passes."""
    return stalled(pieces, 0, media_s, catch_up=pace)


def with_sound(pieces: list[Piece], *, off_us: int = -40_000) -> list[Piece]:
    """Sound that ends a little before the pictures do."""
    return [replace(each, audio_end_us=each.end_us + off_us) for each in pieces]


def wobbly(number: int) -> float:
    """Wi-Fi: late by chance, and sometimes by seconds."""
    rng = random.Random(number)
    return rng.expovariate(20) + (rng.random() < 0.01) * rng.uniform(0, 3)


def at_night(number: int) -> float:
    """A picture when something moves, at least every five seconds."""
    return 5.0 if number % 9 else 0.04


HONEST = {
    "a wired camera": camera(),
    "a wireless camera": camera(2000, delay_s=wobbly),
    "25 pictures per second, each a fragment": camera(2000, part_s=0.04, pictures=1),
    "a thousandth of a second between two pictures": camera(4000, part_s=0.02, pictures=20),
    "long fragments": camera(60, part_s=10),
    "pictures only when something moves": camera(200, part_s=at_night, pictures=1),
    "another frame rate now and then": camera(400, part_s=lambda number: [0.5, 0.32, 1.3][number // 50 % 3]),
    "500 ppm slow, for three days": camera(50_000, part_s=5.2, drift_ppm=-500),
    "500 ppm fast, for three days": camera(50_000, part_s=5.2, drift_ppm=500),
    "500 ppm fast and wireless": camera(20_000, drift_ppm=500, delay_s=wobbly),
    "500 ppm slow and wireless": camera(20_000, drift_ppm=-500, delay_s=wobbly),
    "a network that stalls for nine seconds": stalled(camera(), 60, 9),
    "and again, just after the beginning": stalled(stalled(camera(), 1, 9), 40, 9),
    "stalls one after the other": stalled(stalled(stalled(camera(), 40, 9), 50, 9), 60, 9),
    "a stall that is caught up with slowly": stalled(camera(1200), 60, 9, catch_up=1.05),
    "a stall at night": stalled(camera(200, part_s=at_night, pictures=1), 300, 9),
    "a network that is four seconds later for good": camera(delay_s=lambda number: 4.0 * (number > 100)),
    "a group of pictures again": replayed(camera(), 10),
    "a group of pictures again, over a slow network": replayed(camera(), 10, pace=1.5),
    "a minute at night again": replayed(camera(200, part_s=at_night, pictures=1), 60),
    "six seconds that ffmpeg looked at first": replayed(camera(), 6.2),
    "half a second ahead, as ffmpeg -re begins": [
        replace(each, arrival_us=each.arrival_us - 500_000) for each in camera()
    ],
    "sound beside it": with_sound(stalled(camera(delay_s=wobbly), 60, 9)),
    "sound a second ahead": with_sound(camera(), off_us=1_000_000),
    "sound that goes on while the picture stands": [
        replace(
            each,
            audio_end_us=each.taken_us,
            end_us=min(each.end_us, 30 * SECOND_US),
            pictures=10 * (each.taken_us < 3e7),
        )
        for each in camera(60)
    ],
}


@pytest.mark.parametrize("name", HONEST)
def test_no_false_alarm(name: str) -> None:
    assert verdict(HONEST[name]) == (None, None)


def leaping(pieces: list[Piece], at: int, by_s: float) -> list[Piece]:
    """The clock leaps within piece `at`, ahead."""
    by_us = round(by_s * SECOND_US)
    return [replace(each, end_us=each.end_us + by_us * (index >= at)) for index, each in enumerate(pieces)]


def squeezed(pieces: list[Piece], at: int, back_s: float, *, tick_us: int = 11) -> list[Piece]:
    """As ffmpeg writes a clock that is set back within piece `at`: a tick per picture until it is where it was."""
    end_us = pieces[at - 1].end_us
    found = pieces[:at]
    for each in pieces[at:]:
        end_us = max(end_us + tick_us * each.pictures, each.end_us - round(back_s * SECOND_US))
        found.append(replace(each, end_us=end_us))
    return found


def slowed(pieces: list[Piece], at: int, pace: float) -> list[Piece]:
    """The clock runs at another pace from piece `at` on."""
    from_us = pieces[at].end_us
    return [
        each if index <= at else replace(each, end_us=from_us + round((each.end_us - from_us) * pace))
        for index, each in enumerate(pieces)
    ]


@pytest.mark.parametrize("by_s", [2.2, 5, 12, 3600, 10**7])
@pytest.mark.parametrize("at", [60, 300])
@pytest.mark.parametrize("name", ["a wired camera", "25 pictures per second, each a fragment", "sound beside it"])
def test_a_leap_ahead_is_seen_in_the_fragment_that_holds_it(name: str, at: int, by_s: float) -> None:
    pieces = HONEST[name]
    at = at * (len(pieces) // 400)
    assert verdict(leaping(pieces, at, by_s)) == (ClockFault.AHEAD, at)


@pytest.mark.parametrize("by_s", [16, 3600])
@pytest.mark.parametrize("at", [1, 5, 15])
def test_a_leap_in_the_first_seconds_is_seen_where_no_picture_lasts_so_long(at: int, by_s: float) -> None:
    assert verdict(leaping(replayed(camera(), 3), at, by_s)) == (ClockFault.AHEAD, at)


def test_a_leap_during_a_stall_is_seen_in_the_burst() -> None:
    assert verdict(leaping(stalled(camera(), 60, 9), 125, 3600)) == (ClockFault.AHEAD, 125)


def test_sound_that_leaps_before_the_picture_is_enough() -> None:
    """As RTSP cameras do whose clock is set: sound comes in smaller pieces, and is the first to tell."""
    pieces = with_sound(camera())
    pieces[100:] = [replace(each, audio_end_us=(each.audio_end_us or 0) + 3600 * SECOND_US) for each in pieces[100:]]
    assert verdict(pieces) == (ClockFault.AHEAD, 100)


@pytest.mark.parametrize("back_s", [4.2, 9, 3600, 10**7])
@pytest.mark.parametrize("part_s", [0.04, 0.5, 2.0])
def test_a_clock_that_is_set_back_is_seen_in_the_next_fragments(part_s: float, back_s: float) -> None:
    pictures = round(part_s * 25)
    pieces = squeezed(camera(4000 if part_s < 0.1 else 400, part_s=part_s, pictures=pictures), 300, back_s)
    fault, number = verdict(pieces)
    assert fault is ClockFault.STILL
    assert number is not None
    seen_after_s = (pieces[number].arrival_us - pieces[299].arrival_us) / SECOND_US
    assert seen_after_s <= max(2.2 + 2 * part_s, 2.5)


def test_a_clock_that_never_ran_is_seen() -> None:
    fault, number = verdict(squeezed(camera(), 1, 10**7))
    assert (fault, number) == (ClockFault.STILL, 4)


@pytest.mark.parametrize(
    ("pieces", "fault", "within_s"),
    [
        pytest.param(slowed(camera(), 100, 0.5), ClockFault.BEHIND, 45, id="half as fast"),
        pytest.param(slowed(camera(2000), 100, 0.99), ClockFault.BEHIND, 600, id="a hundredth slow"),
        pytest.param(slowed(camera(8000), 100, 1.02), ClockFault.FAST, 1700, id="a fiftieth fast"),
        pytest.param(slowed(camera(), 100, 2), ClockFault.FAST, 62, id="twice as fast"),
        pytest.param(camera(delay_s=lambda number: 9.0 * (number > 100)), ClockFault.BEHIND, 60, id="late for good"),
    ],
)
def test_a_clock_that_runs_at_another_pace_is_seen_in_the_end(
    pieces: list[Piece], fault: ClockFault, within_s: float
) -> None:
    seen, number = verdict(pieces)
    assert seen is fault
    assert number is not None
    assert pieces[number].arrival_us - pieces[100].arrival_us <= within_s * SECOND_US


@st.composite
def honest(draw: st.DrawFn) -> list[Piece]:
    """Any honest camera, behind a network that stalls for up to nine seconds now and then."""
    rng = draw(st.randoms(use_true_random=False))
    shortest_s, longest_s = draw(st.sampled_from([(0.04, 0.04), (0.3, 0.5), (0.04, 5.0), (2.0, 2.5)]))
    jitter_s = draw(st.sampled_from([0.001, 0.02, 0.2]))
    pieces = camera(
        draw(st.integers(50, 600)),
        part_s=lambda _: rng.uniform(shortest_s, longest_s),
        pictures=max(1, round(shortest_s * 25)),
        drift_ppm=draw(st.floats(-500, 500)),
        delay_s=lambda _: min(rng.expovariate(1 / jitter_s), 1.5),
    )
    at_s = 0.0
    for length_s in draw(st.lists(st.floats(0, 9), max_size=4)):
        at_s += rng.uniform(1, 60)
        pieces = stalled(pieces, at_s, length_s)
        at_s += length_s
    pieces = replayed(pieces, draw(st.sampled_from([0, 0.9, 6, 10])))
    in_order = list(accumulate((each.arrival_us for each in pieces), max))
    pieces = [replace(each, arrival_us=arrival_us) for each, arrival_us in zip(pieces, in_order, strict=True)]
    return with_sound(pieces) if draw(st.booleans()) else pieces


@given(honest())
def test_no_honest_camera_is_accused(pieces: list[Piece]) -> None:
    assert verdict(pieces) == (None, None)


@given(honest(), st.data())
def test_a_leap_of_any_honest_camera_is_seen_at_once(pieces: list[Piece], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(pieces) - 1))
    assert verdict(leaping(pieces, at, 3600)) == (ClockFault.AHEAD, at)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(-(10**10), 10**10), st.integers(0, 30)), max_size=80))
def test_whatever_comes_there_is_one_verdict_at_most(steps: list[tuple[int, int, int]]) -> None:
    def pieces() -> Iterator[Piece]:
        arrival_us = end_us = 0
        for gap_us, media_us, pictures in steps:
            arrival_us, end_us = arrival_us + gap_us, end_us + media_us
            yield Piece(end_us, arrival_us, arrival_us, pictures)

    verdict(pieces())
