"""A recording's facts as its own `uuid` box holds them: a JSON object and the packed segment table.

Everything a catalog row says is either in the box, in the init section or the file's length, so a lost catalog comes
back equal. Not in the box: `size_bytes` (the box is part of it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from hlscam.domain.recording import EndReason, MediaFacts, Recording
from hlscam.domain.run_clock import LARGEST_SLEW_PPB
from hlscam.domain.segment_table import SegmentTable
from hlscam.isobmff.recording_box import JsonValue

_ELSEWHERE = frozenset({"segments", "size_bytes"})
_APART = frozenset({"media", "end_reason", "gap_reason", "segments"})
_FLOATS = frozenset({"frame_rate"})
_MOST = 2**63 - 1
_RANGES = {"timescale": (1, _MOST), "target_duration_s": (1, _MOST), "slew_ppb": (-LARGEST_SLEW_PPB, LARGEST_SLEW_PPB)}
"""Numbers count from 0 but for these, and none is larger than a catalog's column."""


def to_box(recording: Recording) -> tuple[dict[str, JsonValue], bytes]:
    """(facts, table) of a closed recording."""
    facts = {name: value for name, value in asdict(recording).items() if name not in _ELSEWHERE}
    return {**facts, "end_reason": str(recording.end_reason)}, recording.segments.pack()


def from_box(facts: Mapping[str, Any], table: bytes, *, size_bytes: int) -> Recording:
    """The recording that `to_box` wrote. Raises ValueError when the facts are not whole, or cannot be a recording's."""
    values = dict(facts)
    try:
        media = _typed(MediaFacts, values.pop("media"))
        reason = EndReason(values.pop("end_reason"))
        gap_reason = values.pop("gap_reason", None)  # boxes of hlscam 0.1 do not say it
        known = _typed(Recording, values | {"size_bytes": size_bytes}, left_out=_APART)
        segments = SegmentTable.unpack(table)
        if known["duration_ticks"] != sum(segments.durations_ticks) or not len(segments):
            raise ValueError("the recording's own box and the segment table in it differ")
        return Recording(
            **known,
            media=MediaFacts(**media),
            segments=segments,
            end_reason=reason,
            gap_reason=None if gap_reason is None else EndReason(gap_reason),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the recording's own box is not whole: {error}") from None


def _typed(kind: type, values: Any, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The values of a dataclass's fields, each of its declared simple type; unknown ones are left out."""
    types: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
    typed: dict[str, Any] = {}
    for each in fields(kind):
        if each.name in left_out:
            continue
        value = values[each.name]
        wanted = types[str(each.type)]
        if not isinstance(value, wanted) or (bool not in wanted and isinstance(value, bool)):
            raise TypeError(f"{each.name} is {value!r}")
        least, most = _RANGES.get(each.name, (0, _MOST))
        if isinstance(value, int | float) and not least <= value <= most:
            raise ValueError(f"the recording's own box cannot be right: {each.name} is out of range")
        typed[each.name] = float(str(value)) if each.name in _FLOATS else value
    return typed
