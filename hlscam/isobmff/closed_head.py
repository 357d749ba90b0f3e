"""The head of a hybrid MP4: growing while ffmpeg writes it, closed after, and how the one becomes the other.

    growing          ftyp  free(8)  free( copy of ftyp )  moov …
    closed           ftyp  free(8)  mdat( copy of ftyp,   moov … )      to the final moov
    beyond 4 GiB     ftyp  mdat( ········· copy of ftyp,  moov … )      its header takes both places

All that differs are the 16 bytes behind `ftyp`: the *room*. They lie in one sector, so that one write turns the one
form into the other, or does not. A file of ffmpeg before 7.1 has no room, and cannot be closed where it lies.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LARGEST_HEAD_BYTES = 1024
"""All that is looked at; ffmpeg's `ftyp` has 24 to 40 bytes."""

_ROOM_BYTES = 16
_SMALL = struct.Struct(">I4sI4s")
_LARGE = struct.Struct(">I4sQ")
_LARGEST_SMALL_BYTES = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class HybridHead:
    """What the head says. `room_offset` is where the two forms differ, `moov_offset` where the first `moov` begins.

    `mdat_end` is where the one big mdat ends, None while the file grows.
    """

    room_offset: int
    moov_offset: int
    mdat_end: int | None


def read_hybrid_head(head: bytes) -> HybridHead | None:
    """The head of a file that begins with these bytes, or None when it is not a hybrid MP4's."""
    room_offset = int.from_bytes(head[:4], "big")
    copy_offset = room_offset + _ROOM_BYTES
    moov_offset = copy_offset + room_offset
    room = head[room_offset:copy_offset]
    is_hybrid = head[4:8] == b"ftyp" and head[moov_offset + 4 : moov_offset + 8] == b"moov"
    if not is_hybrid or head[copy_offset:moov_offset] != head[:room_offset]:
        return None
    if room == _SMALL.pack(8, b"free", 8 + room_offset, b"free"):
        return HybridHead(room_offset, moov_offset, None)
    first_bytes, first, second_bytes, second = _SMALL.unpack(room)
    if (first_bytes, first, second) == (8, b"free", b"mdat"):
        return HybridHead(room_offset, moov_offset, room_offset + 8 + second_bytes)
    large, kind, size_bytes = _LARGE.unpack(room)
    if (large, kind) == (1, b"mdat"):
        return HybridHead(room_offset, moov_offset, room_offset + size_bytes)
    return None


def closed_room(head: HybridHead, movie_offset: int) -> bytes:
    """What to write at `room_offset` once the final `moov` is at `movie_offset`: exactly what ffmpeg does."""
    size_bytes = movie_offset - head.room_offset - 8
    if size_bytes > _LARGEST_SMALL_BYTES:
        return _LARGE.pack(1, b"mdat", movie_offset - head.room_offset)
    return _SMALL.pack(8, b"free", size_bytes, b"mdat")
