"""Positions: where in a camera's footage a client is, to the fragment, as URLs and messages write it.

`4711.3` is the part of index 3 in the segment of media_sequence 4711. It can be told from the live edge and from the
archive alike and never changes, so whoever was cut off goes on behind it, minutes or years later.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hlscam.errors import InvalidRequest

_POSITION = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})", re.ASCII)


class Position(NamedTuple):
    """A part's place. Parts in order have positions in order; `part` is -1 in front of a segment's first part."""

    media_sequence: int
    part: int

    def __str__(self) -> str:
        return f"{self.media_sequence}.{self.part}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that a client sends back. Raises InvalidRequest."""
        match = _POSITION.fullmatch(text)
        if match is None:
            raise InvalidRequest(f"a position is a media sequence and a part's index, such as 4711.3, not {text!r}")
        return cls(int(match[1]), int(match[2]))
