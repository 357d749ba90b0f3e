"""The quarantine takes everything and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlscam.adapters.quarantine import move_to_quarantine, remove_shell

NAME = "20261122T120000Z-aaaa.mp4"


def test_files_of_one_name_are_all_kept(tmp_path: Path) -> None:
    (tmp_path / "porch").mkdir()
    there = []
    for text in ("one", "two", "three"):
        (tmp_path / "porch" / NAME).write_text(text)
        there.append(move_to_quarantine(tmp_path, "porch", NAME))
        assert not (tmp_path / "porch" / NAME).exists()
    assert [path.read_text() for path in there] == ["one", "two", "three"]
    assert {path.parent for path in there} == {tmp_path / "quarantine" / "porch"}
    assert there[0].name == NAME


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        move_to_quarantine(tmp_path, "porch", NAME)


def test_a_shell_is_removed_unless_it_has_grown(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"head")
    assert not remove_shell(path, size_bytes=3)
    assert path.exists()
    assert remove_shell(path, size_bytes=4)
    assert not path.exists()
