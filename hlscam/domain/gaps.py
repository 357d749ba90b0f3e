"""Gaps: the holes in a camera's wall time, and why they are there. Pure: recordings and notes in, gaps out.

A gap lies between two neighbours in the row of recordings when the later one starts after the earlier one has ended.
Why is told by the later one (`gap_reason`), which knows what happened until it began; where it does not (footage of
hlscam 0.1), by what ended the earlier one. A gap that lasts has no later one yet: the camera's notes tell.

Where recordings are missing between the two, there was footage, and it is there no more: removed by retention, behind
what was protected from it, or lost with its files. How much of such a gap had footage, and why the rest had none,
nobody knows; it has no reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.recording import EndReason, Recording

TOUCHING_US = 1_000
"""Recordings that lie closer than this touch: a rounded tick is not a hole."""

WORDS: dict[EndReason, str] = {
    EndReason.STOPPED: "The server was stopped.",
    EndReason.SERVER_CRASHED: "The server ended unexpectedly: a crash, a power cut, or it was killed.",
    EndReason.SOURCE_ENDED: "The source had come to its end.",
    EndReason.UNREACHABLE: "The camera could not be reached.",
    EndReason.AUTHENTICATION: "The camera refused the user name or password.",
    EndReason.SOURCE_REFUSED: "The source had no video that can be recorded.",
    EndReason.STALLED: "The camera sent no pictures.",
    EndReason.CRASHED: "ffmpeg, which records, ended unexpectedly.",
    EndReason.DISK_FULL: "The disk was full.",
    EndReason.DISABLED: "Recording was switched off.",
    EndReason.CLOCK_STEPPED: "The clock was set, so recording began anew.",
}
"""What people are told, for every reason that nothing is recorded for. (Nothing is missing behind a `ROLLED`.)"""

FOOTAGE_GONE = "What was recorded here is no longer there."
NOT_KNOWN = "Why nothing was recorded is not known."


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Wall time without footage, half-open. `end_wall_us` and `media_sequence` are None while it lasts.

    `reason` is None where it is not known, and where `footage_gone`. `media_sequence` is that of the first segment
    after it.
    """

    start_wall_us: int
    end_wall_us: int | None
    reason: EndReason | None
    media_sequence: int | None
    footage_gone: bool = False

    @property
    def message(self) -> str:
        """The reason as a sentence."""
        if self.footage_gone:
            return FOOTAGE_GONE
        return NOT_KNOWN if self.reason is None else WORDS.get(self.reason, NOT_KNOWN)


def gap_between(before: Recording, after: Recording) -> Gap | None:
    """The gap between two neighbours, None where they touch."""
    if after.start_wall_us - before.end_wall_us <= TOUCHING_US:
        return None
    footage_gone = footage_is_gone(before, after)
    reason = None if footage_gone else after.gap_reason or before.end_reason
    return Gap(
        start_wall_us=before.end_wall_us,
        end_wall_us=after.start_wall_us,
        reason=None if reason is EndReason.ROLLED else reason,
        media_sequence=after.first_media_sequence,
        footage_gone=footage_gone,
    )


def footage_is_gone(before: Recording, after: Recording) -> bool:
    """Whether recordings are missing between two neighbours.

    Numbers alone do not tell: a run that follows a power cut leaves out some that may have been given.
    """
    is_last_of_run = before.end_reason not in (None, EndReason.ROLLED)
    is_next_run = after.starts_run and after.discontinuity_sequence == before.discontinuity_sequence + 1
    return after.first_media_sequence > before.end_media_sequence and not (is_last_of_run and is_next_run)


def gaps_between(recordings: Sequence[Recording]) -> list[Gap]:
    """The gaps between recordings in media_sequence order. One that has no segment yet says nothing."""
    gaps = (gap_between(before, after) for before, after in pairwise(each for each in recordings if each.segments))
    return [gap for gap in gaps if gap is not None]


def gap_now(newest: Recording | None, notes: CameraNotes | None) -> Gap | None:
    """The gap that lasts, behind the newest recording. A camera that never recorded has none: it has no footage."""
    if newest is None or notes is None or notes.gap_reason is None:
        return None
    return Gap(start_wall_us=newest.end_wall_us, end_wall_us=None, reason=notes.gap_reason, media_sequence=None)


def clipped(gaps: Iterable[Gap], from_wall_us: int, to_wall_us: int, *, now_wall_us: int) -> Iterator[Gap]:
    """What of the gaps lies in [from, to), and not beyond now. A gap that lasts has an end only where `to` is past."""
    for gap in gaps:
        is_open = gap.end_wall_us is None and to_wall_us >= now_wall_us
        start_us = max(gap.start_wall_us, from_wall_us)
        end_us = min(now_wall_us if gap.end_wall_us is None else gap.end_wall_us, to_wall_us)
        if start_us < end_us:
            yield replace(gap, start_wall_us=start_us, end_wall_us=None if is_open else end_us)
