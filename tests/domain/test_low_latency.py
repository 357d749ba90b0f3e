"""The part target, what may be listed as a part, and the guess where the next one belongs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hlscam.domain.low_latency import EARLY_S, LowLatency, next_position, part_target_us
from hlscam.domain.part import Part
from tests.services.test_live import part

RATES = [5, 10, 12.5, 15, 20, 24.98, 25, 29.97, 30, 50, 60]


@pytest.mark.parametrize("part_duration_s", [0.2, 0.3, 0.5, 1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_the_part_target_is_never_exceeded_and_parts_have_85_percent_of_it(part_duration_s: float, rate: float) -> None:
    """RFC 8216bis 4.4.4.9: at most the part target, and at least 85 % of it."""
    target_s = part_target_us(part_duration_s, rate) / 1_000_000
    pictures = max(1, math.ceil((part_duration_s - EARLY_S) * rate))
    assert pictures / rate <= target_s + 0.001
    assert 0.83 * target_s <= pictures / rate
    if pictures >= 8:  # with sound, one less
        assert 0.85 * target_s <= (pictures - 1) / rate + 0.001


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
    ],
    ids=["nothing", "between segments", "begun", "nearly full", "full", "longer than usual", "nothing before"],
)
def test_the_hint_names_the_next_part(parts: list[Part], expected: tuple[int, int]) -> None:
    assert next_position(parts, 11) == expected


def test_behind_a_part_that_is_too_long_no_part_of_its_segment_is_listed_or_hinted_at() -> None:
    parts = row(4, 3)
    parts[5] = replace(parts[5], duration_ticks=700)
    found = LowLatency.of(parts, end_media_sequence=11, target_us=600_000)
    assert [each.position for each in found.parts[10]] == [(10, index) for index in range(4)]
    assert [each.position for each in found.parts[11]] == [(11, 0)]
    assert found.hint == (12, 0)


LISTED = LowLatency.of(row(4, 3), end_media_sequence=11, target_us=600_000)


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
    between = LowLatency.of(row(4), end_media_sequence=11, target_us=600_000)
    assert between.lists(10, 3)
    assert not between.lists(10, 4)
    assert between.lists(9, 4)


def test_what_is_not_listed_for_its_length_is_not_there() -> None:
    """Or whoever waits for it would be answered again and again without it."""
    parts = row(4, 3)
    parts[5] = replace(parts[5], duration_ticks=700)
    found = LowLatency.of(parts, end_media_sequence=11, target_us=600_000)
    assert found.lists(11, 0)
    assert not found.lists(11, 1)
    assert not found.lists(11, 2)
