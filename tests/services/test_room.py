"""The room that retention reckons with, on a real small disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.archive import Archive
from hlscam.domain.retention import Candidate
from hlscam.services.live import LiveStreams
from hlscam.services.room import DiskRoom
from tests.adapters.catalog.samples import MEDIA, recording
from tests.domain.footage import init_section
from tests.manual_clock import ManualClock
from tests.rig.small_disk import MB, SmallDisk

NAMES = [f"20261122T12000{index}Z-aaaa.mp4" for index in range(3)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """With three recordings of a MB each, and 5 MB free."""
    with SmallDisk(tmp_path / "disk", size_mb=8) as disk:
        (disk.folder / "porch").mkdir()
        for name in NAMES:
            (disk.folder / "porch" / name).write_bytes(bytes(MB))
        disk.leave(2 * MB)
        yield disk


@pytest.fixture
def archive(disk: SmallDisk) -> Iterator[Archive]:
    archive = Archive(disk.folder)
    yield archive
    archive.close()


def candidate(name: str) -> Candidate:
    return Candidate(
        camera="porch", name=name, first_media_sequence=0, start_wall_us=0, end_wall_us=1, size_bytes=MB, keep=None
    )


async def test_the_headroom_grows_with_what_is_written_now(archive: Archive, clock: ManualClock) -> None:
    live = LiveStreams(10)
    room = DiskRoom(archive, live, clock, None)
    found = await room.look()
    assert room.headroom_bytes(found) == found.total_bytes // 20
    live.stream("porch").publish(recording(0), init_section())
    assert room.headroom_bytes(found) == found.total_bytes // 20, "that one is closed"
    for camera in ("porch", "yard"):
        open_one = replace(recording(1), end_reason=None, media=replace(MEDIA, bit_rate_bps=40_000))
        live.stream(camera).publish(open_one, init_section())
    assert room.headroom_bytes(found) == 2 * 5_000 * 120
    assert DiskRoom(archive, live, clock, 1).headroom_bytes(found) == MB


async def test_what_is_removed_is_room_at_once(archive: Archive, clock: ManualClock) -> None:
    room = DiskRoom(archive, LiveStreams(10), clock, 4)
    before = room.short_bytes(await room.look())
    await room.remove(candidate(NAMES[0]))
    assert before - room.short_bytes(await room.look()) == MB


async def test_what_is_freed_later_counts_at_once_and_only_once(archive: Archive, clock: ManualClock) -> None:
    room = DiskRoom(archive, LiveStreams(10), clock, 4)
    before = room.short_bytes(await room.look())
    held = [await archive.hold("porch", name) for name in NAMES[:2]]
    for name in NAMES[:2]:
        await room.remove(candidate(name))
    await room.settle()
    assert before - room.short_bytes(await room.look()) == 2 * MB
    for each in held:
        await each.close()
    assert before - room.short_bytes(await room.look()) == 2 * MB


async def test_what_is_not_freed_in_a_minute_counts_no_more(archive: Archive, clock: ManualClock) -> None:
    room = DiskRoom(archive, LiveStreams(10), clock, 4)
    before = room.short_bytes(await room.look())
    held = await archive.hold("porch", NAMES[0])
    await room.remove(candidate(NAMES[0]))
    clock.advance(59)
    assert before - room.short_bytes(await room.look()) == MB
    clock.advance(2)
    assert room.short_bytes(await room.look()) == before
    await held.close()
    assert before - room.short_bytes(await room.look()) == MB
