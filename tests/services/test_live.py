"""The live edge: what is kept, what is listed, who is woken."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.part import Part
from hlscam.domain.recording import EndReason, MediaFacts, Recording
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.services.live import FEWEST_SEGMENTS, LiveStream, LiveStreams
from tests.domain.footage import identity, init_section

TIMESCALE = 1000
INIT = init_section("0")
FACTS = MediaFacts(video_codec="avc1.42c00b", width=128, height=96, frame_rate=10.0, bit_rate_bps=100_000)


def recording(index: int, segments: int, first: int = 0, *, duration_s: float = 2) -> Recording:
    ticks = round(duration_s * TIMESCALE)
    return Recording(
        camera="porch",
        name=f"20261122T12{index:04d}Z-aaaa.mp4",
        run="aaaa",
        first_media_sequence=first,
        discontinuity_sequence=0,
        starts_run=index == 0,
        init_hash="0" * 16,
        start_wall_us=first * 2_000_000,
        slew_ppb=0,
        timescale=TIMESCALE,
        first_decode_ticks=0,
        duration_ticks=segments * ticks,
        first_offset=800,
        size_bytes=800 + segments * 100,
        target_duration_s=2,
        media=FACTS,
        segments=SegmentTable.of([SegmentEntry(100, ticks, 50, True)] * segments),
    )


def row_of(counts: list[int]) -> list[Recording]:
    return [recording(index, count, sum(counts[:index])) for index, count in enumerate(counts)]


def numbers(stream: LiveStream) -> list[int]:
    return [
        number
        for span in stream.window()
        for number in range(span.media_sequence, span.media_sequence + span.end - span.first)
    ]


def part(media_sequence: int, index: int, name: str = "a.mp4") -> Part:
    return Part(
        media_sequence=media_sequence,
        index=index,
        name=name,
        offset=800 + 100 * index,
        size_bytes=100,
        start_ticks=0,
        duration_ticks=500,
        timescale=TIMESCALE,
        independent=index == 0,
        wall_us=media_sequence * 2_000_000 + index * 500_000,
        init_hash="0" * 16,
        opens_run=False,
    )


def test_parts_of_the_last_three_target_durations_are_kept_by_whole_segments() -> None:
    stream = LiveStream("porch", 10)
    for number in range(10):
        for index in range(4):
            stream.publish(recording(0, number + 1), INIT, [part(number, index)])
            assert stream.parts[-1].position == (number, index)
            assert stream.parts[0].index == 0
            assert stream.parts[-1].wall_us - stream.parts[0].wall_us <= 6_000_000
    assert {each.media_sequence for each in stream.parts} == {7, 8, 9}
    stream.withdraw("a.mp4")
    assert stream.parts == []


def test_the_parts_that_a_recording_which_ended_still_owes() -> None:
    """Those of its last three target durations, from the newest that is known on."""
    stream = LiveStream("porch", 10)
    ended = replace(recording(0, 8, first=20), end_reason=EndReason.STOPPED)
    assert list(stream.missing_parts(ended)) == [5, 6, 7]
    stream.publish_parts([part(26, 0)], INIT)
    assert list(stream.missing_parts(ended)) == [6, 7]
    stream.publish_parts([part(28, 0)], INIT)
    assert list(stream.missing_parts(ended)) == []
    assert list(stream.missing_parts(recording(0, 0))) == []


def test_the_part_target_is_of_the_fragments_that_the_run_says_it_has() -> None:
    """Also where a server that has just started knew the run's closed recordings first, as the catalog has them."""
    init = replace(INIT, comment=replace(identity(), run="aaaa", fragment_us=693_000).to_comment())
    stream = LiveStream("porch", 10, part_duration_s=0.3)
    stream.load([replace(recording(0, 3), end_reason=EndReason.ROLLED)])
    assert stream.low_latency is not None
    assert stream.low_latency.part_target_us < 500_000
    for count in (1, 2):
        stream.publish(recording(1, count, 3), init)
        assert stream.low_latency.part_target_us >= 700_000


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.sampled_from([2.0, 10.0, 30.0, 120.0]))
def test_the_window_is_the_newest_segments_however_they_were_published(counts: list[int], window_s: float) -> None:
    stream = LiveStream("porch", window_s)
    for each in row_of(counts):
        stream.publish(each, INIT)
    total = sum(counts)
    wanted = min(total, max(FEWEST_SEGMENTS, round(window_s / 2)))
    assert numbers(stream) == list(range(total - wanted, total))
    assert stream.newest == row_of(counts)[-1]


@given(st.lists(st.integers(1, 20), min_size=20, max_size=60))
def test_what_left_the_window_is_let_go(counts: list[int]) -> None:
    stream = LiveStream("porch", 4)
    for each in row_of(counts):
        stream.publish(each, INIT)
    assert len(stream.recordings) <= 2 * FEWEST_SEGMENTS + 3


def test_6_2_2_what_left_the_window_is_kept_for_as_long_again_and_no_longer() -> None:
    """So that retention, on a disk that is full, takes it in its turn, also where no other recording begins."""
    stream = LiveStream("porch", 10)
    first, second, third = row_of([3, 3, 30])
    stream.publish(first, INIT)
    stream.publish(second, INIT)
    kept = []
    for count in range(1, 31):
        stream.publish(recording(2, count, first=6), INIT)
        kept.append([each.name for each in stream.recordings])
    assert kept[6] == [first.name, second.name, third.name], "the newest 11 segments, of which it lists 5"
    assert kept[7] == [second.name, third.name]
    assert kept[29] == [second.name, third.name], "the one before the newest stays"


def test_publishing_again_replaces() -> None:
    stream = LiveStream("porch", 30)
    stream.publish(recording(0, 1), INIT)
    longer = recording(0, 2)
    stream.publish(longer, INIT)
    closed = replace(longer, end_reason=EndReason.STOPPED)
    stream.publish(closed, INIT)
    assert list(stream.recordings) == [closed]


def test_withdrawing() -> None:
    stream = LiveStream("porch", 30)
    first, second = row_of([3, 4])
    stream.load([first, second])
    stream.withdraw(second.name)
    assert stream.newest == first
    stream.withdraw(first.name)
    assert list(stream.recordings) == []
    assert stream.window() == []


async def test_every_change_wakes_all_who_wait_once() -> None:
    stream = LiveStream("porch", 30)
    waiting = [asyncio.create_task(stream.wait_changed()) for _ in range(3)]
    await asyncio.sleep(0)
    version = stream.version
    stream.publish(recording(0, 1), INIT)
    await asyncio.gather(*waiting)
    assert stream.version == version + 1
    late = asyncio.create_task(stream.wait_changed())
    await asyncio.sleep(0)
    assert not late.done()
    stream.withdraw("nothing")
    await late


def test_streams_are_made_once_and_know_their_window() -> None:
    streams = LiveStreams(2)
    stream = streams.stream("porch")
    assert streams.stream("porch") is stream
    assert streams.stream("yard") is not stream
    for each in row_of([10, 10]):
        stream.publish(each, INIT)
    assert len(numbers(stream)) == FEWEST_SEGMENTS


def test_a_recording_that_is_not_the_newest_can_still_be_closed() -> None:
    stream = LiveStream("porch", 30)
    first, second = row_of([3, 2])
    stream.publish(first, INIT)
    stream.publish(second, INIT)
    stream.publish(replace(first, end_reason=EndReason.ROLLED), INIT)
    assert [each.end_reason for each in stream.recordings] == [EndReason.ROLLED, None]


def test_init_sections_are_at_hand_as_long_as_they_are_needed() -> None:
    stream = LiveStream("porch", 4)
    other = init_section("b")
    stream.publish(row_of([9])[0], INIT)
    assert stream.inits == {INIT.hash: INIT.data}
    for index in (1, 2):
        stream.publish(replace(recording(index, 9, 9 * index), init_hash=other.hash), other)
    assert stream.inits == {other.hash: other.data}


def test_all_of_them_together() -> None:
    streams = LiveStreams(4)
    assert (streams.streams(), streams.recordings()) == ([], [])
    porch, yard = streams.stream("porch"), streams.stream("yard")
    for each in row_of([1, 1]):
        porch.publish(each, INIT)
    elsewhere = replace(recording(0, 3), camera="yard")
    yard.publish(elsewhere, INIT)
    assert streams.streams() == [porch, yard]
    assert streams.recordings() == [*row_of([1, 1]), elsewhere]
