"""The Range header (RFC 9110 14.2), for one range of bytes; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """[start, end) of something `size_bytes` long.

    `is_partial` says whether it answers a Range header, be it with all bytes: 206 to `bytes=0-` is how a media player
    learns that it may seek.
    """

    start: int
    end: int
    size_bytes: int
    is_partial: bool = True

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The range that is asked for; the whole when there is none, or one of a form we need not serve (several ranges).

    None when it cannot be satisfied (416).
    """
    whole = ByteRange(0, size_bytes, size_bytes, is_partial=False)
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match[1] or match[2]):
        return whole
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        return ByteRange(size_bytes - length, size_bytes, size_bytes) if length else None
    start = int(match[1])
    last = min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
    if match[2] and int(match[2]) < start:
        return whole
    return ByteRange(start, last + 1, size_bytes) if start < size_bytes else None
