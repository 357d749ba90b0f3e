"""The cleaner: removes the oldest recordings before the disk becomes full.

It looks at the disk every second, which costs next to nothing, and at once when somebody has met a full one (`wake`).
`domain/retention.py` says what goes and what stays. The limits of age and size, which need the catalog, are not urgent
and are looked at every minute.

*First the row, then the file.* What is listed can be fetched until it is no longer listed, and who asks for it later is
told that it is gone. A crash in between leaves a file without a row, which the next start takes in again as it does
any other, with its old numbers; the other order would leave rows that promise what is not there. Only where the
catalog cannot be written (it may be on the same full disk) the row waits (`catalog_care.py`) and the file goes first;
a crash in between is made good at the next start as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Protocol

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.disk import Room, read_room, remove_recording
from hlscam.clock import Clock, first_of
from hlscam.domain.config import RetentionConfig
from hlscam.domain.recording import Recording
from hlscam.domain.retention import (
    MB,
    Candidate,
    Demand,
    Keep,
    Limits,
    Removal,
    Why,
    choose,
    headroom_bytes,
)
from hlscam.errors import HlscamError
from hlscam.isobmff.init_section import InitSection
from hlscam.services.candidates import candidates, candidates_by_name, looked_at
from hlscam.services.keeper import read_sealed
from hlscam.services.live import LiveStreams
from hlscam.services.room import DiskRoom
from hlscam.units import format_bytes

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""A program that writes 500 MB/s takes ten of these to use up a headroom of 5 GB."""

LIMITS_S = 60.0
_HOPELESS_TIMES = 20
"""Where nothing could be removed, a look at all recordings is not worth more than a twentieth of the time."""

_ENOUGH_TO_START_BYTES = 8 * MB


class Rows(Protocol):
    """Who has rows stand in the catalog, or not, and never fails at it (`CatalogCare`)."""

    async def keep(self, recording: Recording, init: InitSection) -> None: ...
    async def remove(self, camera: str, name: str) -> None: ...


class Cleaner:
    """Keeps room on the archive's disk. `start`, then `stop`."""

    def __init__(
        self,
        archive: Archive,
        catalog: Catalog,
        live: LiveStreams,
        *,
        care: Rows,
        clock: Clock,
        retention: RetentionConfig,
    ) -> None:
        self._archive = archive
        self._catalog = catalog
        self._live = live
        self._care = care
        self._clock = clock
        self._retention = retention
        self._room = DiskRoom(archive, live, clock, retention.headroom_mb)
        self._limits = Limits.of(max_days=retention.max_days, max_gb=retention.max_gb)
        self._woken = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._gone: set[tuple[str, str]] = set()
        self._immovable: set[tuple[str, str]] = set()
        self._next_limits_mono_s = 0.0
        self._hopeless_until_mono_s = 0.0
        self._troubles: set[str] = set()

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="clean")

    def wake(self) -> None:
        """Look now: somebody was told that the disk is full."""
        self._hopeless_until_mono_s = 0.0
        self._woken.set()

    async def stop(self) -> None:
        """End after the removal in progress, if there is one. Idempotent."""
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                await self.look()
                self._tell("work", "")
            except HlscamError as error:
                self._tell("work", f"retention cannot work: {error.message}")
            except Exception:  # a bug: told, and no reason to let the disk become full
                log.exception("retention failed")
            await first_of(self._woken.wait(), self._clock.sleep(LOOK_S))

    async def look(self) -> None:
        """Remove what has to go now: nothing, nearly always. Raises HlscamError."""
        room = await self._room.look()
        demand = Demand(short_bytes=self._room.short_bytes(room))
        now_mono_s = self._clock.mono_s()
        if self._limits.any and now_mono_s >= self._next_limits_mono_s:
            self._next_limits_mono_s = now_mono_s + LIMITS_S
            asked = self._limits.demand(held_bytes=await self._held_bytes(), now_wall_us=self._clock.wall_us())
            demand = replace(asked, short_bytes=demand.short_bytes)
            if demand.over_bytes <= 0:
                self._tell("size", "")
        if demand.short_bytes <= 0:
            self._gone.clear()
            self._tell("room", "")
        if demand.is_something and now_mono_s >= self._hopeless_until_mono_s:
            await self._clean(demand, room)

    async def _held_bytes(self) -> int:
        if self._limits.max_bytes is None:
            return 0
        return sum([(await self._catalog.totals(camera)).size_bytes for camera in await self._catalog.cameras()])

    async def _clean(self, demand: Demand, room: Room) -> None:
        began_mono_s = self._clock.mono_s()
        protected: dict[tuple[str, str], int] = {}
        pages = candidates(self._archive, self._catalog, by_name=demand.short_bytes > 0)
        async with contextlib.aclosing(pages):
            async for page in pages:
                judged = await self._judged(page)
                choice = choose(judged, demand)
                removed_bytes = await self._remove(choice.removals, room)
                if self._stopping or not choice.goes_on:
                    return
                protected |= {(e.camera, e.name): e.size_bytes for e in judged if e.keep is Keep.PROTECTED}
                room = await self._room.look()
                demand = replace(demand.without(removed_bytes), short_bytes=self._room.short_bytes(room))
        took_s = self._clock.mono_s() - began_mono_s
        self._hopeless_until_mono_s = self._clock.mono_s() + _HOPELESS_TIMES * took_s
        self._tell_hopeless(demand, room, sum(protected.values()))

    async def _judged(self, page: Sequence[Candidate]) -> list[Candidate]:
        """The candidates as they are on the disk, without those whose rows are still waiting to go."""
        left = [each for each in page if (each.camera, each.name) not in self._gone]
        found = await looked_at(self._archive, self._live, left)
        return [
            replace(each, keep=Keep.PROTECTED) if (each.camera, each.name) in self._immovable else each
            for each in found
        ]

    def _tell_hopeless(self, demand: Demand, room: Room, protected_bytes: int) -> None:
        protected = f" ({format_bytes(protected_bytes)} are protected)" if protected_bytes else ""
        hopeless = f"and nothing is left that may be removed{protected}"
        if demand.short_bytes > 0:
            free, wanted = format_bytes(room.free_bytes), format_bytes(self._room.headroom_bytes(room))
            text = f"the disk of {self._archive.root} has {free} free, {wanted} should be, {hopeless}: free some space"
            self._tell("room", text)
        elif demand.over_bytes > 0:
            over = format_bytes(demand.over_bytes)
            self._tell("size", f"the recordings are {over} more than retention.max_gb, {hopeless}")

    def _tell(self, subject: str, trouble: str) -> None:
        """Say once what is wrong, and of the disk's room, once that it is no longer."""
        known = subject in self._troubles
        if trouble and not known:
            self._troubles.add(subject)
            log.error("%s", trouble)
        elif known and not trouble:
            self._troubles.discard(subject)
            if subject == "room":
                log.info("the disk of %s has room again", self._archive.root)

    async def _remove(self, removals: Sequence[Removal], room: Room) -> int:
        """Remove these, one after the other; how many bytes that were. One line in the log for each reason."""
        removed: list[Removal] = []
        for each in removals:
            if self._stopping:
                break
            if await self._remove_one(each.candidate):
                removed.append(each)
        await self._room.settle()
        for why, group in groupby(sorted(removed, key=lambda each: each.why), key=lambda each: each.why):
            gone = [each.candidate for each in group]
            log.info(
                "removed %s, %s, %s: %s",
                f"{len(gone)} recordings" if len(gone) > 1 else "a recording",
                format_bytes(sum(each.size_bytes for each in gone)),
                self._reason(why, room),
                ", ".join(f"{each.camera}/{each.name} ({format_bytes(each.size_bytes)})" for each in gone),
            )
        return sum(each.candidate.size_bytes for each in removed)

    def _reason(self, why: Why, room: Room) -> str:
        if why is Why.AGE:
            return f"because they are older than {self._retention.max_days:g} days"
        if why is Why.SIZE:
            return f"because all together were more than {self._retention.max_gb:g} GB"
        free, kept = format_bytes(room.free_bytes), format_bytes(self._room.headroom_bytes(room))
        return f"because the disk had {free} free and {kept} are kept free"

    async def _remove_one(self, candidate: Candidate) -> bool:
        """Row, then file. False for one that stays, or was not there any more."""
        camera, name = candidate.camera, candidate.name
        await self._care.remove(camera, name)
        self._gone.add((camera, name))
        try:
            await self._room.remove(candidate)
        except FileNotFoundError:
            log.info("%s/%s was removed by somebody else", camera, name)
            return False
        except OSError as error:
            log.error("%s/%s cannot be removed: %s", camera, name, error.strerror)
            self._immovable.add((camera, name))
            await self._put_back(camera, name)
            return False
        return True

    async def _put_back(self, camera: str, name: str) -> None:
        """Give a recording that stays its row again, from its own box; one without has to wait for the next start."""
        self._gone.discard((camera, name))
        with contextlib.suppress(OSError):
            kept = await read_sealed(self._archive, camera, name)
            if kept is not None:
                await self._care.keep(kept.recording, kept.init)


async def make_room_to_start(archive: Archive, retention: RetentionConfig) -> None:
    """On a disk that is so full that no catalog can be opened, remove the oldest recordings by their names.

    The start that follows takes note of what is gone. Raises ArchiveError when the archive cannot be read.
    """
    room = await archive.run(partial(read_room, archive.root))
    headroom = headroom_bytes(total_bytes=room.total_bytes, configured_mb=retention.headroom_mb, written_bytes_per_s=0)
    if room.free_bytes >= min(headroom, _ENOUGH_TO_START_BYTES):
        return
    demand = Demand(short_bytes=headroom - room.free_bytes)
    pages = candidates_by_name(archive)
    async with contextlib.aclosing(pages):
        async for page in pages:
            choice = choose(await looked_at(archive, None, page), demand)
            for each in choice.removals:
                where = each.candidate.camera, each.candidate.name
                try:
                    await archive.run(partial(remove_recording, archive.root, *where))
                except OSError as error:
                    log.error("%s/%s cannot be removed: %s", *where, error.strerror)
                else:
                    log.info("removed %s/%s (%s): the disk is full", *where, format_bytes(each.candidate.size_bytes))
            demand = choice.left
            if not choice.goes_on:
                return
