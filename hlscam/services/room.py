"""The room on the archive's disk, as retention reckons with it.

Some file systems free later what is removed (XFS a moment, btrfs up to half a minute unless it is told to), and a file
that is being read stays until it is closed. What was removed and is not seen yet counts as free for a while, or all
footage would go while the disk does its work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hlscam.adapters.archive import Archive
from hlscam.adapters.disk import Room, free_now, read_room, remove_recording
from hlscam.clock import Clock
from hlscam.domain.retention import Candidate, headroom_bytes
from hlscam.services.live import LiveStreams

_SETTLING_S = 60.0
"""Longer than any usual file system takes to free what was removed."""


@dataclass(frozen=True, slots=True)
class _Settling:
    """What was removed and is not free yet, and the room before that."""

    until_mono_s: float
    size_bytes: int
    free_bytes_before: int

    def is_seen(self, free_bytes: int) -> bool:
        """Whether most of it is free by now; the cameras have written meanwhile."""
        return free_bytes >= self.free_bytes_before + self.size_bytes // 2


class DiskRoom:
    """How much room there is, should be, and is made by removing."""

    def __init__(self, archive: Archive, live: LiveStreams, clock: Clock, headroom_mb: int | None) -> None:
        self._archive = archive
        self._live = live
        self._clock = clock
        self._headroom_mb = headroom_mb
        self._settling: list[_Settling] = []

    async def look(self) -> Room:
        """The room now. Raises ArchiveError."""
        room = await self._archive.run(partial(read_room, self._archive.root))
        now_mono_s = self._clock.mono_s()
        unseen = [each for each in self._settling if not each.is_seen(room.free_bytes)]
        self._settling = [each for each in unseen if each.until_mono_s > now_mono_s]
        return room

    def headroom_bytes(self, room: Room) -> int:
        """What should be free."""
        newest = [stream.newest for stream in self._live.streams()]
        written_bps = sum(each.media.bit_rate_bps for each in newest if each is not None and each.is_open)
        return headroom_bytes(
            total_bytes=room.total_bytes, configured_mb=self._headroom_mb, written_bytes_per_s=written_bps / 8
        )

    def short_bytes(self, room: Room) -> int:
        """How much is missing; 0 or less where nothing is."""
        return self.headroom_bytes(room) - room.free_bytes - sum(each.size_bytes for each in self._settling)

    async def remove(self, candidate: Candidate) -> None:
        """Remove a recording's file. Raises OSError."""
        where = candidate.camera, candidate.name
        removed = await self._archive.run(partial(remove_recording, self._archive.root, *where))
        settling = _Settling(self._clock.mono_s() + _SETTLING_S, candidate.size_bytes, removed.free_bytes_before)
        if not settling.is_seen(removed.free_bytes_after):
            self._settling.append(settling)

    async def settle(self) -> None:
        """Have the disk do now what it would do later."""
        if self._settling:
            await self._archive.run(partial(free_now, self._archive.root))
