"""A recording that is followed while it grows: its file, and what its fragments come to.

The recorder's own follower reads like this, and so does a server in another process: both feed the same fragments to
the same index, so both know the same segments.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from hlscam.adapters.archive import Archive, RecordingFile, Written
from hlscam.domain.part import Part
from hlscam.domain.recording_index import RecordingIndex
from hlscam.errors import MediaError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection

log = logging.getLogger(__name__)

OpenIndex: TypeAlias = Callable[[InitSection], RecordingIndex | None]


class OpenRecording:
    """One file that somebody else writes. `open_index` makes its index when its init section is there."""

    def __init__(self, camera: str, name: str, file: RecordingFile, open_index: OpenIndex) -> None:
        self.camera = camera
        self.name = name
        self.index: RecordingIndex | None = None
        self.written: Written | None = None
        self.damage: MediaError | None = None
        self._fragments = 0
        self._file = file
        self._open_index = open_index

    @classmethod
    async def open(cls, archive: Archive, camera: str, name: str, open_index: OpenIndex) -> OpenRecording:
        """Raises OSError when it cannot be opened."""
        return cls(camera, name, await archive.follow(camera, name), open_index)

    @property
    def whole_bytes(self) -> int:
        """Where the file's last whole box ends."""
        return self._file.whole_bytes

    @property
    def is_shell(self) -> bool:
        """Whether it was read to its end and holds no media at all, not even a torn fragment."""
        if self.written is None or self.damage is not None or self._fragments:
            return False
        reader = self._file.reader
        return reader.closed or self.written.size_bytes == reader.whole_end

    @property
    def init(self) -> InitSection:
        """Its init section; only once there is an index."""
        assert self.index is not None
        return self.index.init

    def close(self) -> None:
        self._file.close()

    async def read(self, archive: Archive) -> list[Fragment]:
        """The fragments that are whole now and were not before; `take` them in. Damage is told, and ends reading."""
        if self.damage is not None:
            return []
        self.written = await archive.run(self._file.read_new)
        self.damage = self.written.damage
        if self.damage is not None:
            log.error("%s/%s is damaged, and kept up to there: %s", self.camera, self.name, self.damage.message)
        for event in self.written.events:
            if isinstance(event, InitSection) and self.index is None:
                self.index = self._open_index(event)
        fragments = [each for each in self.written.events if isinstance(each, Fragment)]
        self._fragments += len(fragments)
        return fragments

    def take_parts(self) -> list[Part]:
        """The parts that are whole now and were not taken before."""
        return self.index.take_parts() if self.index is not None else []

    def take(self, fragments: list[Fragment], *, arrival_wall_us: int | None) -> bool:
        """Add fragments to the index; True when it lists more segments than before."""
        if self.index is None:
            return False
        grown = [self.index.add(each, arrival_wall_us=arrival_wall_us) for each in fragments]
        return any(grown)
