"""What a player may ask of a playlist that grows (delivery directives, RFC 8216bis 6.2.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from aiohttp import web

from hlscam.errors import InvalidRequest
from hlscam.server.queries import optional_number
from hlscam.services.live import LiveStream

_MOST_AHEAD_SEGMENTS = 2
_CACHED_TARGETS = 6
"""For so many target durations caches keep the answer to a request that waited (B.1)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`media_sequence` and `part` to wait for, and whether a delta update will do."""

    media_sequence: int | None = None
    part: int | None = None
    skip: bool = False

    @classmethod
    def of(cls, request: web.Request) -> Self:
        """`?_HLS_msn=&_HLS_part=&_HLS_skip=`. Raises InvalidRequest."""
        media_sequence, part = optional_number(request, "_HLS_msn"), optional_number(request, "_HLS_part", "a number")
        if part is not None and media_sequence is None:
            raise InvalidRequest("`_HLS_part` is the number of a part of the segment `_HLS_msn`, which is missing")
        skip = request.query.get("_HLS_skip")
        if skip not in (None, "YES", "v2"):
            raise InvalidRequest(f"`_HLS_skip` is YES or v2, not {skip!r}")
        return cls(media_sequence, part, skip is not None)

    def by_segments(self, leap: int) -> Self:
        """The same of a playlist without parts, whose players count up to a number that is less by `leap`."""
        wanted = None if self.media_sequence is None else self.media_sequence + leap
        return replace(self, media_sequence=wanted, part=None)

    def check(self, stream: LiveStream) -> None:
        """Raises InvalidRequest for what is too far ahead to be waited for (6.2.5.2)."""
        if self.media_sequence is None:
            return
        newest, low_latency = stream.newest, stream.low_latency
        end = newest.end_media_sequence if newest else 0
        if self.media_sequence >= end + _MOST_AHEAD_SEGMENTS:
            raise InvalidRequest(f"segment {self.media_sequence} is too far ahead: the newest is {end - 1}")
        if self.part is None or newest is None or low_latency is None:
            return
        if low_latency.is_too_far(self.media_sequence, self.part, newest.target_duration_s):
            raise InvalidRequest(f"part {self.part} of segment {self.media_sequence} is too far ahead")

    def is_reached(self, stream: LiveStream) -> bool:
        return self.media_sequence is None or stream.has(self.media_sequence, self.part)

    def max_age_s(self, stream: LiveStream, otherwise_s: int, *, reached: bool) -> int:
        """How long a cache may keep an answer: what was waited for is true for ever, what was not there is not.

        `reached`: the answer has it. The camera may have it by now, and the answer not.
        """
        if self.media_sequence is None or stream.newest is None:
            return otherwise_s
        return _CACHED_TARGETS * stream.newest.target_duration_s if reached else 0
