"""Positions: where in a camera's footage a client is, as URLs and messages write it.

Two numbers, that of a segment and an index in it: `4711.3` is the part of index 3 in the segment of media_sequence 4711
(WebSocket), or the picture of index 3 in the order of presentation (MJPEG and stills). Both are told from the segment's
bytes alone, at the live edge and in the archive alike, and never change: whoever was cut off goes on behind it, minutes
or years later.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hlscam.errors import InvalidRequest

_POSITION = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})", re.ASCII)


class PartPosition(NamedTuple):
    """A part's place. Parts in order have positions in order; `part` is -1 in front of a segment's first part."""

    media_sequence: int
    part: int

    def __str__(self) -> str:
        return f"{self.media_sequence}.{self.part}"

    @classmethod
    def parse(cls, text: str) -> PartPosition:
        """The position that a client sends back. Raises InvalidRequest."""
        return cls(*_parse(text, "a media sequence and a part's index, such as 4711.3"))


class PicturePosition(NamedTuple):
    """A picture's place. Pictures in order have positions in order, but where a GOP is cut between two segments."""

    media_sequence: int
    picture: int

    def __str__(self) -> str:
        return f"{self.media_sequence}.{self.picture}"

    @classmethod
    def parse(cls, text: str) -> PicturePosition:
        """The position that a client sends back. Raises InvalidRequest."""
        return cls(*_parse(text, "what X-Position said, such as 4711.48"))


def _parse(text: str, words: str) -> tuple[int, int]:
    match = _POSITION.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"a position is {words}, not {text!r}")
    return int(match[1]), int(match[2])
