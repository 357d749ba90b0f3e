"""The small disk is a disk: it is full when it is full, and has room again when it has."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.rig.small_disk import SmallDisk

BLOCK = bytes(4096)


def test_a_full_disk_takes_nothing_until_it_is_relieved(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=8) as disk:
        ours = disk.folder / "ours"
        ours.write_bytes(BLOCK)
        assert disk.free_bytes > 7_000_000
        disk.fill()
        assert disk.free_bytes == 0
        with pytest.raises(OSError, match="No space left") as refused, ours.open("ab") as file:
            file.write(BLOCK)
        assert refused.value.errno == errno.ENOSPC
        disk.relieve()
        assert disk.filler_bytes == 0
        with ours.open("ab") as file:
            file.write(BLOCK)


def test_it_can_be_filled_again(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=8) as disk:
        ours = disk.folder / "ours"
        ours.write_bytes(BLOCK * 100)
        disk.fill()
        held_bytes = disk.filler_bytes
        ours.unlink()
        assert disk.free_bytes == len(BLOCK) * 100
        disk.fill()
        assert disk.free_bytes == 0
        assert disk.filler_bytes == held_bytes + len(BLOCK) * 100


def test_some_room_can_be_left(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=8) as disk:
        for left_bytes in (1_000_000, 100_000, 1):
            disk.leave(left_bytes)
            assert left_bytes - len(BLOCK) < disk.free_bytes <= left_bytes
        disk.leave(1_000_000)
        assert disk.free_bytes == 0, "it gives nothing back"


def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=8) as disk:
        (disk.folder / "ours").write_bytes(BLOCK)
        assert disk.folder.is_mount()
    assert not disk.folder.is_mount()
    assert list(disk.folder.iterdir()) == []


def test_where_none_can_be_mounted_it_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="run it as root"), SmallDisk(tmp_path / "disk", size_mb=-1):
        pass
