"""One table of playlists drives everything: the golden text, two independent readers, and the order of the tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.recording import slewed_us
from hlscam.hls.media_playlist import (
    VERSION,
    VERSION_WITH_GAPS,
    Hole,
    MediaPlaylist,
    SegmentBlock,
    render_block,
    render_gap,
    render_hole,
)
from hlscam.units import US_PER_S, format_rfc3339, parse_time, ticks_to_us
from tests.rig.playlist_lint import lint_all

NOON_US = 1_795_348_800 * US_PER_S


def block(**changes: Any) -> SegmentBlock:
    facts: dict[str, Any] = {
        "media_sequence": 41,
        "durations_ticks": [180_000, 180_000, 171_171],
        "first": 0,
        "end": 3,
        "timescale": 90_000,
        "start_wall_us": NOON_US,
        "slew_ppb": 0,
        "map_uri": "init-a.mp4",
        "discontinuity": False,
    }
    return SegmentBlock(**(facts | changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A playlist to be, by its blocks; the hole and the gap stand in front of the last one."""

    blocks: list[SegmentBlock]
    hole: Hole | None = None
    gap_us: int | None = None
    discontinuity_sequence: int = 0
    independent: bool = True
    ended: bool = False
    from_start: bool = False

    @property
    def text(self) -> str:
        uris = ["", *(each.map_uri for each in self.blocks)]
        texts = [render_block(each, previous_map_uri=uri) for each, uri in zip(self.blocks, uris, strict=False)]
        last = self.blocks[-1].media_sequence
        between = [] if self.gap_us is None else [render_gap(last, self.gap_us)]
        between += [] if self.hole is None else [render_hole(self.hole)]
        return MediaPlaylist(
            target_duration_s=2,
            media_sequence=self.blocks[0].media_sequence,
            discontinuity_sequence=self.discontinuity_sequence,
            independent=self.independent,
            blocks=[*texts[:-1], *between, texts[-1]],
            ended=self.ended,
            from_start=self.from_start,
            version=self.version,
        ).render()

    @property
    def version(self) -> int:
        return VERSION if self.gap_us is None else VERSION_WITH_GAPS


LATER = block(media_sequence=44, start_wall_us=NOON_US + 3600 * US_PER_S, discontinuity=True)
HOLE = Hole(
    media_sequence=44,
    start_wall_us=NOON_US + 5_901_900,
    end_wall_us=NOON_US + 3600 * US_PER_S,
    reason="unreachable",
)
NEXT = block(media_sequence=44, start_wall_us=NOON_US + 5_901_900)
CASES = {
    "live": Case(blocks=[block()]),
    "live over two recordings": Case(blocks=[block(), NEXT], discontinuity_sequence=7),
    "from inside a recording": Case(blocks=[block(media_sequence=42, first=1), NEXT]),
    "on into live": Case(blocks=[block(), NEXT], from_start=True),
    "a range of the past": Case(blocks=[block(), NEXT], ended=True),
    "a hole": Case(blocks=[block(), LATER], hole=HOLE, ended=True, discontinuity_sequence=3),
    "a hole that nobody knows the reason of": Case(blocks=[block(), LATER], hole=replace(HOLE, reason="")),
    "a gap": Case(blocks=[block(), LATER], hole=HOLE, gap_us=2_000_000),
    "a gap without a hole": Case(blocks=[block(), LATER], gap_us=0),
    "a new init section": Case(blocks=[block(), replace(LATER, map_uri="init-b.mp4")]),
    "begins with a discontinuity": Case(blocks=[replace(LATER, media_sequence=1)], discontinuity_sequence=8),
    "cut in mid-GOP": Case(blocks=[block()], independent=False),
    "a slow camera": Case(blocks=[block(slew_ppb=500_000)]),
    "a fast camera": Case(blocks=[block(slew_ppb=-500_000)], ended=True),
    "a clock of odd ticks": Case(blocks=[block(timescale=15_360, durations_ticks=[30_720, 30_721, 12_345])]),
    "large numbers": Case(blocks=[block(media_sequence=1_795_348_800)], discontinuity_sequence=2**31),
    "a thousand": Case(blocks=[block(durations_ticks=[180_180] * 1000, end=1000, slew_ppb=-31_415)], ended=True),
}

GOLDEN = """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:41
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="init-a.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T12:00:00.000Z
#EXTINF:2.000000,
41.m4s
#EXTINF:2.000000,
42.m4s
#EXTINF:1.901900,
43.m4s
#EXT-X-DATERANGE:ID="gap-44",CLASS="hlscam.gap",START-DATE="2026-11-22T12:00:05.902Z",\
END-DATE="2026-11-22T13:00:00.000Z",DURATION=3594.098,X-REASON="unreachable"
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T13:00:00.000Z
#EXTINF:2.000000,
44.m4s
#EXTINF:2.000000,
45.m4s
#EXTINF:1.901900,
46.m4s
#EXT-X-ENDLIST
"""


def test_golden() -> None:
    assert CASES["a hole"].text == GOLDEN


@dataclass(frozen=True, slots=True)
class Expected:
    """A segment as the case says that it is."""

    uri: str
    duration_s: float
    discontinuity: bool
    map_uri: str
    wall_us: int
    hole: Hole | None = None
    gap: bool = False


def expected(case: Case) -> list[Expected]:
    segments = [_expected(each, index) for each in case.blocks for index in range(each.first, each.end)]
    at = len(segments) - (case.blocks[-1].end - case.blocks[-1].first)
    segments[at] = replace(segments[at], hole=case.hole)
    if case.gap_us is not None:
        last = segments[at - 1]
        uri, duration_s = f"gap-{case.blocks[-1].media_sequence}.m4s", max(case.gap_us / US_PER_S, 0.001)
        wall_us = last.wall_us + round(last.duration_s * US_PER_S)
        segments.insert(
            at, Expected(uri, duration_s, discontinuity=False, map_uri=last.map_uri, wall_us=wall_us, gap=True)
        )
    return segments


def _expected(given_block: SegmentBlock, index: int) -> Expected:
    duration_ticks, timescale = given_block.durations_ticks[index], given_block.timescale
    elapsed_us = slewed_us(sum(given_block.durations_ticks[:index]), timescale, given_block.slew_ppb)
    return Expected(
        uri=f"{given_block.media_sequence + index - given_block.first}.m4s",
        duration_s=ticks_to_us(duration_ticks, timescale) / US_PER_S,
        discontinuity=given_block.discontinuity and index == given_block.first,
        map_uri=given_block.map_uri,
        wall_us=given_block.start_wall_us + elapsed_us,
    )


@pytest.mark.parametrize("name", CASES)
def test_m3u8_reads_the_same_facts(name: str) -> None:
    case = CASES[name]
    parsed = m3u8.loads(case.text)
    assert (parsed.version, parsed.target_duration) == (case.version, 2)
    assert parsed.media_sequence == case.blocks[0].media_sequence
    assert (parsed.discontinuity_sequence or 0) == case.discontinuity_sequence
    assert (parsed.is_endlist, parsed.is_independent_segments) == (case.ended, case.independent)
    assert (parsed.start is not None) == case.from_start
    assert len(parsed.segments) == len(expected(case))
    for read, meant in zip(parsed.segments, expected(case), strict=True):
        assert (read.uri, read.duration) == (meant.uri, meant.duration_s)
        assert (read.discontinuity, read.init_section.uri) == (meant.discontinuity, meant.map_uri)
        assert _off_ms(read.current_program_date_time, meant) <= 1
        assert bool(read.gap_tag) == meant.gap
        assert [each.id for each in read.dateranges] == ([f"gap-{meant.hole.media_sequence}"] if meant.hole else [])


async def test_the_strict_linter_accepts_every_kind_and_reads_the_same_facts() -> None:
    answers = await lint_all([case.text for case in CASES.values()])
    for answer, case in zip(answers, CASES.values(), strict=True):
        assert (answer["type"], answer["version"], answer["targetDuration"]) == ("media", case.version, 2)
        assert answer["discontinuitySequence"] == case.discontinuity_sequence
        assert (answer["ended"], answer["playlistType"]) == (case.ended, "VOD" if case.ended else None)
        assert answer["independentSegments"] == case.independent
        assert answer["start"] == ({"offset": 0, "precise": True} if case.from_start else None)
        for number, (read, meant) in enumerate(
            zip(answer["segments"], expected(case), strict=True), start=answer["mediaSequence"]
        ):
            assert (read["uri"], read["duration"]) == (meant.uri, meant.duration_s)
            assert (read["discontinuity"], read["map"]) == (meant.discontinuity, meant.map_uri)
            assert (read["mediaSequence"], read["gap"]) == (number, meant.gap)
            assert read["dateRange"] == (_as_linted(meant.hole) if meant.hole else None)
            if read["programDateTime"] is not None:
                assert _off_ms(datetime.fromisoformat(read["programDateTime"]), meant) <= 1


def _as_linted(hole: Hole) -> dict[str, Any]:
    start, end = format_rfc3339(hole.start_wall_us), format_rfc3339(hole.end_wall_us)
    return {
        "id": f"gap-{hole.media_sequence}",
        "class": "hlscam.gap",
        "start": start,
        "end": end,
        "duration": (parse_time(end) - parse_time(start)) / US_PER_S,
        "attributes": {"X-REASON": hole.reason} if hole.reason else {},
    }


def _off_ms(told: datetime, meant: Expected) -> float:
    return abs(told.timestamp() * 1000 - meant.wall_us / 1000)


ORDER = [
    *("EXTM3U", "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"),
    *("EXT-X-PLAYLIST-TYPE", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START"),
]


@pytest.mark.parametrize("name", CASES)
def test_tags_stand_where_the_rfc_wants_them(name: str) -> None:
    """The first line is EXTM3U; playlist tags come once, before any segment; all lines end in LF (RFC 8216bis 4)."""
    text = CASES[name].text
    assert text.endswith("\n")
    assert "\r" not in text
    assert "\n\n" not in text
    head, _, rest = text.partition("#EXT-X-MAP")
    head = head.removesuffix("#EXT-X-DISCONTINUITY\n")
    tags = re.findall(r"^#([A-Z0-9-]+)", head, re.MULTILINE)
    assert tags == [tag for tag in ORDER if tag in tags]
    assert not set(ORDER) & set(re.findall(r"^#([A-Z0-9-]+)", rest, re.MULTILINE))
    assert text.count("#EXT-X-ENDLIST") == CASES[name].ended == text.endswith("#EXT-X-ENDLIST\n")


def test_a_map_is_not_said_twice() -> None:
    assert "#EXT-X-MAP" not in render_block(NEXT, previous_map_uri="init-a.mp4")
    assert '#EXT-X-MAP:URI="init-a.mp4"' in render_block(NEXT, previous_map_uri="init-b.mp4")
    assert CASES["a hole"].text.count("#EXT-X-MAP") == 1


def test_a_date_is_said_only_where_adding_up_would_be_off() -> None:
    steady = block(durations_ticks=[180_180] * 1000, end=1000)
    assert render_block(steady).count("PROGRAM-DATE-TIME") == 1
    for slew_ppb in (50_000, -50_000):  # 0.1 ms a segment
        slewed = replace(steady, slew_ppb=slew_ppb)
        assert 50 <= render_block(slewed).count("PROGRAM-DATE-TIME") <= 200


_slews_ppb = st.integers(-500_000, 500_000)


@given(
    st.lists(st.integers(1, 500_000), min_size=1, max_size=30), st.integers(1, 1_000_000), _slews_ppb,
    st.integers(0, 2**51), st.data(),
)  # fmt: skip
def test_any_block_adds_up(
    durations_ticks: list[int], timescale: int, slew_ppb: int, start_wall_us: int, data: st.DataObject
) -> None:
    """What a player makes of dates and durations stays within a millisecond, and each date is exact to one."""
    first = data.draw(st.integers(0, len(durations_ticks) - 1))
    one = block(
        durations_ticks=durations_ticks, first=first, end=len(durations_ticks), timescale=timescale,
        slew_ppb=slew_ppb, start_wall_us=start_wall_us,
    )  # fmt: skip
    said_us = -1
    meant = iter(expected(Case(blocks=[one])))
    for line in render_block(one).splitlines():
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-PROGRAM-DATE-TIME":
            said_us = round(datetime.fromisoformat(value).timestamp() * 1000) * 1000
        elif tag == "#EXTINF":
            here = next(meant)
            assert abs(said_us - here.wall_us) <= 1000
            seconds, _, fraction = value.removesuffix(",").partition(".")
            said_us += int(seconds) * US_PER_S + int(fraction)
            assert len(fraction) == 6
    assert next(meant, None) is None


def test_the_first_date_is_never_before_the_segment() -> None:
    text = render_block(block(start_wall_us=NOON_US + 1))
    assert f"#EXT-X-PROGRAM-DATE-TIME:{format_rfc3339(NOON_US + 1000)}\n" in text


def test_a_day_is_listed_whole() -> None:
    day = [
        render_block(
            block(
                media_sequence=number * 300, durations_ticks=[180_000] * 300, end=300,
                start_wall_us=NOON_US + number * 600 * US_PER_S,
            ),
            previous_map_uri="init-a.mp4" if number else "",
        )
        for number in range(144)
    ]  # fmt: skip
    text = MediaPlaylist(
        target_duration_s=2, media_sequence=0, discontinuity_sequence=0, independent=True, blocks=day, ended=True
    ).render()
    assert re.findall(r"^(\d+)\.m4s$", text, re.MULTILINE) == [str(number) for number in range(43_200)]
    assert text.count("PROGRAM-DATE-TIME") == 144


@given(st.integers(0, 2**51), st.integers(1001, 10**12))
def test_the_duration_of_a_hole_is_what_its_dates_say(start_wall_us: int, length_us: int) -> None:
    """RFC 8216bis 4.4.5.1: END-DATE MUST be START-DATE plus DURATION."""
    text = render_hole(replace(HOLE, start_wall_us=start_wall_us, end_wall_us=start_wall_us + length_us))
    start, end, duration = re.findall(r'START-DATE="(.*?)",END-DATE="(.*?)",DURATION=(\d+\.\d{3}),', text)[0]
    assert parse_time(end) - parse_time(start) == int(duration.replace(".", "")) * 1000
    assert abs(int(duration.replace(".", "")) * 1000 - length_us) < 1000


@pytest.mark.parametrize(
    ("duration_us", "said"), [(0, "0.001000"), (999, "0.001000"), (1_500_000, "1.500000"), (2_000_001, "2.000001")]
)
def test_a_gap_is_an_entry_that_nobody_may_load(duration_us: int, said: str) -> None:
    assert render_gap(44, duration_us) == f"#EXT-X-GAP\n#EXTINF:{said},\ngap-44.m4s\n"
