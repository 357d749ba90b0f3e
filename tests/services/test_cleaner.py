"""Retention on a real archive, its catalog and a small disk that is nearly full: what goes, in which order, and what
is made good when something else goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hlscam.domain.config import RetentionConfig
from hlscam.domain.recording import Recording
from hlscam.services.cleaner import LIMITS_S, LOOK_S, Cleaner, make_room_to_start
from hlscam.units import US_PER_S, format_bytes
from tests.manual_clock import ManualClock
from tests.rig.small_disk import MB, SmallDisk
from tests.rig.waiting import until
from tests.services.studio import PATTERN, Studio
from tests.services.test_books import check, dump, reindex
from tests.services.test_indexer import IDLE

DISK_MB = 6
HEADROOM_MB = 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two cameras, with recordings of a second."""
    root = tmp_path_factory.mktemp("recorded") / "archive"

    async def record() -> None:
        async with Studio(root, dict.fromkeys(IDLE, PATTERN), recording_s=1) as studio:
            streams = [studio.live.stream(camera) for camera in IDLE]
            await studio.changes("porch", lambda: all(len(each.recordings) >= 6 for each in streams), "recorded enough")

    asyncio.run(record())
    return root


@pytest.fixture
def disk(recorded: Path, tmp_path: Path) -> Iterator[SmallDisk]:
    """A copy of it on a disk of its own, with room. Its catalog is elsewhere, so that nothing else uses the room."""
    with SmallDisk(tmp_path / "disk", size_mb=DISK_MB) as disk:
        root = Path(shutil.copytree(recorded, disk.folder / "archive"))
        catalog = Path(shutil.move(root / "catalog.sqlite3", tmp_path / "catalog.sqlite3"))
        (root / "catalog.sqlite3").symlink_to(catalog)
        assert disk.free_bytes > 2 * HEADROOM_MB * MB
        yield disk


class Care:
    """The studio's own care of the catalog, with something that happens when a row has gone and the file has not."""

    def __init__(self, studio: Studio, before_removal: Callable[[str], None]) -> None:
        self.keep = studio.care.keep
        self._care = studio.care
        self._before_removal = before_removal

    async def remove(self, camera: str, name: str) -> None:
        await self._care.remove(camera, name)
        self._before_removal(name)


class Tended:
    """An archive in which nothing is recorded, and its cleaner, which looks when it is told to."""

    def __init__(self, studio: Studio, disk: SmallDisk, clock: ManualClock, headroom_mb: int | None) -> None:
        self.studio = studio
        self.disk = disk
        self.clock = clock
        self.cleaner = self.another(RetentionConfig(headroom_mb=headroom_mb))

    def another(self, retention: RetentionConfig, before_removal: Callable[[str], None] = lambda name: None) -> Cleaner:
        studio = self.studio
        care = Care(studio, before_removal)
        return Cleaner(studio.archive, studio.catalog, studio.live, care=care, clock=self.clock, retention=retention)

    def list_the_newest(self) -> None:
        """Let the live playlists list no more than that, as if recordings were long."""
        for camera in IDLE:
            self.studio.live.stream(camera).load([self.studio.newest(camera)])

    async def rows(self) -> list[Recording]:
        """All rows, oldest first."""
        found = [row for camera in IDLE for row in await self.studio.catalog.recordings(camera)]
        return sorted(found, key=lambda row: row.start_wall_us)

    async def removable(self) -> list[Recording]:
        """Those that are not listed live, oldest first."""
        live = {(each.camera, each.name) for each in self.studio.live.recordings()}
        return [row for row in await self.rows() if (row.camera, row.name) not in live]

    def path(self, row: Recording) -> Path:
        return self.studio.archive.path(row.camera, row.name)

    def exists(self, row: Recording) -> bool:
        return self.path(row).exists()

    def make_short(self, missing_bytes: int) -> None:
        """Another program takes so much that this is missing of the headroom; rounded to whole pages of memory."""
        self.disk.leave(HEADROOM_MB * MB - missing_bytes)

    async def files_and_rows_agree(self) -> None:
        for camera in IDLE:
            names = set(await self.studio.archive.names(camera))
            assert names == set(await self.studio.catalog.recording_names(camera))


@pytest.fixture
async def tended(disk: SmallDisk, clock: ManualClock) -> AsyncIterator[Tended]:
    url = f"sqlite:///{disk.folder / 'archive' / 'catalog.sqlite3'}?timeout=0.05"
    async with Studio(disk.folder / "archive", IDLE, clock=clock, catalog_url=url) as studio:
        tended = Tended(studio, disk, clock, HEADROOM_MB)
        tended.list_the_newest()
        for viewer in studio.viewers.values():
            viewer.may_miss = True  # what these tests take away
        assert len(await tended.removable()) >= 5
        yield tended


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= level and each.name in ("hlscam.services.cleaner", "hlscam.services.candidates")
    ]


async def test_nothing_goes_while_there_is_room(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    rows = await tended.rows()
    tended.make_short(0)
    await tended.cleaner.look()
    assert await tended.rows() == rows
    assert all(map(tended.exists, rows))
    assert lines(caplog) == []


async def test_the_oldest_of_all_cameras_go_with_their_rows(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = await tended.rows()
    going = (await tended.removable())[:3]
    assert going == rows[:3]
    assert {row.camera for row in going} == set(IDLE)
    tended.make_short(going[0].size_bytes + going[1].size_bytes + 1)
    free_bytes = tended.disk.free_bytes
    await tended.cleaner.look()
    assert await tended.rows() == rows[3:]
    assert not any(map(tended.exists, going))
    assert tended.disk.free_bytes >= HEADROOM_MB * MB
    (line,) = lines(caplog)
    assert line.startswith(f"removed 3 recordings, {format_bytes(sum(row.size_bytes for row in going))}, ")
    assert f"because the disk had {format_bytes(free_bytes)} free and 1.0 MB are kept free: " in line
    for row in going:
        assert f"{row.camera}/{row.name} ({format_bytes(row.size_bytes)})" in line
    await tended.cleaner.look()
    assert await tended.rows() == rows[3:]
    await tended.files_and_rows_agree()


async def test_what_remains_is_a_sound_archive_with_the_same_numbers(disk: SmallDisk, tended: Tended) -> None:
    """At its old end something is missing, and behind what is protected; nobody minds."""
    rows = await tended.removable()
    first, protected = rows[0], next(row for row in rows[1:] if row.camera == rows[0].camera)
    tended.path(protected).chmod(0o444)
    expected = {camera: await tended.studio.indexer.begin_run(camera, "next") for camera in IDLE}
    tended.make_short(sum(row.size_bytes for row in rows))
    await tended.cleaner.look()
    assert await tended.removable() == [protected]
    assert not tended.exists(first)
    before = await tended.studio.catalog.dump()
    for camera in IDLE:
        assert await tended.studio.indexer.begin_run(camera, "next") == expected[camera]
        await tended.studio.indexer.recover(camera)
    assert await tended.studio.catalog.dump() == before
    disk.relieve()
    root = disk.folder / "archive"
    assert await check(root) == []
    await tended.studio.catalog.close()
    assert await reindex(root) == []
    assert await dump(root) == before


async def test_when_nothing_is_left_it_says_so_once(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    protected, *others = await tended.removable()
    live = [row for row in await tended.rows() if row not in [protected, *others]]
    tended.path(protected).chmod(0o444)
    tended.disk.leave(64 * 1024)
    for _ in range(3):
        await tended.cleaner.look()
    assert await tended.rows() == [protected, *live]
    for camera in IDLE:
        assert any(row.camera == camera for row in live)
    (said,) = lines(caplog, logging.ERROR)
    assert "1.0 MB should be, and nothing is left that may be removed" in said
    assert f"({format_bytes(protected.size_bytes)} are protected): free some space" in said
    caplog.set_level(logging.INFO)
    caplog.clear()
    tended.disk.relieve()
    for _ in range(2):
        await tended.cleaner.look()
    assert lines(caplog) == [f"the disk of {tended.studio.root} has room again"]


async def test_what_is_unprotected_again_goes(tended: Tended) -> None:
    protected = (await tended.removable())[0]
    tended.path(protected).chmod(0o444)
    tended.disk.leave(64 * 1024)
    await tended.cleaner.look()
    assert await tended.removable() == [protected]
    tended.path(protected).chmod(0o644)
    await tended.cleaner.look()
    assert await tended.removable() == []


async def test_no_headroom_removes_nothing(tended: Tended) -> None:
    rows = await tended.rows()
    tended.disk.fill()
    await tended.another(RetentionConfig(headroom_mb=0)).look()
    assert await tended.rows() == rows
    assert all(map(tended.exists, rows))


async def test_the_headroom_follows_the_disk_by_itself(tended: Tended) -> None:
    """A twentieth of this one, where nothing is written."""
    rows = await tended.rows()
    cleaner = tended.another(RetentionConfig())
    tended.disk.leave(DISK_MB * MB // 20 + 4096)
    await cleaner.look()
    assert await tended.rows() == rows
    tended.disk.leave(DISK_MB * MB // 20 - 4096)
    await cleaner.look()
    assert await tended.rows() == rows[1:]


async def test_too_old(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    old, *younger = sorted(await tended.removable(), key=lambda row: row.end_wall_us)
    rows = await tended.rows()
    cleaner = tended.another(RetentionConfig(max_days=2))
    tended.clock.step_wall((old.end_wall_us - tended.clock.wall_us()) / US_PER_S + 2 * 86_400)
    await cleaner.look()
    assert await tended.rows() == rows
    tended.clock.advance(0.001)
    await cleaner.look()
    assert await tended.rows() == rows, "limits are not urgent"
    tended.clock.advance(LIMITS_S)
    await cleaner.look()
    live = [row for row in rows if row not in [old, *younger]]
    assert await tended.rows() == live, "by now all are, but some never go"
    assert all(line.startswith("removed ") and "because they are older than 2 days: " in line for line in lines(caplog))


async def test_too_much(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = await tended.rows()
    most_bytes = sum(row.size_bytes for row in rows) - rows[0].size_bytes
    for over_bytes, gone in [(0, 1), (1, 2)]:
        caplog.clear()
        await tended.another(RetentionConfig(max_gb=(most_bytes - over_bytes) / 1024**3)).look()
        assert await tended.rows() == rows[gone:]
        (line,) = lines(caplog)
        assert "removed a recording, " in line
        assert "because all together were more than " in line
    await tended.files_and_rows_agree()


async def test_too_much_is_told_once_when_nothing_is_left(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    cleaner = tended.another(RetentionConfig(max_gb=1e-9))
    for _ in range(3):
        await cleaner.look()
        tended.clock.advance(LIMITS_S / 2)
    assert await tended.removable() == []
    (said,) = lines(caplog, logging.ERROR)
    assert "more than retention.max_gb, and nothing is left that may be removed" in said


@contextlib.contextmanager
def locked(tended: Tended) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(tended.studio.root / "catalog.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_a_catalog_that_cannot_be_written_delays_only_the_row(
    tended: Tended, caplog: pytest.LogCaptureFixture
) -> None:
    rows = await tended.rows()
    tended.make_short(rows[0].size_bytes + 1)
    with locked(tended):
        await tended.cleaner.look()
        assert await tended.rows() == rows
        assert [tended.exists(row) for row in rows[:3]] == [False, False, True]
        await tended.cleaner.look()
        assert tended.exists(rows[2])
        assert lines(caplog, logging.WARNING) == []
    await tended.studio.care.wait_settled()
    assert await tended.rows() == rows[2:]
    await tended.files_and_rows_agree()


async def test_without_a_catalog_it_goes_by_the_names_of_sealed_files(
    tended: Tended, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    root = tended.studio.root
    strange = root / "porch" / "20200101T000000Z-text.mp4"
    strange.write_text("not a recording, and older than all")
    quarantined = root / "quarantine" / "porch" / "20200101T000000Z-aaaa.mp4"
    quarantined.parent.mkdir(parents=True)
    quarantined.write_text("somebody will want to look at it")
    rows = await tended.rows()
    protected = rows[0]
    tended.path(protected).chmod(0o444)
    await tended.studio.catalog.close()
    tended.disk.leave(64 * 1024)
    await tended.cleaner.look()
    left = [row for row in rows if tended.exists(row)]
    newest = [row for camera in IDLE for row in [each for each in rows if each.camera == camera][-2:]]
    assert protected in left
    assert set(map(tended.path, newest)) <= set(map(tended.path, left))
    assert len(left) < len(rows)
    assert [strange.exists(), quarantined.exists()] == [True, True]
    assert any("goes by the names of the files: the catalog is closed" in line for line in lines(caplog))


async def test_the_limits_want_a_catalog(tended: Tended) -> None:
    rows = await tended.rows()
    await tended.studio.catalog.close()
    tended.clock.step_wall(86_400 * 365)
    cleaner = tended.another(RetentionConfig(max_days=1))
    cleaner.start()
    await tended.clock.wait_sleeping()
    await cleaner.stop()
    assert all(map(tended.exists, rows))


async def test_what_is_protected_at_the_last_moment_is_put_back(
    tended: Tended, caplog: pytest.LogCaptureFixture
) -> None:
    rows = await tended.rows()

    def protect(name: str) -> None:
        if name == rows[0].name:
            tended.path(rows[0]).chmod(0o444)

    cleaner = tended.another(RetentionConfig(headroom_mb=HEADROOM_MB), protect)
    tended.make_short(1)
    await cleaner.look()
    assert await tended.rows() == rows
    assert lines(caplog, logging.ERROR) == [f"{rows[0].camera}/{rows[0].name} cannot be removed: it is protected"]
    await cleaner.look()
    assert await tended.rows() == [rows[0], *rows[2:]]
    await tended.files_and_rows_agree()


async def test_a_recording_that_somebody_reads_counts_as_free_for_a_while(tended: Tended) -> None:
    """The disk frees it when it is closed; until then no other has to go in its place."""
    rows = await tended.rows()
    tended.make_short(1)
    held = await tended.studio.archive.hold(rows[0].camera, rows[0].name)
    for _ in range(3):
        await tended.cleaner.look()
        tended.clock.advance(10)
        assert await tended.rows() == rows[1:]
    assert tended.disk.free_bytes < HEADROOM_MB * MB
    tended.clock.advance(60)
    await tended.cleaner.look()
    assert await tended.rows() == rows[2:], "the reader has it for longer than that"
    assert len(await held.read(0, rows[0].size_bytes)) == rows[0].size_bytes
    await held.close()


async def test_a_file_that_somebody_else_removed_loses_its_row(
    tended: Tended, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rows = await tended.rows()
    tended.path(rows[0]).unlink()
    tended.make_short(1)
    await tended.cleaner.look()
    assert await tended.rows() == rows[2:]
    assert f"{rows[0].camera}/{rows[0].name} was removed by somebody else" in lines(caplog)
    await tended.files_and_rows_agree()


async def test_a_folder_that_is_not_there_loses_nothing(tended: Tended) -> None:
    """Such as on a disk that is not mounted."""
    rows = await tended.rows()
    (tended.studio.root / "porch").rename(tended.studio.root / "porch-away")
    tended.disk.leave(64 * 1024)
    await tended.cleaner.look()
    left = await tended.rows()
    assert [row for row in left if row.camera == "porch"] == [row for row in rows if row.camera == "porch"]
    assert len(left) < len(rows)


async def test_a_crash_between_row_and_file_is_made_good(tended: Tended) -> None:
    """Row first: the next start finds a file without a row, and takes it in as it was."""
    rows = await tended.rows()
    await tended.studio.catalog.remove_recording(rows[0].camera, rows[0].name)
    for camera in IDLE:
        await tended.studio.indexer.recover(camera)
    assert await tended.rows() == rows
    tended.list_the_newest()
    tended.make_short(1)
    await tended.cleaner.look()
    assert await tended.rows() == rows[1:]


async def test_it_looks_every_second_and_when_it_is_woken(tended: Tended) -> None:
    rows = await tended.rows()
    cleaner = tended.cleaner
    cleaner.start()
    await tended.clock.wait_sleeping()
    tended.make_short(1)
    cleaner.wake()
    await gone(tended, rows[0])
    await tended.clock.wait_sleeping()
    tended.make_short(1)
    tended.clock.advance(LOOK_S)
    await gone(tended, rows[1])
    await cleaner.stop()
    await cleaner.stop()
    assert await tended.rows() == rows[2:]


async def gone(tended: Tended, row: Recording) -> None:
    async def is_gone() -> bool:
        return not tended.exists(row)

    await until(is_gone, f"{row.name} is removed", every_s=0.01)


async def test_a_failure_is_told_and_the_next_look_works(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    rows = await tended.rows()
    failures = [RuntimeError("a bug")]

    def fail(_name: str) -> None:
        if failures:
            raise failures.pop()

    cleaner = tended.another(RetentionConfig(headroom_mb=HEADROOM_MB), fail)
    tended.make_short(1)
    cleaner.start()
    await tended.clock.wait_sleeping()
    assert all(map(tended.exists, rows))
    assert "retention failed" in lines(caplog, logging.ERROR)
    tended.clock.advance(LOOK_S)
    await gone(tended, rows[1])
    await cleaner.stop()
    assert await tended.rows() == rows[2:]
    assert tended.exists(rows[0]), "the next start takes it in again"


async def test_a_disk_that_is_away_is_told_once(tended: Tended, caplog: pytest.LogCaptureFixture) -> None:
    root = tended.studio.root
    root.rename(root.with_name("away"))
    tended.cleaner.start()
    for _ in range(3):
        await tended.clock.wait_sleeping()
        tended.clock.advance(LOOK_S)
    await tended.clock.wait_sleeping()
    await tended.cleaner.stop()
    assert lines(caplog, logging.ERROR) == [
        f"retention cannot work: the room on the disk of {root} cannot be told: No such file or directory"
    ]
    root.with_name("away").rename(root)


@pytest.mark.parametrize("headroom_mb", [None, HEADROOM_MB, 0])
async def test_a_start_on_a_full_disk_makes_room_for_its_catalog(
    disk: SmallDisk, headroom_mb: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    root = disk.folder / "archive"
    names = {camera: sorted(path.name for path in (root / camera).glob("*.mp4")) for camera in IDLE}
    expected = sorted((name, camera) for camera in IDLE for name in names[camera][:-2])
    disk.fill()
    studio = Studio(root, IDLE)
    await make_room_to_start(studio.archive, RetentionConfig(headroom_mb=headroom_mb))
    gone = [(name, camera) for name, camera in expected if not (root / camera / name).exists()]
    assert len(list(root.rglob("*.mp4"))) == sum(map(len, names.values())) - len(gone)
    if headroom_mb == 0:
        assert gone == []
        return
    assert gone == expected[: len(gone)]
    assert disk.free_bytes > 0
    assert [line for line in lines(caplog) if line.endswith(": the disk is full")] == lines(caplog)
    assert len(lines(caplog)) == len(gone)
    async with studio:
        for camera in IDLE:
            assert set(await studio.archive.names(camera)) == set(await studio.catalog.recording_names(camera))


async def test_a_start_with_room_removes_nothing(disk: SmallDisk) -> None:
    root = disk.folder / "archive"
    before = set(root.rglob("*.mp4"))
    await make_room_to_start(Studio(root, IDLE).archive, RetentionConfig(headroom_mb=HEADROOM_MB))
    assert set(root.rglob("*.mp4")) == before
