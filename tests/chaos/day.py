"""A day compressed: as many recordings as a day has, each a second long. What leaks at a roll shows.

Recordings of 10 minutes roll 144 times a day. Here four cameras roll every second while a client of each fetches
all that it lists, and at each roll the memory (Pss, so that what is shared with ffmpeg's start-up does not count
twice) and the descriptors of hlscam are written down.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.observer import Observer
from tests.chaos.servers import Servers
from tests.rig.waiting import until

ROLLS_OF_A_DAY = 144
CAMERAS = ("north", "east", "south", "west")
SETTINGS = """
archive: {path: ./archive, recording_minutes: 0.016666666666666666}
hls: {segment_duration_s: 0.5, part_duration_s: 0.25}
cameras:
""" + "\n".join(f'  {camera}: {{source: "test:?size=128x96&rate=10&gop_s=0.5&audio=0"}}' for camera in CAMERAS)
MOST_GROWN_KIB = 4096
"""What is measured at a roll varies by a megabyte or two; over a day this is 10 KiB for each recording."""

MOST_DESCRIPTORS_MORE = 1
MOST_THREADS_MORE = 4
"""Pools of threads are bounded, but grow to their bound only as work happens to come together."""

_WARM_UP_ROLLS = 15
_ROLL_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Sample:
    """What hlscam held at a roll."""

    pss_kib: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Day:
    """The samples of all rolls, and what the clients complained about."""

    samples: list[Sample]
    complaints: list[str]

    @property
    def first(self) -> Sample:
        """The median of the first third."""
        return _median(self.samples[: len(self.samples) // 3])

    @property
    def last(self) -> Sample:
        """The median of the last third."""
        return _median(self.samples[-(len(self.samples) // 3) :])

    def faults(self, most_grown_kib: int) -> list[str]:
        """What did not stay flat, or was not as it should be."""
        first, last = self.first, self.last
        wrong = list(self.complaints)
        if last.pss_kib > first.pss_kib + most_grown_kib:
            wrong.append(f"hlscam grew from {first.pss_kib} KiB to {last.pss_kib} KiB")
        if last.descriptors > first.descriptors + MOST_DESCRIPTORS_MORE:
            wrong.append(f"hlscam held {first.descriptors} descriptors, and then {last.descriptors}")
        if last.threads > first.threads + MOST_THREADS_MORE:
            wrong.append(f"hlscam had {first.threads} threads, and then {last.threads}")
        return wrong

    def lines(self) -> Iterator[str]:
        """The figures, for people."""
        yield f"{len(self.samples)} rolls of {len(CAMERAS)} cameras: first third, last third"
        for name in Sample.__dataclass_fields__:
            yield f"  {name:<12}{getattr(self.first, name):>8}{getattr(self.last, name):>8}"


async def live_a_day(folder: Path, *, rolls: int) -> Day:
    """Record until every camera has rolled so often."""
    complaints: list[str] = []
    async with Servers(folder, SETTINGS) as server:
        observers = [Observer(camera, server, complaints) for camera in CAMERAS]
        watching = [asyncio.create_task(observer.watch()) for observer in observers]
        try:
            samples = [await _sample(server, roll) for roll in range(_WARM_UP_ROLLS, _WARM_UP_ROLLS + rolls)]
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    return Day(samples, complaints)


async def _sample(server: Servers, roll: int) -> Sample:
    folders = [server.config.archive.path / camera for camera in CAMERAS]

    async def rolled() -> bool:
        return min(len(list(folder.glob("*.mp4"))) for folder in folders) > roll

    await until(rolled, f"roll {roll} of every camera", timeout_s=_ROLL_TIMEOUT_S)
    process = Path(f"/proc/{server.pid(server.answering)}")
    rollup = (process / "smaps_rollup").read_text().split()
    return Sample(
        pss_kib=int(rollup[rollup.index("Pss:") + 1]),
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
    )


def _median(samples: list[Sample]) -> Sample:
    return Sample(
        *(round(statistics.median(getattr(each, name) for each in samples)) for name in Sample.__dataclass_fields__)
    )
