"""What a low-latency playlist says beside its segments: parts, the part target, the next part's name. Pure.

**The part target** (EXT-X-PART-INF) may not change while players are there, no part may be longer, and all but a
segment's last should have 85 % of it (RFC 8216bis 4.4.3.7, 4.4.4.9). ffmpeg ends a part with the first picture or
sound that reaches the wanted duration: of two neighbouring numbers of pictures parts have one or the other, and with
timestamps that jitter one more now and then. The target has room for that one, as far as the 85 % let it: in parts of
few pictures one is more than that. A part that is longer all the same (a picture that stood still) is not listed, nor
are those behind it in its segment: players load that segment when it is whole.

**The hint** (EXT-X-PRELOAD-HINT) names the next part before it is there. Whether it still belongs to the segment in
progress is not known, but cameras have regular groups of pictures: a segment that lasts as long as the one before is
full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hlscam.domain.part import Part
from hlscam.units import US_PER_S

PART_DURATION_S = 0.3
"""Where nobody says otherwise: LL-HLS then shows pictures that are 1.3 s old, and WebSocket 0.5 s."""

HOLD_BACK_PARTS = 3
"""PART-HOLD-BACK in part targets (4.4.3.8: at least two, and three should be)."""

SKIP_TARGETS = 6
"""CAN-SKIP-UNTIL in target durations (4.4.3.8: at least six)."""

EARLY_S = 0.01
"""ffmpeg is asked for parts shorter by this: with times in whole milliseconds five pictures of 40 ms may be 0.199 s."""

_LEAST_OF_TARGET = 0.85
_JITTER_PICTURES = 0.2
_WHOLE_SEGMENTS_WITH_PARTS = 2
"""With the one in progress never more than the three target durations that 4.4.4.9 allows."""

_ALMOST = 0.98


def part_target_us(part_duration_s: float, frame_rate: float) -> int:
    """EXT-X-PART-INF of a camera with so many pictures per second, in microseconds."""
    rate = max(1.0, round(2 * frame_rate) / 2)  # as measured it moves a little; what is reckoned from it must not
    most = max(1, math.ceil((part_duration_s - EARLY_S) * rate))
    least = max(1, most - 1)
    return math.floor(max(min(most + 1, least / _LEAST_OF_TARGET), most + _JITTER_PICTURES) / rate * US_PER_S)


@dataclass(frozen=True, slots=True)
class LowLatency:
    """The parts that a playlist lists, by their segments' numbers; `following` is the segment in progress.

    `hint` is the position of the part to come: there is always one (4.4.5.3), or players would wait for none.
    """

    part_target_us: int
    parts: Mapping[int, Sequence[Part]]
    following: int
    hint: tuple[int, int]

    @classmethod
    def of(cls, parts: Sequence[Part], *, end_media_sequence: int, target_us: int) -> LowLatency:
        """From the live edge: `end_media_sequence` is one past the last whole segment."""
        rows = {number: list(row) for number, row in groupby(parts, key=lambda each: each.media_sequence)}
        oldest = end_media_sequence - _WHOLE_SEGMENTS_WITH_PARTS
        shown = {number: _listable(row, target_us) for number, row in rows.items() if number >= oldest}
        is_shown = len(shown.get(end_media_sequence, [])) == len(rows.get(end_media_sequence, []))
        hint = next_position(parts, end_media_sequence) if is_shown else (end_media_sequence + 1, 0)
        return cls(target_us, shown, end_media_sequence, hint)

    def lists(self, media_sequence: int, part: int) -> bool:
        """Whether a part is listed, or what comes after it.

        A part beyond a segment's last is the first of the next segment (RFC 8216bis 6.2.5.2): when a player asked for
        it, it could not know yet that the segment was full.
        """
        if media_sequence < self.following:
            row = self.parts.get(media_sequence, ())
            is_beyond = media_sequence == self.following - 1 and bool(row) and part >= len(row)
            return not is_beyond or self.lists(self.following, 0)
        return media_sequence == self.following and part < len(self.parts.get(media_sequence, ()))


def next_position(parts: Sequence[Part], end_media_sequence: int) -> tuple[int, int]:
    """Where the next part most likely belongs."""
    begun = [each.duration_us for each in parts if each.media_sequence == end_media_sequence]
    before = [each.duration_us for each in parts if each.media_sequence == end_media_sequence - 1]
    is_full = begun and before and sum(begun) >= _ALMOST * sum(before)
    return (end_media_sequence + 1, 0) if is_full else (end_media_sequence, len(begun))


def _listable(row: Sequence[Part], target_us: int) -> Sequence[Part]:
    """The parts of a segment up to the first that is too long to be one."""
    end = next((at for at, each in enumerate(row) if each.duration_us > target_us), len(row))
    return row[:end]
