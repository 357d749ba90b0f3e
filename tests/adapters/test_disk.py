"""The one place that removes footage, and what it refuses to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hlscam.adapters.disk import FileFacts, FileState, free_now, read_file_facts, read_room, remove_recording
from hlscam.errors import ArchiveError
from tests.rig.paths import REPOSITORY
from tests.rig.small_disk import MB, SmallDisk

PACKAGE = REPOSITORY / "hlscam"
NAME = "20261122T120000Z-aaaa.mp4"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recording's file in an archive at `tmp_path`."""
    (tmp_path / "porch").mkdir()
    found = tmp_path / "porch" / NAME
    found.write_bytes(bytes(1000))
    return found


def test_room_is_what_the_system_says(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=4) as disk:
        before = read_room(disk.folder)
        (disk.folder / "file").write_bytes(bytes(MB))
        after = read_room(disk.folder)
        assert before.free_bytes - after.free_bytes == MB
        assert before.total_bytes == after.total_bytes >= 4 * MB
    with pytest.raises(ArchiveError, match=r"the room on the disk of .*/missing cannot be told: No such file"):
        read_room(tmp_path / "missing")


def test_removing_says_how_the_room_grew(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_mb=4) as disk:
        path = disk.folder / "porch" / NAME
        path.parent.mkdir()
        path.write_bytes(bytes(MB))
        removed = remove_recording(disk.folder, "porch", NAME)
        assert not path.exists()
        assert removed.free_bytes_after - removed.free_bytes_before == MB
        path.write_bytes(bytes(MB))
        with path.open("rb") as reader:
            removed = remove_recording(disk.folder, "porch", NAME)
            assert removed.free_bytes_after == removed.free_bytes_before
            assert reader.read() == bytes(MB)
        assert read_room(disk.folder).free_bytes == removed.free_bytes_before + MB
        free_now(disk.folder)


def test_a_protected_recording_is_not_removed(path: Path, tmp_path: Path) -> None:
    path.chmod(0o444)
    assert read_file_facts(tmp_path, "porch", NAME) == FileFacts(FileState.PROTECTED, 1000)
    with pytest.raises(PermissionError, match="protected"):
        remove_recording(tmp_path, "porch", NAME)
    assert path.read_bytes() == bytes(1000)
    path.chmod(0o644)
    assert read_file_facts(tmp_path, "porch", NAME) == FileFacts(FileState.PLAIN, 1000)
    remove_recording(tmp_path, "porch", NAME)
    assert not path.exists()


def test_only_the_owner_protects(path: Path, tmp_path: Path) -> None:
    path.chmod(0o200)
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.PLAIN
    path.chmod(0o466)
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.PROTECTED


def test_a_link_is_somebodys_arrangement(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.mp4"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.PROTECTED
    with pytest.raises(PermissionError):
        remove_recording(tmp_path, "porch", NAME)
    assert elsewhere.exists()


def test_a_missing_file_is_told_from_a_missing_disk(path: Path, tmp_path: Path) -> None:
    path.unlink()
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.MISSING
    with pytest.raises(FileNotFoundError):
        remove_recording(tmp_path, "porch", NAME)
    path.parent.rmdir()
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.AWAY
    (tmp_path / "porch").write_text("a file stands in its place")
    assert read_file_facts(tmp_path, "porch", NAME).state is FileState.AWAY


def test_a_folder_on_another_disk_is_left_alone(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "porch", size_mb=4) as disk:
        (tmp_path / "yard").symlink_to(disk.folder)
        (disk.folder / NAME).write_bytes(b"footage")
        assert read_file_facts(tmp_path, "yard", NAME).state is FileState.AWAY


@pytest.mark.parametrize(
    ("camera", "name"),
    [
        ("quarantine", NAME),
        ("quarantine/porch", NAME),
        ("..", NAME),
        ("", NAME),
        ("porch", "catalog.sqlite3"),
        ("porch", f"../{NAME}"),
        ("porch", ".camera.json"),
    ],
)
def test_other_files_are_out_of_its_reach(path: Path, tmp_path: Path, camera: str, name: str) -> None:
    folder = tmp_path / "quarantine" / "porch"
    folder.mkdir(parents=True)
    kept = [folder / NAME, folder.parent / NAME, tmp_path / NAME, tmp_path / "porch" / "catalog.sqlite3", path]
    for each in kept:
        each.write_bytes(b"kept")
    with pytest.raises(ValueError, match="is not a recording's file"):
        remove_recording(tmp_path, camera, name)
    assert all(each.exists() for each in kept)


def test_nothing_else_removes_files() -> None:
    """Whatever in hlscam removes files stands here with what it removes: footage in one place."""
    known = {
        "adapters/disk.py": 1,  # a recording, by retention
        "adapters/archive.py": 1,  # its own `.writable`
        "adapters/catalog/health.py": 1,  # a catalog that was being made
        "adapters/notes_file.py": 2,  # half-written notes
        "adapters/quarantine.py": 1,  # a shell, which holds no media
    }
    found = {
        str(path.relative_to(PACKAGE)): count
        for path in sorted(PACKAGE.rglob("*.py"))
        if (count := sum(map(_removes, ast.walk(ast.parse(path.read_text())))))
    }
    assert found == known


def _removes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    return node.attr in ("unlink", "rmtree", "removedirs") or (
        node.attr == "remove" and getattr(node.value, "id", "") == "os"
    )
