"""Where segments begin and end: fragments in, segments out.

A segment is whole fragments from a sync sample on. The rule is a pure function of the fragments and of two numbers
(`segment_duration_s` and, once known, `target_duration_s`), so that indexing a file again gives the same segments.

EXT-X-TARGETDURATION may not change while a playlist lives, and every EXTINF, rounded, may not exceed it (RFC 8216bis
4.4.3.1). It is therefore measured once per camera: fragments are held back until the group of pictures shows
its length, or is seen to be too long to wait for. A first GOP of an unlikely length is not believed alone: many
cameras answer a new viewer with a sync sample out of turn. Then the target stands, and four things end a segment:

* a fragment that starts with a sync sample, once the segment is about as long as asked for;
* the same, when another GOP as long as the last one would not fit: better short than cut in mid-GOP;
* the same, when the segment itself began without a sync sample: a cut in mid-GOP is mended at the first chance, so
  that players can start again;
* any fragment that would make the segment longer than the target allows: a GOP longer than that is cut where it
  must be, and the next segment is not independent.

A fragment without pictures (sound that goes on while the camera's picture stands still) has no duration, and never
begins a segment: it belongs to the one that is open. Sound before the first picture belongs to none.

One thing is beyond this: a picture that stood still for longer than the target is one sample in one fragment, and makes
a segment that is longer. The playlists that list it say so (`timeline.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from hlscam.domain.segment_table import SegmentEntry
from hlscam.isobmff.fragment import Fragment

LONGEST_GOP_IN_SEGMENTS = 3
"""A GOP of up to so many `segment_duration_s` becomes one segment; a longer one is cut between sync samples."""

_ABOUT = 0.9
"""A segment that reaches this share of `segment_duration_s` is long enough to end at a sync sample."""

_ROOM = 1.02
"""GOPs vary by some frames' jitter: one that was measured as 2.48 s may be 2.5 s next time, and must still fit."""


def holds_several_gops(gop_s: float, segment_duration_s: float, target_duration_s: int | None) -> bool:
    """Whether a segment goes on behind a first GOP of this length: it is not long enough, and another one fits."""
    longest_s = math.inf if target_duration_s is None else target_duration_s + 0.5
    return gop_s < _ABOUT * min(segment_duration_s, longest_s - 0.5) and 2 * gop_s < longest_s


@dataclass(slots=True)
class OpenSegment:
    """The segment that is being filled: its fragments so far, which are its parts."""

    independent: bool
    start_ticks: int
    last_sync_ticks: int
    parts: list[Fragment] = field(default_factory=list)

    @property
    def end_ticks(self) -> int:
        last = self.parts[-1]
        return last.decode_ticks + last.duration_ticks

    def closed(self, end_ticks: int) -> SegmentEntry:
        return SegmentEntry(
            size_bytes=sum(part.size_bytes for part in self.parts),
            duration_ticks=max(end_ticks - self.start_ticks, 1),
            non_sync_bytes=sum(part.non_sync_bytes for part in self.parts),
            independent=self.independent,
        )


class Segmenter:
    """Cuts the fragments of one recording into segments.

    `target_duration_s` is None until it has been measured; until then `push` returns nothing.
    """

    def __init__(self, *, timescale: int, segment_duration_s: float, target_duration_s: int | None) -> None:
        self._timescale = timescale
        self._wanted_ticks = min(segment_duration_s, target_duration_s or math.inf) * timescale
        self._held: list[Fragment] = []
        self.target_duration_s = target_duration_s
        self.open: OpenSegment | None = None
        self._begun = 0
        self._placed: list[tuple[int, Fragment]] = []

    def take_placed(self) -> list[tuple[int, Fragment]]:
        """(index of the segment that it belongs to, fragment), for all that were placed since this was asked last."""
        placed, self._placed = self._placed, []
        return placed

    def push(self, fragment: Fragment) -> list[SegmentEntry]:
        """Take the next fragment; return the segments that it shows to be complete."""
        if not fragment.sample_count and not self._held and self.open is None:
            return []
        if self.target_duration_s is not None:
            return self._place(fragment)
        self._held.append(fragment)
        target = self._measured_target()
        return [] if target is None else self._release(target)

    def finish(self) -> list[SegmentEntry]:
        """The recording has ended: return what was still held or open."""
        done: list[SegmentEntry] = []
        if self.target_duration_s is None and self._held:
            done = self._release(self._target_for(max([*self._whole_gops(), self._open_gop_ticks()])))
        if self.open is not None:
            done.append(self.open.closed(self.open.end_ticks))
            self.open = None
        return done

    def _release(self, target_duration_s: int) -> list[SegmentEntry]:
        self.target_duration_s = target_duration_s
        held, self._held = self._held, []
        return [entry for fragment in held for entry in self._place(fragment)]

    def _place(self, fragment: Fragment) -> list[SegmentEntry]:
        done: list[SegmentEntry] = []
        if self.open is not None and self._ends(self.open, fragment):
            done.append(self.open.closed(fragment.decode_ticks))
            self.open = None
        if self.open is None:
            self.open = OpenSegment(fragment.starts_with_sync, fragment.decode_ticks, fragment.decode_ticks)
            self._begun += 1
        elif fragment.starts_with_sync:
            self.open.last_sync_ticks = fragment.decode_ticks
        self.open.parts.append(fragment)
        self._placed.append((self._begun - 1, fragment))
        return done

    def _ends(self, segment: OpenSegment, fragment: Fragment) -> bool:
        assert self.target_duration_s is not None
        if not fragment.sample_count:
            return False
        elapsed_ticks = fragment.decode_ticks - segment.start_ticks
        longest_ticks = (self.target_duration_s + 0.5) * self._timescale
        if fragment.starts_with_sync:
            gop_ticks = fragment.decode_ticks - segment.last_sync_ticks
            long_enough = elapsed_ticks >= _ABOUT * self._wanted_ticks or elapsed_ticks + gop_ticks >= longest_ticks
            if long_enough or not segment.independent:
                return True
        return elapsed_ticks + fragment.duration_ticks >= longest_ticks

    def _measured_target(self) -> int | None:
        """The target duration, once the held fragments tell it."""
        gops = self._whole_gops()
        if sum(gops) >= _ABOUT * self._wanted_ticks:
            as_wanted = gops[-1] <= (2 - _ABOUT) * self._wanted_ticks
            if as_wanted or len(gops) > 1:
                return self._target_for(gops[-1])
        if self._open_gop_ticks() > LONGEST_GOP_IN_SEGMENTS * self._wanted_ticks:
            return self._target_for(self._wanted_ticks)
        return None

    def _target_for(self, gop_ticks: float) -> int:
        """Whole GOPs up to about the wanted duration, in seconds rounded half up as players round."""
        gops = max(1, math.ceil(_ABOUT * self._wanted_ticks / max(gop_ticks, 1)))
        longest_ticks = LONGEST_GOP_IN_SEGMENTS * self._wanted_ticks
        return max(1, math.floor(min(gops * gop_ticks * _ROOM, longest_ticks) / self._timescale + 0.5))

    def _whole_gops(self) -> list[int]:
        """The durations of the held GOPs whose end is known; what is before the first sync sample does not count."""
        return [after - before for before, after in pairwise(self._sync_ticks())]

    def _open_gop_ticks(self) -> int:
        last = self._held[-1]
        starts = self._sync_ticks() or [self._held[0].decode_ticks]
        return last.decode_ticks + last.duration_ticks - starts[-1]

    def _sync_ticks(self) -> list[int]:
        return [each.decode_ticks for each in self._held if each.starts_with_sync]
