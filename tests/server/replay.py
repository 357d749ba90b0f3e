"""An archive that is recorded once more before a server's eyes, a segment at a time and when a test says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hlscam.domain.recording import Recording
from hlscam.domain.segment_table import SegmentTable
from hlscam.services.live import LiveStream
from tests.server.serving import Answer, Serving


class Replay:
    """The archive while its last segments were yet to come; `grow` lists one more."""

    def __init__(self, serving: Serving, missing: int) -> None:
        self.serving = serving
        self.newest = serving.last_number - missing
        self.stream: LiveStream = serving.services.live.stream("gate")
        self.stream.load(self._so_far())

    def grow(self) -> None:
        self.newest += 1
        self.stream.load(self._so_far())

    def _so_far(self) -> list[Recording]:
        *before, last = (each for each in self.serving.recordings if each.first_media_sequence <= self.newest)
        table = SegmentTable.of(list(last.segments)[: self.newest + 1 - last.first_media_sequence])
        ticks = sum(table.durations_ticks)
        return [*before, replace(last, segments=table, duration_ticks=ticks, end_reason=None)]

    async def held(self, path: str) -> asyncio.Task[Answer]:
        """A request, once it waits."""
        holding = self.serving.services.holding
        before = holding.held
        task = asyncio.create_task(self.serving.ask(path))
        while holding.held == before:
            assert not task.done(), task.result()
            await asyncio.sleep(0)
        await self.serving.clock.wait_sleeping()
        return task
