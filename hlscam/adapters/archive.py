"""The archive: a folder per camera, a file per recording, nothing else that matters.

    archive/porch/20261122T221000Z-3fa94c1e.mp4

File systems block, so all of this runs in the archive's own few threads, never on the loop. No text from a URL ever
becomes part of a path: camera ids come from the configuration and names from listings and the catalog.

Closed recordings are only ever read. What is written here is written once per file, when it is taken in: `sealing` cuts
the torn tail of a recording that was never closed at its last whole fragment, gives it an index of its whole as ffmpeg
would have, and appends the recording's own box. Removing one is
`disk.py`'s alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hlscam.adapters.sealing import read_on, seal_file
from hlscam.domain.run import run_of_name
from hlscam.errors import ArchiveError, FileMissing, MediaError
from hlscam.isobmff.boxes import read_header
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import Event, FinalMovie, RecordingBox, RecordingReader
from hlscam.isobmff.recording_box import RECORDING_BOX_UUID

T = TypeVar("T")

_LARGEST_INIT_BYTES = 256 * 1024
_USERTYPE_END_BYTES = 32

_SCANNED_BYTES = 1 << 20
_THREADS = 4


class Archive:
    """The folder of folders. `close` when done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="archive")

    def close(self) -> None:
        self._threads.shutdown(wait=True)

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking file work in the archive's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def folder(self, camera: str) -> Path:
        return self.root / camera

    def path(self, camera: str, name: str) -> Path:
        return self.root / camera / name

    async def prepare(self, camera: str) -> None:
        """Make sure that a camera's folder is there and can be written. Raises ArchiveError."""
        await self.run(lambda: _prepare(self.folder(camera)))

    async def cameras(self) -> list[str]:
        """The folders that hold recordings, sorted."""
        return await self.run(lambda: _folders(self.root))

    async def names(self, camera: str) -> list[str]:
        """The recordings of a camera, oldest first by name; files of other kinds are not ours and left out.

        Raises ArchiveError when the folder is there and cannot be read.
        """
        return await self.run(lambda: _names(self.folder(camera)))

    async def follow(self, camera: str, name: str) -> RecordingFile:
        """Open a recording to read what it holds now and what will be added. Raises FileNotFoundError."""
        return await self.run(lambda: RecordingFile(self.path(camera, name)))

    async def read(self, camera: str, name: str, offset: int, length: int) -> bytes:
        """A byte range. Raises FileMissing when the file is gone, ArchiveError when it is too short or unreadable."""
        return await self.run(lambda: _read(self.path(camera, name), offset, length))

    async def hold(self, camera: str, name: str) -> HeldRecording:
        """Open a recording to read much of it: retention may remove it meanwhile. Raises ArchiveError."""
        path = self.path(camera, name)
        opening = asyncio.ensure_future(self.run(lambda: _open(path)))
        try:
            return HeldRecording(self, name, await asyncio.shield(opening))
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise

    async def seal(self, camera: str, name: str, *, whole_bytes: int, box: bytes) -> int:
        """Finish a recording, whose last whole box ends at `whole_bytes`, with its own box; the size after it.

        Anything behind (the torn tail of a killed ffmpeg, a box that was cut short) is not footage and is cut off. It
        becomes an ordinary MP4 file if ffmpeg has not made it one, with every fragment at its place. Can be cut off
        anywhere and done again. Raises OSError; the file is as good as before then.
        """
        return await self.run(lambda: seal_file(self.path(camera, name), whole_bytes, box))


@dataclass(frozen=True, slots=True)
class Written:
    """What `RecordingFile.read_new` found: the events, and the file's size and last change as they were then.

    `damage` says why the file cannot be read beyond these events, if that is so.
    """

    events: list[Event]
    size_bytes: int
    last_write_wall_us: int
    damage: MediaError | None = None


class RecordingFile:
    """A recording that is being read, perhaps while it grows. Blocking; `Archive.run` it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = RecordingReader()
        self.whole_bytes = 0
        """Where the last whole box that is worth keeping ends; what lies behind is a torn tail."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read_new(self) -> Written:
        """Everything whole that was not told before, up to where the file stops being a recording."""
        status = os.fstat(self._fd)
        events: list[Event] = []
        with contextlib.suppress(MediaError):  # the reader keeps it, and what was read before it counts
            events.extend(read_on(self._fd, self.reader, status.st_size))
        ends = [each.end for each in events if isinstance(each, Fragment | FinalMovie)]
        self.whole_bytes = max([self.whole_bytes, *ends])
        return Written(events, status.st_size, status.st_mtime_ns // 1000, self.reader.refusal)

    def ends_in_zeros(self) -> bool:
        """Whether the zeros at the end are all that is wrong with a file that nobody writes any more.

        A power cut leaves them where bytes were promised and never written. They are no footage, and a torn tail.
        """
        end = os.fstat(self._fd).st_size
        while end > self.whole_bytes:
            begin = max(self.whole_bytes, end - _SCANNED_BYTES)
            kept = os.pread(self._fd, end - begin, begin).rstrip(b"\0")
            end = begin + len(kept)
            if kept:
                break
        try:
            for _ in read_on(self._fd, RecordingReader(), end):
                pass
        except MediaError:
            return False
        return True

    def read_sealed(self) -> tuple[InitSection, RecordingBox] | None:
        """The init section and the recording's own box, found without a look at the fragments; None without a box.

        A few short reads for a closed recording, however long it is. Raises MediaError for a file that is damaged.
        """
        head = os.pread(self._fd, _LARGEST_INIT_BYTES, 0)
        init = next((each for each in self.reader.feed(head, len(head)) if isinstance(each, InitSection)), None)
        size_bytes = os.fstat(self._fd).st_size
        at = 0
        while init is not None and at < size_bytes:
            head = os.pread(self._fd, _USERTYPE_END_BYTES, at)
            header = read_header(head, 0, base=at, limit=size_bytes)
            if header is None:
                return None
            if header.type == "uuid" and head[header.header_bytes :].startswith(RECORDING_BOX_UUID.bytes):
                body = os.pread(self._fd, header.end - header.body, header.body)
                return init, RecordingBox(header.offset, header.size_bytes, body)
            at = header.end
        return None


def _prepare(folder: Path) -> None:
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArchiveError(
            f"the archive folder {folder} cannot be written: {error.strerror}",
            hint="check owner, mode and free space, or set archive.path",
        ) from None


def _folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(each.name for each in root.iterdir() if each.is_dir() and _holds_recordings(each))


def _holds_recordings(folder: Path) -> bool:
    try:
        return bool(_names(folder))
    except ArchiveError:
        return False  # such as lost+found


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(each.name for each in entries if run_of_name(each.name) is not None and each.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveError(
            f"the archive folder {folder} cannot be read: {error.strerror}",
            hint="check its owner and mode, or set archive.path",
        ) from None


class HeldRecording:
    """A recording that stays readable until `close`, though its file may be removed."""

    def __init__(self, archive: Archive, name: str, fd: int) -> None:
        self._archive = archive
        self._name = name
        self._fd = fd

    async def read(self, offset: int, length: int) -> bytes:
        """A byte range. Raises ArchiveError when the file is too short."""
        return await self._archive.run(lambda: _pread(self._fd, self._name, offset, length))

    async def close(self) -> None:
        """Let go of it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # Shielded: a client that goes away ends its handler here, and what has not begun would never be done.
            await asyncio.shield(self._archive.run(lambda: os.close(fd)))


def _close_unused(opened: asyncio.Future[int]) -> None:
    if opened.exception() is None:
        os.close(opened.result())


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) and path.parent.is_dir()  # else it is the disk that is gone
        kind = FileMissing if is_missing else ArchiveError
        raise kind(f"{path.name} cannot be read: {error.strerror}") from None


def _read(path: Path, offset: int, length: int) -> bytes:
    fd = _open(path)
    try:
        return _pread(fd, path.name, offset, length)
    finally:
        os.close(fd)


def _pread(fd: int, name: str, offset: int, length: int) -> bytes:
    try:
        data = os.pread(fd, length, offset)
    except OSError as error:
        raise ArchiveError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) != length:
        raise ArchiveError(f"{name} ends at byte {offset + len(data)}, before the end of what was asked for")
    return data
