"""What goes and what stays: tables for people, then the rules over arbitrary archives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.retention import (
    GB,
    MB,
    Candidate,
    Choice,
    Demand,
    Keep,
    Limits,
    Removal,
    Why,
    choose,
    headroom_bytes,
)
from hlscam.units import US_PER_S

DAY_US = 86_400 * US_PER_S


def candidate(index: int, *, size_bytes: int = 10, keep: Keep | None = None) -> Candidate:
    """The `index`-th recording of all, an instant after the one before."""
    return Candidate(
        camera="porch" if index % 2 else "yard",
        name=f"{index:03}",
        first_media_sequence=index,
        start_wall_us=index * 100,
        end_wall_us=index * 100 + 100,
        size_bytes=size_bytes,
        keep=keep,
    )


def chosen(choice: Choice) -> list[tuple[int, str]]:
    return [(int(each.candidate.name), each.why.value) for each in choice.removals]


SIX = [candidate(index) for index in range(6)]


@pytest.mark.parametrize(
    ("demand", "goes", "missing", "goes_on"),
    [
        (Demand(), [], 0, False),
        (Demand(short_bytes=-1, over_bytes=-1), [], 0, False),
        (Demand(short_bytes=1), [(0, "room")], 0, False),
        (Demand(short_bytes=10), [(0, "room")], 0, False),
        (Demand(short_bytes=11), [(0, "room"), (1, "room")], 0, False),
        (Demand(short_bytes=61), [(each, "room") for each in range(6)], 1, True),
        (Demand(over_bytes=15), [(0, "size"), (1, "size")], 0, False),
        (Demand(short_bytes=5, over_bytes=15), [(0, "room"), (1, "size")], 0, False),
        (Demand(ended_before_wall_us=0), [], 0, False),
        (Demand(ended_before_wall_us=200), [(0, "age")], 0, False),
        (Demand(ended_before_wall_us=201), [(0, "age"), (1, "age")], 0, False),
        (Demand(ended_before_wall_us=9999), [(each, "age") for each in range(6)], 0, True),
        (Demand(short_bytes=21, ended_before_wall_us=200), [(0, "age"), (1, "room"), (2, "room")], 0, False),
    ],
)
def test_the_oldest_go_and_no_more_than_it_takes(
    demand: Demand, goes: list[tuple[int, str]], missing: int, goes_on: bool
) -> None:
    choice = choose(SIX, demand)
    assert chosen(choice) == goes
    assert (choice.left.missing_bytes, choice.goes_on) == (missing, goes_on)


@pytest.mark.parametrize("keep", list(Keep))
@pytest.mark.parametrize("demand", [Demand(short_bytes=15), Demand(over_bytes=15), Demand(ended_before_wall_us=301)])
def test_what_is_kept_stays_and_its_neighbours_go(keep: Keep, demand: Demand) -> None:
    page = [SIX[0], replace(SIX[1], keep=keep), SIX[2], SIX[3]]
    assert [index for index, _ in chosen(choose(page, demand))] == [0, 2]


def test_it_says_what_is_missing_when_all_that_is_left_is_kept() -> None:
    page = [SIX[0], *(replace(each, keep=Keep.PROTECTED) for each in SIX[1:])]
    choice = choose(page, Demand(short_bytes=35))
    assert (choice.left.missing_bytes, choice.goes_on) == (25, True)


_candidates = st.lists(
    st.builds(
        candidate,
        st.integers(0, 50),
        size_bytes=st.integers(0, 30),
        keep=st.sampled_from([None, None, None, *Keep]),
    ),
    max_size=20,
)
_demands = st.builds(
    Demand,
    short_bytes=st.integers(-50, 300),
    over_bytes=st.integers(-50, 300),
    ended_before_wall_us=st.none() | st.integers(0, 5200),
)


@given(_candidates, _demands)
def test_the_rules_hold_for_any_archive(page: list[Candidate], demand: Demand) -> None:
    choice = choose(page, demand)
    gone = [each.candidate for each in choice.removals]
    assert all(each.keep is None for each in gone)
    assert choice.left == demand.without(sum(each.size_bytes for each in gone))
    for removal, before in zip(choice.removals, range(len(gone)), strict=True):
        needed = demand.without(sum(each.size_bytes for each in gone[:before]))
        is_old = demand.ended_before_wall_us is not None
        is_old = is_old and removal.candidate.end_wall_us < (demand.ended_before_wall_us or 0)
        assert needed.missing_bytes > 0 or is_old, "nothing goes without need"
        assert (removal.why is Why.AGE) == is_old
    if choice.left.missing_bytes > 0:
        assert [each for each in page if each.keep is None] == gone, "nothing stays that could have helped"


@given(_candidates, _demands, st.integers(1, 7))
def test_pages_choose_what_the_whole_would(page: list[Candidate], demand: Demand, size: int) -> None:
    page = sorted(page, key=lambda each: each.start_wall_us)
    whole = choose(page, demand)
    removals: list[Removal] = []
    at = 0
    while at < len(page):
        choice = choose(page[at : at + size], demand)
        removals += choice.removals
        demand, at = choice.left, at + size
        if not choice.goes_on:
            break
    assert tuple(removals) == whole.removals


@pytest.mark.parametrize(
    ("total_bytes", "configured_mb", "written_bytes_per_s", "expected"),
    [
        (10 * GB, None, 0, 10 * GB // 20),
        (1000 * GB, None, 0, 5 * GB),
        (10 * GB, None, 8_000_000, 960_000_000),
        (1000 * GB, None, 60_000_000, 7_200_000_000),
        (24 * MB, None, 2_000_000, 6 * MB),
        (1000 * GB, 100, 60_000_000, 100 * MB),
        (1000 * GB, 0, 60_000_000, 0),
        (1000 * GB, 2_000_000, 0, 500 * GB),
    ],
)
def test_headroom(total_bytes: int, configured_mb: int | None, written_bytes_per_s: float, expected: int) -> None:
    found = headroom_bytes(
        total_bytes=total_bytes, configured_mb=configured_mb, written_bytes_per_s=written_bytes_per_s
    )
    assert found == expected


def test_limits_as_people_write_them() -> None:
    limits = Limits.of(max_days=1.5, max_gb=0.5)
    assert limits == Limits(max_bytes=GB // 2, max_age_us=3 * DAY_US // 2)
    assert limits.demand(held_bytes=GB, now_wall_us=2 * DAY_US) == Demand(
        over_bytes=GB // 2, ended_before_wall_us=DAY_US // 2
    )
    nothing = Limits.of(max_days=None, max_gb=None)
    assert not nothing.any
    assert not nothing.demand(held_bytes=GB, now_wall_us=0).is_something
    assert Limits.of(max_days=1, max_gb=None).any
    assert Limits.of(max_days=None, max_gb=1).demand(held_bytes=GB, now_wall_us=0) == Demand(over_bytes=0)
