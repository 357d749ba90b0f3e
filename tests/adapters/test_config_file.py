"""The configuration file on a real disk: what is read, and which paths are refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hlscam.adapters.config_file import load_config
from hlscam.domain.source import FileSource
from hlscam.errors import ConfigError

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clip.mp4").write_bytes(b"")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "hlscam.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    return caught.value.message


@contextmanager
def as_ordinary_user(*paths: Path) -> Iterator[None]:
    """Permissions do not bind root, so tests of them give root up for a while."""
    if os.geteuid() != 0:
        yield
        return
    for path in paths:
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user reaches; pytest's own are closed to all but the one who runs it."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


def test_relative_paths_start_at_the_files_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "archive: {path: '${WHERE}'}\ncameras: {loop: {source: file:clip.mp4}}")
    monkeypatch.chdir(folder.parent)
    config = load_config(Path(folder.name, "hlscam.yaml"), {"WHERE": "videos/new"})
    assert config.archive.path == folder / "videos/new"
    assert config.cameras["loop"].source == FileSource(folder / "clip.mp4")
    assert sorted(path.name for path in folder.iterdir()) == ["clip.mp4", "hlscam.yaml"]  # looking makes nothing


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        load_config(folder / "none.yaml", {})
    assert str(folder / "none.yaml") in caught.value.message
    assert "--demo" in caught.value.hint


def test_a_folder_instead_of_a_file(folder: Path) -> None:
    assert "cannot be read: Is a directory" in refusal(folder)


def test_a_file_that_is_not_utf_8(folder: Path) -> None:
    path = folder / "hlscam.yaml"
    path.write_bytes(b"log: {}\n# caf\xe9\n")
    assert refusal(path).startswith(f"{path}:2:1: is not UTF-8 text")


def test_a_byte_order_mark_is_no_problem(folder: Path) -> None:
    path = folder / "hlscam.yaml"
    path.write_bytes(b"\xef\xbb\xbfserver: {port: 1}\n")
    assert load_config(path, {}).server.port == 1


def test_wrong_text_and_wrong_paths_name_file_line_and_key(folder: Path) -> None:
    path = write(folder, "log:\n  levl: info\n")
    assert refusal(path).startswith(f"{path}:2:3: log.levl: unknown key; did you mean 'level'?")


def test_all_unusable_paths_are_told_at_once(folder: Path) -> None:
    path = write(
        folder,
        """\
archive:
  path: clip.mp4/archive
ffmpeg:
  path: ./no-ffmpeg
cameras:
  a:
    source: file:none.mp4
  b:
    source: file:.
  c: {source: "file:none.mp4", enabled: false}
  d: {source: "file:clip.mp4/x.mp4"}
""",
    )
    assert refusal(path).splitlines() == [
        f"{path}:2:9: archive.path: {folder}/clip.mp4 is not a folder; name a folder for the recordings",
        f"{path}:4:9: ffmpeg.path: {folder}/no-ffmpeg is not a program that can be run; give its whole path",
        f"{path}:7:13: cameras.a.source: there is no file {folder}/none.mp4;"
        " relative paths start at the configuration file's folder",
        f"{path}:9:13: cameras.b.source: {folder} is not a file; name a video file",
        f"{path}:11:15: cameras.d.source: there is no file {folder}/clip.mp4/x.mp4;"
        " relative paths start at the configuration file's folder",
    ]


def test_a_path_that_the_system_refuses_to_look_at(folder: Path) -> None:
    name = "x" * 300
    path = write(folder, f"archive: {{path: {name}}}\ncameras: {{a: {{source: 'file:{name}'}}}}")
    told = refusal(path).splitlines()
    assert len(told) == 2
    assert all("cannot be looked at: File name too long" in line for line in told)


def test_an_ffmpeg_that_can_be_run(folder: Path) -> None:
    program = Path(sys.executable)
    assert load_config(write(folder, f"ffmpeg: {{path: {program}}}"), {}).ffmpeg.path == str(program)


def test_an_unreadable_clip_and_archive(open_folder: Path) -> None:
    folder = open_folder
    (folder / "clip.mp4").write_bytes(b"")
    path = write(folder, "archive: {path: closed}\ncameras: {a: {source: 'file:clip.mp4'}}")
    closed, clip = folder / "closed", folder / "clip.mp4"
    closed.mkdir(mode=0o500)
    clip.chmod(0)
    with as_ordinary_user(closed, clip):
        told = refusal(path).splitlines()
    assert told == [
        f"{path}:1:17: archive.path: {closed} cannot be written by this user;"
        " allow it with chmod or chown, or name another folder",
        f"{path}:2:23: cameras.a.source: {clip} cannot be read by this user; allow it with chmod or chown",
    ]


def test_an_archive_that_cannot_be_made(open_folder: Path) -> None:
    path = write(open_folder, "archive: {path: closed/archive}")
    closed = open_folder / "closed"
    closed.mkdir(mode=0o500)
    with as_ordinary_user(closed):
        told = refusal(path)
    assert f"{closed}/archive cannot be made, since {closed} cannot be written by this user" in told
