"""A clock that tests move by hand: nothing in hlscam that takes a `Clock` needs real time to pass.

    clock = ManualClock()
    task = asyncio.create_task(something_that_sleeps(clock))
    await clock.wait_sleeping()      # until somebody sleeps
    clock.advance(30)                # and wakes, as if 30 s had passed
    clock.step_wall(-3600)           # somebody set the host's clock back an hour: intervals do not notice

`advance` moves both clocks at once to the new time and then wakes whoever is due, the earliest first. A loop that
sleeps again is woken by the next `advance`. Sleepers may live on any loop; use it from that loop's thread.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from hlscam.units import US_PER_S

NOON_WALL_US = 1_795_348_800 * US_PER_S
"""2026-11-22T12:00:00Z, where every manual clock begins unless it is told otherwise."""


class ManualClock:
    """An `hlscam.clock.Clock` in which time passes only by `advance`."""

    def __init__(self, *, wall_us: int = NOON_WALL_US, mono_s: float = 1000.0) -> None:
        self._wall_us = wall_us
        self._mono_s = mono_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._watchers: list[tuple[int, asyncio.Future[None]]] = []

    def wall_us(self) -> int:
        return self._wall_us

    def mono_s(self) -> float:
        return self._mono_s

    async def sleep(self, duration_s: float) -> None:
        """Until `advance` has moved the clock by `duration_s`; 0 or less is one turn of the loop."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        due = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._mono_s + duration_s, next(self._numbers), due))
        self._tell_watchers()
        await due

    @property
    def sleeping(self) -> int:
        """How many sleep now."""
        return sum(not due.done() for _, _, due in self._sleepers)

    @property
    def next_wake_s(self) -> float | None:
        """Seconds from now until the first sleeper is due; None where nobody sleeps."""
        return min((at_s - self._mono_s for at_s, _, due in self._sleepers if not due.done()), default=None)

    async def wait_sleeping(self, at_least: int = 1) -> None:
        """Until so many sleep at the same time."""
        if self.sleeping < at_least:
            reached = asyncio.get_running_loop().create_future()
            self._watchers.append((at_least, reached))
            await reached

    def advance(self, duration_s: float) -> None:
        """Let time pass on both clocks, and wake whoever is due."""
        if duration_s < 0:
            raise ValueError("monotonic time never goes back; use step_wall for the wall clock")
        self._mono_s += duration_s
        self._wall_us += round(duration_s * US_PER_S)
        while self._sleepers and self._sleepers[0][0] <= self._mono_s:
            _, _, due = heapq.heappop(self._sleepers)
            if not due.done():  # a cancelled sleeper needs no waking
                due.set_result(None)

    def step_wall(self, duration_s: float) -> None:
        """Set the wall clock forward, or back where negative, as a person or NTP does. Nobody wakes."""
        self._wall_us += round(duration_s * US_PER_S)

    def _tell_watchers(self) -> None:
        for at_least, reached in self._watchers:
            if not reached.done() and self.sleeping >= at_least:
                reached.set_result(None)
        self._watchers = [(at_least, reached) for at_least, reached in self._watchers if not reached.done()]
