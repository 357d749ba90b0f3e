"""Real cameras on a real small disk: room is made before ffmpeg needs it, and a disk that another program fills is no
end of anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlscam.domain.camera_state import CameraState
from hlscam.domain.config import RetentionConfig
from tests.rig.ffmpeg_tools import make_noise
from tests.rig.small_disk import MB, SmallDisk
from tests.rig.waiting import until
from tests.services.studio import Studio, fragments_of, lines_of
from tests.services.test_books import check
from tests.services.test_indexer import IDLE, not_recorded

DISK_MB = 24
HEADROOM = RetentionConfig(headroom_mb=6)
FULL = "the disk is full (free some space: recording goes on by itself)"


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A camera of some 8 Mbit/s."""
    return f"file:{make_noise(tmp_path_factory.mktemp('noise') / 'noise.mp4')}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with SmallDisk(tmp_path / "disk", size_mb=DISK_MB) as disk:
        yield disk


def recording(disk: SmallDisk, *cameras: str, source: str) -> Studio:
    """Recordings of a second, of which the live playlists list three or four."""
    sources = dict.fromkeys(cameras, source)
    return Studio(disk.folder / "archive", sources, recording_s=1, live_window_s=2.5, retention=HEADROOM)


async def test_room_is_made_before_ffmpeg_needs_it(
    disk: SmallDisk, camera: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More is recorded than it holds, in one run and without a hole, and nobody is told that the disk is full."""
    root = disk.folder / "archive"
    async with recording(disk, *IDLE, source=camera) as studio:

        def have_recorded() -> bool:
            seen = [segment for viewer in studio.viewers.values() for segment in viewer.seen.values()]
            return sum(len(segment.data) for segment in seen) > 1.5 * DISK_MB * MB

        await studio.changes("porch", have_recorded, "recorded more than the disk holds")
        numbers = {id_: sorted(viewer.seen) for id_, viewer in studio.viewers.items()}
        for id_, viewer in studio.viewers.items():
            assert studio.recorders[id_].status.state is CameraState.RECORDING
            assert {segment.discontinuity_sequence for segment in viewer.seen.values()} == {0}
            assert numbers[id_] == list(range(numbers[id_][0], numbers[id_][-1] + 1))
    assert "No space left" not in caplog.text
    assert "disk is full" not in caplog.text
    async with Studio(root, IDLE) as studio:
        oldest = [(await studio.catalog.recordings(id_))[0] for id_ in IDLE]
        assert all(row.first_media_sequence > numbers[row.camera][0] for row in oldest)
        assert abs(oldest[0].start_wall_us - oldest[1].start_wall_us) < 3_000_000, "both reach back equally far"
    assert await check(root) == []


async def test_a_disk_that_another_program_fills(disk: SmallDisk, camera: str) -> None:
    """The oldest goes, what is protected stays; when nothing can go it says so; and it goes on by itself each time."""
    root = disk.folder / "archive"
    async with recording(disk, "porch", source=camera) as studio:
        stream, viewer = studio.live.stream("porch"), studio.viewers["porch"]
        await studio.changes("porch", lambda: len(viewer.seen) >= 24, "recorded for a while")
        oldest, protected, *_ = await studio.catalog.recordings("porch")
        studio.archive.path("porch", protected.name).chmod(0o444)
        disk.fill()
        await studio.changes("porch", lambda: not studio.archive.path("porch", oldest.name).exists(), "made room")
        end = stream.newest.end_media_sequence if stream.newest else 0
        await studio.changes("porch", lambda: studio.newest("porch").end_media_sequence > end + 4, "went on")

        async def is_full_of_what_must_stay() -> bool:
            disk.fill()  # another program takes all that retention makes
            status = studio.recorders["porch"].status
            stays = [protected.name, *(each.name for each in stream.recordings)]
            is_full = (status.state, status.last_error) == (CameraState.WAITING, FULL)
            return is_full and with_pictures(root / "porch") == stays

        await until(is_full_of_what_must_stay, "full, and nothing else is left")
        await viewer.catch_up()  # and what is listed can be fetched
        assert {line.media_sequence for each in stream.recordings for line in lines_of(each)} <= set(viewer.seen)

        disk.relieve()
        runs = studio.newest("porch").discontinuity_sequence
        await studio.changes("porch", lambda: studio.newest("porch").discontinuity_sequence > runs, "recorded again")
        await studio.segments("porch", 4)
        assert studio.recorders["porch"].status.state is CameraState.RECORDING
        assert studio.archive.path("porch", protected.name).exists()
    async with Studio(root, {"porch": not_recorded("porch")}) as studio:  # a start closes what could not be closed
        rows = await studio.catalog.recordings("porch")
    assert rows[0] == protected
    assert with_pictures(root / "porch") == [row.name for row in rows]
    faults = await check(root)
    assert [each for each in faults if "is not in the catalog" not in each] == [], "but for files without a picture"


def with_pictures(folder: Path) -> list[str]:
    """The recordings that hold a fragment at least, oldest first."""
    found = []
    for path in sorted(folder.glob("*.mp4")):
        with contextlib.suppress(FileNotFoundError):  # it has just gone
            found += [path.name] if fragments_of(path) else []
    return found
