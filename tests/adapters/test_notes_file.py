"""Notes on disk: the ones before or the ones after, whatever happens."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from hlscam.adapters.notes_file import read_notes, write_notes
from hlscam.domain.camera_notes import NOTES_NAME
from hlscam.domain.run import run_of_name


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_notes(tmp_path) is None
    assert write_notes(tmp_path, b"first")
    assert write_notes(tmp_path, b"2")
    assert read_notes(tmp_path) == b"2"
    assert [path.name for path in tmp_path.iterdir()] == [NOTES_NAME]
    assert run_of_name(NOTES_NAME) is None


def test_a_camera_without_a_folder_has_no_notes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "porch", tmp_path / "file"):
        assert read_notes(folder) is None
        assert not write_notes(folder, b"notes")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_notes_before(tmp_path: Path) -> None:
    assert write_notes(tmp_path, b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room_bytes in (0, 3):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, hard))
        try:
            with pytest.raises(OSError, match=r"File too large|the disk is full"):
                write_notes(tmp_path, b"after")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert read_notes(tmp_path) == b"before"
        assert [path.name for path in tmp_path.iterdir()] == [NOTES_NAME]


def test_a_write_that_a_crash_cut_short_is_no_notes(tmp_path: Path) -> None:
    assert write_notes(tmp_path, b"before")
    (tmp_path / f"{NOTES_NAME}.new").write_bytes(b"aft")
    assert read_notes(tmp_path) == b"before"
    assert write_notes(tmp_path, b"after")
    assert read_notes(tmp_path) == b"after"
