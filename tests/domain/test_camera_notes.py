"""Notes come back as they were written, and nothing else is taken for notes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.camera_notes import Anchor, CameraNotes, ClockFacts, Counters
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.recording import EndReason
from tests.adapters.catalog.samples import recording

_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_counts = st.integers(0, 2**63 - 1)
_reasons = st.one_of(st.none(), st.sampled_from(EndReason))
_targets = st.one_of(st.none(), st.integers(1, 60))
_anchors = st.builds(
    Anchor,
    name=_texts,
    first_media_sequence=_counts,
    discontinuity_sequence=_counts,
    starts_run=st.booleans(),
    gap_reason=_reasons,
    start_wall_us=_counts,
    slew_ppb=st.integers(-500_000, 500_000),
    cut_for_s=_targets,
)
_notes = st.builds(
    CameraNotes,
    status=st.builds(CameraStatus, st.sampled_from(CameraState), _counts, _texts),
    gap_reason=_reasons,
    counters=st.builds(
        Counters,
        media_sequence=_counts,
        discontinuity_sequence=_counts,
        not_before_wall_us=_counts,
        target_duration_s=_targets,
    ),
    clock=st.one_of(st.none(), st.builds(ClockFacts, error_us=_counts, drift_ppb=st.integers(-(10**9), 10**9))),
    open=st.lists(_anchors, max_size=3).map(tuple),
    closed=st.lists(_texts, max_size=3).map(tuple),
    listed_below=_counts,
    boot=_texts,
)


@given(_notes)
def test_they_come_back(notes: CameraNotes) -> None:
    assert CameraNotes.from_json(notes.to_json()) == notes


@given(_notes, st.data())
def test_a_torn_file_is_no_notes(notes: CameraNotes, data: st.DataObject) -> None:
    whole = notes.to_json().rstrip()
    assert CameraNotes.from_json(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '{"version": 2}', '{"open": 1}', '{"gap_reason": "boredom"}'])
def test_something_else_is_no_notes(text: str) -> None:
    assert CameraNotes.from_json(text.encode()) is None


def test_anchors_come_and_go_by_name() -> None:
    first, second = (Anchor.of(recording(index), cut_for_s=2) for index in (0, 1))
    notes = replace(CameraNotes(), open=(first, second))
    assert notes.anchor(first.name) == first
    assert notes.without_anchor(first.name) == (second,)
    moved = replace(first, start_wall_us=7)
    assert notes.with_anchor(moved) == (second, moved)
    assert notes.anchor("nothing.mp4") is None


def test_the_last_few_closed_ones_are_kept() -> None:
    notes = CameraNotes()
    for number in range(20):
        notes = replace(notes, closed=notes.with_closed(f"{number}.mp4"))
    assert notes.closed == tuple(f"{number}.mp4" for number in range(12, 20))


def test_counters_only_grow() -> None:
    older, newer = recording(3), recording(7, discontinuity_sequence=4)
    counters = Counters().after(newer)
    assert counters == Counters(
        media_sequence=newer.end_media_sequence,
        discontinuity_sequence=5,
        not_before_wall_us=newer.end_wall_us,
        target_duration_s=2,
    )
    assert counters.after(older) == counters
    assert counters.after(recording(8, target_duration_s=9)).target_duration_s == 2
