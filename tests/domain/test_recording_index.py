"""From fragments to recordings: numbers that run on, wall time that never goes back, facts that stand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_index import RunIndex
from hlscam.domain.run_clock import LARGEST_SLEW_PPB
from hlscam.isobmff.fragment import Fragment
from tests.domain.footage import (
    SOUND_ONLY,
    TIMESCALE,
    Cut,
    add_all,
    any_cuts,
    fragments,
    gops,
    identity,
    init_section,
    record,
)
from tests.manual_clock import NOON_WALL_US

SECOND_US = 1_000_000
PART_TICKS = TIMESCALE // 2


def gapless(*gops_of_each: list[float], run: RunIndex | None = None, wall_us: int = NOON_WALL_US) -> list[Recording]:
    """Recordings of one run, end to end on its decode timeline."""
    run = run or RunIndex(identity())
    found: list[Recording] = []
    decode_ticks = 0
    for index, durations_s in enumerate(gops_of_each):
        row = fragments(gops(*durations_s), decode_ticks=decode_ticks)
        decode_ticks = row[-1].end_decode_ticks
        recording = record(run, f"{index}.mp4", row, wall_us=wall_us)
        assert recording is not None
        found.append(recording)
    return found


def test_a_recording_as_it_grows() -> None:
    index = RunIndex(identity()).open_recording("a.mp4", init_section(sound=True))
    row = fragments([*gops(2, 2), Cut(PART_TICKS, sync=True)])
    for fragment in row[:4]:
        assert not index.add(fragment, arrival_wall_us=NOON_WALL_US + _us(fragment.end_decode_ticks))
        assert index.facts is None
    assert index.add(row[4], arrival_wall_us=NOON_WALL_US + _us(row[4].end_decode_ticks))
    first = index.facts
    assert first is not None
    assert (first.first_media_sequence, first.end_media_sequence) == (1000, 1001)
    assert (first.discontinuity_sequence, first.starts_run, first.is_open) == (4, True, True)
    assert (first.first_offset, first.size_bytes) == (row[0].offset, row[4].offset)
    assert (first.duration_ticks, first.target_duration_s) == (2 * TIMESCALE, 2)
    assert (first.media.codecs, first.media.audio_channels) == ("avc1.64001f,mp4a.40.2", 1)
    assert first.media.frame_rate == 30
    assert first.media.bit_rate_bps == round(sum(each.size_bytes for each in row[:5]) * 8 / 2.5)
    add_all(index, row[5:], wall_us=NOON_WALL_US)
    parts = index.take_parts()
    assert [(part.position, part.offset) for part in parts] == [
        ((1000 + at // 4, at % 4), fragment.offset) for at, fragment in enumerate(row)
    ]
    assert [part.opens_run for part in parts] == [True] + [False] * 8
    assert index.take_parts() == []
    final = index.finish(EndReason.STOPPED, size_bytes=999, last_write_wall_us=0)
    assert final is not None
    assert (final.end_reason, final.size_bytes, len(final.segments)) == (EndReason.STOPPED, 999, 3)
    assert final.duration_ticks == sum(final.segments.durations_ticks) == 4.5 * TIMESCALE


def test_facts_that_were_given_never_change() -> None:
    """They are what is listed until others are told: a segment more is nobody's business before that."""
    index = RunIndex(identity()).open_recording("a.mp4", init_section())
    given: list[tuple[Recording, int, bytes]] = []
    for fragment in fragments(gops(2, 2, 2, 2)):
        if index.add(fragment, arrival_wall_us=NOON_WALL_US + _us(fragment.end_decode_ticks)):
            assert index.facts is not None
            given.append((index.facts, index.facts.end_media_sequence, index.facts.segments.pack()))
    index.finish(EndReason.STOPPED, size_bytes=999, last_write_wall_us=0)
    assert [end for _, end, _ in given] == [1001, 1002, 1003]
    assert all((each.end_media_sequence, each.segments.pack()) == (end, packed) for each, end, packed in given)


@given(any_cuts, st.sampled_from([None, 2, 4]), st.data())
def test_facts_come_with_the_first_segment_and_then_stand(
    cuts: list[Cut], target_s: int | None, data: st.DataObject
) -> None:
    index = RunIndex(identity(target_duration_s=target_s)).open_recording("a.mp4", init_section())
    first: Recording | None = None
    for fragment in fragments(cuts):
        arrival_wall_us = data.draw(st.integers(NOON_WALL_US, NOON_WALL_US + 3600 * SECOND_US))
        more = index.add(fragment, arrival_wall_us=arrival_wall_us)
        assert more or index.facts is None or first is not None
        first = first or index.facts
        if first is not None:
            assert _fixed(index.facts) == _fixed(first)
            assert index.facts is not None
            assert index.facts.duration_ticks == sum(index.facts.segments.durations_ticks)
    final = index.finish(EndReason.CRASHED, size_bytes=1, last_write_wall_us=NOON_WALL_US)
    assert (final is None) == (not any(cut.pictures for cut in cuts))
    assert first is None or _fixed(final) == _fixed(first)


def _fixed(facts: Recording | None) -> tuple[object, ...]:
    """What players have seen from the moment that the first segment is listed."""
    assert facts is not None
    return (
        *(facts.start_wall_us, facts.slew_ppb, facts.first_media_sequence, facts.discontinuity_sequence),
        *(facts.starts_run, facts.init_hash, facts.first_offset, facts.first_decode_ticks, facts.target_duration_s),
    )


@given(any_cuts, st.sampled_from([None, 2, 4]))
def test_indexing_the_same_fragments_again_gives_equal_facts(cuts: list[Cut], target_s: int | None) -> None:
    """With the anchor alone, as after a crash: nobody saw the fragments arrive then, and the run's past may be lost."""
    row = fragments(cuts)
    following = RunIndex(identity(target_duration_s=target_s)).open_recording("a.mp4", init_section())
    add_all(following, row, wall_us=NOON_WALL_US)
    live = following.finish(EndReason.ROLLED, size_bytes=123_456, last_write_wall_us=0)
    another_run = RunIndex(identity(target_duration_s=7, media_sequence=1, discontinuity_sequence=0))
    if following.anchor is None:
        another_run = RunIndex(identity(target_duration_s=target_s))
    index = another_run.open_recording("a.mp4", init_section(), anchor=following.anchor)
    for fragment in row:
        index.add(fragment, arrival_wall_us=None)
    again = index.finish(EndReason.ROLLED, size_bytes=123_456, last_write_wall_us=NOON_WALL_US + 5)
    assert again == live


def test_the_first_recording_of_a_run_says_why_there_was_a_hole() -> None:
    first, second = gapless([2, 2], [2], run=RunIndex(identity(gap_reason=EndReason.STALLED)))
    assert (first.gap_reason, second.gap_reason) == (EndReason.STALLED, None)


def test_numbers_and_times_run_on_over_recordings() -> None:
    first, second, third = gapless([2, 2, 2], [2, 2], [4], run=RunIndex(identity(target_duration_s=None)))
    assert [each.first_media_sequence for each in (first, second, third)] == [1000, 1003, 1005]
    assert [each.discontinuity_sequence for each in (first, second, third)] == [4, 4, 4]
    assert [each.starts_run for each in (first, second, third)] == [True, False, False]
    assert first.start_wall_us == NOON_WALL_US
    assert (second.start_wall_us, third.start_wall_us) == (first.end_wall_us, second.end_wall_us)
    assert len(third.segments) == 2, "the target duration of the first recording holds for the run"


def test_decode_time_that_goes_back_does_not_take_wall_time_with_it() -> None:
    run = RunIndex(identity())
    (before,) = gapless([2, 2], run=run)
    after = record(run, "after.mp4", fragments(gops(2), decode_ticks=TIMESCALE), wall_us=NOON_WALL_US)
    assert after is not None
    assert after.start_wall_us == before.end_wall_us


def test_a_pause_between_two_recordings_takes_as_long_as_it_took() -> None:
    run = RunIndex(identity())
    gapless([2, 2], run=run)
    after = record(run, "after.mp4", fragments(gops(2), decode_ticks=9 * TIMESCALE), wall_us=NOON_WALL_US)
    assert after is not None
    assert after.start_wall_us == NOON_WALL_US + 9 * SECOND_US


def test_a_recording_without_a_picture_uses_up_no_number() -> None:
    run = RunIndex(identity())
    (before,) = gapless([2], run=run)
    sound = fragments([SOUND_ONLY] * 3, decode_ticks=2 * TIMESCALE)
    assert record(run, "sound.mp4", sound, wall_us=NOON_WALL_US) is None
    after = record(run, "after.mp4", fragments(gops(2), decode_ticks=2 * TIMESCALE), wall_us=NOON_WALL_US)
    assert after is not None
    assert (after.first_media_sequence, after.starts_run) == (before.end_media_sequence, False)


def test_sound_before_the_first_picture_is_in_no_segment() -> None:
    row = fragments([SOUND_ONLY, SOUND_ONLY, *gops(2, 2)])
    recording = record(RunIndex(identity()), "a.mp4", row, wall_us=NOON_WALL_US)
    assert recording is not None
    assert recording.first_offset == row[2].offset
    assert recording.first_offset + sum(recording.segments.sizes_bytes) == row[-1].end
    assert list(recording.segments.independents) == [1, 1]


def test_another_init_section_is_a_discontinuity() -> None:
    run = RunIndex(identity())
    decode_ticks = 0
    found = []
    for name in ("a", "a", "b", "b"):
        row = fragments(gops(2, 2), decode_ticks=decode_ticks)
        decode_ticks = row[-1].end_decode_ticks
        recording = record(run, f"{decode_ticks}.mp4", row, wall_us=NOON_WALL_US, init=init_section(name))
        assert recording is not None
        found.append((recording.discontinuity_sequence, recording.starts_run, recording.init_hash[0]))
    assert found == [(4, True, "a"), (4, False, "a"), (5, True, "b"), (5, False, "b")]


def test_a_run_goes_on_after_a_recording_that_is_known() -> None:
    (before,) = gapless([4, 4], run=RunIndex(identity(target_duration_s=None)))
    run = RunIndex(identity(target_duration_s=None))
    run.resume_after(before)
    index = run.open_recording("next.mp4", init_section())
    for fragment in fragments(gops(4), decode_ticks=before.duration_ticks):
        index.add(fragment, arrival_wall_us=None)
    after = index.finish(EndReason.CRASHED, size_bytes=1, last_write_wall_us=NOON_WALL_US + 999 * SECOND_US)
    assert after is not None
    assert (after.first_media_sequence, after.starts_run) == (before.end_media_sequence, False)
    assert (after.start_wall_us, after.target_duration_s) == (before.end_wall_us, 4)


def test_a_file_that_nobody_saw_grow_ends_when_it_was_last_written() -> None:
    """So short a file that not even one segment shows itself whole before its end."""
    index = RunIndex(identity()).open_recording("a.mp4", init_section())
    for fragment in fragments(gops(2), decode_ticks=77 * TIMESCALE):
        index.add(fragment, arrival_wall_us=None)
    final = index.finish(EndReason.CRASHED, size_bytes=1, last_write_wall_us=NOON_WALL_US)
    assert final is not None
    assert (final.start_wall_us, final.end_wall_us) == (NOON_WALL_US - 2 * SECOND_US, NOON_WALL_US)


def test_a_run_never_begins_before_the_last_one_ended() -> None:
    """The host's clock was set back, or the least delayed fragment says so."""
    ended_wall_us = NOON_WALL_US + 3600 * SECOND_US
    run = RunIndex(identity(not_before_wall_us=ended_wall_us))
    found = gapless([2, 2], [2, 2], [2, 2], run=run)
    assert found[0].start_wall_us == ended_wall_us
    assert all(after.start_wall_us >= before.end_wall_us for before, after in pairwise(found))
    assert [each.slew_ppb for each in found] == [0, -LARGEST_SLEW_PPB, -LARGEST_SLEW_PPB]


_arrivals_us = st.integers(-50 * SECOND_US, 50 * SECOND_US)


@given(st.lists(st.lists(_arrivals_us, min_size=1, max_size=6), min_size=2, max_size=6), st.integers(0, 60 * SECOND_US))
def test_wall_time_never_goes_back_whatever_the_clock_does(delays_us: list[list[int]], not_before_us: int) -> None:
    run = RunIndex(identity(not_before_wall_us=NOON_WALL_US + not_before_us))
    found = []
    decode_ticks = 0
    for index, delays in enumerate(delays_us):
        row = fragments([Cut(2 * TIMESCALE, sync=True)] * len(delays), decode_ticks=decode_ticks)
        decode_ticks = row[-1].end_decode_ticks
        recording = run.open_recording(f"{index}.mp4", init_section())
        for fragment, delay_us in zip(row, delays, strict=True):
            recording.add(fragment, arrival_wall_us=NOON_WALL_US + _us(fragment.end_decode_ticks) + delay_us)
        final = recording.finish(EndReason.ROLLED, size_bytes=1, last_write_wall_us=0)
        assert final is not None
        found.append(final)
    assert found[0].start_wall_us >= NOON_WALL_US + not_before_us
    assert all(abs(each.slew_ppb) <= LARGEST_SLEW_PPB for each in found)
    assert all(0 <= after.start_wall_us - before.end_wall_us <= 1 for before, after in pairwise(found))


@given(st.lists(st.integers(0, 5 * SECOND_US), min_size=5, max_size=5))
def test_a_late_arrival_only_ever_delays(delays_us: list[int]) -> None:
    index = RunIndex(identity()).open_recording("a.mp4", init_section())
    for fragment, delay_us in zip(fragments([*gops(2), Cut(PART_TICKS, sync=True)]), delays_us, strict=True):
        index.add(fragment, arrival_wall_us=NOON_WALL_US + _us(fragment.end_decode_ticks) + delay_us)
    final = index.finish(EndReason.STOPPED, size_bytes=1, last_write_wall_us=0)
    assert final is not None
    assert NOON_WALL_US + min(delays_us) <= final.start_wall_us <= NOON_WALL_US + max(delays_us)


@pytest.mark.parametrize(
    ("sound_ahead_ms", "packet_ms", "taken_ms"),
    [
        (5, 21, 26),
        (0, 21, 21),
        (60, 64, 124),
        (-13, 21, 8),
        (-40, 21, 0),
        (22, 21, 0),
        (-3_600_000, 21, 0),
        (3_600_000, 21, 0),
    ],
    ids=["cut by a picture", "just", "long packets", "cut by sound", "long before", "ahead", "behind", "far ahead"],
)
def test_a_fragment_with_sound_waits_for_the_packet_of_sound_behind_it(
    sound_ahead_ms: int, packet_ms: int, taken_ms: int
) -> None:
    """So that is how late it may come at the least, and the pictures were taken so much earlier."""
    index = RunIndex(identity()).open_recording("a.mp4", init_section(sound=True))
    for each in fragments(gops(2, 2)):
        end_us = _us(each.end_decode_ticks)
        with_sound = replace(
            each,
            audio_decode_ticks=(end_us // 1000 + sound_ahead_ms) * 48,
            audio_duration_ticks=0,
            audio_sample_ticks=packet_ms * 48,
        )
        index.add(with_sound, arrival_wall_us=NOON_WALL_US + end_us + taken_ms * 1000)
    assert index.facts is not None
    assert index.facts.start_wall_us == NOON_WALL_US


def _us(ticks: int) -> int:
    return ticks * SECOND_US // TIMESCALE


@pytest.mark.parametrize("burst_s", [0, 0.5, 1.9, 2.5, 6])
@pytest.mark.parametrize("reads", [1, 3, 100])
def test_a_run_is_placed_when_the_burst_that_it_begins_with_is_over(burst_s: float, reads: int) -> None:
    """`burst_s` of media come at once, which the host sees in some reads 5 ms apart; then all comes in real time."""
    index = RunIndex(identity()).open_recording("a.mp4", init_section())
    row = fragments(gops(*[2.0] * 6))
    burst = [each for each in row if _us(each.end_decode_ticks) <= burst_s * SECOND_US]
    connected_wall_us = NOON_WALL_US + round(burst_s * SECOND_US) + 3_000
    listed = False
    for number, fragment in enumerate(row):
        arrival_wall_us = NOON_WALL_US + _us(fragment.end_decode_ticks) + 3_000
        if number < len(burst):
            arrival_wall_us = connected_wall_us + 5_000 * (number * reads // len(row))
        listed |= index.add(fragment, arrival_wall_us=arrival_wall_us)
        assert not listed or number >= len(burst)
    assert listed
    assert index.facts is not None
    assert index.facts.start_wall_us == NOON_WALL_US + 3_000


def test_a_burst_without_end_is_not_waited_for() -> None:
    index = RunIndex(identity()).open_recording("a.mp4", init_section())
    row = fragments(gops(*[2.0] * 7))
    listed = [each for each in row if index.add(each, arrival_wall_us=NOON_WALL_US)]
    assert listed[0] is row[20]
    assert index.facts is not None
    assert len(index.facts.segments) == 6


@pytest.mark.parametrize("leap_s", [16, 3600, 10 * 3600])
@pytest.mark.parametrize("cuts_after", [0, 1, 9])
def test_listing_ends_before_a_leap(leap_s: int, cuts_after: int) -> None:
    run = RunIndex(identity(longest_picture_s=15))
    leaping = Cut(leap_s * TIMESCALE, sync=False)
    row = fragments([*gops(2, 2), Cut(PART_TICKS, sync=True), leaping, *gops(2, 2, 2)[:cuts_after]])
    index = run.open_recording("a.mp4", init_section())
    add_all(index, row[:9], wall_us=NOON_WALL_US)
    leapt_before = index.has_leapt
    add_all(index, row[9:], wall_us=NOON_WALL_US - leap_s * SECOND_US)
    assert (leapt_before, index.has_leapt) == (False, True)
    final = index.finish(EndReason.CLOCK_STEPPED, size_bytes=row[-1].end, last_write_wall_us=0)
    assert final is not None
    assert [ticks / TIMESCALE for ticks in final.segments.durations_ticks] == [2, 2, 0.5]
    assert final.first_offset + sum(final.segments.sizes_bytes) == row[9].offset
    assert (final.start_wall_us, final.end_wall_us) == (NOON_WALL_US, NOON_WALL_US + 4_500_000)
    assert final.media.frame_rate == 30


def test_a_leap_of_the_sound_alone_is_one_too() -> None:
    """Camera sound is sent ahead of its pictures, and so it leaps first."""
    index = RunIndex(identity(longest_picture_s=15)).open_recording("a.mp4", init_section(sound=True))
    row = fragments(gops(2, 2))
    add_all(index, row[:6], wall_us=NOON_WALL_US)
    index.add(replace(row[6], audio_decode_ticks=0, audio_duration_ticks=48_000 * 3600), arrival_wall_us=None)
    assert index.has_leapt


def test_a_hole_between_fragments_is_a_leap_too() -> None:
    index = RunIndex(identity(longest_picture_s=15)).open_recording("a.mp4", init_section())
    add_all(index, fragments(gops(2, 2)), wall_us=NOON_WALL_US)
    hole_ticks = 20 * TIMESCALE
    add_all(index, fragments(gops(2), decode_ticks=hole_ticks), wall_us=NOON_WALL_US)
    assert index.has_leapt


@pytest.mark.parametrize(("still_s", "longest_s"), [(14, 15), (60, 65), (3600, None)])
def test_a_picture_that_stands_still_is_no_leap(still_s: int, longest_s: float | None) -> None:
    run = RunIndex(identity(longest_picture_s=longest_s))
    row = fragments([*gops(2), Cut(still_s * TIMESCALE, sync=False, pictures=1), *gops(2)])
    final = record(run, "a.mp4", row, wall_us=NOON_WALL_US)
    assert final is not None
    assert final.duration_ticks == (still_s + 4) * TIMESCALE


def test_a_recording_behind_a_leap_is_a_discontinuity_and_wall_time_does_not_leap() -> None:
    """The host rolls by its own clock, and may do so just when a camera's has leapt."""
    run = RunIndex(identity(longest_picture_s=15))
    before = record(run, "a.mp4", fragments(gops(2, 2)), wall_us=NOON_WALL_US)
    after = record(run, "b.mp4", fragments(gops(2, 2), decode_ticks=3600 * TIMESCALE), wall_us=NOON_WALL_US)
    third = record(run, "c.mp4", fragments(gops(2), decode_ticks=3604 * TIMESCALE), wall_us=NOON_WALL_US)
    assert before is not None
    assert after is not None
    assert third is not None
    assert (after.starts_run, after.discontinuity_sequence) == (True, before.discontinuity_sequence + 1)
    assert (after.start_wall_us, after.slew_ppb) == (before.end_wall_us, 0)
    assert (third.starts_run, third.start_wall_us) == (False, after.end_wall_us)


@pytest.mark.parametrize("drift_ppm", [-100, -30, 0, 30, 100])
@pytest.mark.parametrize("first_s", [600, 4])
def test_a_day_of_a_camera_whose_clock_drifts(drift_ppm: int, first_s: int) -> None:
    """Each sample's wall time stays within 50 ms of the truth, although every fragment is seen 2 ms or more late."""
    found = list(_day(drift_ppm, first_s))
    assert all(abs(each.slew_ppb) <= LARGEST_SLEW_PPB for each in found)
    assert all(0 <= after.start_wall_us - before.end_wall_us <= 1 for before, after in pairwise(found))
    assert all(abs(_error_ms(each, ticks, drift_ppm)) < 200 for each in found for ticks in (0, each.duration_ticks))
    settled = found[6:]
    assert all(abs(_error_ms(each, ticks, drift_ppm)) < 50 for each in settled for ticks in (0, each.duration_ticks))


def _day(drift_ppm: int, first_s: int) -> Iterator[Recording]:
    rng = random.Random(f"{drift_ppm} {first_s}")
    run = RunIndex(identity())
    (template,) = fragments([Cut(2 * TIMESCALE, sync=True, pictures=1)])
    decode_ticks = 0
    for number in range(144):
        index = run.open_recording(f"{number}.mp4", init_section())
        for _ in range((600 if number else first_s) // 2):
            fragment = _moved(template, decode_ticks)
            decode_ticks = fragment.end_decode_ticks
            delay_us = 2_000 + int(rng.expovariate(1 / 30_000))
            index.add(fragment, arrival_wall_us=_truth_us(decode_ticks, drift_ppm) + delay_us)
        final = index.finish(EndReason.ROLLED, size_bytes=1, last_write_wall_us=0)
        assert final is not None
        yield final


def _moved(fragment: Fragment, decode_ticks: int) -> Fragment:
    return replace(fragment, decode_ticks=decode_ticks)


def _truth_us(decode_ticks: int, drift_ppm: int) -> int:
    return NOON_WALL_US + decode_ticks * (SECOND_US + drift_ppm) // TIMESCALE


def _error_ms(recording: Recording, elapsed_ticks: int, drift_ppm: int) -> float:
    truth_us = _truth_us(recording.first_decode_ticks + elapsed_ticks, drift_ppm)
    return (recording.wall_us_at(elapsed_ticks) - truth_us) / 1000
