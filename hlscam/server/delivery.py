"""What a player may ask of a live playlist (delivery directives, RFC 8216bis 6.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hlscam.errors import InvalidRequest
from hlscam.server.queries import optional_number
from hlscam.services.live import LiveStream

_MOST_AHEAD_SEGMENTS = 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """`media_sequence` and `part` to wait for, and whether a delta update will do."""

    media_sequence: int | None
    part: int | None
    skip: bool

    @classmethod
    def of(cls, request: web.Request) -> Delivery:
        """`?_HLS_msn=&_HLS_part=&_HLS_skip=`. Raises InvalidRequest."""
        media_sequence, part = optional_number(request, "_HLS_msn"), optional_number(request, "_HLS_part", "a number")
        if part is not None and media_sequence is None:
            raise InvalidRequest("`_HLS_part` is the number of a part of the segment `_HLS_msn`, which is missing")
        skip = request.query.get("_HLS_skip")
        if skip not in (None, "YES", "v2"):
            raise InvalidRequest(f"`_HLS_skip` is YES or v2, not {skip!r}")
        return cls(media_sequence, part, skip is not None)

    def check(self, stream: LiveStream) -> None:
        """Raises InvalidRequest for what is too far ahead to be waited for (6.2.5.2)."""
        end = stream.newest.end_media_sequence if stream.newest else 0
        if self.media_sequence is not None and self.media_sequence >= end + _MOST_AHEAD_SEGMENTS:
            raise InvalidRequest(f"segment {self.media_sequence} is too far ahead: the newest is {end - 1}")

    def is_reached(self, stream: LiveStream) -> bool:
        return self.media_sequence is None or stream.has(self.media_sequence, self.part)
