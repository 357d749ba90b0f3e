"""The segment table: what the archive knows of each segment of one recording.

Four columns, one entry a segment: its size, its duration, how many bytes its non-sync samples have (how much moved
in front of the camera: an activity line without decoding), and whether it starts with a sync sample. Segments lie
end to end in the recording, so byte offsets and decode times are running sums and are not stored.

Packed (in the catalog row and in the recording's own box) it is a version byte and the four columns, zlib'ed:
a 10-minute recording of 300 segments takes about 2 KB. Columns, not rows, because neighbours resemble each other.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_VERSION = 1
_HEAD = struct.Struct(">BI")
_LARGEST_COUNT = 10_000_000


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment's line of the table."""

    size_bytes: int
    duration_ticks: int
    non_sync_bytes: int
    independent: bool


@dataclass(slots=True)
class SegmentTable:
    """Columns of equal length, append only."""

    sizes_bytes: array[int] = field(default_factory=lambda: array("I"))
    durations_ticks: array[int] = field(default_factory=lambda: array("I"))
    non_sync_bytes: array[int] = field(default_factory=lambda: array("I"))
    independents: bytearray = field(default_factory=bytearray)

    @classmethod
    def of(cls, entries: Iterable[SegmentEntry]) -> SegmentTable:
        table = cls()
        for entry in entries:
            table.append(entry)
        return table

    def append(self, entry: SegmentEntry) -> None:
        self.sizes_bytes.append(entry.size_bytes)
        self.durations_ticks.append(entry.duration_ticks)
        self.non_sync_bytes.append(entry.non_sync_bytes)
        self.independents.append(entry.independent)

    def copy(self) -> SegmentTable:
        """The table as it is now: it does not grow with this one."""
        return SegmentTable(self.sizes_bytes[:], self.durations_ticks[:], self.non_sync_bytes[:], self.independents[:])

    def __len__(self) -> int:
        return len(self.sizes_bytes)

    def __getitem__(self, index: int) -> SegmentEntry:
        return SegmentEntry(
            self.sizes_bytes[index],
            self.durations_ticks[index],
            self.non_sync_bytes[index],
            bool(self.independents[index]),
        )

    def __iter__(self) -> Iterator[SegmentEntry]:
        return (self[index] for index in range(len(self)))

    def pack(self) -> bytes:
        """The table as bytes; equal tables give equal bytes."""
        columns = b"".join(map(_big_endian, (self.sizes_bytes, self.durations_ticks, self.non_sync_bytes)))
        return _HEAD.pack(_VERSION, len(self)) + zlib.compress(columns + bytes(self.independents), 9)

    @classmethod
    def unpack(cls, packed: bytes) -> SegmentTable:
        """The table that `pack` wrote. Raises ValueError when the bytes are not one."""
        if len(packed) < _HEAD.size:
            raise ValueError("a segment table is at least 5 bytes long")
        version, count = _HEAD.unpack_from(packed)
        if version != _VERSION or count > _LARGEST_COUNT:
            raise ValueError(f"segment table of version {version} with {count} entries: not one of ours")
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(packed[_HEAD.size :], 13 * count + 1)
        except zlib.error as error:
            raise ValueError(f"segment table is damaged: {error}") from None
        if len(raw) != 13 * count or not inflater.eof:
            raise ValueError(f"segment table holds {len(raw)} bytes, not {13 * count}")
        if inflater.unused_data or raw[12 * count :].strip(b"\0\1"):
            raise ValueError("segment table is damaged: it says more than there is to say")
        sizes, durations, non_sync = (_from_big_endian(raw[at * 4 * count : (at + 1) * 4 * count]) for at in range(3))
        return cls(sizes, durations, non_sync, bytearray(raw[12 * count :]))


def _big_endian(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        return column.tobytes()
    swapped = column[:]
    swapped.byteswap()
    return swapped.tobytes()


def _from_big_endian(raw: bytes) -> array[int]:
    column = array("I", raw)
    if sys.byteorder == "little":
        column.byteswap()
    return column
