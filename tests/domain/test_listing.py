"""Windows on one numbering: whichever window lists a segment, it is the same segment at the same time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.gaps import gaps_between
from hlscam.domain.listing import media_playlist
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.domain.timeline import (
    Span,
    counted,
    last_spans,
    numbered_on,
    paced,
    spans_after,
    spans_between,
)
from hlscam.units import US_PER_S, format_rfc3339, parse_time
from tests.adapters.catalog.samples import NOON_US, recording
from tests.domain.histories import histories, numbers, rows_of, thinned, whole


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment as a player understands a playlist: everything it has to work out for itself."""

    uri: str
    media_sequence: int
    discontinuity_sequence: int
    wall_us: float
    map_uri: str


def listed(text: str) -> Iterator[Listed]:
    """The segments of a playlist, read line by line as RFC 8216bis 4.4 says and by nobody's library."""
    media_sequence = discontinuity_sequence = 0
    wall_us, duration_us, map_uri = math.nan, 0.0, ""
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MEDIA-SEQUENCE":
            media_sequence = int(value)
        elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
            discontinuity_sequence = int(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity_sequence += 1
        elif tag == "#EXT-X-MAP":
            map_uri = value.removeprefix('URI="').removesuffix('"')
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            wall_us = round(datetime.fromisoformat(value).timestamp() * 1000) * 1000.0
        elif tag == "#EXTINF":
            duration_us = float(value.removesuffix(",")) * US_PER_S
        elif not line.startswith("#"):
            yield Listed(line, media_sequence, discontinuity_sequence, wall_us, map_uri)
            media_sequence += 1
            wall_us += duration_us


def as_they_grew(recordings: Sequence[Recording]) -> Iterator[list[Recording]]:
    """The same history at each moment that a segment was added."""
    for index, each in enumerate(recordings):
        for count in range(1, len(each.segments) + 1):
            table = SegmentTable.of(list(each.segments)[:count])
            grown = replace(each, segments=table, duration_ticks=sum(table.durations_ticks))
            yield [*recordings[:index], grown]


@given(histories(), st.floats(1, 10), st.integers(1, 6))
def test_every_window_lists_a_segment_alike(recordings: list[Recording], duration_s: float, at_least: int) -> None:
    """RFC 8216bis 6.2.2: the numbers that a player works out for a segment are the same in every reload."""
    seen: dict[str, tuple[int, int, str]] = {}
    first_listed = -1
    for known in as_they_grew(recordings):
        spans = last_spans(known, duration_s=duration_s, at_least=at_least)
        for each in listed(media_playlist(spans).render()):
            facts = each.media_sequence, each.discontinuity_sequence, each.map_uri
            assert seen.setdefault(each.uri, facts) == facts
        assert spans[0].media_sequence >= first_listed, "the window slid back"
        first_listed = spans[0].media_sequence
    assert [int(uri.removesuffix(".m4s")) for uri in seen] == [row.media_sequence for row in rows_of(recordings)]
    by_number = {row.media_sequence: row.recording for row in rows_of(recordings)}
    for uri, (media_sequence, discontinuity_sequence, map_uri) in seen.items():
        assert uri == f"{media_sequence}.m4s"
        assert discontinuity_sequence == by_number[media_sequence].discontinuity_sequence
        assert map_uri == f"init-{by_number[media_sequence].init_hash}.mp4"


@given(histories(), st.data())
def test_program_date_time_is_right_to_the_millisecond_in_any_window(
    recordings: list[Recording], data: st.DataObject
) -> None:
    rows = rows_of(recordings)
    first = data.draw(st.integers(0, len(rows) - 1))
    spans = spans_between(recordings, rows[first].start_wall_us, None)
    for each, row in zip(listed(media_playlist(spans).render()), rows[first:], strict=True):
        assert abs(each.wall_us - row.start_wall_us) <= 1000


@given(histories())
def test_a_date_asked_for_comes_back_with_its_segment(recordings: list[Recording]) -> None:
    """A segment's date as a playlist writes it, put into a URL, begins with that very segment, slewed or not."""
    for row in rows_of(recordings):
        (span, *_) = spans_after(recordings, row.media_sequence - 1, None)
        text = media_playlist([span]).render()
        (told, *_) = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(.*)", text)
        assert told == format_rfc3339(row.start_wall_us)
        assert numbers(spans_between(recordings, parse_time(told), None))[0] == row.media_sequence


@given(histories())
def test_every_date_in_a_playlist_is_its_segments_own(recordings: list[Recording]) -> None:
    text = media_playlist(whole(*recordings)).render()
    dated = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(.*)\n#EXTINF:.*\n(\d+)\.m4s", text)
    assert len(dated) >= len(recordings)
    for told, number in dated:
        assert numbers(spans_between(recordings, parse_time(told), None))[0] == int(number)


@given(histories())
def test_a_hole_is_told_where_both_its_sides_are_listed(recordings: list[Recording]) -> None:
    rows = rows_of(recordings)
    every = {gap.media_sequence: gap for gap in gaps_between(recordings)}
    for row in rows:
        told = dict(holes(media_playlist(spans_after(recordings, row.media_sequence - 1, None)).render()))
        assert set(told) == {number for number in every if number is not None and number > row.media_sequence}
        for number, attributes in told.items():
            gap = every[number]
            assert gap.end_wall_us is not None
            start, end = format_rfc3339(gap.start_wall_us), format_rfc3339(gap.end_wall_us)
            expected = {"ID": f'"gap-{number}"', "CLASS": '"hlscam.gap"', "START-DATE": f'"{start}"'}
            expected["END-DATE"] = f'"{end}"'
            expected["DURATION"] = f"{(parse_time(end) - parse_time(start)) / US_PER_S:.3f}"
            assert attributes == expected | ({"X-REASON": f'"{gap.reason}"'} if gap.reason else {})


def holes(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(the number of the segment that follows, the attributes) of every EXT-X-DATERANGE."""
    for attributes, rest in re.findall(r"#EXT-X-DATERANGE:(.*)\n((?:#.*\n)+\d+)", text):
        yield int(rest.rpartition("\n")[2]), dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', attributes))


@dataclass(slots=True)
class Reloads:
    """What a player has made of a playlist's reloads: whatever it worked out for a URI must stay."""

    known: dict[str, tuple[int, int]]
    first_number: int = -1

    def take(self, text: str) -> None:
        for each in listed(text):
            facts = each.media_sequence, each.discontinuity_sequence
            assert self.known.setdefault(each.uri, facts) == facts
        first = m3u8.loads(text).media_sequence
        assert first >= self.first_number, "the window slid back"
        self.first_number = first


@given(histories(), st.floats(1, 10), st.integers(1, 6))
def test_with_gaps_too_every_window_lists_a_segment_alike(
    recordings: list[Recording], duration_s: float, at_least: int
) -> None:
    """Numbers are media_sequence + discontinuity_sequence; a window never begins with a gap."""
    reloads, dates = Reloads({}), {row.media_sequence: row.start_wall_us for row in rows_of(recordings)}
    for known in as_they_grew(recordings):
        text = media_playlist(last_spans(known, duration_s=duration_s, at_least=at_least), gaps=True).render()
        reloads.take(text)
        assert not next(listed(text)).uri.startswith("gap-")
        for each in listed(text):
            if not each.uri.startswith("gap-"):
                assert abs(each.wall_us - dates[int(each.uri.removesuffix(".m4s"))]) <= 1000
    sequences = {row.media_sequence: row.recording.discontinuity_sequence for row in rows_of(recordings)}
    for uri, (number, discontinuity_sequence) in reloads.known.items():
        media_sequence = int(uri.removeprefix("gap-").removesuffix(".m4s"))
        is_gap = uri.startswith("gap-")
        assert discontinuity_sequence == sequences[media_sequence] - is_gap
        assert number == media_sequence + sequences[media_sequence] - is_gap


@given(histories())
def test_a_gap_stands_in_front_of_every_discontinuity_that_follows_something(recordings: list[Recording]) -> None:
    plain, text = (media_playlist(whole(*recordings), gaps=gaps).render() for gaps in (False, True))
    parsed = m3u8.loads(text)
    assert (parsed.version, "#EXT-X-GAP" in plain) == (8, False)
    torn = [at for at, each in enumerate(parsed.segments) if each.discontinuity and at > 0]
    assert [at for at, each in enumerate(parsed.segments) if each.gap_tag] == [at - 1 for at in torn]
    gaps = [each for each in parsed.segments if each.gap_tag]
    assert all(0.001 <= each.duration <= parsed.target_duration for each in gaps)
    without = re.sub(r"#EXT-X-GAP\n.*\n.*\n", "", text)
    assert without.splitlines()[4:] == [line for line in plain.splitlines()[4:] if line], "and nothing else differs"


def lines(spans: Sequence[Span], **how: Any) -> list[str]:
    return media_playlist(spans, **how).render().splitlines()


def test_recordings_of_a_run_are_joined_without_a_seam() -> None:
    text = lines(whole(recording(0), recording(1)))
    assert text.count('#EXT-X-MAP:URI="init-1f0c.mp4"') == 1
    assert "#EXT-X-DISCONTINUITY" not in text


def test_a_hole_is_a_discontinuity_and_a_jump_of_program_date_time() -> None:
    later = recording(1, start_wall_us=NOON_US + 3600 * US_PER_S, starts_run=True, discontinuity_sequence=1)
    text = lines(whole(recording(0), later))
    at = text.index("#EXT-X-DISCONTINUITY")
    assert text[at - 1].startswith('#EXT-X-DATERANGE:ID="gap-3",CLASS="hlscam.gap",')
    assert text[at + 1] == "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:00:00.000Z"
    assert text[at + 3] == "3.m4s"
    assert text.count("#EXT-X-DISCONTINUITY") == 1


def test_a_new_init_section_is_named_behind_its_discontinuity() -> None:
    other = recording(1, init_hash="2e1d", starts_run=True, discontinuity_sequence=1)
    text = lines(whole(recording(0), other))
    at = text.index("#EXT-X-DISCONTINUITY")
    assert text[at + 1] == '#EXT-X-MAP:URI="init-2e1d.mp4"'


def test_a_missing_recording_is_a_discontinuity() -> None:
    text = lines(whole(recording(0), recording(2)))
    at = text.index("#EXT-X-DISCONTINUITY")
    assert text[at + 3] == "6.m4s"
    run_lost = recording(1, discontinuity_sequence=1)  # the recording that began it had no segment
    assert "#EXT-X-DISCONTINUITY" in lines(whole(recording(0), run_lost))


def test_players_number_as_we_do_up_to_a_hole_in_the_numbers() -> None:
    """They count up from EXT-X-MEDIA-SEQUENCE; behind a hole the URL says another number."""
    spans = whole(recording(0), recording(1), recording(4), recording(5))
    assert counted(spans) == spans[:2]
    assert counted(spans[2:]) == spans[2:]
    assert counted(spans[:1]) == spans[:1]
    assert counted([]) == []
    for known in (spans[:2], spans[2:]):
        found = list(listed(media_playlist(known).render()))
        assert [each.media_sequence for each in found] == [int(each.uri.removesuffix(".m4s")) for each in found]
    behind = list(listed(media_playlist(spans, ended=True).render()))[6:]
    assert [each.media_sequence for each in behind] == [6, 7, 8, 9, 10, 11]
    assert [each.uri for each in behind] == ["12.m4s", "13.m4s", "14.m4s", "15.m4s", "16.m4s", "17.m4s"]


def test_the_very_first_run_follows_nothing() -> None:
    assert "#EXT-X-DISCONTINUITY" not in lines(whole(recording(0)))
    second = recording(0, discontinuity_sequence=1)
    assert {"#EXT-X-DISCONTINUITY"} <= set(lines(whole(second)))
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" not in lines(whole(second)), "the tag itself counts"
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in lines([Span(second, 1, 3)])


@pytest.mark.parametrize(("independents", "claimed"), [([1, 1, 1], True), ([0, 1, 1], True), ([1, 1, 0], False)])
def test_independence_is_claimed_where_it_is_true_of_all_that_is_listed(independents: list[int], claimed: bool) -> None:
    one = recording()
    one.segments.independents[:] = bytes(independents)
    assert ("#EXT-X-INDEPENDENT-SEGMENTS" in lines([Span(one, 1, 3)])) == claimed


def _with_durations(*durations_ticks: int) -> Recording:
    table = SegmentTable.of(SegmentEntry(1, each, 0, independent=True) for each in durations_ticks)
    return replace(recording(), segments=table, duration_ticks=sum(durations_ticks))


@pytest.mark.parametrize(
    ("durations_ticks", "target_s"),
    [([180_000] * 3, 2), ([90_000] * 3, 2), ([180_000, 224_999], 2), ([180_000, 225_000], 3), ([630_000], 7)],
)
def test_no_duration_rounds_to_more_than_the_target(durations_ticks: list[int], target_s: int) -> None:
    """A picture that stood still makes a segment that nothing can cut; the playlist that lists it must still hold."""
    one = _with_durations(*durations_ticks)
    assert media_playlist(whole(one)).target_duration_s == target_s
    assert media_playlist(whole(one, replace(one, target_duration_s=9))).target_duration_s == 9


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("from_start", [True, False])
def test_how_a_playlist_ends_and_begins(ended: bool, from_start: bool) -> None:
    parsed = m3u8.loads(media_playlist(whole(recording()), ended=ended, from_start=from_start).render())
    assert (parsed.is_endlist, parsed.playlist_type) == (ended, "vod" if ended else None)
    assert (parsed.start is not None) == from_start


@given(thinned(), st.floats(1, 10), st.integers(1, 6), st.booleans())
def test_a_paced_timeline_counts_on_from_its_beginning(
    recordings: list[Recording], kept_s: float, ahead_segments: int, gaps: bool
) -> None:
    """Up to where recordings are missing, whatever numbers a power cut has left out."""
    spans, reloads = counted(whole(*recordings)), Reloads({})
    total_s = sum(each.recording.duration_ticks / each.recording.timescale for each in spans)
    for opened_for_s in range(int(total_s) + 2):
        shown = paced(spans, opened_for_s=opened_for_s, ahead_segments=ahead_segments, kept_s=kept_s)
        reloads.take(media_playlist(shown, gaps=gaps, since=spans).render())
    assert f"{spans[-1].end_media_sequence - 1}.m4s" in reloads.known, "the viewer comes to the end"


@given(thinned(), st.booleans())
def test_a_growing_timeline_keeps_its_numbers(recordings: list[Recording], gaps: bool) -> None:
    reloads = Reloads({})
    for known in as_they_grew(recordings):
        reloads.take(media_playlist(whole(*known), from_start=True, gaps=gaps).render())


@given(thinned(), st.floats(1, 10), st.integers(1, 6), st.booleans())
def test_the_live_window_never_lists_a_segment_under_another_number(
    recordings: list[Recording], duration_s: float, at_least: int, gaps: bool
) -> None:
    """Where numbers leap, it begins behind: a live playlist says the same to whoever comes, whenever."""
    reloads, sequences = Reloads({}), {row.media_sequence: row.recording for row in rows_of(recordings)}
    for known in as_they_grew(recordings):
        spans = last_spans(numbered_on(known), duration_s=duration_s, at_least=at_least)
        reloads.take(media_playlist(spans, gaps=gaps).render())
    for uri, (number, discontinuity_sequence) in reloads.known.items():
        if not uri.startswith("gap-"):
            media_sequence = int(uri.removesuffix(".m4s"))
            assert discontinuity_sequence == sequences[media_sequence].discontinuity_sequence
            assert number == media_sequence + (discontinuity_sequence if gaps else 0)


def test_a_hole_within_a_run_is_told_too() -> None:
    """No discontinuity: its media time says itself that something is missing."""
    text = media_playlist(whole(recording(0), recording(1, start_wall_us=NOON_US + 3600 * US_PER_S))).render()
    assert [number for number, _ in holes(text)] == [3]
    assert "#EXT-X-DISCONTINUITY" not in text


def test_footage_that_is_gone_is_a_hole_without_a_reason() -> None:
    text = media_playlist(whole(recording(0), recording(2, gap_reason=EndReason.STALLED))).render()
    ((number, attributes),) = holes(text)
    assert (number, attributes["DURATION"], "X-REASON" in attributes) == (6, "6.000", False)
