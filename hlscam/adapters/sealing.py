"""Sealing: the last writes to a recording, after which it never changes.

Whichever way a recording ended, it gets the same ending: whole fragments, a final `moov` made from them
(`isobmff.final_movie`), a head that says so (`isobmff.closed_head`), and the recording's own `uuid` box.

    killed    ftyp free free( …)  moov fragments torn      ─▶  ftyp free mdat( … moov fragments )       moov uuid
    closed    ftyp free mdat( …   moov fragments ) moov    ─▶  ftyp free mdat( … moov fragments ) free  moov uuid

A file that ffmpeg closed has a `moov` of ffmpeg's, with the wrong length and sound out of step (see `final_movie`).
Ours goes behind it, and only then does that one become a `free` box.

All of this can be cut off at any byte, by a crash, a power cut or a full disk, and is done again at the next start:
each step looks whether it was done, and is on disk before the next begins, so the file that comes out is the same. In
between it is always one that players open, and not a byte of a whole fragment is ever written to.

ffmpeg before 7.1 leaves no room for an mdat header. Such a file stays a fragmented MP4: its tail is cut and the box
appended, and a player that wants to know its length, or to seek, must find its way through the fragments.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import BoxHeader, read_header
from hlscam.isobmff.closed_head import LARGEST_HEAD_BYTES, HybridHead, closed_room, read_hybrid_head
from hlscam.isobmff.final_movie import WholeFragment, final_movie
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import LARGEST_HELD_BOX_BYTES, Event, RecordingReader

log = logging.getLogger(__name__)

_HEADERS_BYTES = 4096
"""Read at a time: prft, moof and the mdat header of half a second fit in."""


def read_on(fd: int, reader: RecordingReader, file_bytes: int) -> Iterator[Event]:
    """What a recording holds from where `reader` is up to `file_bytes`. Raises MediaError after what is whole."""
    yield from reader.feed(b"", file_bytes)
    while reader.offset < file_bytes:
        data = os.pread(fd, min(_HEADERS_BYTES, file_bytes - reader.offset), reader.offset)
        if not data:
            return
        yield from reader.feed(data, file_bytes)


def seal_file(path: Path, whole_bytes: int, box: bytes) -> int:
    """Finish the recording whose last whole box ends at `whole_bytes`, and append its own box; the size after it.

    Raises OSError, and the file is as good as before, and can be sealed later.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        end = _finish(fd, path.name, whole_bytes)
        _append(fd, end, box)
        os.ftruncate(fd, end + len(box))
        os.fsync(fd)
    finally:
        os.close(fd)
    return end + len(box)


def _finish(fd: int, name: str, whole_bytes: int) -> int:
    """Make it an ordinary MP4, if that is possible; where its own box goes."""
    head = read_hybrid_head(os.pread(fd, LARGEST_HEAD_BYTES, 0))
    if head is None:
        return whole_bytes
    try:
        fragments = list(_whole_fragments(fd, whole_bytes))
        movie = final_movie(_first_movie(fd, head, whole_bytes), head.moov_offset, fragments)
    except MediaError as error:
        log.warning("%s gets no index of its whole: %s", name, error.message)
        return whole_bytes
    media_end = fragments[-1].end
    other = _other_index(fd, head, media_end, movie)
    offset = media_end if other is None else other.end
    _append(fd, offset, movie)
    if other is not None:
        _overwrite(fd, other.offset + 4, b"free")
    _overwrite(fd, head.room_offset, closed_room(head, media_end))
    return offset + len(movie)


def _first_movie(fd: int, head: HybridHead, whole_bytes: int) -> bytes:
    header = read_header(os.pread(fd, 16, head.moov_offset), 0, base=head.moov_offset, limit=whole_bytes)
    if header is None or header.size_bytes > LARGEST_HELD_BOX_BYTES:
        raise MediaError("the first moov cannot be read", box_type="moov", offset=head.moov_offset)
    return os.pread(fd, header.size_bytes, header.offset)


def _whole_fragments(fd: int, whole_bytes: int) -> Iterator[WholeFragment]:
    for event in read_on(fd, RecordingReader(), whole_bytes):
        if isinstance(event, Fragment):
            yield _moof_of(fd, event)


def _moof_of(fd: int, fragment: Fragment) -> WholeFragment:
    at = fragment.offset
    while True:
        data = os.pread(fd, _HEADERS_BYTES, at)
        header = read_header(data, 0, base=at, limit=fragment.end)
        if header is None:
            raise MediaError("the fragment has no moof", box_type="moof", offset=fragment.offset)
        if header.type == "moof":
            moof = data[: header.size_bytes]
            if len(moof) < header.size_bytes:
                moof = os.pread(fd, header.size_bytes, at)
            return WholeFragment(moof, at, fragment.end)
        at = header.end


def _other_index(fd: int, head: HybridHead, media_end: int, movie: bytes) -> BoxHeader | None:
    """The whole `moov` that is not ours, or the `free` box that it became, right behind the media of a closed file.

    An open file may have one too, of an ffmpeg that was killed while it closed it: that one is cut off like any tail.
    """
    if head.mdat_end != media_end or os.pread(fd, len(movie), media_end) == movie:
        return None
    try:
        box = read_header(os.pread(fd, 16, media_end), 0, base=media_end, limit=os.fstat(fd).st_size)
    except MediaError:
        return None  # torn
    return box if box is not None and box.type in ("moov", "free") else None


def _append(fd: int, offset: int, data: bytes) -> None:
    """Let the file go on with `data` at `offset`, unless it does. When there is no room it ends at `offset`."""
    if os.pread(fd, len(data), offset) != data:
        os.ftruncate(fd, offset)
        try:
            _write(fd, offset, data)
        except OSError:
            os.ftruncate(fd, offset)
            raise
    os.fsync(fd)


def _overwrite(fd: int, offset: int, data: bytes) -> None:
    """Put a few bytes in place of others, all at once."""
    if os.pread(fd, len(data), offset) != data:
        _write(fd, offset, data)
        os.fsync(fd)


def _write(fd: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view, offset = view[count:], offset + count
