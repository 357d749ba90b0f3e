"""The host's clocks as they are, and the tests' own clock, on which all other tests rely."""

from __future__ import annotations

import asyncio
import time

import pytest

from hlscam.clock import Clock, SystemClock, first_of, to_the_end
from hlscam.units import US_PER_S
from tests.manual_clock import NOON_WALL_US, ManualClock


def test_the_system_clock_tells_utc_in_microseconds() -> None:
    clock: Clock = SystemClock()
    before_ns = time.time_ns()
    wall_us = clock.wall_us()
    assert before_ns // 1000 <= wall_us <= time.time_ns() // 1000


async def test_the_system_clock_sleeps_by_its_monotonic_reading() -> None:
    clock: Clock = SystemClock()
    before_s = clock.mono_s()
    await clock.sleep(0.01)
    assert clock.mono_s() - before_s >= 0.0099  # a timer may fire a clock tick early


def test_a_manual_clock_stands_still() -> None:
    clock: Clock = ManualClock()
    assert clock.wall_us() == clock.wall_us() == NOON_WALL_US
    assert clock.mono_s() == clock.mono_s()


async def test_advance_moves_both_clocks_and_wakes_the_earliest_first(clock: ManualClock) -> None:
    woken: list[int] = []

    async def sleep(duration_s: int) -> None:
        await clock.sleep(duration_s)
        woken.append(duration_s)

    async with asyncio.TaskGroup() as tasks:
        for duration_s in (30, 10, 20, 10):
            tasks.create_task(sleep(duration_s))
        await clock.wait_sleeping(4)
        assert clock.next_wake_s == 10
        before_s = clock.mono_s()
        clock.advance(9.5)
        assert clock.sleeping == 4
        clock.advance(12)
        assert (clock.sleeping, clock.next_wake_s) == (1, 8.5)
        assert (clock.mono_s() - before_s, clock.wall_us()) == (21.5, NOON_WALL_US + 21_500_000)
        clock.advance(8.5)
    assert woken == [10, 10, 20, 30]
    assert clock.sleeping == 0


async def test_a_step_of_the_wall_clock_wakes_nobody(clock: ManualClock) -> None:
    sleeper = asyncio.create_task(clock.sleep(1))
    await clock.wait_sleeping()
    before_s = clock.mono_s()
    clock.step_wall(-3600)
    assert (clock.wall_us(), clock.mono_s()) == (NOON_WALL_US - 3600 * US_PER_S, before_s)
    assert clock.sleeping == 1
    clock.advance(1)
    await sleeper


async def test_a_cancelled_sleeper_sleeps_no_more(clock: ManualClock) -> None:
    sleeper = asyncio.create_task(clock.sleep(5))
    await clock.wait_sleeping()
    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    assert (clock.sleeping, clock.next_wake_s) == (0, None)
    clock.advance(10)


async def test_waiting_for_sleepers_that_are_there_returns_at_once(clock: ManualClock) -> None:
    await clock.sleep(0)
    await clock.wait_sleeping(0)
    waiting = asyncio.create_task(clock.wait_sleeping(2))
    sleepers = [asyncio.create_task(clock.sleep(1)) for _ in range(2)]
    await waiting
    clock.advance(1)
    await asyncio.gather(*sleepers)


def test_monotonic_time_never_goes_back(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)


async def test_the_first_to_end_cancels_the_others() -> None:
    gone: list[str] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            gone.append(name)

    await first_of(forever("one"), asyncio.sleep(0), forever("other"))
    assert gone == ["one", "other"]


async def test_who_waits_for_the_first_is_told_what_it_raises_and_may_be_cancelled() -> None:
    async def fails() -> None:
        raise ValueError("a reason")

    with pytest.raises(ValueError, match="a reason"):
        await first_of(fails(), asyncio.Event().wait())
    waiting = asyncio.create_task(first_of(asyncio.Event().wait()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_must_be_done_is_done_however_often_one_is_cancelled() -> None:
    may_end, done = asyncio.Event(), list[str]()

    async def work() -> None:
        await may_end.wait()
        done.append("work")

    waiting = asyncio.create_task(to_the_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == ["work"]


async def test_what_must_be_done_may_fail() -> None:
    async def fails() -> None:
        raise ValueError("a reason")

    with pytest.raises(ValueError, match="a reason"):
        await to_the_end(fails())
