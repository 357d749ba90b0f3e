"""What a low-latency playlist says beside its segments: parts, the part target, the next part's name. Pure.

**The part target** (EXT-X-PART-INF) may not change while players are there, no part may be longer, and all but a
segment's last must have 85 % of it (RFC 8216bis 4.4.3.7, 4.4.4.9). ffmpeg ends a fragment in front of the picture, or
the sound, that is so far behind the fragment's own first one. So it is asked for a whole number of pictures, a little
less than they last; and for such a number that sound, whose packets have a duration of their own, does not end a part a
picture earlier now and then. The target has room for one picture more, for timestamps that jitter, as far as the 85 %
let it. A part that is longer all the same (a picture that stood still) is not listed, nor are those behind it in its
segment: players load that segment when it is whole.

How long ffmpeg's fragments are is fixed when a run begins, by the frame rate and the group of pictures that were known
then, and stands in the run's identity: whoever serves it must know, whatever the configuration says now.

**The hint** (EXT-X-PRELOAD-HINT) names the next part before it is there. Whether it still belongs to the segment in
progress is not known, but cameras have regular groups of pictures: a segment that lasts as long as the one before is
full. In front of a recording's first segment there is none; then the camera's target duration tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hlscam.domain.part import Part
from hlscam.isobmff.fragment import Fragment
from hlscam.units import US_PER_S

PART_DURATION_S = 0.3
"""Where nobody says otherwise: LL-HLS then shows pictures that are 1.3 s old, and WebSocket 0.5 s."""

HOLD_BACK_PARTS = 3
"""PART-HOLD-BACK in part targets (4.4.3.8: at least two, and three should be)."""

SKIP_TARGETS = 6
"""CAN-SKIP-UNTIL in target durations (4.4.3.8: at least six)."""

_EARLY_S = 0.007
"""ffmpeg is asked for parts shorter by this: with times in whole milliseconds five pictures of 40 ms may be 0.199 s."""

_EXACT_S = 0.0001
_EXACT_PICTURES = 0.0001

_LEAST_OF_TARGET = 0.85
_JITTER_PICTURES = 0.2
_WHOLE_SEGMENTS_WITH_PARTS = 2
"""With the one in progress never more than the three target durations that 4.4.4.9 allows."""

_ALMOST = 0.98


def fragment_us(
    part_duration_s: float, frame_rate: float, sound_s: float | None, gop_pictures: int | None = None
) -> int:
    """What ffmpeg is asked for so that parts last about so long, in microseconds.

    `frame_rate` is 0 where nobody knows it; `sound_s` is how long a packet of sound lasts, None without.
    `gop_pictures` is how many pictures a group has where a segment holds several of one length, else None.
    """
    if not frame_rate:
        return _early_us(part_duration_s)
    rate = _steady(frame_rate)
    wanted = part_duration_s * rate
    counts = (_fitting(wanted, gop_pictures) if gop_pictures else []) or _nearest(wanted)
    even = (each for each in counts if sound_s is None or not _ends_early(each / rate, sound_s))
    return _early_us(next(even, counts[0]) / rate)


def _nearest(wanted: float) -> list[int]:
    """Whole numbers of pictures about as many as wanted, best first."""
    near = {max(1, math.floor(wanted) + more) for more in (-1, 0, 1, 2)}
    return sorted(sorted(near), key=lambda each: abs(each - wanted))[:3]


def _fitting(wanted: float, gop_pictures: int) -> list[int]:
    """Those of up to twice or half as many that leave no rest of a group, or one that may be a part; best first."""
    wanted = min(wanted, gop_pictures)  # no part is longer than its group
    near = range(max(1, math.ceil(wanted / 2)), math.floor(2 * wanted) + 1)
    fitting = (each for each in near if _leaves_no_short_part(gop_pictures % each, each))
    return sorted(fitting, key=lambda each: max(each / wanted, wanted / each))


def _leaves_no_short_part(rest: int, pictures: int) -> bool:
    return rest == 0 or rest >= _LEAST_OF_TARGET * _target_pictures(pictures) - _EXACT_PICTURES


def group_pictures(segments: Iterable[Sequence[Fragment]]) -> int | None:
    """How many pictures each group has, where segments hold several; None where they hold one, or not all are alike."""
    rows = [_groups(each) for each in segments]
    counts = {count for row in rows for count in row}
    return counts.pop() if len(counts) == 1 and all(len(row) > 1 for row in rows) else None


def _groups(segment: Sequence[Fragment]) -> list[int]:
    """The pictures of each group in a segment; what stands before the first sync sample is one of its own."""
    counts: list[int] = []
    for fragment in segment:
        if fragment.starts_with_sync or not counts:
            counts.append(0)
        counts[-1] += fragment.sample_count
    return counts


def _early_us(duration_s: float) -> int:
    return round((duration_s - _EARLY_S) * US_PER_S)


def _ends_early(pictures_s: float, sound_s: float) -> bool:
    """Whether so many packets of sound as reach what is asked for last less than the pictures: the last one is cut."""
    packets = math.ceil(round((pictures_s - _EARLY_S) / sound_s, 6))
    return packets * sound_s < pictures_s - _EXACT_S


def _steady(frame_rate: float) -> float:
    """As measured it moves a little; what is reckoned from it must not."""
    return max(1.0, round(2 * frame_rate) / 2)


def part_target_us(fragment_us: int, frame_rate: float) -> int:
    """EXT-X-PART-INF of a camera with so many pictures per second, in microseconds, for what ffmpeg was asked for."""
    rate = _steady(frame_rate)
    most = max(1, math.ceil(fragment_us * rate / US_PER_S))
    return math.floor(_target_pictures(most) / rate * US_PER_S)


def _target_pictures(most: int) -> float:
    """The part target, in pictures, of parts that have so many of them."""
    room = min(most + 1, max(1, most - 1) / _LEAST_OF_TARGET)
    jitter = min(_JITTER_PICTURES, most / _LEAST_OF_TARGET - most)
    return max(room, most + jitter)


@dataclass(frozen=True, slots=True)
class LowLatency:
    """The parts that a playlist lists, by their segments' numbers; `following` is the segment in progress.

    `hint` is the position of the part to come. There is one (4.4.5.3), or players would wait for none; but where the
    numbers of a run begin further on, after a power cut, no part of this playlist follows, and it is None until that
    run has a whole segment, and a playlist of its own.
    """

    part_target_us: int
    parts: Mapping[int, Sequence[Part]]
    following: int
    hint: tuple[int, int] | None

    @classmethod
    def of(cls, parts: Sequence[Part], *, end_media_sequence: int, target_us: int, usual_segment_us: int) -> LowLatency:
        """From the live edge: `end_media_sequence` is one past the last whole segment.

        `target_us` is the part target; a segment usually lasts `usual_segment_us`, where the one before does not tell.
        """
        rows = {number: list(row) for number, row in groupby(parts, key=lambda each: each.media_sequence)}
        oldest = end_media_sequence - _WHOLE_SEGMENTS_WITH_PARTS
        shown = {number: _listable(row, target_us) for number, row in rows.items() if number >= oldest}
        is_shown = len(shown.get(end_media_sequence, [])) == len(rows.get(end_media_sequence, []))
        hint = next_position(parts, end_media_sequence, usual_segment_us) if is_shown else (end_media_sequence + 1, 0)
        return cls(target_us, shown, end_media_sequence, None if has_leapt(parts, end_media_sequence) else hint)

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

    def is_too_far(self, media_sequence: int, part: int, target_duration_s: int) -> bool:
        """Whether a part is further ahead of the last one that is listed than a player may ask for.

        The Advance Part Limit (6.2.5.2) is as many parts as last 3 s, and at least 3. Where a segment may last longer
        it is the parts of one: to make up for the age of a cached answer hls.js adds up to so many to the next index,
        without a look at the segment's end. What is beyond the end of a whole segment is the next one's first, and not
        far.
        """
        row = self.parts.get(self.following) or self.parts.get(self.following - 1) or ()
        part_target_s = self.part_target_us / US_PER_S
        limit = max(3, 3 / part_target_s, 1 + target_duration_s / part_target_s)
        return media_sequence >= self.following and part - (len(row) - 1) > limit


def has_leapt(parts: Sequence[Part], end_media_sequence: int) -> bool:
    """Whether the numbers of the run in progress begin beyond the last whole segment's: what would be next never comes.

    With the part that shows a segment to be whole that segment is listed, so parts are never ahead of it otherwise.
    """
    return bool(parts) and parts[-1].media_sequence > end_media_sequence


def next_position(parts: Sequence[Part], end_media_sequence: int, usual_segment_us: int) -> tuple[int, int]:
    """Where the next part most likely belongs."""
    begun = [each for each in parts if each.media_sequence == end_media_sequence]
    if not begun:
        return end_media_sequence, 0
    lasts_us = _likely_segment_us(parts, begun[0], usual_segment_us)
    is_full = sum(each.duration_us for each in begun) >= _ALMOST * lasts_us
    return (end_media_sequence + 1, 0) if is_full else (end_media_sequence, len(begun))


def _likely_segment_us(parts: Sequence[Part], begun: Part, usual_us: int) -> int:
    """How long the segment in progress will be: as long as the newest whole one that is no stub.

    A recording's last segment ends where the recording was cut, and one without a sync sample in front at the next one.
    """
    before = (each for each in parts if each.name == begun.name and each.media_sequence < begun.media_sequence)
    rows = [list(row) for _, row in groupby(before, key=lambda each: each.media_sequence)]
    lengths = [(sum(each.duration_us for each in row), row[0].independent) for row in reversed(rows)]
    return next((lasts_us for lasts_us, independent in lengths if independent or lasts_us >= usual_us), usual_us)


def _listable(row: Sequence[Part], target_us: int) -> Sequence[Part]:
    """The parts of a segment up to the first that is too long to be one."""
    end = next((at for at, each in enumerate(row) if each.duration_us > target_us), len(row))
    return row[:end]
