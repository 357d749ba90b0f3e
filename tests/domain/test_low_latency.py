"""The part target, what may be listed as a part, and the guess where the next one belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hlscam.domain.low_latency import LowLatency, fragment_us, group_pictures, next_position, part_target_us
from hlscam.domain.part import Part
from hlscam.units import US_PER_S
from tests.domain.footage import SOUND_ONLY, TIMESCALE, Cut, fragments
from tests.services.test_live import part

RATES = [5, 10, 12.5, 15, 20, 24.98, 25, 29.97, 30, 50, 60]
WANTED_S = [0.2, 0.25, 0.3, 0.5, 1]
SOUNDS_S = {"no sound": None, "48 kHz": 1024 / 48_000, "44.1 kHz": 1024 / 44_100, "16 kHz": 1024 / 16_000, "opus": 0.02}


def pictures_of_fragments(
    fragment_s: float, rate: float, sound_s: float | None, gop_pictures: int = 10**6
) -> list[int]:
    """How many pictures ffmpeg puts into each fragment, of pictures and sound without end.

    It writes packets as they follow in time. In front of one that is `fragment_s` behind the first of its own track in
    the fragment, and of each sync sample, the next fragment begins (libavformat/movenc.c).
    """
    pictures = [(index / rate, 0) for index in range(round(60 * rate))]
    sounds = [(index * sound_s, 1) for index in range(round(60 / sound_s))] if sound_s else []
    counts, first = [0], dict[int, float]()
    for at_s, track in sorted(pictures + sounds):
        is_sync = track == 0 and round(at_s * rate) % gop_pictures == 0
        if is_sync or at_s - first.get(track, at_s) >= fragment_s - 1e-6:
            counts.append(0)
            first.clear()
        first.setdefault(track, at_s)
        counts[-1] += track == 0
    return counts[1:-1]


@pytest.mark.parametrize("sound_s", SOUNDS_S.values(), ids=SOUNDS_S)
@pytest.mark.parametrize("part_duration_s", WANTED_S)
@pytest.mark.parametrize("rate", RATES)
def test_no_part_is_longer_than_the_part_target_and_all_have_85_percent_of_it(
    part_duration_s: float, rate: float, sound_s: float | None
) -> None:
    """RFC 8216bis 4.4.4.9. A camera whose rate is known has parts about as long as they are wanted.

    Where so many pictures and packets of sound last the same but for the camera's clock, one part in fifty is shorter.
    """
    asked_us = fragment_us(part_duration_s, rate, sound_s)
    target_s = part_target_us(asked_us, rate) / US_PER_S
    durations_s = [count / rate for count in pictures_of_fragments(asked_us / US_PER_S, rate, sound_s)]
    assert max(durations_s) <= target_s + 0.001
    short = sum(each < 0.85 * target_s - 0.001 for each in durations_s)
    assert short <= (len(durations_s) // 50 if rate % 0.5 else 0)
    assert abs(max(durations_s) - part_duration_s) <= 1.5 / rate + 0.001


@pytest.mark.parametrize("part_duration_s", WANTED_S)
@pytest.mark.parametrize("rate", RATES)
def test_nor_where_the_rate_was_not_known_or_another(part_duration_s: float, rate: float) -> None:
    for known in (0, 7, 2 * rate, rate / 2):
        asked_us = fragment_us(part_duration_s, known, None)
        for sound_s in SOUNDS_S.values():
            counts = pictures_of_fragments(asked_us / US_PER_S, rate, sound_s)
            assert max(counts) / rate <= part_target_us(asked_us, rate) / US_PER_S + 0.001


@pytest.mark.parametrize(
    ("rate", "gop_pictures", "part_duration_s", "expected"),
    [
        (25, 25, 0.3, [5, 5, 5, 5, 5]),
        (25, 12, 0.3, [6, 6]),
        (25, 25, 0.5, [13, 12]),
        (25, 25, 1, [25]),
        (25, 12, 1, [12]),
        (25, 50, 0.3, [10, 10, 10, 10, 10]),
        (30, 30, 0.3, [10, 10, 10]),
        (30, 15, 0.3, [8, 7]),
        (29.97, 30, 0.3, [10, 10, 10]),
        (15, 15, 0.3, [5, 5, 5]),
        (20, 20, 0.3, [5, 5, 5, 5]),
        (10, 10, 0.3, [2, 2, 2, 2, 2]),
        (24, 24, 0.3, [8, 8, 8]),
    ],
)
def test_parts_fit_into_a_group_of_pictures(
    rate: float, gop_pictures: int, part_duration_s: float, expected: list[int]
) -> None:
    asked_us = fragment_us(part_duration_s, rate, None, gop_pictures)
    counts = pictures_of_fragments(asked_us / US_PER_S, rate, None, gop_pictures)
    assert counts[: len(expected) * 3] == expected * 3


@pytest.mark.parametrize("sound_s", SOUNDS_S.values(), ids=SOUNDS_S)
@pytest.mark.parametrize("part_duration_s", [0.3, 0.5, 1])
@pytest.mark.parametrize("gop_s", [0.5, 1, 2])
@pytest.mark.parametrize("rate", [10, 15, 20, 24, 25, 30, 50, 60])
def test_4_4_4_9_no_short_part_stands_in_front_of_a_sync_sample(
    rate: float, gop_s: float, part_duration_s: float, sound_s: float | None
) -> None:
    """Within a segment that would not be the last one. A fragment of sound alone is joined to the next (`part.py`)."""
    gop_pictures = round(gop_s * rate)
    asked_us = fragment_us(part_duration_s, rate, sound_s, gop_pictures)
    counts = [each for each in pictures_of_fragments(asked_us / US_PER_S, rate, sound_s, gop_pictures) if each]
    target_s = part_target_us(asked_us, rate) / US_PER_S
    assert max(counts) / rate <= target_s + 0.001
    assert min(counts) / rate >= 0.85 * target_s - 0.001


@pytest.mark.parametrize(
    ("gop_pictures", "part_duration_s"), [(None, 0.3), (13, 0.2)], ids=["not known", "nothing near fits"]
)
def test_else_parts_last_about_as_long_as_wanted(gop_pictures: int | None, part_duration_s: float) -> None:
    assert fragment_us(part_duration_s, 25, None, gop_pictures) == fragment_us(part_duration_s, 25, None)


def cuts(*groups: Sequence[int]) -> list[Cut]:
    """Fragments of so many pictures, the first of each group with a sync sample."""
    return [Cut(TIMESCALE, sync=index == 0, pictures=count) for each in groups for index, count in enumerate(each)]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([cuts([8, 8, 8, 1], [8, 8, 8, 1])] * 3, 25),
        ([[*cuts([8, 4]), SOUND_ONLY, *cuts([12]), SOUND_ONLY]], 12),
        ([cuts([8, 8, 8, 1])] * 3, None),
        ([cuts([8, 8, 8, 1], [8, 8, 8, 1]), cuts([8, 8, 8, 1], [8, 8, 8])], None),
        ([cuts([25], [25]), cuts([25])], None),
        ([[Cut(TIMESCALE, sync=False, pictures=8), *cuts([25])]], None),
        ([], None),
    ],
    ids=["regular", "with sound alone", "one a segment", "irregular", "one in some", "cut in the middle", "nothing"],
)
def test_the_pictures_of_a_group_are_told_by_segments_that_hold_several(
    segments: list[list[Cut]], expected: int | None
) -> None:
    assert group_pictures([fragments(each) for each in segments]) == expected


def row(*counts: int) -> list[Part]:
    return [part(10 + number, index) for number, count in enumerate(counts) for index in range(count)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], (11, 0)),
        (row(4), (11, 0)),
        (row(4, 1), (11, 1)),
        (row(4, 3), (11, 3)),
        (row(4, 4), (12, 0)),
        (row(4, 5), (12, 0)),
        (row(0, 2), (11, 2)),
        (row(0, 4), (12, 0)),
    ],
    ids=[
        "nothing",
        "between segments",
        "begun",
        "nearly full",
        "full",
        "longer than usual",
        "nothing before",
        "nothing before, and full",
    ],
)
def test_the_hint_names_the_next_part(parts: list[Part], expected: tuple[int, int]) -> None:
    assert next_position(parts, 11, 2_000_000) == expected


@pytest.mark.parametrize(
    ("stub", "count", "expected"),
    [
        ({"name": "before.mp4"}, 1, (11, 1)),
        ({"name": "before.mp4"}, 3, (11, 3)),
        ({"name": "before.mp4"}, 4, (12, 0)),
        ({"independent": False}, 1, (11, 1)),
        ({"independent": False}, 4, (12, 0)),
    ],
    ids=[
        "of another recording, begun",
        "of another recording, nearly full",
        "of another recording, full",
        "in front of the first sync sample, begun",
        "in front of the first sync sample, full",
    ],
)
def test_a_stub_does_not_tell_how_long_the_next_segment_is(
    stub: dict[str, Any], count: int, expected: tuple[int, int]
) -> None:
    parts = row(1, count)
    parts[0] = replace(parts[0], duration_ticks=300, **stub)
    assert next_position(parts, 11, 2_000_000) == expected


@pytest.mark.parametrize(("count", "expected"), [(4, (11, 4)), (5, (12, 0))])
def test_a_group_that_is_cut_in_its_middle_tells(count: int, expected: tuple[int, int]) -> None:
    """Segments are somewhat longer than usual then, each as the one before."""
    parts = row(5, count)
    parts[0] = replace(parts[0], independent=False)
    assert next_position(parts, 11, 2_000_000) == expected


def test_behind_a_stub_the_segment_in_front_of_it_tells() -> None:
    parts = row(3, 1, 3)
    parts[3] = replace(parts[3], independent=False)
    assert next_position(parts, 12, 2_000_000) == (13, 0)


def test_behind_a_part_that_is_too_long_no_part_of_its_segment_is_listed_or_hinted_at() -> None:
    parts = row(4, 3)
    parts[5] = replace(parts[5], duration_ticks=700)
    found = LowLatency.of(parts, end_media_sequence=11, target_us=600_000, usual_segment_us=2_000_000)
    assert [each.position for each in found.parts[10]] == [(10, index) for index in range(4)]
    assert [each.position for each in found.parts[11]] == [(11, 0)]
    assert found.hint == (12, 0)


def test_where_the_next_run_s_numbers_leap_there_is_no_hint() -> None:
    """After a power cut. Its first parts follow no segment that is listed, and the one behind these never comes."""
    parts = [*row(4), replace(part(70, 0), name="next.mp4")]
    before, after = (
        LowLatency.of(parts, end_media_sequence=end, target_us=600_000, usual_segment_us=2_000_000) for end in (11, 71)
    )
    assert (before.hint, after.hint) == (None, (71, 0))
    assert before.parts.get(11) is None


LISTED = LowLatency.of(row(4, 3), end_media_sequence=11, target_us=600_000, usual_segment_us=2_000_000)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((9, 99), True),
        ((10, 0), True),
        ((10, 3), True),
        ((10, 4), True),
        ((11, 2), True),
        ((11, 3), False),
        ((12, 0), False),
    ],
)
def test_a_part_is_listed_when_it_or_what_follows_it_is(position: tuple[int, int], expected: bool) -> None:
    assert LISTED.lists(*position) is expected


def test_a_part_beyond_a_segment_s_last_is_the_first_of_the_next() -> None:
    """6.2.5.2."""
    between = LowLatency.of(row(4), end_media_sequence=11, target_us=600_000, usual_segment_us=2_000_000)
    assert between.lists(10, 3)
    assert not between.lists(10, 4)
    assert between.lists(9, 4)


def test_what_is_not_listed_for_its_length_is_not_there() -> None:
    """Or whoever waits for it would be answered again and again without it."""
    parts = row(4, 3)
    parts[5] = replace(parts[5], duration_ticks=700)
    found = LowLatency.of(parts, end_media_sequence=11, target_us=600_000, usual_segment_us=2_000_000)
    assert found.lists(11, 0)
    assert not found.lists(11, 1)
    assert not found.lists(11, 2)


@pytest.mark.parametrize(
    ("counts", "target_us", "target_duration_s", "position", "expected"),
    [
        ((4, 3), 600_000, 2, (11, 3), False),
        ((4, 3), 600_000, 2, (11, 2 + 5), False),
        ((4, 3), 600_000, 2, (11, 2 + 6), True),
        ((4, 3), 600_000, 2, (12, 0), False),
        ((4, 3), 600_000, 2, (12, 2 + 6), True),
        ((4,), 600_000, 2, (11, 3 + 5), False),
        ((4,), 600_000, 2, (11, 3 + 6), True),
        ((4, 3), 600_000, 2, (10, 99), False),
        ((4, 3), 1_500_000, 2, (11, 2 + 3), False),
        ((4, 3), 1_500_000, 2, (11, 2 + 4), True),
        ((4, 3), 600_000, 6, (11, 2 + 11), False),
        ((4, 3), 600_000, 6, (11, 2 + 12), True),
        ((), 600_000, 2, (11, 4), False),
        ((), 600_000, 2, (11, 5), True),
    ],
    ids=[
        "the next one",
        "3 s ahead",
        "more than 3 s ahead",
        "the first of the next segment",
        "more than 3 s ahead in the next segment",
        "between segments, 3 s ahead",
        "between segments, more than 3 s ahead",
        "beyond the end of a whole segment",
        "of long parts three",
        "of long parts more than three",
        "of long segments one",
        "of long segments more than one",
        "no parts are listed, 3 s ahead",
        "no parts are listed, more than 3 s ahead",
    ],
)
def test_6_2_5_2_the_advance_part_limit(
    counts: Sequence[int], target_us: int, target_duration_s: int, position: tuple[int, int], expected: bool
) -> None:
    found = LowLatency.of(row(*counts), end_media_sequence=11, target_us=target_us, usual_segment_us=2_000_000)
    assert found.is_too_far(*position, target_duration_s) is expected
