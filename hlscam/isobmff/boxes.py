"""Boxes: the one grammar of ISO base media files (ISO/IEC 14496-12 clause 4.2).

A box is a size, a four-character type and a body; containers hold boxes in their body. The size is 32 bits, or 1 and
then 64 bits, or 0 for "to the end of the file". Three rules keep a walk over hostile bytes safe, and all of them
are here: a box is never smaller than its own header (so every step moves forward), never reaches past its
parent, and size 0 is refused inside a parent, where the standard does not allow it.

Positions come in two kinds. An *index* counts from the start of the bytes at hand, an *offset* from the start of the
file. `base` is the offset of the bytes' first one, so `offset = base + index`. Headers and errors speak offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hlscam.errors import MediaError

FILE_END: Final = 1 << 63
"""The `limit` of a top-level box in a file whose size is not known, or still grows."""

_SMALL_HEADER_BYTES = 8
_LARGE_HEADER_BYTES = 16
_LARGEST_SMALL_BYTES = 0xFFFF_FFFF
_SMALL = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class BoxHeader:
    """Where a box lies in the file: `offset` is its first byte, `body` the first after its header, `end` one past it.

    `type` is its four characters (Latin-1, so that `©cmt` reads as written). The 16-byte usertype of a `uuid` box
    counts as body.
    """

    type: str
    offset: int
    header_bytes: int
    size_bytes: int

    @property
    def body(self) -> int:
        return self.offset + self.header_bytes

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


def read_header(data: bytes, at: int, *, base: int = 0, limit: int = FILE_END) -> BoxHeader | None:
    """The header of the box at index `at`, or None when `data` ends before it does (ISO/IEC 14496-12 4.2.2).

    `limit` is the offset at which the parent ends; a box of size 0 reaches to it. Raises MediaError for a box smaller
    than its header or reaching past `limit`.
    """
    if len(data) - at < _SMALL_HEADER_BYTES:
        return None
    size_bytes, raw_type = _SMALL.unpack_from(data, at)
    header_bytes = _SMALL_HEADER_BYTES
    offset = base + at
    if size_bytes == 1:
        if len(data) - at < _LARGE_HEADER_BYTES:
            return None
        (size_bytes,) = _LARGE.unpack_from(data, at + _SMALL_HEADER_BYTES)
        header_bytes = _LARGE_HEADER_BYTES
    elif size_bytes == 0:
        size_bytes = limit - offset
    box_type = raw_type.decode("latin-1")
    if size_bytes < header_bytes:
        raise MediaError(f"a size of {size_bytes} is less than the box's header", box_type=box_type, offset=offset)
    if offset + size_bytes > limit:
        raise MediaError(
            f"a size of {size_bytes} reaches past its parent, which ends at {limit}", box_type=box_type, offset=offset
        )
    return BoxHeader(box_type, offset, header_bytes, size_bytes)


def is_open_ended(data: bytes, at: int) -> bool:
    """Whether the box at index `at` says size 0: to the end of the file."""
    return data[at : at + 4] == b"\0\0\0\0"


def child_header(data: bytes, at: int, end: int, *, base: int = 0) -> BoxHeader:
    """The header of the child at index `at` of a parent whose body ends at index `end`. Raises MediaError."""
    header = None if end > len(data) else read_header(data[at : min(end, at + 16)], 0, base=base + at, limit=base + end)
    if header is None:
        raise MediaError("the parent ends inside a box header", box_type=_type_at(data, at, end), offset=base + at)
    if is_open_ended(data, at):
        raise MediaError("size 0 is only allowed at the end of a file", box_type=header.type, offset=header.offset)
    return header


def child_boxes(data: bytes, start: int, end: int, *, base: int = 0) -> Iterator[BoxHeader]:
    """The boxes that fill `data[start:end]`, a parent's body, in order.

    Raises MediaError, naming box and offset, at the first that cannot be one.
    """
    at = start
    while at < end:
        header = child_header(data, at, end, base=base)
        yield header
        at += header.size_bytes


def find_boxes(data: bytes, path: str, start: int, end: int, *, base: int = 0) -> Iterator[BoxHeader]:
    """All boxes at a path such as `trak/mdia/mdhd` below the parent body `data[start:end]`.

    Every box on the way must be a plain container (not a FullBox, not a sample entry). Raises MediaError.
    """
    first, _, rest = path.partition("/")
    for header in child_boxes(data, start, end, base=base):
        if header.type != first:
            continue
        if rest:
            yield from find_boxes(data, rest, header.body - base, header.end - base, base=base)
        else:
            yield header


def find_box(data: bytes, path: str, start: int, end: int, *, base: int = 0) -> BoxHeader | None:
    """The first box at `path`, or None."""
    return next(find_boxes(data, path, start, end, base=base), None)


class BodyReader:
    """Reads a box's fields in order, and refuses (MediaError) to go past the box's end."""

    __slots__ = ("_at", "_box", "_data", "_end")

    def __init__(self, data: bytes, box: BoxHeader, *, base: int = 0) -> None:
        self._data = data
        self._box = box
        self._at = box.body - base
        self._end = box.end - base

    @property
    def at(self) -> int:
        """The index of the next byte."""
        return self._at

    @property
    def end(self) -> int:
        """The index of the box's end."""
        return self._end

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self._end - self._at:
            raise MediaError("the box ends inside its fields", box_type=self._box.type, offset=self._box.offset)
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        return self.take(self._end - self._at)

    def unsigned(self, count: int) -> int:
        """The next `count` bytes as a big-endian number."""
        return int.from_bytes(self.take(count), "big")

    def full_box(self) -> tuple[int, int]:
        """Version and flags of a FullBox (ISO/IEC 14496-12 4.2.2)."""
        return self.unsigned(1), self.unsigned(3)


def make_box(kind: bytes, *parts: bytes) -> bytes:
    """A box of that type around `parts`. Raises ValueError for one of 4 GiB or more."""
    size_bytes = _SMALL_HEADER_BYTES + sum(map(len, parts))
    if size_bytes > _LARGEST_SMALL_BYTES:
        raise ValueError(f"{size_bytes} bytes are too many for one box")
    return b"".join([_SMALL.pack(size_bytes, kind), *parts])


def make_full_box(kind: bytes, version: int, *parts: bytes) -> bytes:
    """A FullBox of that type and version, its flags all 0."""
    return make_box(kind, bytes([version, 0, 0, 0]), *parts)


def _type_at(data: bytes, at: int, end: int) -> str:
    return data[at + 4 : min(at + 8, end)].decode("latin-1")
