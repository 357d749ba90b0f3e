"""What may be removed, by the catalog and by the files, looked at on the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from hlscam.domain.recording import Recording
from hlscam.domain.retention import Candidate, Keep
from hlscam.errors import CatalogError
from hlscam.services import candidates as module
from hlscam.services.candidates import candidates, candidates_by_name, candidates_of_catalog, looked_at
from hlscam.services.live import LiveStreams
from tests.services.studio import Studio
from tests.services.test_indexer import IDLE


@pytest.fixture
async def studio(archive_copy: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    monkeypatch.setattr(module, "_PAGE", 2)
    async with Studio(archive_copy, IDLE) as studio:
        for viewer in studio.viewers.values():
            viewer.may_miss = True  # what these tests take away
        yield studio


async def walked(pages: AsyncGenerator[list[Candidate], None]) -> list[Candidate]:
    found: list[Candidate] = []
    async for page in pages:
        assert len(page) <= 2
        found += page
    return found


def candidate_of(row: Recording, keep: Keep | None = None) -> Candidate:
    return Candidate(
        camera=row.camera,
        name=row.name,
        first_media_sequence=row.first_media_sequence,
        start_wall_us=row.start_wall_us,
        end_wall_us=row.end_wall_us,
        size_bytes=row.size_bytes,
        keep=keep,
    )


async def rows_of(studio: Studio) -> dict[str, list[Recording]]:
    return {camera: await studio.catalog.recordings(camera) for camera in IDLE}


async def test_the_catalog_tells_all_and_the_files_all_but_the_newest(studio: Studio) -> None:
    rows = await rows_of(studio)
    told = await walked(candidates_of_catalog(studio.catalog))
    assert told == sorted(
        (candidate_of(row, Keep.NEWEST if row is each[-1] else None) for each in rows.values() for row in each),
        key=lambda each: each.start_wall_us,
    )
    by_name = await walked(candidates_by_name(studio.archive))
    assert by_name == sorted(
        (candidate_of(row) for each in rows.values() for row in each[:-2]), key=lambda each: (each.name, each.camera)
    )
    assert len(by_name) >= 2


async def test_files_without_a_box_are_left_alone(studio: Studio) -> None:
    oldest = (await rows_of(studio))["porch"][0]
    path = studio.archive.path("porch", oldest.name)
    path.write_bytes(path.read_bytes()[:-1])
    (studio.root / "porch" / "20200101T000000Z-text.mp4").write_text("no recording")
    named = {each.name for each in await walked(candidates_by_name(studio.archive))}
    assert not named & {oldest.name, "20200101T000000Z-text.mp4"}
    assert (await walked(candidates_of_catalog(studio.catalog)))[0].start_wall_us <= oldest.start_wall_us


async def test_what_the_catalog_does_not_know_is_found_by_name(studio: Studio) -> None:
    """It may be in the middle of being made anew."""
    oldest = (await rows_of(studio))["loop"][0]
    await studio.catalog.remove_recording("loop", oldest.name)
    told = await walked(candidates(studio.archive, studio.catalog, by_name=True))
    assert candidate_of(oldest) in told
    told = await walked(candidates(studio.archive, studio.catalog, by_name=False))
    assert candidate_of(oldest) not in told


async def test_without_a_catalog(studio: Studio) -> None:
    expected = await walked(candidates_by_name(studio.archive))
    await studio.catalog.close()
    assert await walked(candidates(studio.archive, studio.catalog, by_name=True)) == expected
    with pytest.raises(CatalogError):
        await walked(candidates(studio.archive, studio.catalog, by_name=False))


async def test_the_disk_and_the_live_edge_have_a_say(studio: Studio) -> None:
    rows = (await rows_of(studio))["porch"]
    protected, missing, live, plain = rows[0], rows[1], rows[2], (await rows_of(studio))["loop"][0]
    studio.archive.path("porch", protected.name).chmod(0o444)
    studio.archive.path("porch", missing.name).unlink()
    streams = LiveStreams(10)
    streams.stream("porch").load([live])
    page = [candidate_of(each) for each in (protected, missing, live, plain)]
    found = await looked_at(studio.archive, streams, page)
    assert [(each.keep, each.size_bytes) for each in found] == [
        (Keep.PROTECTED, protected.size_bytes),
        (None, 0),
        (Keep.LIVE, live.size_bytes),
        (None, plain.size_bytes),
    ]
    assert [each.keep for each in await looked_at(studio.archive, None, page)] == [Keep.PROTECTED, None, None, None]
    studio.archive.folder("porch").rename(studio.root / "away")
    away = await looked_at(studio.archive, None, [*page[:3], candidate_of(plain, Keep.NEWEST)])
    assert [each.keep for each in away] == [Keep.AWAY, Keep.AWAY, Keep.AWAY, Keep.NEWEST]
