"""watchdog's threads wake the loop: on inotify, and by polling."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hlscam.adapters import watch as module
from hlscam.adapters.watch import ArchiveWatch, sees_changes

NAMES = [f"20261122T12000{second}Z-aaaa.mp4" for second in range(8)]


@pytest.fixture(params=["inotify", "polling"])
async def watch(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ArchiveWatch]:
    monkeypatch.setattr(module, "POLL_INTERVAL_S", 0.05)
    (tmp_path / "porch").mkdir()
    watch = ArchiveWatch(tmp_path, request.param)
    assert watch.polling is (request.param == "polling")
    await asyncio.to_thread(watch.start)
    assert await asyncio.to_thread(watch.add, "porch")
    yield watch
    await asyncio.to_thread(watch.close)


async def told(watch: ArchiveWatch, camera: str, name: str) -> None:
    """Until the watch has said that this file changed."""
    async with asyncio.timeout(10):
        while name not in watch.take_names(camera):
            await watch.changed(camera).wait()
            watch.changed(camera).clear()


async def test_creation_growth_and_closing_wake(watch: ArchiveWatch, tmp_path: Path) -> None:
    with (tmp_path / "porch" / NAMES[0]).open("wb", buffering=0) as file:
        await told(watch, "porch", NAMES[0])
        for _ in range(3):
            file.write(b"fragment")
            await told(watch, "porch", NAMES[0])
    (tmp_path / "porch" / NAMES[1]).touch()  # the next one
    await told(watch, "porch", NAMES[1])


async def test_folders_made_later_are_watched_once_they_are_added(watch: ArchiveWatch, tmp_path: Path) -> None:
    assert not await asyncio.to_thread(watch.add, "yard")
    (tmp_path / "yard").mkdir()
    assert await asyncio.to_thread(watch.add, "yard")
    path = tmp_path / "yard" / NAMES[0]
    path.touch()
    await told(watch, "yard", NAMES[0])
    path.write_bytes(b"fragment")
    await told(watch, "yard", NAMES[0])


async def test_a_folder_that_was_removed_and_made_again_is_watched_again(watch: ArchiveWatch, tmp_path: Path) -> None:
    (tmp_path / "porch").rename(tmp_path / "away")
    (tmp_path / "porch").mkdir()
    assert await asyncio.to_thread(watch.add, "porch")
    (tmp_path / "porch" / NAMES[0]).touch()
    await told(watch, "porch", NAMES[0])
    assert await asyncio.to_thread(watch.add, "porch")  # and adding twice is no harm


async def test_cameras_do_not_wake_each_other(watch: ArchiveWatch, tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    assert await asyncio.to_thread(watch.add, "yard")
    (tmp_path / "porch" / NAMES[0]).touch()
    await told(watch, "porch", NAMES[0])
    assert not watch.changed("yard").is_set()
    assert NAMES[0] not in watch.take_names("yard")


async def test_a_file_that_is_moved_in_is_told_by_its_new_name(watch: ArchiveWatch, tmp_path: Path) -> None:
    (tmp_path / "porch" / "arriving").touch()
    await told(watch, "porch", "arriving")
    (tmp_path / "porch" / "arriving").rename(tmp_path / "porch" / NAMES[3])
    await told(watch, "porch", NAMES[3])


async def test_polling_looks_at_the_newest_recordings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL_S", 0.05)
    (tmp_path / "porch").mkdir()
    for name in NAMES[:-1]:
        (tmp_path / "porch" / name).touch()
    watch = ArchiveWatch(tmp_path, "polling")
    await asyncio.to_thread(watch.start)
    assert await asyncio.to_thread(watch.add, "porch")
    (tmp_path / "porch" / NAMES[0]).write_bytes(b"nobody writes to an old recording")
    (tmp_path / "porch" / NAMES[-1]).touch()
    names: set[str] = set()
    while NAMES[-1] not in names:
        await watch.changed("porch").wait()
        watch.changed("porch").clear()
        names |= watch.take_names("porch")
    await asyncio.to_thread(watch.close)
    assert NAMES[0] not in names


async def test_a_storm_of_events_melts_into_one_waking(tmp_path: Path) -> None:
    watch = ArchiveWatch(tmp_path)
    for number in range(1000):
        watch.note(str(tmp_path / "porch" / f"file-{number}"))
    assert len(asyncio.all_tasks()) == 1
    await watch.changed("porch").wait()
    assert len(watch.take_names("porch")) == 1000
    assert watch.take_names("porch") == set()


async def test_events_after_the_loop_has_ended_harm_nobody(tmp_path: Path) -> None:
    made: list[ArchiveWatch] = []

    async def make() -> None:
        made.append(ArchiveWatch(tmp_path))

    thread = threading.Thread(target=lambda: asyncio.run(make()))
    thread.start()
    await asyncio.to_thread(thread.join)
    made[0].note(str(tmp_path / "porch" / NAMES[0]))
    assert made[0].take_names("porch") == {NAMES[0]}


async def test_closing_without_a_start_and_twice(tmp_path: Path) -> None:
    watch = ArchiveWatch(tmp_path)
    await asyncio.to_thread(watch.close)
    await asyncio.to_thread(watch.start)
    await asyncio.to_thread(watch.close)
    await asyncio.to_thread(watch.close)


MOUNTS = r"""
/dev/root / ext4 rw,relatime 0 0
nas:/video /mnt/nas nfs4 rw 0 0
/dev/sdb1 /mnt/nas/disk ext4 rw 0 0
//nas/share /mnt/my\040videos cifs rw 0 0
//nas/share /mnt/caméra cifs rw 0 0
sshfs /mnt/ssh fuse.sshfs rw 0 0
host /mnt/host 9p rw 0 0
nas:/old /mnt/later nfs rw 0 0
/dev/sdc1 /mnt/later ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("folder", "sees"),
    [
        ("/", True),
        ("/srv/archive", True),
        ("/mnt/nas", False),
        ("/mnt/nas/archive", False),
        ("/mnt/nas2", True),
        ("/mnt/nas/disk/archive", True),
        ("/mnt/my videos/archive", False),
        ("/mnt/caméra/archive", False),
        ("/mnt/ssh", False),
        ("/mnt/host/x/y", False),
        ("/mnt/later", True),
    ],
)
def test_which_file_systems_inotify_sees(tmp_path: Path, folder: str, sees: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert sees_changes(Path(folder), mounts) is sees


def test_without_a_table_nothing_is_taken_for_granted(tmp_path: Path) -> None:
    assert sees_changes(tmp_path, tmp_path / "missing") is False
    (tmp_path / "empty").touch()
    assert sees_changes(tmp_path, tmp_path / "empty") is True


async def test_auto_polls_where_inotify_is_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ArchiveWatch(tmp_path).polling is not sees_changes(tmp_path)
    monkeypatch.setattr(module, "sees_changes", lambda _folder: False)
    assert ArchiveWatch(tmp_path).polling
    assert not ArchiveWatch(tmp_path, "inotify").polling
