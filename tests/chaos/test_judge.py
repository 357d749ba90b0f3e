"""The judge's own rules, on what it could have seen."""

from __future__ import annotations

import pytest

from tests.chaos.judge import Before, out_of_order

OLD, MIDDLE, LATE, LATER, NEWEST = (f"20261122T10{minute:02d}00Z-aaaa.mp4" for minute in range(5))
NAMES = [f"{camera}/{name}" for camera in ("porch", "street") for name in (OLD, MIDDLE, LATE, LATER, NEWEST)]
LATER_WALL_S = 1795341780.0
"""When `LATER` begins."""


def before(live_from_wall_s: float = LATER_WALL_S + 30) -> Before:
    return Before(
        files=dict.fromkeys(NAMES, 1),
        quarantined=frozenset(),
        discontinuities={},
        live_from_wall_s=dict.fromkeys(("porch", "street"), live_from_wall_s),
        complaints=0,
    )


@pytest.mark.parametrize(
    ("gone", "is_wrong"),
    [
        (["porch/" + OLD], False),
        (["porch/" + OLD, "street/" + OLD, "porch/" + MIDDLE], False),
        (["porch/" + OLD, "street/" + OLD, "street/" + MIDDLE, "porch/" + MIDDLE, "porch/" + LATE], False),
        (["porch/" + MIDDLE], True),
        (["porch/" + OLD, "porch/" + MIDDLE], True),
        (["porch/" + OLD, "street/" + OLD, "porch/" + MIDDLE, "porch/" + LATE], True),
    ],
)
def test_the_oldest_of_all_cameras_go_first(gone: list[str], is_wrong: bool) -> None:
    assert bool(out_of_order(gone, before(), set(NAMES) - set(gone))) == is_wrong


def test_what_live_players_may_ask_for_is_spared_and_so_is_what_is_protected() -> None:
    live_from_late = before(live_from_wall_s=LATER_WALL_S - 150)
    old = ["porch/" + OLD, "street/" + OLD]
    spared = ["street/" + name for name in (MIDDLE, LATE, LATER, NEWEST)]
    assert not out_of_order([*old, "porch/" + LATER], live_from_late, set(spared))
    assert out_of_order([*old, "porch/" + LATER], before(), set(spared))
    assert not out_of_order([*old, "porch/" + LATER], before(), set(spared[2:]))
