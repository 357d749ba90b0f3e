"""When pictures are shown: as far apart as they were taken, whenever they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hlscam.domain.position import PicturePosition
from hlscam.services.motion import Frame, Pacer
from hlscam.units import US_PER_S
from tests.manual_clock import ManualClock


def frame(taken_s: float, *, run: str = "a", number: int = 7) -> Frame:
    return Frame(PicturePosition(number, 0), run, round(taken_s * US_PER_S), b"", awaited=True)


async def shown_at_s(pacer: Pacer, clock: ManualClock, taken: float | Frame, *, speed: float = 1.0) -> float:
    """When a picture that is there now is shown, the clock moved on to that."""
    picture = taken if isinstance(taken, Frame) else frame(taken)
    waiting = asyncio.create_task(pacer.wait_due(picture, speed=speed))
    await asyncio.sleep(0)
    if not waiting.done():
        await clock.wait_sleeping()
        clock.advance(clock.next_wake_s or 0)
    await waiting
    return round(clock.mono_s() - 1000, 3)


async def test_a_burst_is_shown_evenly() -> None:
    clock = ManualClock()
    pacer = Pacer(clock)
    assert [await shown_at_s(pacer, clock, taken_s) for taken_s in (5.0, 5.1, 5.2, 5.5)] == [0, 0.1, 0.2, 0.5]


async def test_what_comes_late_is_shown_at_once_and_what_follows_as_much_later() -> None:
    clock = ManualClock()
    pacer = Pacer(clock)
    await shown_at_s(pacer, clock, 5.0)
    clock.advance(3)
    assert [await shown_at_s(pacer, clock, taken_s) for taken_s in (5.1, 5.2, 5.3)] == [3, 3.1, 3.2]


async def test_a_higher_speed_makes_up_for_that() -> None:
    clock = ManualClock()
    pacer = Pacer(clock)
    assert [await shown_at_s(pacer, clock, taken_s, speed=1.25) for taken_s in (5, 6, 7)] == [0, 0.8, 1.6]
    assert await shown_at_s(pacer, clock, 8) == 2.6


@pytest.mark.parametrize(
    ("behind", "shown_s"),
    [
        ([frame(6, number=8)], [1]),
        ([frame(3605, run="b", number=8), frame(3606, run="b", number=8)], [0, 1]),  # the clock was set forward
        ([frame(2, run="b", number=8), frame(3, run="b", number=8)], [0, 1]),  # or back
        ([frame(500, number=250), frame(501, number=250)], [0, 1]),  # what lies between was removed
        ([frame(6, number=8), frame(7, number=7), frame(8, number=8)], [1, 2, 3]),  # a GOP was cut
    ],
)
async def test_holes_take_no_time(behind: Sequence[Frame], shown_s: Sequence[float]) -> None:
    clock = ManualClock()
    pacer = Pacer(clock)
    await shown_at_s(pacer, clock, 5.0)
    assert [await shown_at_s(pacer, clock, each) for each in behind] == shown_s
