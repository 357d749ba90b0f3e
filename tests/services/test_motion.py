"""When pictures are shown: as far apart as they were taken, whenever they come."""

from __future__ import annotations

import asyncio

from hlscam.services.motion import Pacer
from hlscam.units import US_PER_S
from tests.manual_clock import ManualClock


async def shown_at_s(pacer: Pacer, clock: ManualClock, taken_s: float, *, speed: float = 1.0) -> float:
    """When a picture that is there now is shown, the clock moved on to that."""
    waiting = asyncio.create_task(pacer.wait_due(round(taken_s * US_PER_S), speed=speed))
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


async def test_after_a_restart_the_next_is_shown_at_once() -> None:
    clock = ManualClock()
    pacer = Pacer(clock)
    await shown_at_s(pacer, clock, 5.0)
    pacer.restart()
    assert [await shown_at_s(pacer, clock, taken_s) for taken_s in (500, 501)] == [0, 1]
