"""The part target, what may be listed as a part, and the guess where the next one belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hlscam.domain.low_latency import LowLatency, fragment_us, next_position, part_target_us
from hlscam.domain.part import Part
from hlscam.units import US_PER_S
from tests.services.test_live import part

RATES = [5, 10, 12.5, 15, 20, 24.98, 25, 29.97, 30, 50, 60]
WANTED_S = [0.2, 0.25, 0.3, 0.5, 1]
SOUNDS_S = {"no sound": None, "48 kHz": 1024 / 48_000, "44.1 kHz": 1024 / 44_100, "16 kHz": 1024 / 16_000, "opus": 0.02}


def pictures_of_fragments(fragment_s: float, rate: float, sound_s: float | None) -> list[int]:
    """How many pictures ffmpeg puts into each fragment, of pictures and sound without end or sync sample.

    It writes packets as they follow in time. In front of one that is `fragment_s` behind the first of its own track in
    the fragment, the next fragment begins (libavformat/movenc.c).
    """
    pictures = [(index / rate, 0) for index in range(round(60 * rate))]
    sounds = [(index * sound_s, 1) for index in range(round(60 / sound_s))] if sound_s else []
    counts, first = [0], dict[int, float]()
    for at_s, track in sorted(pictures + sounds):
        if at_s - first.get(track, at_s) >= fragment_s - 1e-6:
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


def test_behind_a_part_that_is_too_long_no_part_of_its_segment_is_listed_or_hinted_at() -> None:
    parts = row(4, 3)
    parts[5] = replace(parts[5], duration_ticks=700)
    found = LowLatency.of(parts, end_media_sequence=11, target_us=600_000, usual_segment_us=2_000_000)
    assert [each.position for each in found.parts[10]] == [(10, index) for index in range(4)]
    assert [each.position for each in found.parts[11]] == [(11, 0)]
    assert found.hint == (12, 0)


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
