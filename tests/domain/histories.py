"""A camera's history as hypothesis draws it: runs of recordings with holes, slews and new init sections between.

And what plain addition makes of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from hlscam.domain.gaps import WORDS
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.domain.timeline import Span
from tests.adapters.catalog.samples import NOON_US, recording

_entries = st.builds(
    SegmentEntry, st.integers(1, 10**6), st.integers(30_000, 220_000), st.integers(0, 10**5), st.booleans()
)
_tables = st.lists(_entries, min_size=1, max_size=6).map(SegmentTable.of)


@st.composite
def histories(draw: st.DrawFn, *, least: int = 1, leaps: bool = False) -> list[Recording]:
    """Recordings as the indexer makes them: numbers run on, times do not overlap; the last one may be open.

    A run ends before the next begins, but for a new init section in the middle of one. With `leaps` the next may leave
    out some numbers, as after a power cut.
    """
    found: list[Recording] = []
    first_number, first_run = draw(st.integers(0, 2**33)), draw(st.integers(0, 3))
    for index in range(draw(st.integers(least, 6))):
        before = found[-1] if found else None
        starts_run = before is None or draw(st.booleans())
        end_wall_us = before.end_wall_us if before else NOON_US + draw(st.integers(0, 10**6))
        hole_us = draw(st.integers(0, 90_000_000)) if starts_run and before else 0
        has_ended = starts_run and before is not None and draw(st.booleans())
        leap = draw(st.integers(0, 3)) if leaps and has_ended else 0
        if has_ended and before is not None:
            found[-1] = replace(before, end_reason=draw(st.sampled_from([EndReason.STOPPED, EndReason.SERVER_CRASHED])))
        table = draw(_tables)
        sequence = first_run if before is None else before.discontinuity_sequence + starts_run
        found.append(
            recording(
                index,
                segments=0,
                run=f"run{sequence}",
                first_media_sequence=before.end_media_sequence + leap if before else first_number,
                discontinuity_sequence=sequence,
                starts_run=starts_run if before else draw(st.booleans()),
                gap_reason=draw(st.sampled_from([None, *WORDS])) if has_ended else None,
                init_hash=draw(st.sampled_from("ab")) * 16 if starts_run or before is None else before.init_hash,
                start_wall_us=end_wall_us + hole_us,
                slew_ppb=draw(st.integers(-500_000, 500_000)),
                duration_ticks=sum(table.durations_ticks),
            )
        )
        found[-1] = replace(found[-1], segments=table)
    if draw(st.booleans()):
        found[-1] = replace(found[-1], end_reason=None)
    return found


@st.composite
def thinned(draw: st.DrawFn) -> list[Recording]:
    """A history from which retention removed recordings, some in front of protected ones, and never the last."""
    found = draw(histories(leaps=True))
    kept = draw(st.lists(st.booleans(), min_size=len(found) - 1, max_size=len(found) - 1))
    return [each for each, keep in zip(found, [*kept, True], strict=True) if keep]


@dataclass(frozen=True, slots=True)
class Row:
    """A segment as the rows of the catalog have it."""

    media_sequence: int
    start_wall_us: int
    end_wall_us: int
    recording: Recording


def rows_of(recordings: Sequence[Recording]) -> list[Row]:
    """Every segment, by plain addition."""
    rows = []
    for each in recordings:
        elapsed_ticks = 0
        for index, entry in enumerate(each.segments):
            start_us, elapsed_ticks = each.wall_us_at(elapsed_ticks), elapsed_ticks + entry.duration_ticks
            rows.append(Row(each.first_media_sequence + index, start_us, each.wall_us_at(elapsed_ticks), each))
    return rows


def numbers(spans: Sequence[Span]) -> list[int]:
    return [span.media_sequence + at for span in spans for at in range(span.end - span.first)]


def whole(*recordings: Recording) -> list[Span]:
    return [Span(each, 0, len(each.segments)) for each in recordings]
