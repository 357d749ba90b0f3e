"""Gaps: what is footage and what is gap make up all of the time since the first recording, and each says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.gaps import FOOTAGE_GONE, NOT_KNOWN, TOUCHING_US, WORDS, Gap, clipped, gap_now, gaps_between
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.timeline import stretches
from hlscam.units import US_PER_S
from tests.adapters.catalog.samples import NOON_US, recording
from tests.domain.histories import histories, thinned

END_US = NOON_US + 6 * US_PER_S
LATER_US = NOON_US + 60 * US_PER_S


def second(start_wall_us: int = LATER_US, **changes: Any) -> Recording:
    """A run that follows `recording(0)`, which ends at `END_US`."""
    return recording(1, start_wall_us=start_wall_us, starts_run=True, discontinuity_sequence=1, run="b", **changes)


def only(recordings: Sequence[Recording]) -> Gap:
    (gap,) = gaps_between(recordings)
    return gap


@pytest.mark.parametrize("reason", WORDS)
def test_the_recording_after_a_gap_says_why(reason: EndReason) -> None:
    before = recording(0, end_reason=EndReason.STOPPED)
    gap = only([before, second(gap_reason=reason)])
    assert gap == Gap(start_wall_us=END_US, end_wall_us=LATER_US, reason=reason, media_sequence=3)
    assert gap.message == WORDS[reason]


@pytest.mark.parametrize("reason", [each for each in EndReason if each not in (EndReason.ROLLED, EndReason.DISABLED)])
def test_where_it_does_not_the_end_of_the_one_before_says_why(reason: EndReason) -> None:
    assert only([recording(0, end_reason=reason), second()]).reason is reason


def test_nobody_knows_why_there_is_a_hole_within_a_run() -> None:
    gap = only([recording(0), recording(1, start_wall_us=LATER_US)])
    assert (gap.reason, gap.message) == (None, NOT_KNOWN)


@pytest.mark.parametrize(("late_us", "count"), [(0, 0), (TOUCHING_US, 0), (TOUCHING_US + 1, 1), (-5, 0)])
def test_a_rounding_is_no_gap(late_us: int, count: int) -> None:
    assert len(gaps_between([recording(0), second(END_US + late_us)])) == count


def test_footage_that_is_gone_leaves_a_gap_without_a_reason() -> None:
    """How much of it was recorded once, and why the rest was not, cannot be told."""
    gap = only([recording(0), replace(second(gap_reason=EndReason.STALLED), first_media_sequence=4)])
    assert (gap.reason, gap.footage_gone, gap.message) == (None, True, FOOTAGE_GONE)
    assert only([recording(0), recording(2)]).footage_gone


def test_numbers_that_a_power_cut_left_out_are_no_footage() -> None:
    """The run ended, and the very next one begins: nothing stood between."""
    before = recording(0, end_reason=EndReason.SERVER_CRASHED)
    later = replace(second(gap_reason=EndReason.SERVER_CRASHED), first_media_sequence=40)
    assert only([before, later]).reason is EndReason.SERVER_CRASHED
    assert only([before, replace(later, discontinuity_sequence=2)]).footage_gone


def test_a_recording_that_has_no_segment_yet_says_nothing() -> None:
    empty = recording(1, segments=0, start_wall_us=LATER_US, duration_ticks=0, end_reason=None)
    assert gaps_between([recording(0), empty]) == []
    assert only([recording(0), empty, second(LATER_US + US_PER_S)]).end_wall_us == LATER_US + US_PER_S


def test_the_gap_that_lasts() -> None:
    down = CameraNotes(gap_reason=EndReason.UNREACHABLE)
    assert gap_now(recording(0), down) == Gap(
        start_wall_us=END_US, end_wall_us=None, reason=EndReason.UNREACHABLE, media_sequence=None
    )
    assert gap_now(recording(0), CameraNotes()) is None, "it records"
    assert gap_now(recording(0), None) is None, "nobody says so"
    assert gap_now(None, down) is None, "it never recorded"


@pytest.mark.parametrize("reason", EndReason)
def test_whatever_notes_say_there_is_a_sentence(reason: EndReason) -> None:
    gap = gap_now(recording(0), CameraNotes(gap_reason=reason))
    assert gap is not None
    assert gap.message == WORDS.get(reason, NOT_KNOWN)


def test_every_reason_has_words_of_its_own() -> None:
    assert set(WORDS) == set(EndReason) - {EndReason.ROLLED}
    sentences = [*WORDS.values(), FOOTAGE_GONE, NOT_KNOWN]
    assert len(set(sentences)) == len(sentences)
    assert all(re.fullmatch(r"[A-Za-z][^.]*\.", each) for each in sentences)


FIRST = Gap(start_wall_us=100, end_wall_us=200, reason=EndReason.STOPPED, media_sequence=3)
LASTS = Gap(start_wall_us=300, end_wall_us=None, reason=EndReason.STALLED, media_sequence=None)
NOW = 1000


@pytest.mark.parametrize(
    ("from_us", "to_us", "expected"),
    [
        (0, 2000, [(100, 200), (300, None)]),
        (0, NOW, [(100, 200), (300, None)]),
        (0, NOW - 1, [(100, 200), (300, NOW - 1)]),
        (150, 160, [(150, 160)]),
        (200, 300, []),
        (199, 301, [(199, 200), (300, 301)]),
        (400, 500, [(400, 500)]),
        (400, 2000, [(400, None)]),
        (NOW, 2000, []),
        (NOW + 1, 2000, []),
    ],
)
def test_gaps_are_cut_to_a_range(from_us: int, to_us: int, expected: list[tuple[int, int | None]]) -> None:
    shown = list(clipped([FIRST, LASTS], from_us, to_us, now_wall_us=NOW))
    assert [(each.start_wall_us, each.end_wall_us) for each in shown] == expected
    assert all(each.reason in (EndReason.STOPPED, EndReason.STALLED) for each in shown)


@given(st.one_of(histories(), thinned()))
def test_footage_and_gaps_cover_all_time_once(recordings: list[Recording]) -> None:
    gaps = gaps_between(recordings)
    edges = [(each.start_wall_us, each.end_wall_us) for each in stretches(recordings)]
    edges += [(each.start_wall_us, each.end_wall_us or 0) for each in gaps]
    edges.sort()
    for (_, end), (start, _) in pairwise(edges):
        assert 0 <= start - end <= TOUCHING_US
    firsts = {each.first_media_sequence: each for each in recordings}
    assert all(firsts[each.media_sequence or -1].start_wall_us == each.end_wall_us for each in gaps)
