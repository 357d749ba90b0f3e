"""What URLs may ask: numbers, times, ranges, switches and pages, checked in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from hlscam.domain.position import PicturePosition
from hlscam.errors import InvalidRequest
from hlscam.units import US_PER_S, parse_time

LARGEST_PAGE = 1000
_DEFAULT_PAGE = 100
SMALLEST_WIDTH, LARGEST_WIDTH = 16, 3840
_WIDTHS = f"{SMALLEST_WIDTH} to {LARGEST_WIDTH} pixels"
SLOWEST_FPS, FASTEST_FPS = 0.1, 60
_FRAME_RATE = re.compile(r"\d{1,2}(\.\d{1,3})?", re.ASCII)
_FUTURE_ALLOWED_US = 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[from, to) in wall microseconds; None is open."""

    from_wall_us: int | None
    to_wall_us: int | None


def time_range(request: web.Request) -> TimeRange:
    """`?from=&to=`. Raises InvalidRequest for a bad time or an empty range."""
    from_wall_us, to_wall_us = (optional_time(request, name) for name in ("from", "to"))
    if from_wall_us is not None and to_wall_us is not None and from_wall_us >= to_wall_us:
        raise InvalidRequest("the range is empty: `from` must lie before `to`")
    return TimeRange(from_wall_us, to_wall_us)


@dataclass(frozen=True, slots=True)
class TimelineRange:
    """A stretch of footage: from the segment that contains `from_wall_us`, or from the one that follows number `after`,
    to `to_wall_us`; without `to` it goes on into live. At most one of the first two is given.
    """

    from_wall_us: int | None
    after: int | None
    to_wall_us: int | None

    @property
    def has_beginning(self) -> bool:
        return self.from_wall_us is not None or self.after is not None


def timeline_range(request: web.Request) -> TimelineRange:
    """`?from=&to=` or `?after=&to=`. Raises InvalidRequest for a bad time or number, an empty range, or both."""
    times, after = time_range(request), optional_number(request, "after")
    if after is not None and times.from_wall_us is not None:
        raise InvalidRequest("`from` and `after` both say where to begin", hint="leave one of them out")
    return TimelineRange(times.from_wall_us, after, times.to_wall_us)


def not_in_future(wall_us: int, now_wall_us: int) -> int:
    """`wall_us`, unless it lies further ahead than clocks differ. Raises InvalidRequest."""
    if wall_us > now_wall_us + _FUTURE_ALLOWED_US:
        raise InvalidRequest("this time lies in the future")
    return wall_us


def required_time(request: web.Request, name: str) -> int:
    """A time that must be given. Raises InvalidRequest."""
    wall_us = optional_time(request, name)
    if wall_us is None:
        raise InvalidRequest(f"`{name}` is missing", hint=f"add ?{name}=2026-11-22T22:10:00Z or Unix seconds")
    return wall_us


def page_size(request: web.Request) -> int:
    """`?limit=`. Raises InvalidRequest."""
    text = request.query.get("limit", str(_DEFAULT_PAGE))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= LARGEST_PAGE:
        raise InvalidRequest(f"`limit` is 1 to {LARGEST_PAGE}, not {text!r}")
    return int(text)


def cursor(request: web.Request) -> int | None:
    """`?cursor=` as `next` of the page before gave it. Raises InvalidRequest."""
    return optional_number(request, "cursor", "what `next` of the page before said")


def optional_number(
    request: web.Request, name: str, what: str = "the media sequence of a segment, such as 1795385400"
) -> int | None:
    """A number that may be given. Raises InvalidRequest."""
    text = request.query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequest(f"`{name}` is {what}, not {text!r}")
    return int(text)


def picture_width(request: web.Request) -> int | None:
    """`?width=` of a picture in pixels; None as large as it is. Raises InvalidRequest."""
    width = optional_number(request, "width", _WIDTHS)
    if width is not None and not SMALLEST_WIDTH <= width <= LARGEST_WIDTH:
        raise InvalidRequest(f"`width` is {_WIDTHS}, not {width}")
    return width


def frame_rate(request: web.Request) -> float | None:
    """`?fps=`, how many pictures a second at most; None for all. Raises InvalidRequest."""
    text = request.query.get("fps")
    if text is None:
        return None
    if not _FRAME_RATE.fullmatch(text) or not SLOWEST_FPS <= float(text) <= FASTEST_FPS:
        raise InvalidRequest(f"`fps` is {SLOWEST_FPS} to {FASTEST_FPS} pictures a second, not {text!r}")
    return float(text)


def picture_position(request: web.Request, name: str) -> PicturePosition | None:
    """The position of a picture that may be given. Raises InvalidRequest."""
    text = request.query.get(name)
    try:
        return None if text is None else PicturePosition.parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"`{name}`: {error.message}") from None


def switch(request: web.Request, name: str) -> bool:
    """`?name=1`, or `0` as when it is not given. Raises InvalidRequest."""
    text = request.query.get(name, "0")
    if text not in ("0", "1"):
        raise InvalidRequest(f"`{name}` is 0 or 1, not {text!r}")
    return text == "1"


def optional_time(request: web.Request, name: str) -> int | None:
    """A time that may be given. Raises InvalidRequest."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return parse_time(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"`{name}`: {error.message}", hint=error.hint) from None
