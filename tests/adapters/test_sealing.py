"""Sealing real recordings, torn at every byte, cut off at every step, and on a full disk.

`growing` is a recording as it stands between two fragments, `closed` the same as ffmpeg closed it. Both are small, so
that each of their last bytes can have its turn.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from hlscam.adapters import sealing
from hlscam.adapters.archive import RecordingFile
from hlscam.adapters.ffmpeg.command import InputOptions, RecordingOptions, StreamPlan, record_command
from hlscam.adapters.sealing import seal_file
from hlscam.domain.source import FileSource
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import Event, FinalMovie, RecordingBox, read_events
from hlscam.isobmff.recording_box import encode_recording_box
from tests.rig.ffmpeg_tools import decode, first_pts, make_clip, packets, pictures, probe, run_ffmpeg
from tests.rig.hybrid import box_types, growing_form

BOX = encode_recording_box({"camera": "porch"}, b"table")
FINISHED = ["ftyp", "free", "mdat", "moov", "uuid"]
SUPERSEDED = ["ftyp", "free", "mdat", "free", "moov", "uuid"]


async def record(folder: Path, *, picture_after_s: float = 0, hybrid: bool = True, **clip: Any) -> bytes:
    """A recording that ffmpeg closed, made by the command that records cameras, but as fast as it can."""
    small = ["-crf", "48", "-ar", "8000", "-b:a", "8k"]
    source = make_clip(folder / "source.mp4", size="64x48", rate=10, gop=5, audio="aac", options=small, **clip)
    writing = RecordingOptions(
        folder=folder,
        name_pattern="recording.mp4",
        recording_s=3600,
        fragment_us=490_000,
        hybrid=hybrid,
        title="Front porch",
        comment="whose it is",
    )
    plan = StreamPlan(video_codec="h264", audio="copy")
    argv = record_command("ffmpeg", FileSource(source), InputOptions(), plan, writing, folder)
    inputs = ["-itsoffset", str(picture_after_s), "-i", str(source), "-i", str(source)]
    done = await run_ffmpeg(["-y", *inputs, "-map", "0:v", "-map", "1:a", *argv[argv.index("-f") :]])
    assert done.returncode == 0, done.stderr
    return (folder / "recording.mp4").read_bytes()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of H.264 with B-frames and sound."""
    return asyncio.run(record(tmp_path_factory.mktemp("recording"), seconds=2.3, b_frames=2))


@pytest.fixture(scope="module")
def growing(closed: bytes) -> bytes:
    return growing_form(closed)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a file system: thousands of fsync would keep a disk busy for a minute."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder) / "recording.mp4"


def fragments_of(data: bytes) -> list[Fragment]:
    return [event for event in read_events(data) if isinstance(event, Fragment)]


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def seal(path: Path, data: bytes) -> bytes:
    """Seal a file that was found like this; its bytes after."""
    put(path, data)
    seal_again(path)
    return path.read_bytes()


def seal_again(path: Path) -> None:
    file = RecordingFile(path)
    file.read_new()
    file.close()
    size_bytes = seal_file(path, file.whole_bytes, BOX)
    assert size_bytes == path.stat().st_size


@pytest.fixture
def final(path: Path, growing: bytes) -> bytes:
    """What becomes of `growing`."""
    return seal(path, growing)


async def test_a_torn_recording_becomes_an_ordinary_one(path: Path, growing: bytes) -> None:
    last = fragments_of(growing)[-1]
    whole = growing[: last.offset]
    final = seal(path, growing[: last.offset + 40])
    assert box_types(final) == FINISHED
    assert growing_form(final) == whole
    *events, movie, box = read_events(final)
    assert events == list(read_events(whole))
    assert isinstance(movie, FinalMovie)
    assert isinstance(box, RecordingBox)
    assert box.decode() == ({"camera": "porch"}, b"table")
    about, decoded = await probe(path), await decode(path)
    assert decoded.errors == []
    assert decoded.frames == sum(each.sample_count for each in fragments_of(whole))
    assert about.start_s == 0.0
    assert about.duration_s is not None
    assert abs(about.duration_s - decoded.duration_s) < 0.1


async def test_it_shows_what_it_showed_while_it_grew(path: Path, growing: bytes, tmp_path: Path) -> None:
    torn = tmp_path / "torn.mp4"
    whole = growing[: fragments_of(growing)[-1].offset]
    torn.write_bytes(whole)
    seal(path, whole)
    assert [each.md5 for each in await pictures(path)] == [each.md5 for each in await pictures(torn)]
    for stream in ("v:0", "a:0"):
        sent = [each.md5 for each in await packets(torn, stream=stream)]
        assert [each.md5 for each in await packets(path, stream=stream)] == sent


def test_torn_at_every_byte_of_its_last_fragment(path: Path, growing: bytes, final: bytes) -> None:
    *_, before, last = fragments_of(growing)
    assert last.size_bytes > 500
    expected = seal(path, growing[: before.end])
    for cut in range(before.end, last.end):
        assert seal(path, growing[:cut]) == expected, cut
    assert seal(path, growing[: last.end]) == final


async def test_torn_between_any_two_fragments(path: Path, growing: bytes) -> None:
    frames = 0
    for fragment in fragments_of(growing):
        frames += fragment.sample_count
        final = seal(path, growing[: fragment.end + 20])
        assert growing_form(final) == growing[: fragment.end]
        decoded = await decode(path)
        assert (decoded.frames, decoded.errors) == (frames, [])


def test_torn_while_ffmpeg_closes_it(path: Path, growing: bytes, closed: bytes, final: bytes) -> None:
    """It appends a moov, and turns the head only then."""
    for cut in range(len(growing), len(closed) + 1, 5):
        assert seal(path, growing + closed[len(growing) : cut]) == final, cut
    assert seal(path, growing + closed[len(growing) :]) == final


def test_a_power_cut_while_ffmpeg_closes_it(path: Path, growing: bytes, closed: bytes, final: bytes) -> None:
    """Nothing holds the disk to an order: the head may be turned, and what was written before it not be there."""
    before = fragments_of(growing)[-1]
    movie_offset = len(growing)
    for cut in range(movie_offset, len(closed), 19):
        assert seal(path, closed[:cut]) == final, cut
        sealed = seal(path, closed[:cut] + bytes(len(closed) - cut))
        if box_types(sealed) != SUPERSEDED:  # enough of it is there for a box
            assert sealed == final, cut
        assert sealed.endswith(final[movie_offset:])
        assert kept_of(sealed) == kept_of(growing)
    expected = seal(path, growing[: before.offset])
    for cut in range(before.offset, before.end, 7):
        assert seal(path, closed[:cut]) == expected, cut


async def test_ffmpegs_own_index_makes_room_for_ours(path: Path, growing: bytes, closed: bytes, final: bytes) -> None:
    sealed = seal(path, closed)
    assert box_types(sealed) == SUPERSEDED
    media_end = len(growing)
    index = closed[media_end:]
    assert sealed[:media_end] == closed[:media_end]
    assert sealed[media_end:][: len(index)] == index[:4] + b"free" + index[8:]
    # The same index as a torn one gets, and every chunk offset of it the same.
    assert sealed[len(closed) :] == final[media_end:]
    *events, _, _ = read_events(sealed)
    assert events == list(read_events(growing))
    assert (await decode(path)).errors == []
    about = await probe(path)
    put(path, final)
    assert about.duration_s == (await probe(path)).duration_s


class Killed(BaseException):
    """What stands for `kill -9`: nothing in the code under test catches it."""


@contextmanager
def killed_before_line(number: int) -> Iterator[None]:
    """End whatever runs of `sealing` before its so-many-th line."""
    left = count(number, -1)

    def on_line(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if event == "line" and next(left) == 0:
            raise Killed
        return on_line

    def on_call(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        return on_line if frame.f_code.co_filename == sealing.__file__ else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(before)


FOUND: dict[str, Callable[[bytes, bytes], bytes]] = {
    "torn": lambda growing, _: growing + b"\0\0\0\x20prft",
    "closed": lambda _, closed: closed,
    "torn while it was closed": lambda growing, closed: growing + closed[len(growing) : -10],
}


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND.keys())
async def test_killed_at_every_line_and_done_again(
    path: Path, growing: bytes, closed: bytes, found: Callable[[bytes, bytes], bytes]
) -> None:
    data = found(growing, closed)
    expected = seal(path, data)
    left_behind = set()
    for number in count():
        state = killed(path, data, number)
        if state is None:
            break
        left_behind.add(state)
        assert seal(path, state) == expected, number
    assert number > 50
    assert len(left_behind) >= 4  # as found, with an index, with the old one or the head turned, with all but the box
    for state in left_behind:
        put(path, state)
        assert kept_of(state) == kept_of(data)
        decoded = await decode(path)
        assert (decoded.frames, decoded.errors) == (sum(each.sample_count for each in fragments_of(data)), [])


def killed(path: Path, data: bytes, number: int) -> bytes | None:
    """What is left of a file whose sealing is killed before its so-many-th line; None if it has not so many."""
    put(path, data)
    try:
        with killed_before_line(number):
            seal_again(path)
    except Killed:
        return path.read_bytes()
    return None


def kept_of(data: bytes) -> list[Event]:
    """The events that must never be others."""
    return [event for event in read_events(data) if not isinstance(event, FinalMovie | RecordingBox)]


@contextmanager
def no_space_beyond(size_bytes: int) -> Iterator[None]:
    """The kernel lets no file of ours become longer, as when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("found", ["growing", "closed"])
def test_the_disk_becomes_full_anywhere(path: Path, found: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(found)
    expected = seal(path, data)
    movie_end = len(expected) - len(BOX)
    for room in {*range(len(data), len(expected), 31), movie_end - 1, movie_end, len(expected) - 1}:
        put(path, data)
        with no_space_beyond(room), pytest.raises(OSError, match="File too large"):
            seal_again(path)
        state = path.read_bytes()
        if room < movie_end:
            assert state == data
        else:
            assert state == expected[:movie_end]  # without its box, but whole
        seal_again(path)
        assert path.read_bytes() == expected, room


def test_sealing_again_writes_nothing(path: Path, final: bytes, closed: bytes) -> None:
    for data in (final, seal(path, closed)):
        path.write_bytes(data)
        os.utime(path, ns=(0, 1_000_000_000))
        seal_file(path, len(data) - len(BOX), BOX)
        assert path.read_bytes() == data


@pytest.mark.parametrize("cut", [1, 8, 40, len(BOX) - 1])
def test_a_box_that_was_cut_short_is_written_again(path: Path, final: bytes, closed: bytes, cut: int) -> None:
    for data in (final, seal(path, closed)):
        assert seal(path, data[:-cut]) == data
        assert seal(path, data[:-cut] + bytes(cut)) == data


async def test_an_older_ffmpeg_leaves_no_room_for_an_index(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Then the file stays as it is but for its tail, and still plays."""
    old = await record(path.parent, hybrid=False, seconds=2)
    *_, before, last = fragments_of(old)
    for cut in (last.offset + 1, last.end - 1):
        assert seal(path, old[:cut]) == old[: before.end] + BOX
    decoded = await decode(path)
    assert (decoded.frames, decoded.errors) == (sum(each.sample_count for each in fragments_of(old)[:-1]), [])
    assert caplog.text == ""


def test_fragments_that_no_index_can_list_keep_their_file_as_it_is(
    path: Path, growing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as time that goes back: the fragments are whole, and their segments play."""
    spoilt = bytearray(growing)
    tfdt_at = growing.rindex(b"tfdt")
    spoilt[tfdt_at + 8 : tfdt_at + 16] = bytes(8)
    assert seal(path, bytes(spoilt) + b"torn") == bytes(spoilt) + BOX
    assert "recording.mp4 gets no index of its whole: its decode time lies before the last sample's" in caplog.text


async def test_sound_that_began_before_the_picture_stays_in_step(path: Path) -> None:
    """A camera sends sound at once and a key frame later. ffmpeg's own index begins both at 0."""
    data = await record(path.parent, picture_after_s=2, seconds=3, b_frames=2)
    for found in (data, growing_form(data)):
        seal(path, found)
        sound_s = await first_pts(path, stream="a:0")
        picture_s = await first_pts(path)
        assert sound_s == 0
        assert abs(picture_s - 2.128) < 0.01  # 0.128 s is the encoder's delay, with which every AAC stream begins
        assert (await decode(path)).errors == []


async def test_a_recording_beyond_4_gib(path: Path, growing: bytes) -> None:
    """With a hole of 4 GiB in the middle, which takes no space on the disk, and which every reader skips."""
    *_, last = fragments_of(growing)
    hole = (4 << 30) + 16
    with path.open("wb") as file:
        file.write(growing[: last.offset])
        file.write(b"\0\0\0\1free" + hole.to_bytes(8, "big"))
        file.seek(last.offset + hole)
        # Offsets in a fragment count from its moof, so it may lie anywhere.
        file.write(growing[last.offset :] + b"torn")
    seal_again(path)
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(last.offset + hole)
        tail = file.read()
    assert head[24:40] == b"\0\0\0\1mdat" + (last.end + hole - 24).to_bytes(8, "big")
    assert tail.startswith(growing[last.offset :])
    assert b"co64" in tail
    assert tail.endswith(BOX)
    decoded = await decode(path)
    assert (decoded.frames, decoded.errors) == (sum(each.sample_count for each in fragments_of(growing)), [])
