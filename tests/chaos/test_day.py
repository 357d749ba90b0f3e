"""The short form of a day: hlscam holds no more at its end than at its beginning."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.day import MOST_GROWN_KIB, Day, Sample, live_a_day

ROLLS = 21
FLAT = [Sample(60_000, 40, 18)] * 9


async def test_memory_and_descriptors_stay_flat_while_recordings_roll(tmp_path: Path) -> None:
    day = await live_a_day(tmp_path, rolls=ROLLS)
    print("\n".join(day.lines()))
    assert day.faults(MOST_GROWN_KIB) == []


def test_what_leaks_at_a_roll_is_seen() -> None:
    leaking = [Sample(60_000 + 800 * roll, 40 + roll, 18 + roll) for roll in range(9)]
    assert Day(FLAT, []).faults(MOST_GROWN_KIB) == []
    assert len(Day(leaking, []).faults(MOST_GROWN_KIB)) == 3
