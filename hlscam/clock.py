"""Time, injected.

Two clocks, never mixed: `wall_us` says when something happened (UTC microseconds since the Unix epoch; it may
step), `mono_s` says how long something took (seconds; it never goes back). Whoever needs time takes a `Clock`;
nothing else in hlscam calls `time` or `datetime.now`. Tests pass a clock that they move by hand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol


class Clock(Protocol):
    """Where time comes from."""

    def wall_us(self) -> int:
        """UTC now, in microseconds since 1970-01-01."""
        ...

    def mono_s(self) -> float:
        """A monotonic reading in seconds, for intervals only."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Let `duration_s` seconds of monotonic time pass."""
        ...


class SystemClock:
    """The host's own clocks."""

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def mono_s(self) -> float:
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until the first of them has ended; the others are cancelled. Raises what it raises."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Awaitable[Any]) -> None:
    """Until `work` has ended, however often we are cancelled; that counts only then. Raises what it raises."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    await task
