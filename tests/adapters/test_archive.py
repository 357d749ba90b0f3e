"""The archive's folders and files, on the real file system."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.adapters.archive import Archive, RecordingFile
from hlscam.errors import ArchiveError, MediaError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import FinalMovie, read_events
from hlscam.isobmff.recording_box import decode_recording_box, encode_recording_box
from tests.rig.child import Child
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.paths import REPOSITORY

NAME = "20261122T120000Z-aaaa.mp4"
BOX = encode_recording_box({"camera": "porch"}, b"table")
FRAGMENTED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof+skip_trailer"]


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = Archive(tmp_path)
    yield archive
    archive.close()


@pytest.fixture(scope="session")
def growing(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A fragmented file as it stands while it is written."""
    path = tmp_path_factory.mktemp("growing") / "clip.mp4"
    return make_clip(path, seconds=2, size="128x96", rate=10, gop=5, options=FRAGMENTED).read_bytes()


def put(archive: Archive, data: bytes, name: str = NAME) -> Path:
    path = archive.path("porch", name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


async def test_only_our_names_are_listed_oldest_first(archive: Archive) -> None:
    ours = ["20251231T235959Z-0a1b.mp4", "20261122T120000Z-aaaa.mp4", "20261122T120000Z-bbbb.mp4"]
    for name in reversed(ours):
        put(archive, b"", name)
    folder = archive.folder("porch")
    for name in (
        "holiday.mp4",
        "20261122T120000Z-aaaa.mkv",
        "20261122T120000Z-.mp4",
        ".writable",
        "2026-11-22-aaaa.mp4",
    ):
        put(archive, b"", name)
    (folder / "20261122T130000Z-aaaa.mp4").mkdir()
    os.mkfifo(folder / "20261122T140000Z-aaaa.mp4")
    assert await archive.names("porch") == ours
    assert await archive.names("nowhere") == []


async def test_cameras_are_folders_with_recordings(archive: Archive) -> None:
    assert await archive.cameras() == []
    put(archive, b"")
    (archive.root / "empty").mkdir()
    (archive.root / "catalog.sqlite3").touch()
    assert await archive.cameras() == ["porch"]
    assert await Archive(archive.root / "missing").cameras() == []


async def test_a_folder_that_is_none_is_told(archive: Archive) -> None:
    (archive.root / "porch").write_text("")
    for work in (archive.names("porch"), archive.prepare("porch")):
        with pytest.raises(ArchiveError, match=r"the archive folder .*/porch cannot be (read|written): ") as caught:
            await work
        assert "archive.path" in caught.value.hint
    assert await archive.cameras() == []


async def test_preparing_makes_the_folder_and_leaves_nothing_in_it(archive: Archive) -> None:
    await archive.prepare("porch")
    await archive.prepare("porch")
    assert list(archive.folder("porch").iterdir()) == []


async def test_a_folder_of_somebody_elses_is_told(tmp_path: Path) -> None:
    """As an ordinary user, since root may write everywhere."""
    code = """
import asyncio, sys
from pathlib import Path
from hlscam.adapters.archive import Archive
from hlscam.errors import ArchiveError, MediaError
async def main():
    for work in ("prepare", "names"):
        try:
            await getattr(Archive(Path(sys.argv[1])), work)("porch")
        except ArchiveError as error:
            print(error.message, flush=True)
asyncio.run(main())
"""
    folder = Path("/tmp") / f"hlscam-test-{os.getpid()}"  # below tmp_path nobody may even look
    folder.mkdir(mode=0o755)
    (folder / "porch").mkdir(mode=0o700)
    try:
        env = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        child = await Child.start([sys.executable, "-c", code, str(folder)], env=env, as_nobody=os.geteuid() == 0)
        if os.geteuid() != 0:
            (folder / "porch").chmod(0o000)
        assert await child.line() == f"the archive folder {folder / 'porch'} cannot be written: Permission denied\n"
        assert await child.line() == f"the archive folder {folder / 'porch'} cannot be read: Permission denied\n"
        await child.kill()
    finally:
        (folder / "porch").rmdir()
        folder.rmdir()


async def test_reading_ranges(archive: Archive) -> None:
    put(archive, bytes(range(256)))
    assert await archive.read("porch", NAME, 0, 256) == bytes(range(256))
    assert await archive.read("porch", NAME, 10, 3) == b"\n\x0b\x0c"
    assert await archive.read("porch", NAME, 256, 0) == b""


@pytest.mark.parametrize(("offset", "length", "end"), [(0, 257, 256), (255, 2, 256), (300, 1, 300)])
async def test_short_files_are_refused_and_never_padded(archive: Archive, offset: int, length: int, end: int) -> None:
    put(archive, bytes(256))
    with pytest.raises(ArchiveError) as caught:
        await archive.read("porch", NAME, offset, length)
    assert str(caught.value) == f"{NAME} ends at byte {end}, before the end of what was asked for"


async def test_files_that_are_gone_or_no_files_are_refused(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match=f"{NAME} cannot be read: No such file or directory"):
        await archive.read("porch", NAME, 0, 1)
    archive.path("porch", NAME).mkdir(parents=True)
    with pytest.raises(ArchiveError, match=f"{NAME} cannot be read: Is a directory"):
        await archive.read("porch", NAME, 0, 1)


async def test_a_recording_that_is_held_stays_readable(archive: Archive) -> None:
    path = put(archive, bytes(range(256)))
    held = await archive.hold("porch", NAME)
    path.unlink()
    assert await held.read(10, 3) == b"\n\x0b\x0c"
    with pytest.raises(ArchiveError, match=f"{NAME} ends at byte 256, before the end of what was asked for"):
        await held.read(255, 2)
    await held.close()
    await held.close()
    with pytest.raises(ArchiveError, match="Bad file descriptor"):
        await held.read(0, 1)
    with pytest.raises(ArchiveError, match=f"{NAME} cannot be read: No such file or directory"):
        await archive.hold("porch", NAME)


def open_files() -> set[Path]:
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(each.readlink())
    return found


async def test_holding_that_is_given_up_leaves_nothing_open(archive: Archive) -> None:
    """A viewer goes away while the file is being opened, in a thread that nobody can stop."""
    path = put(archive, b"footage")
    gate = threading.Event()
    busy = [asyncio.ensure_future(archive.run(gate.wait)) for _ in range(4)]
    await asyncio.sleep(0)
    holding = asyncio.ensure_future(archive.hold("porch", NAME))
    await asyncio.sleep(0)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    gate.set()
    await asyncio.gather(*busy)
    await asyncio.to_thread(archive.close)  # until it was opened
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert path not in open_files()


@pytest.mark.parametrize("tail", [b"", b"torn", BOX[:20], bytes(5000)])
async def test_sealing_cuts_the_tail_and_appends(archive: Archive, tail: bytes) -> None:
    path = put(archive, b"footage!" + tail)
    assert await archive.seal("porch", NAME, whole_bytes=8, box=BOX) == 8 + len(BOX)
    assert path.read_bytes() == b"footage!" + BOX


async def test_sealing_a_missing_file_makes_none(archive: Archive) -> None:
    archive.folder("porch").mkdir()
    with pytest.raises(FileNotFoundError):
        await archive.seal("porch", NAME, whole_bytes=8, box=BOX)
    assert list(archive.folder("porch").iterdir()) == []


async def test_work_runs_in_the_archives_own_threads(archive: Archive) -> None:
    names = await asyncio.gather(*(archive.run(lambda: threading.current_thread().name) for _ in range(20)))
    assert {name.rpartition("_")[0] for name in names} == {"archive"}
    assert len(set(names)) <= 4


async def test_following_a_file_that_is_not_there(archive: Archive) -> None:
    with pytest.raises(FileNotFoundError):
        await archive.follow("porch", NAME)


@pytest.fixture(scope="module")
def file_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("followed")


@given(cuts=st.lists(st.integers(0, 40_000), max_size=12))
def test_a_growing_file_tells_the_same_however_it_grows(growing: bytes, file_folder: Path, cuts: list[int]) -> None:
    path = file_folder / NAME
    path.write_bytes(b"")
    file = RecordingFile(path)
    events = []
    with path.open("ab", buffering=0) as growth:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(growing)], strict=True):
            growth.write(growing[start:end])
            written = file.read_new()
            assert written.damage is None
            assert written.size_bytes == min(end, len(growing))
            assert file.whole_bytes <= written.size_bytes
            events += written.events
    file.close()
    file.close()
    assert events == list(read_events(growing))
    assert file.whole_bytes == len(growing)


def test_what_was_whole_before_the_damage_is_told(growing: bytes, tmp_path: Path) -> None:
    fragments = [each for each in read_events(growing) if isinstance(each, Fragment)]
    spoilt = bytearray(growing)
    spoilt[fragments[3].offset + 4] ^= 0xFF
    path = tmp_path / NAME
    path.write_bytes(spoilt)
    file = RecordingFile(path)
    written = file.read_new()
    assert [each for each in written.events if isinstance(each, Fragment)] == fragments[:3]
    assert written.damage is not None
    assert written.damage.offset == fragments[3].offset
    assert file.whole_bytes == fragments[2].end
    again = file.read_new()
    assert (again.events, again.damage) == ([], written.damage)
    file.close()


def test_the_last_write_is_the_files(growing: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(growing)
    os.utime(path, ns=(0, 1_795_348_800_123_456_789))
    file = RecordingFile(path)
    assert file.read_new().last_write_wall_us == 1_795_348_800_123_456
    file.close()


def test_a_sealed_file_is_told_without_its_fragments(growing: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    fragments = [each for each in read_events(growing) if isinstance(each, Fragment)]
    spoilt = bytearray(growing + BOX)
    payload_at = fragments[2].end - 50
    spoilt[payload_at : payload_at + 50] = bytes(50)
    path.write_bytes(spoilt)
    file = RecordingFile(path)
    found = file.read_sealed()
    file.close()
    assert found is not None
    init, box = found
    assert init == next(each for each in read_events(growing) if isinstance(each, InitSection))
    assert (box.offset, box.end) == (len(growing), len(spoilt))
    assert decode_recording_box(box.body) == ({"camera": "porch"}, b"table")


@pytest.mark.parametrize("tail", [b"", BOX[:-1], BOX[:30], BOX[:12], b"torn"])
def test_without_a_whole_box_there_is_nothing_to_tell(growing: bytes, tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(growing + tail)
    file = RecordingFile(path)
    found = None
    with contextlib.suppress(MediaError):
        found = file.read_sealed()
    file.close()
    assert found is None


def test_a_closed_recording_is_whole_up_to_its_final_moov(tmp_path: Path) -> None:
    options = ["-f", "mp4", "-movflags", "+hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof+skip_sidx"]
    path = make_clip(tmp_path / NAME, seconds=1, size="128x96", options=options)
    file = RecordingFile(path)
    events = file.read_new().events
    file.close()
    assert isinstance(events[-1], FinalMovie)
    assert file.whole_bytes == path.stat().st_size
