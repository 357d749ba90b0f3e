"""The Range header (RFC 9110 14.2), for one range of bytes; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """[start, end) of something `size_bytes` long."""

    start: int
    end: int
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.end == self.size_bytes

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The range that is asked for; the whole when there is none, or one of a form we need not serve (several ranges).

    None when it cannot be satisfied (416).
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match[1] or match[2]):
        return ByteRange(0, size_bytes, size_bytes)
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        return ByteRange(size_bytes - length, size_bytes, size_bytes) if length else None
    start = int(match[1])
    last = min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
    if match[2] and int(match[2]) < start:
        return ByteRange(0, size_bytes, size_bytes)
    return ByteRange(start, last + 1, size_bytes) if start < size_bytes else None
