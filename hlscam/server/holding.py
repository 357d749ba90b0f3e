"""Requests that are held until a camera has what they ask for.

However many viewers wait, a camera's change is one condition that wakes them all, and one timer for the whole server
lets them look, once a second, whether they have waited for long enough. There is no timer while nobody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hlscam.clock import Clock
from hlscam.services.live import LiveStream, LiveStreams

LONGEST_HOLD_S = 8
"""hls.js gives up on a first byte after 10 s."""

_LOOK_EVERY_S = 1.0


class Holding:
    """Holds requests. `close` when the server ends."""

    def __init__(self, live: LiveStreams, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._held = 0
        self._timer: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """How many requests wait now."""
        return self._held

    async def until(self, stream: LiveStream, reached: Callable[[], bool]) -> bool:
        """Wait for a camera to have what `reached` looks for; False when that took too long."""
        if reached():
            return True
        give_up_mono_s = self._clock.mono_s() + LONGEST_HOLD_S
        self._held += 1
        if self._timer is None:
            self._timer = asyncio.create_task(self._let_look(), name="held requests")
        try:
            while not reached():
                if self._clock.mono_s() >= give_up_mono_s:
                    return False
                await stream.wait_changed()
            return True
        finally:
            self._held -= 1

    async def close(self) -> None:
        """End the timer. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)

    async def _let_look(self) -> None:
        while self._held:
            await self._clock.sleep(_LOOK_EVERY_S)
            for stream in self._live.streams():
                stream.wake()
        self._timer = None
