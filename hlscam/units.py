"""Units of time and how people write them.

Wall time is an `int` of UTC microseconds since 1970-01-01 (`_wall_us`), media time an `int` of ticks of a
named timescale (`_ticks`). RFC 3339 is how both playlists (EXT-X-PROGRAM-DATE-TIME, RFC 8216bis 4.4.4.6) and the API
write wall time; the API and the URLs also read Unix seconds. Local time does not exist here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hlscam.errors import InvalidRequest

US_PER_S = 1_000_000
US_PER_MS = 1_000
_SIZES = ("KB", "MB", "GB", "TB")

_UNIX_SECONDS = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LATEST_WALL_US = 253_402_300_799 * US_PER_S  # 9999-12-31T23:59:59Z, the last second that RFC 3339 can write


def format_rfc3339(wall_us: int) -> str:
    """UTC with millisecond precision: `2026-11-22T22:10:00.000Z`.

    Rounded up, so that the time written for a start, when it comes back in a URL, lies in what starts there and
    not in what ends there.
    """
    whole_s, rest_ms = divmod(-(-wall_us // US_PER_MS), 1000)
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z"


def parse_time(text: str) -> int:
    """Wall microseconds from RFC 3339 (with a zone) or Unix seconds, as the URLs accept them.

    A `+` that a URL decoder turned into a space is taken as the `+` it was. Raises InvalidRequest.
    """
    text = text.strip()
    if _UNIX_SECONDS.fullmatch(text):
        whole, _, fraction = text.partition(".")
        sign = -1 if whole.startswith("-") else 1
        return _in_range(int(whole) * US_PER_S + sign * int((fraction + "000000")[:6]), text)
    restored = re.sub(r" (?=\d\d:\d\d$)", "+", text)
    if not _RFC3339.fullmatch(restored):
        raise InvalidRequest(
            f"{text!r} is not a time",
            hint="write RFC 3339 with a zone (2026-11-22T22:10:00Z) or Unix seconds (1795385400.5)",
        )
    try:
        moment = datetime.fromisoformat(restored.upper().replace(" ", "T"))
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is not a time: {error}") from None
    whole_s = int(moment.replace(microsecond=0).timestamp())
    return _in_range(whole_s * US_PER_S + moment.microsecond, text)


def _in_range(wall_us: int, text: str) -> int:
    if not 0 <= wall_us <= _LATEST_WALL_US:
        raise InvalidRequest(f"{text!r} lies outside the years 1970 to 9999")
    return wall_us


def format_bytes(size_bytes: int) -> str:
    """A size for people: `3 bytes`, `12.4 MB`; a MB is 1024 KB, as in the configuration."""
    if size_bytes < 1024:
        return f"{size_bytes} bytes"
    power = min((size_bytes.bit_length() - 1) // 10, len(_SIZES))
    return f"{size_bytes / 1024**power:.1f} {_SIZES[power - 1]}"


def ticks_to_us(ticks: int, timescale: int) -> int:
    """Media ticks as microseconds, rounded half up."""
    return (ticks * US_PER_S * 2 + timescale) // (2 * timescale)
