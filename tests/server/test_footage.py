"""Past and live as one row: the catalog's rows and the live edge put together, whichever of them is behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.config import Config
from hlscam.domain.part import Part
from hlscam.domain.recording import Recording
from hlscam.errors import ArchiveError, Gone, NotFound
from hlscam.server.footage import Footage
from hlscam.server.segment_cache import SegmentCache
from hlscam.services.live import LiveStreams
from hlscam.units import US_PER_S
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, recording, segments_of
from tests.domain.footage import init_section


def opened(index: int, segments: int) -> Recording:
    """The `index`-th recording while it has only so many of its three segments, all of 2 s."""
    whole = recording(index)
    table = segments_of(3, index)
    for column in (table.sizes_bytes, table.durations_ticks, table.non_sync_bytes, table.independents):
        del column[segments:]
    return replace(whole, segments=table, duration_ticks=segments * 180_000, end_reason=None)


class Rows:
    """A real catalog and live edge, told separately."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.catalog = catalog
        self.archive = Archive(folder)
        self.live = LiveStreams(window_s=12)
        self.footage = Footage(Config(), self.archive, catalog, self.live, SegmentCache(0))

    async def tell(self, in_catalog: list[Recording], at_edge: list[Recording]) -> None:
        await self.catalog.put_recordings(in_catalog)
        self.live.stream("porch").load(at_edge)


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Rows]:
    catalog = await Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    await catalog.put_init_section(INIT_HASH, INIT_SECTION)
    yield Rows(catalog, tmp_path)
    await catalog.close()


OLD = [recording(index) for index in range(3)]
CASES = {
    "nothing is live": (OLD, [], OLD),
    "the live edge repeats the catalog": (OLD, OLD[1:], OLD),
    "the open one has grown": ([*OLD, opened(3, 1)], [OLD[2], opened(3, 2)], [*OLD, opened(3, 2)]),
    "the open one has no row yet": (OLD, [OLD[2], opened(3, 1)], [*OLD, opened(3, 1)]),
    "a row is written, its publication is still to come": ([*OLD, opened(3, 1)], OLD[1:], OLD),
    "closed, but the row is older": ([*OLD, opened(3, 1)], [OLD[2], recording(3)], [*OLD, recording(3)]),
    "a roll since the rows were read": (
        [*OLD, opened(3, 1)],
        [OLD[2], recording(3), opened(4, 1)],
        [*OLD, recording(3), opened(4, 1)],
    ),
    "only live": ([], [opened(0, 1)], [opened(0, 1)]),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_two_put_together(rows: Rows, case: str) -> None:
    in_catalog, at_edge, expected = CASES[case]
    await rows.tell(in_catalog, at_edge)
    assert await rows.footage.recordings("porch") == expected
    for limit in range(len(expected) + 2):
        assert await rows.footage.recordings("porch", limit=limit) == expected[:limit]
    for at, before in enumerate(expected):
        after = await rows.footage.recordings("porch", after_media_sequence=before.first_media_sequence)
        assert after == expected[at + 1 :]
    for each in expected:
        found = await rows.footage.recordings("porch", from_wall_us=each.start_wall_us, to_wall_us=each.end_wall_us)
        assert found == [each]
        middle = each.end_wall_us - US_PER_S
        assert await rows.footage.recordings("porch", from_wall_us=middle, limit=1) == [each]


@pytest.mark.parametrize("case", CASES)
async def test_from_a_number_on(rows: Rows, case: str) -> None:
    """The first is the one that holds it, be it row or live edge."""
    in_catalog, at_edge, expected = CASES[case]
    await rows.tell(in_catalog, at_edge)
    for number in range(expected[-1].end_media_sequence + 2):
        holding = [each for each in expected if each.end_media_sequence > number]
        for limit in (None, 1, 2):
            assert await rows.footage.recordings("porch", from_media_sequence=number, limit=limit) == holding[:limit]
        assert rows.footage.is_listed("porch", number) == bool(at_edge and holding)


async def test_from_a_number_that_is_gone(rows: Rows) -> None:
    """The first that is left behind it."""
    kept = [recording(0), recording(3), recording(4)]
    await rows.tell(kept, kept[2:])
    for number, expected in [(2, kept), (3, kept[1:]), (8, kept[1:]), (9, kept[1:]), (12, kept[2:]), (15, [])]:
        assert await rows.footage.recordings("porch", from_media_sequence=number) == expected


@pytest.mark.parametrize("live", range(5))
async def test_the_neighbours_of_a_range(rows: Rows, live: int) -> None:
    """A hole of an hour between the second and the third; however much of it all is live, or in the catalog too."""
    late_us = 3600 * US_PER_S
    whole = [*OLD[:2], *(replace(each, start_wall_us=each.start_wall_us + late_us) for each in map(recording, (2, 3)))]
    at_edge = whole[len(whole) - live :]
    await rows.tell(whole[: 4 - live // 2], at_edge)
    start_us, end_us = whole[0].start_wall_us, whole[-1].end_wall_us
    edges = [edge for each in whole for edge in (each.start_wall_us, each.end_wall_us)]
    moments = sorted({edge + by for edge in [*edges, start_us + late_us // 2] for by in (-US_PER_S, -1, 0, 1)})
    for from_us in moments:
        for to_us in [moment for moment in [*moments, end_us + late_us] if moment > from_us]:
            first = next((at for at, each in enumerate(whole) if each.end_wall_us > from_us), 4)
            end = next((at for at, each in enumerate(whole) if each.start_wall_us >= to_us), 4)
            found, more_follow = await rows.footage.with_neighbours("porch", from_us, to_us)
            assert found == whole[max(first - 1, 0) : end + 1], (from_us - start_us, to_us - start_us)
            assert more_follow == (end < 4)


_cameras = (f"camera{number}" for number in count())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.integers(0, 6), live=st.integers(0, 6), stale=st.booleans(), limit=st.integers(1, 3))
async def test_pages_give_each_exactly_once(rows: Rows, held: int, live: int, stale: bool, limit: int) -> None:
    """Whatever part of the row is live, and if the rows of the live part are old."""
    camera = next(_cameras)
    expected = [recording(index, camera=camera) for index in range(held)]
    at_edge = expected[max(held - live, 0) :]
    told = [
        replace(each, end_reason=None, duration_ticks=0) if stale and each in at_edge else each for each in expected
    ]
    await rows.catalog.put_recordings(told)
    rows.live.stream(camera).load(at_edge)
    got: list[Recording] = []
    after = None
    while page := await rows.footage.recordings(camera, after_media_sequence=after, limit=limit):
        assert len(page) <= limit
        got += page
        after = got[-1].first_media_sequence
    assert got == expected


async def test_a_segment_is_found_by_its_number(rows: Rows) -> None:
    await rows.tell([*OLD, opened(3, 1)], [OLD[2], opened(3, 2)])
    for number in range(11):
        found, index = await rows.footage.locate("porch", number)
        assert (found.name, index) == (f"{number // 3:05}.mp4", number % 3)
    with pytest.raises(NotFound, match="no segment 11"):
        await rows.footage.locate("porch", 11)


async def test_a_row_that_was_never_closed_is_not_remembered(rows: Rows) -> None:
    """Its segments are served as far as its row goes, and further when that has grown."""
    await rows.tell([opened(0, 1)], [])
    assert (await rows.footage.locate("porch", 0))[1] == 0
    with pytest.raises(NotFound):
        await rows.footage.locate("porch", 2)
    await rows.tell([recording(0)], [])
    assert (await rows.footage.locate("porch", 2))[1] == 2


async def test_gone_or_never_been(rows: Rows) -> None:
    """The first recording of all follows nothing; of any other, something stood before it."""
    await rows.tell(OLD, [])
    for index, error in [(0, NotFound), (1, Gone)]:
        await rows.catalog.put_recordings(OLD)
        for each in OLD[:index]:
            await rows.catalog.remove_recording("porch", each.name)
        with pytest.raises(error):
            await rows.footage.locate("porch", OLD[index].first_media_sequence - 1)
    with pytest.raises(Gone):
        await rows.footage.recording("porch", "00000000T000000Z-abc.mp4")
    with pytest.raises(NotFound):
        await rows.footage.recording("porch", "00000.mp4")


async def test_in_a_hole_beside_what_is_protected(rows: Rows) -> None:
    """Retention left recordings 0 and 3 and took what lay between; 5 is live."""
    names = [f"20261122T12000{index}Z-aaaa.mp4" for index in range(8)]
    kept = [recording(index, name=names[index]) for index in (0, 3, 4, 5)]
    await rows.tell(kept, kept[-1:])
    for number, error in [(2, None), (3, Gone), (8, Gone), (9, None), (17, None), (18, NotFound)]:
        if error is None:
            assert (await rows.footage.locate("porch", number))[0] in kept
        else:
            with pytest.raises(error):
                await rows.footage.locate("porch", number)
    for name in names[1:3]:
        with pytest.raises(Gone, match="removed by retention"):
            await rows.footage.recording("porch", name)
    for name in (names[3].replace("aaaa", "bbbb"), names[7], "1999.mp4"):
        with pytest.raises(NotFound):
            await rows.footage.recording("porch", name)


async def test_a_recording_is_held_while_it_is_read(rows: Rows, tmp_path: Path) -> None:
    await rows.tell(OLD, [])
    path = tmp_path / "porch" / OLD[1].name
    path.parent.mkdir()
    path.write_bytes(b"footage")
    held = await rows.footage.hold(OLD[1])
    path.unlink()
    assert await held.read(0, 7) == b"footage"
    await held.close()
    with pytest.raises(ArchiveError):
        await rows.footage.hold(OLD[1])
    await rows.catalog.remove_recording("porch", OLD[1].name)
    with pytest.raises(NotFound):  # it has no name of ours
        await rows.footage.hold(OLD[1])


async def test_a_missing_file_is_no_reason_to_forget(rows: Rows) -> None:
    await rows.tell(OLD, [])
    found, index = await rows.footage.locate("porch", 0)
    with pytest.raises(ArchiveError):
        await rows.footage.segment(found, index)
    await rows.catalog.remove_recording("porch", found.name)
    with pytest.raises(Gone):
        await rows.footage.segment(found, index)
    with pytest.raises(Gone):
        await rows.footage.locate("porch", 0)


async def test_an_init_section_can_be_had_as_soon_as_it_is_listed(rows: Rows) -> None:
    """With the first part of another kind of media: its row comes with the first whole segment, or much later."""
    await rows.tell(OLD, OLD[1:])
    other, name = init_section("b"), opened(3, 0).name
    data = bytes(range(100))
    path = rows.archive.path("porch", name)
    path.parent.mkdir()
    path.write_bytes(data)
    first = Part(
        media_sequence=OLD[-1].end_media_sequence,
        index=0,
        name=name,
        offset=20,
        size_bytes=80,
        start_ticks=0,
        duration_ticks=30_000,
        timescale=90_000,
        independent=True,
        wall_us=OLD[-1].end_wall_us,
        init_hash=other.hash,
        opens_run=True,
    )
    with pytest.raises(NotFound):
        await rows.footage.init_section(other.hash)
    rows.live.stream("porch").publish_parts([first], other)
    assert await rows.footage.init_section(other.hash) == other.data
    assert await rows.footage.part("porch", first) == other.data + data[20:]


async def test_cameras_configured_first(rows: Rows) -> None:
    await rows.tell(OLD, [])
    assert await rows.footage.cameras() == ["porch"]
    with pytest.raises(NotFound, match="no camera 'attic'"):
        await rows.footage.check_camera("attic")
