"""Which segments a range, a live window and a paced timeline hold; and what a sound history is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.timeline import (
    Span,
    Stretch,
    counted,
    last_spans,
    numbered_on,
    numbering_faults,
    paced,
    spans_after,
    spans_between,
    starts_wall_us,
    stretches,
)
from hlscam.units import US_PER_S
from tests.adapters.catalog.samples import NOON_US, recording
from tests.domain.histories import histories, numbers, rows_of, thinned, whole


@given(histories(), st.data())
def test_a_range_holds_what_overlaps_it_and_begins_with_what_contains_its_start(
    recordings: list[Recording], data: st.DataObject
) -> None:
    rows = rows_of(recordings)
    edges_us = [edge for row in rows for edge in (row.start_wall_us, row.end_wall_us)]
    moments = st.sampled_from(edges_us).flatmap(lambda edge_us: st.integers(edge_us - 1, edge_us + 1))
    from_us = data.draw(moments | st.integers(min(edges_us), max(edges_us)))
    to_us = data.draw(st.none() | moments.map(lambda moment_us: max(moment_us, from_us + 1)))
    expected = [
        row.media_sequence for row in rows if row.end_wall_us > from_us and (to_us is None or row.start_wall_us < to_us)
    ]
    assert numbers(spans_between(recordings, from_us, to_us)) == expected


@pytest.mark.parametrize(
    ("from_s", "to_s", "expected"),
    [
        (0, None, [0, 1, 2, 3, 4, 5]),
        (-100, 4, [0, 1]),
        (2, 4, [1]),
        (1.999999, 4, [0, 1]),
        (2, 4.000001, [1, 2]),
        (5.5, 6.5, [2, 3]),
        (6, None, [3, 4, 5]),
        (11.999999, None, [5]),
        (12, None, []),
        (3, 3, [1]),
        (-10, 0, []),
    ],
)
def test_ranges_are_half_open(from_s: float, to_s: float | None, expected: list[int]) -> None:
    def us(seconds: float) -> int:
        return NOON_US + round(seconds * US_PER_S)

    found = spans_between([recording(0), recording(1)], us(from_s), None if to_s is None else us(to_s))
    assert numbers(found) == expected


def test_a_range_that_starts_in_a_hole_begins_behind_it() -> None:
    later = recording(1, start_wall_us=NOON_US + 3600 * US_PER_S, starts_run=True, discontinuity_sequence=1)
    (span,) = spans_between([recording(0), later], NOON_US + 60 * US_PER_S, None)
    assert (span.media_sequence, span.start_wall_us, span.discontinuity) == (3, later.start_wall_us, True)


@given(thinned(), st.data())
def test_after_a_segment_comes_the_very_next_one(recordings: list[Recording], data: st.DataObject) -> None:
    """Or, where that was removed, the oldest that is left behind it."""
    rows = rows_of(recordings)
    after = data.draw(st.integers(rows[0].media_sequence - 2, rows[-1].media_sequence + 1))
    edges = st.sampled_from([edge for row in rows for edge in (row.start_wall_us, row.end_wall_us)])
    to_us = data.draw(st.none() | edges.flatmap(lambda edge_us: st.integers(edge_us - 1, edge_us + 1)))
    expected = [
        row.media_sequence
        for row in rows
        if row.media_sequence > after and (to_us is None or row.start_wall_us < to_us)
    ]
    assert numbers(spans_after(recordings, after, to_us)) == expected


@given(histories())
def test_segments_start_where_adding_up_says(recordings: list[Recording]) -> None:
    for each in recordings:
        rows = rows_of([each])
        assert starts_wall_us(each) == [row.start_wall_us for row in rows]
        for index, row in enumerate(rows):
            span = Span(each, index, index + 1)
            assert (span.media_sequence, span.start_wall_us) == (row.media_sequence, row.start_wall_us)
            assert span.end_wall_us == row.end_wall_us


@given(histories(), st.floats(0, 40), st.integers(1, 12))
def test_the_live_window_is_the_shortest_that_is_long_enough(
    recordings: list[Recording], duration_s: float, at_least: int
) -> None:
    every = rows_of(recordings)
    shown = numbers(last_spans(recordings, duration_s=duration_s, at_least=at_least))
    assert shown == [row.media_sequence for row in every][-len(shown) :]
    seconds = {
        recording.first_media_sequence + index: entry.duration_ticks / recording.timescale
        for recording in recordings
        for index, entry in enumerate(recording.segments)
    }

    def is_enough(window: list[int]) -> bool:
        return len(window) >= at_least and sum(seconds[each] for each in window) >= duration_s

    assert is_enough(shown) or len(shown) == len(every)
    assert not is_enough(shown[1:])


def test_the_live_window_skips_a_recording_that_has_no_segment_yet() -> None:
    empty = recording(1, segments=0, duration_ticks=0, end_reason=None)
    assert numbers(last_spans([recording(0), empty], duration_s=2, at_least=1)) == [2]
    assert last_spans([empty], duration_s=2, at_least=1) == []


@given(histories(), st.data())
def test_a_part_of_a_recording_is_no_hole(recordings: list[Recording], data: st.DataObject) -> None:
    whole_us = (recordings[0].start_wall_us, recordings[-1].end_wall_us)
    spans = spans_between(recordings, data.draw(st.integers(*whole_us)), None)
    assert counted(spans) == spans


def test_stretches_join_what_touches_in_one_run() -> None:
    def at(index: int, late_us: int = 0, run: str = "a") -> Recording:
        return recording(index, start_wall_us=NOON_US + index * 6 * US_PER_S + late_us, run=run)

    def stretch(first: int, end: int, late_us: int = 0, run: str = "a") -> Stretch:
        return Stretch(NOON_US + first * 6 * US_PER_S + late_us, NOON_US + end * 6 * US_PER_S + late_us, run)

    assert stretches([]) == []
    assert stretches([at(0), at(1), at(2, 1000)]) == [Stretch(NOON_US, at(2, 1000).end_wall_us, "a")]
    assert stretches([at(0), at(1, 1001)]) == [stretch(0, 1), stretch(1, 2, 1001)]
    assert stretches([at(0), at(1, run="b"), at(2, run="b")]) == [stretch(0, 1), stretch(1, 3, run="b")]


@given(histories())
def test_stretches_cover_all_footage_and_nothing_else(recordings: list[Recording]) -> None:
    found = stretches(recordings)
    footage_us = sum(each.end_wall_us - each.start_wall_us for each in recordings)
    covered_us = sum(each.end_wall_us - each.start_wall_us for each in found)
    assert 0 <= covered_us - footage_us <= 1000 * len(recordings)
    assert [each.start_wall_us for each in found] == sorted({each.start_wall_us for each in found})


@given(histories())
def test_a_sound_history_has_no_faults(recordings: list[Recording]) -> None:
    assert list(numbering_faults(recordings)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"first_media_sequence": 2}, "media_sequence 2 stands already in 00000.mp4"),
        ({"start_wall_us": NOON_US + 6 * US_PER_S - 1}, "starts before 00000.mp4 has ended"),
        ({"discontinuity_sequence": 4, "starts_run": True}, "discontinuity_sequence goes back from 00000.mp4"),
        ({"discontinuity_sequence": 6}, "does not fit its place in the run"),
        ({"starts_run": True}, "does not fit its place in the run"),
    ],
)
def test_faults_are_named(changes: dict[str, Any], fault: str) -> None:
    before = recording(0, discontinuity_sequence=5)
    after = recording(1, **({"discontinuity_sequence": 5} | changes))
    (found,) = numbering_faults([before, after])
    assert found.startswith("00001.mp4: ")
    assert found.endswith(fault)
    assert list(numbering_faults([before, recording(1, discontinuity_sequence=5)])) == []


@pytest.mark.parametrize(
    ("after", "is_sound"),
    [
        ({}, True),
        ({"discontinuity_sequence": 7}, True),
        ({"discontinuity_sequence": 7, "starts_run": True}, True),
        ({"starts_run": True}, False),
        ({"discontinuity_sequence": 4, "starts_run": True}, False),
        ({"discontinuity_sequence": 4}, False),
    ],
)
def test_a_hole_that_retention_left_is_no_fault(after: dict[str, Any], is_sound: bool) -> None:
    """The recording that began the later run may be among those that are gone."""
    before = recording(0, discontinuity_sequence=5)
    found = list(numbering_faults([before, recording(3, **({"discontinuity_sequence": 5} | after))]))
    assert (found == []) == is_sound, found


@pytest.mark.parametrize(
    ("opened_for_s", "shown"),
    [
        (0, (0, 3)),
        (1.9, (0, 3)),
        (2, (0, 4)),
        (3, (0, 4)),
        (4, (0, 5)),
        (594, (0, 300)),
        (604, (5, 305)),
        (10_000, (300, 600)),
    ],
)
def test_a_paced_timeline_grows_and_slides_with_its_viewer(opened_for_s: float, shown: tuple[int, int]) -> None:
    """Three segments at first, for players begin three before the end; then one more with each that was played."""
    whole = recording(segments=600)
    spans = paced([Span(whole, 0, 600)], opened_for_s=opened_for_s, ahead_segments=3, kept_s=600)
    assert [(span.first, span.end) for span in spans] == [shown]


def test_a_paced_timeline_runs_on_over_recordings() -> None:
    whole = [Span(recording(index, segments=3), 0, 3) for index in range(4)]
    spans = paced(whole, opened_for_s=9, ahead_segments=3, kept_s=6)
    assert [(span.media_sequence, span.end - span.first) for span in spans] == [(4, 2), (6, 1)]


def test_a_run_of_which_nothing_is_left_keeps_the_live_window_from_reaching_back() -> None:
    """Its numbers are not missing, but its discontinuity is."""
    before, later = recording(0), recording(1, starts_run=True, discontinuity_sequence=2)
    assert numbered_on([before, later]) == [later]
    next_one = replace(later, discontinuity_sequence=1)
    assert numbered_on([before, next_one]) == [before, next_one]


def test_a_leap_after_a_power_cut_does_not_end_a_timeline() -> None:
    """Nothing stood between the two, and never will."""
    before = recording(0, end_reason=EndReason.SERVER_CRASHED)
    later = recording(9, starts_run=True, discontinuity_sequence=1)
    assert counted(whole(before, later)) == whole(before, later)
    for gone in (replace(before, end_reason=EndReason.ROLLED), replace(before, discontinuity_sequence=-1)):
        assert counted(whole(gone, later)) == whole(gone)
    assert counted(whole(before, replace(later, starts_run=False))) == whole(before)
