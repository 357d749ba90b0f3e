"""When was a fragment whole on disk? Follows a camera's growing recording from outside, as nobody of hlscam does.

The file's own modification time is taken, so a look that comes late does no harm as long as it comes before the next
write. It is the kernel's coarse clock: up to some milliseconds early, so that no delay counted from it is flattered.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from hlscam.isobmff.boxes import read_header
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import RecordingReader

LOOK_EVERY_S = 0.004
LIST_EVERY_LOOKS = 50


def last_fragment_key(data: bytes) -> str:
    """The name of the last fragment in some media bytes: by its `moof`, in which number, time and sizes stand."""
    at, moof = 0, b""
    while at < len(data):
        header = read_header(data, at)
        if header is None:
            break
        if header.type == "moof":
            moof = data[at : at + header.size_bytes]
        at += header.size_bytes
    return hashlib.sha1(moof).hexdigest() if moof else ""


class DiskWatch:
    """`times` has the Unix time at which each fragment was whole, by its key. `follow` runs until it is cancelled."""

    def __init__(self, folder: Path) -> None:
        self.times: dict[str, float] = {}
        self._folder = folder

    async def follow(self) -> None:
        path: Path | None = None
        reader, fd, looks = RecordingReader(), -1, 0
        try:
            while True:
                if fd >= 0:
                    self._read(fd, reader)
                if looks % LIST_EVERY_LOOKS == 0 and (newer := self._next_after(path)) is not None:
                    if fd >= 0:
                        self._read(fd, reader)  # it is not written to any more
                        os.close(fd)
                    path, reader, fd = newer, RecordingReader(), os.open(newer, os.O_RDONLY)
                    continue
                looks += 1
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            if fd >= 0:
                os.close(fd)

    def _next_after(self, path: Path | None) -> Path | None:
        return min((each for each in self._folder.glob("*.mp4") if path is None or each > path), default=None)

    def _read(self, fd: int, reader: RecordingReader) -> None:
        status = os.fstat(fd)
        while reader.offset < status.st_size:
            for event in reader.feed(os.pread(fd, 1 << 20, reader.offset), status.st_size):
                self._note(fd, event, status)
        for event in reader.feed(b"", status.st_size):
            self._note(fd, event, status)

    def _note(self, fd: int, event: object, status: os.stat_result) -> None:
        if isinstance(event, Fragment):
            key = last_fragment_key(os.pread(fd, event.size_bytes, event.offset))
            self.times[key] = status.st_mtime_ns / 1e9
