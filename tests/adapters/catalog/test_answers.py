"""What is put comes back, and the answers are those of the plainest thinkable Python, over arbitrary histories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlscam.adapters.catalog import Catalog, Totals
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.retention import Candidate, Keep
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, day, histories, recording, recordings

INIT_SECTIONS = {INIT_HASH: INIT_SECTION}
relaxed = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
instants = st.integers(-2, 60)


@contextmanager
def one_catalog(url: str) -> Iterator[tuple[asyncio.Runner, Catalog]]:
    """One loop and one catalog for all examples of a property."""
    with asyncio.Runner() as runner:
        catalog = runner.run(Catalog.open(url))
        try:
            yield runner, catalog
        finally:
            runner.run(catalog.close())


def test_what_is_put_is_what_comes_back(url: str) -> None:
    with one_catalog(url) as (runner, catalog):
        runner.run(catalog.put_init_section(INIT_HASH, INIT_SECTION))

        @relaxed
        @given(recordings())
        def check(facts: Recording) -> None:
            async def round_trip() -> Recording | None:
                await catalog.put_recording(facts)
                found = await catalog.recording(facts.camera, facts.name)
                await catalog.remove_recording(facts.camera, facts.name)
                return found

            assert runner.run(round_trip()) == facts

        check()


def check_answers(url: str, ask: Callable[[Catalog, list[Recording], int, int], object]) -> None:
    """Run `ask` on arbitrary histories with two arbitrary numbers; it returns a coroutine that asserts."""
    with one_catalog(url) as (runner, catalog):

        @relaxed
        @given(histories(), instants, instants)
        def check(history: list[Recording], one: int, other: int) -> None:
            runner.run(catalog.rebuild(history, INIT_SECTIONS, {}))
            runner.run(ask(catalog, history, one, other))  # type: ignore[arg-type]

        check()


def overlaps(facts: Recording, from_us: int, to_us: int) -> bool:
    if facts.start_wall_us == facts.end_wall_us:
        return from_us <= facts.start_wall_us < to_us
    return any(from_us <= instant < to_us for instant in range(facts.start_wall_us, facts.end_wall_us))


def test_ranges(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], one: int, other: int) -> None:
        found = await catalog.recordings("porch", from_wall_us=one, to_wall_us=other)
        assert found == [facts for facts in history if overlaps(facts, one, other)]
        since = await catalog.recordings("porch", from_wall_us=one)
        assert since == [facts for facts in history if overlaps(facts, one, 100)]
        until = await catalog.recordings("porch", to_wall_us=one)
        assert until == [facts for facts in history if overlaps(facts, -100, one)]
        assert await catalog.recordings("porch") == history
        assert await catalog.recordings("door", from_wall_us=one, to_wall_us=other) == []

    check_answers(url, ask)


def test_pages(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], one: int, limit: int) -> None:
        after = one // 4
        numbered = [facts for facts in history if facts.first_media_sequence > after]
        assert await catalog.recordings("porch", after_media_sequence=after) == numbered
        found = await catalog.recordings("porch", after_media_sequence=after, limit=limit)
        assert found == numbered[: max(limit, 0)]
        found = await catalog.recordings("porch", from_wall_us=one, limit=limit, after_media_sequence=after)
        assert found == [facts for facts in numbered if overlaps(facts, one, 100)][: max(limit, 0)]

    check_answers(url, ask)


def test_instants(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], instant: int, _other: int) -> None:
        holding = [facts for facts in history if facts.start_wall_us <= instant < facts.end_wall_us]
        assert await catalog.recording_at("porch", instant) == (holding[-1] if holding else None)
        later = [facts for facts in history if facts.start_wall_us >= instant]
        later.sort(key=lambda facts: (facts.start_wall_us, facts.end_wall_us, facts.first_media_sequence))
        assert await catalog.next_recording_after("porch", instant) == (later[0] if later else None)

    check_answers(url, ask)


def test_media_sequences(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], one: int, other: int) -> None:
        asked = set(range(one, other))
        holding = [
            facts for facts in history if asked & set(range(facts.first_media_sequence, facts.end_media_sequence))
        ]
        assert await catalog.recordings_by_sequence("porch", one, other) == holding
        at_one = [facts for facts in history if facts.first_media_sequence <= one < facts.end_media_sequence]
        assert await catalog.recording_at_sequence("porch", one) == (at_one[0] if at_one else None)
        below = [facts for facts in history if facts.first_media_sequence < one]
        assert await catalog.newest_before("porch", one) == (below[-1] if below else None)
        assert await catalog.newest_before("porch", None) == (history[-1] if history else None)

    check_answers(url, ask)


def test_ends_and_sums(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], wanted: int, _other: int) -> None:
        tail: list[Recording] = []
        while len(tail) < len(history) and sum(len(facts.segments) for facts in tail) < wanted:
            tail.insert(0, history[-1 - len(tail)])
        assert await catalog.newest("porch", wanted) == tail
        assert await catalog.oldest("porch") == (history[0] if history else None)
        assert await catalog.open_recordings() == [facts for facts in history if facts.is_open]
        assert await catalog.totals("porch") == Totals(
            recordings=len(history),
            size_bytes=sum(facts.size_bytes for facts in history),
            first_wall_us=min((facts.start_wall_us for facts in history), default=0),
            last_wall_us=max((facts.end_wall_us for facts in history), default=0),
        )

    check_answers(url, ask)


def test_neighbours_by_name(url: str) -> None:
    async def ask(catalog: Catalog, history: list[Recording], one: int, _other: int) -> None:
        name = f"{one // 4:05}.mp4"
        before = [facts for facts in history if facts.name < name]
        after = [facts for facts in history if facts.name > name]
        expected = (before[-1] if before else None, after[0] if after else None)
        assert await catalog.neighbours("porch", name) == expected

    check_answers(url, ask)


def candidate_of(facts: Recording, newest: Recording) -> Candidate:
    return Candidate(
        camera=facts.camera,
        name=facts.name,
        first_media_sequence=facts.first_media_sequence,
        start_wall_us=facts.start_wall_us,
        end_wall_us=facts.end_wall_us,
        size_bytes=facts.size_bytes,
        keep=Keep.NEWEST if facts == newest else None,
    )


def test_the_oldest_of_all_cameras_in_pages(url: str) -> None:
    """Each exactly once; of one camera in the order of its numbers, and of all the one that started first."""

    async def ask(catalog: Catalog, history: list[Recording], shift_us: int, limit: int) -> None:
        limit = max(limit % 5, 1)
        other = [replace(facts, camera="yard", start_wall_us=facts.start_wall_us + shift_us + 2) for facts in history]
        await catalog.put_recordings(other)
        left = [
            [candidate_of(facts, recordings[-1]) for facts in recordings] for recordings in (history, other) if history
        ]
        expected = []
        while left := [each for each in left if each]:
            expected.append(min(left, key=lambda each: each[0].start_wall_us).pop(0))
        found: list[Candidate] = []
        while page := await catalog.oldest_recordings(
            limit, {each.camera: each.first_media_sequence for each in found}
        ):
            assert len(page) <= limit
            found += page
        assert found == expected

    check_answers(url, ask)


async def test_a_day_comes_back_whole_and_cameras_stay_apart(catalog: Catalog) -> None:
    porch, door = day("porch"), day("door")
    await catalog.put_recordings(porch + door)
    start_us, end_us = porch[0].start_wall_us, porch[-1].end_wall_us
    assert await catalog.recordings("porch", from_wall_us=start_us, to_wall_us=end_us) == porch
    assert await catalog.newest("door", 301) == door[-2:]
    assert await catalog.cameras() == ["door", "porch"]


async def test_the_open_recording_is_replaced_when_it_closes(catalog: Catalog) -> None:
    closed = recording(0)
    await catalog.put_recording(replace(closed, segments=type(closed.segments)(), duration_ticks=0, end_reason=None))
    assert [facts.name for facts in await catalog.open_recordings()] == [closed.name]
    await catalog.put_recording(closed)
    assert await catalog.recordings("porch") == [closed]
    assert await catalog.open_recordings() == []


async def test_of_two_versions_in_one_batch_the_later_stays(catalog: Catalog) -> None:
    closed = recording(0)
    await catalog.put_recordings([replace(closed, end_reason=None), closed])
    assert await catalog.recordings("porch") == [closed]


async def test_removing_forgets_one(catalog: Catalog) -> None:
    await catalog.put_recordings([recording(0), recording(1)])
    await catalog.remove_recording("porch", recording(0).name)
    await catalog.remove_recording("porch", "never was.mp4")
    assert await catalog.recordings("porch") == [recording(1)]


@pytest.mark.parametrize("number", [2**63, 2**200, -(2**200)])
async def test_numbers_beyond_the_database_are_just_not_there(catalog: Catalog, number: int) -> None:
    await catalog.put_recording(recording(0))
    assert await catalog.recording_at_sequence("porch", number) is None
    assert await catalog.recording_at("porch", number) is None
    assert (await catalog.newest_before("porch", number) is None) == (number < 0)
    everything = await catalog.recordings("porch", from_wall_us=-number, to_wall_us=number, limit=2**70)
    assert len(everything) == (number > 0)


async def test_init_sections_are_kept_by_hash(catalog: Catalog) -> None:
    await catalog.put_init_section(INIT_HASH, b"a forgery")
    assert await catalog.init_section(INIT_HASH) == INIT_SECTION
    assert await catalog.init_section("none such") is None


async def test_reason_why_it_ended_survives(catalog: Catalog) -> None:
    for index, reason in enumerate(EndReason):
        await catalog.put_recording(recording(index, end_reason=reason))
    assert [facts.end_reason for facts in await catalog.recordings("porch")] == list(EndReason)
