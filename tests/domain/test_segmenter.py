"""Where segments begin and end: properties of any footage, and tables of what cameras send."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.segment_table import SegmentEntry
from hlscam.domain.segmenter import LONGEST_GOP_IN_SEGMENTS, Segmenter, holds_several_gops
from hlscam.isobmff.fragment import Fragment
from tests.domain.footage import SOUND_ONLY, TIMESCALE, Cut, any_cuts, fragments, gop, gops

targets = st.one_of(st.none(), st.integers(1, 8))
wanted_durations_s = st.sampled_from([0.5, 1, 2, 4, 6.0])


def segmenter(*, segment_duration_s: float = 2, target_duration_s: int | None = None) -> Segmenter:
    return Segmenter(timescale=TIMESCALE, segment_duration_s=segment_duration_s, target_duration_s=target_duration_s)


def cut(row: Sequence[Fragment], given_segmenter: Segmenter) -> list[SegmentEntry]:
    done = [entry for fragment in row for entry in given_segmenter.push(fragment)]
    return done + given_segmenter.finish()


def durations_s(entries: Sequence[SegmentEntry]) -> list[float]:
    return [round(entry.duration_ticks / TIMESCALE, 3) for entry in entries]


def independents(entries: Sequence[SegmentEntry]) -> str:
    """One letter a segment, I or -, to be read at a glance."""
    return "".join("I" if entry.independent else "-" for entry in entries)


def parts_of(entries: Sequence[SegmentEntry], row: Sequence[Fragment]) -> list[list[Fragment]]:
    """Which fragments each segment is, by adding up sizes; fails where a segment ends inside a fragment."""
    pictured = next((at for at, each in enumerate(row) if each.sample_count), len(row))
    left = list(row[pictured:])
    found = []
    for entry in entries:
        parts: list[Fragment] = []
        while sum(part.size_bytes for part in parts) < entry.size_bytes:
            parts.append(left.pop(0))
        assert sum(part.size_bytes for part in parts) == entry.size_bytes, "a segment ends inside a fragment"
        found.append(parts)
    assert not left, "fragments were lost"
    return found


@given(any_cuts, targets, wanted_durations_s)
def test_every_segment_is_whole_fragments_in_order(cuts: list[Cut], target: int | None, wanted_s: float) -> None:
    row = fragments(cuts)
    segments = cut(row, segmenter(segment_duration_s=wanted_s, target_duration_s=target))
    for entry, parts in zip(segments, parts_of(segments, row), strict=True):
        assert entry.non_sync_bytes == sum(part.non_sync_bytes for part in parts)
        assert entry.duration_ticks == sum(part.duration_ticks for part in parts) > 0
        assert entry.independent == parts[0].starts_with_sync
        assert parts[0].sample_count, "sound without a picture begins no segment"


@given(any_cuts, targets, wanted_durations_s)
def test_no_segment_rounds_to_more_than_the_target(cuts: list[Cut], target: int | None, wanted_s: float) -> None:
    row = fragments(cuts)
    one = segmenter(segment_duration_s=wanted_s, target_duration_s=target)
    segments = cut(row, one)
    for entry, parts in zip(segments, parts_of(segments, row), strict=True):
        assert one.target_duration_s is not None
        too_long = (2 * entry.duration_ticks + TIMESCALE) // (2 * TIMESCALE) > one.target_duration_s
        assert not too_long or sum(part.sample_count > 0 for part in parts) == 1, "only one fragment cannot be cut"


@given(any_cuts, targets, wanted_durations_s)
def test_the_same_fragments_give_the_same_segments(cuts: list[Cut], target: int | None, wanted_s: float) -> None:
    row = fragments(cuts)
    first = segmenter(segment_duration_s=wanted_s, target_duration_s=target)
    segments = cut(row, first)
    again = segmenter(segment_duration_s=wanted_s, target_duration_s=target)
    assert cut(row, again) == segments
    told = segmenter(segment_duration_s=wanted_s, target_duration_s=first.target_duration_s)
    assert cut(row, told) == segments, "a target that is told gives the segments that measuring it gave"


@given(any_cuts, st.integers(1, 8))
def test_with_a_known_target_nothing_is_held_back(cuts: list[Cut], target: int) -> None:
    one = segmenter(target_duration_s=target)
    listed_bytes = 0
    seen_bytes = 0
    for fragment in fragments(cuts):
        listed_bytes += sum(entry.size_bytes for entry in one.push(fragment))
        seen_bytes += fragment.size_bytes if fragment.sample_count or one.open else 0
        open_bytes = sum(part.size_bytes for part in one.open.parts) if one.open else 0
        assert listed_bytes + open_bytes == seen_bytes


@pytest.mark.parametrize(
    ("gop_s", "target_s", "segment_s"),
    [
        (0.5, 2, 2.0),
        (1, 2, 2.0),
        (1.9, 2, 1.9),
        (2, 2, 2.0),
        (2.1, 2, 2.1),
        (2.5, 3, 2.5),
        (3, 3, 3.0),
        (4, 4, 4.0),
        (6, 6, 6.0),
        (0.7, 2, 2.1),
        (1.3, 3, 2.6),
    ],
)
def test_the_target_is_measured_from_whole_gops(gop_s: float, target_s: int, segment_s: float) -> None:
    one = segmenter()
    segments = cut(fragments(gops(*[gop_s] * 40)), one)
    assert one.target_duration_s == target_s
    assert set(durations_s(segments[:-1])) == {segment_s}
    assert all(entry.independent for entry in segments)


@pytest.mark.parametrize("gop_s", [8, 10, 20, 60])
def test_a_gop_too_long_to_wait_for_is_cut_between_fragments(gop_s: float) -> None:
    one = segmenter()
    segments = cut(fragments(gops(gop_s, gop_s)), one)
    assert one.target_duration_s == 2
    assert set(durations_s(segments)) == {2.0}
    starts_s = [2 * index for index in range(len(segments))]
    assert [entry.independent for entry in segments] == [start_s % gop_s == 0 for start_s in starts_s]


def test_a_long_gop_is_waited_for_only_so_long() -> None:
    one = segmenter()
    row = fragments(gop(60))
    while row and one.target_duration_s is None:
        newest = row.pop(0)
        one.push(newest)
    assert newest.decode_ticks / TIMESCALE == LONGEST_GOP_IN_SEGMENTS * 2


@pytest.mark.parametrize("first_s", [0.2, 0.7, 1.5, 2.4, 2.5, 3.0, 3.6])
@pytest.mark.parametrize("gop_s", [4, 5])
def test_a_sync_sample_out_of_turn_does_not_spoil_the_target(first_s: float, gop_s: float) -> None:
    """Many cameras begin a connection with a sync sample of its own, in the middle of their usual GOP."""
    one = segmenter()
    segments = cut(fragments(gops(first_s, gop_s, gop_s, gop_s)), one)
    assert one.target_duration_s == gop_s
    assert durations_s(segments)[-2:] == [gop_s, gop_s]
    assert all(entry.independent for entry in segments[-2:])


def test_the_usual_gop_is_not_waited_for_twice() -> None:
    one = segmenter()
    *whole, next_sync = fragments([*gop(2), *gop(2)[:1]])
    assert [one.push(fragment) for fragment in whole] == [[]] * 4
    assert durations_s(one.push(next_sync)) == [2.0]


def test_jitter_does_not_cut_the_gop_that_was_measured() -> None:
    segments = cut(fragments(gops(2.48, 2.47, 2.52, 2.5, 2.51)), segmenter())
    assert durations_s(segments) == [2.48, 2.47, 2.52, 2.5, 2.51]


@pytest.mark.parametrize(
    ("cuts", "target_s", "expected_s", "expected_independents"),
    [
        pytest.param(gops(4, 4), 2, [2, 2, 2, 2], "I-I-", id="the GOP grew: cut in the middle, mended at the next"),
        pytest.param(gops(1.3, 1.3, 1.3), 2, [1.3, 1.3, 1.3], "III", id="two GOPs do not fit: short beats broken"),
        pytest.param(gops(3, 2, 2), 2, [2, 1, 2, 2], "I-II", id="a stump without sync ends at the first chance"),
        pytest.param(gops(1, 1, 1, 1), 4, [2, 2], "II", id="a target above what is wanted changes nothing"),
        pytest.param(gops(2)[1:] + gops(2, 2), 2, [1.5, 2, 2], "-II", id="it begins in mid-GOP"),
        pytest.param([Cut(5 * TIMESCALE, sync=True)], 2, [5], "I", id="one frame that stood still for 5 s"),
    ],
)
def test_cuts_with_a_known_target(
    cuts: list[Cut], target_s: int, expected_s: list[float], expected_independents: str
) -> None:
    segments = cut(fragments(cuts), segmenter(target_duration_s=target_s))
    assert durations_s(segments) == expected_s
    assert independents(segments) == expected_independents


@pytest.mark.parametrize(
    ("cuts", "target_s"),
    [(gop(1), 2), (gop(0.5), 2), (gop(4), 4), (gops(4, 4), 4), (gop(5.5), 6), (gop(0.1), 2), (gops(0.4, 0.4), 2)],
)
def test_a_recording_that_ends_before_the_target_is_known(cuts: list[Cut], target_s: int) -> None:
    one = segmenter()
    segments = cut(fragments(cuts), one)
    assert one.target_duration_s == target_s
    assert sum(durations_s(segments)) == pytest.approx(sum(each.ticks for each in cuts) / TIMESCALE)


SOUND = [SOUND_ONLY] * 4


@pytest.mark.parametrize("target_s", [None, 2])
@pytest.mark.parametrize(
    ("cuts", "expected_s"),
    [
        pytest.param(gops(2, 2) + SOUND, [2, 2], id="trailing"),
        pytest.param(SOUND + gops(2, 2), [2, 2], id="leading: the camera was joined in mid-GOP"),
        pytest.param(gop(2) + SOUND + gop(2), [2, 2], id="in between"),
        pytest.param([*gop(2), Cut(5 * TIMESCALE, sync=False), *SOUND], [2, 5], id="behind one that is too long"),
        pytest.param(SOUND, [], id="nothing else"),
    ],
)
def test_sound_alone_is_no_segment(cuts: list[Cut], expected_s: list[float], target_s: int | None) -> None:
    segments = cut(fragments(cuts), segmenter(target_duration_s=target_s))
    assert durations_s(segments) == expected_s


def test_trailing_sound_belongs_to_the_last_segment() -> None:
    row = fragments(gops(2, 2) + SOUND)
    segments = cut(row, segmenter(target_duration_s=2))
    assert segments[1].size_bytes == sum(fragment.size_bytes for fragment in row[4:])


def test_the_open_segment_tells_its_parts() -> None:
    one = segmenter(target_duration_s=2)
    row = fragments([*gop(2), *gop(2)[:2]])
    for fragment in row:
        one.push(fragment)
    assert one.open is not None
    assert one.open.parts == row[4:]
    assert (one.open.start_ticks, one.open.end_ticks) == (2 * TIMESCALE, 3 * TIMESCALE)
    one.finish()
    assert one.open is None


@pytest.mark.parametrize("target_s", [None, 1, 2])
@pytest.mark.parametrize("gop_s", [0.5, 0.9, 1, 1.5, 1.9, 2, 2.1])
def test_which_segments_hold_several_gops_is_known_beforehand(gop_s: float, target_s: int | None) -> None:
    segmenter = Segmenter(timescale=TIMESCALE, segment_duration_s=2, target_duration_s=target_s)
    first, *_ = [each for cut in fragments(gops(*[gop_s] * 8)) for each in segmenter.push(cut)]
    assert holds_several_gops(gop_s, 2, target_s) == (first.duration_ticks > (gop_s + 0.1) * TIMESCALE)
