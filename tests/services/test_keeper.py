"""Taking finished files into the books: what is ours, what is torn, what is damaged, what is somebody else's."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.archive import Archive
from hlscam.domain.recording import EndReason, Recording
from hlscam.services.keeper import Kept, Refused, read_sealed, scan, seal, take_in
from tests.rig.ffmpeg_tools import decode, make_clip
from tests.rig.hybrid import growing_form
from tests.services.conftest import Life
from tests.services.studio import CLOSED_BY_FFMPEG, FINISHED_BY_US, box_types, fragments_of, lines_of


@pytest.fixture
async def archive(archive_copy: Path) -> AsyncIterator[Archive]:
    archive = Archive(archive_copy)
    yield archive
    archive.close()


@pytest.fixture
async def sealed(archive: Archive) -> Recording:
    """A recording that was rolled, in an archive that may be spoilt."""
    for name in await archive.names("porch"):
        kept = await read_sealed(archive, "porch", name)
        if kept is not None and kept.recording.end_reason is EndReason.ROLLED:
            return kept.recording
    raise AssertionError("no recording was rolled")


def box_at(data: bytes) -> int:
    """Where a recording's own box begins."""
    return data.rindex(b"uuid") - 4


def unsealed(archive: Archive, recording: Recording) -> Path:
    """Take a recording's box away: the file is as ffmpeg left it."""
    path = archive.path(recording.camera, recording.name)
    data = path.read_bytes()
    path.write_bytes(data[: box_at(data)])
    return path


async def test_taking_in_gives_the_facts_that_the_box_had(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    whole = path.read_bytes()
    unsealed(archive, sealed)
    kept = await take_in(archive, "porch", sealed.name, before=None, known=sealed)
    assert isinstance(kept, Kept)
    assert replace(kept.recording, end_reason=sealed.end_reason, size_bytes=sealed.size_bytes) == sealed
    assert kept.recording.end_reason is EndReason.SERVER_CRASHED
    assert path.read_bytes()[: box_at(whole)] == whole[: box_at(whole)]
    assert await read_sealed(archive, "porch", sealed.name) == replace(kept, was_torn=False)


async def test_a_sealed_recording_is_told_by_its_box_and_not_touched(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    whole = path.read_bytes()
    kept = await take_in(archive, "porch", sealed.name, before=None, known=None)
    assert isinstance(kept, Kept)
    assert kept.recording == sealed
    assert path.read_bytes() == whole


async def test_torn_tails_are_cut_wherever_they_tear(archive: Archive, sealed: Recording, life: Life) -> None:
    torn = next(path for path in sorted((life.root / "porch").glob("*.mp4")) if box_types(path) == FINISHED_BY_US)
    growing = growing_form(torn.read_bytes())
    fragments = fragments_of(torn)
    last, whole_end = fragments[-1], fragments[-2].end
    path = archive.path("porch", torn.name)
    for cut in (whole_end, whole_end + 1, whole_end + 8, last.offset + 60, last.end - 1):
        path.write_bytes(growing[:cut])
        kept = await take_in(archive, "porch", torn.name, before=None, known=None)
        assert isinstance(kept, Kept)
        data = path.read_bytes()
        assert growing_form(data) == growing[:whole_end]
        assert box_types(path) == FINISHED_BY_US
        assert kept.recording.size_bytes == len(data)
        assert lines_of(kept.recording)[-1].offset < whole_end
        assert sum(kept.recording.segments.sizes_bytes) == whole_end - fragments[0].offset
    assert (await decode(path)).errors == []


async def test_a_box_that_was_cut_short_is_written_again(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    whole = path.read_bytes()
    for cut in (1, 10, 30):
        path.write_bytes(whole[:-cut])
        assert await read_sealed(archive, "porch", sealed.name) is None
        kept = await take_in(archive, "porch", sealed.name, before=None, known=sealed)
        assert isinstance(kept, Kept)
        assert path.read_bytes()[: box_at(whole)] == whole[: box_at(whole)]
        assert kept.recording.segments == sealed.segments


async def test_a_damaged_box_is_written_again(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    whole = bytearray(path.read_bytes())
    whole[-40] ^= 1
    path.write_bytes(whole)
    kept = await take_in(archive, "porch", sealed.name, before=None, known=sealed)
    assert isinstance(kept, Kept)
    assert kept.recording.segments == sealed.segments
    assert box_types(path) == CLOSED_BY_FFMPEG
    assert await read_sealed(archive, "porch", sealed.name) == replace(kept, was_torn=False)


@pytest.mark.parametrize("zeros", [1, 16, 5000, 2_000_000])
async def test_zeros_after_a_power_cut_are_a_torn_tail(archive: Archive, sealed: Recording, zeros: int) -> None:
    """The file is as long as it was to be, and its last bytes were never written."""
    path = archive.path("porch", sealed.name)
    growing = growing_form(path.read_bytes())
    *_, before, last = fragments_of(path)
    for written in (before.end, before.end + 5, before.end + 33, before.end + 120, last.end):
        path.write_bytes(growing[:written] + bytes(zeros))
        kept = await take_in(archive, "porch", sealed.name, before=None, known=sealed)
        assert isinstance(kept, Kept)
        whole_end = last.end if written == last.end else before.end
        assert growing_form(path.read_bytes()) == growing[:whole_end]
        assert box_types(path) == FINISHED_BY_US
        assert await read_sealed(archive, "porch", sealed.name) == replace(kept, was_torn=False)


def damaged(path: Path, fragment_index: int) -> bytes:
    """Flip a byte of the size of one fragment's moof; the file's bytes then."""
    fragment = fragments_of(path)[fragment_index]
    data = bytearray(path.read_bytes())
    moof_at = data.index(b"moof", fragment.offset) - 4
    data[moof_at + 4] ^= 0xFF
    path.write_bytes(data)
    return bytes(data)


async def test_damage_in_a_sealed_recording_loses_nothing(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    data = damaged(path, 3)
    kept = await take_in(archive, "porch", sealed.name, before=None, known=None)
    assert isinstance(kept, Kept)
    assert kept.recording == sealed
    assert path.read_bytes() == data


@pytest.mark.parametrize("closed", [True, False])
async def test_damage_in_an_unsealed_recording_cuts_the_books_and_not_the_file(
    archive: Archive, sealed: Recording, closed: bool, caplog: pytest.LogCaptureFixture, life: Life
) -> None:
    wanted = CLOSED_BY_FFMPEG if closed else FINISHED_BY_US
    paths = [path for path in (life.root / "porch").glob("*.mp4") if box_types(path) == wanted]
    name = next(path.name for path in paths if len(fragments_of(path)) > 4)
    kept = await read_sealed(archive, "porch", name)
    assert isinstance(kept, Kept)
    path = unsealed(archive, kept.recording)
    if not closed:
        path.write_bytes(growing_form(path.read_bytes()))
    data = damaged(path, 3)
    taken = await take_in(archive, "porch", name, before=None, known=None)
    assert isinstance(taken, Kept)
    assert path.read_bytes() == data
    assert f"porch/{name} is damaged, and kept up to there: this is not a box" in caplog.text
    assert sum(taken.recording.segments.sizes_bytes) == fragments_of_prefix(path) - taken.recording.first_offset
    assert len(taken.recording.segments) < len(kept.recording.segments)
    assert taken.recording.end_reason is EndReason.SERVER_CRASHED


def fragments_of_prefix(path: Path) -> int:
    """Where the last fragment before the damage ends."""
    data = path.read_bytes()
    return data.index(b"prft", data.index(bytes([b"m"[0] ^ 0xFF]) + b"oof") - 40) - 4


def _text(path: Path) -> None:
    path.write_text("no recording at all " * 40)


def _empty(path: Path) -> None:
    path.touch()


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(100_000))


def _ordinary(path: Path) -> None:
    make_clip(path, seconds=1, size="128x96")


def _fragmented(path: Path) -> None:
    make_clip(path, seconds=1, size="128x96", options=["-movflags", "+frag_keyframe+empty_moov"])


def _start_of_ours(path: Path) -> None:
    path.write_bytes(next(path.parent.glob("2*.mp4")).read_bytes()[:700])


STRANGERS = [_text, _empty, _zeros, _ordinary, _fragmented, _start_of_ours]


@pytest.mark.parametrize("make", STRANGERS, ids=lambda make: make.__name__)
async def test_what_is_no_recording_is_refused_and_left_alone(archive: Archive, make: Callable[[Path], None]) -> None:
    name = "20200101T000000Z-stranger.mp4"
    path = archive.path("porch", name)
    make(path)
    data = path.read_bytes()
    refused = await take_in(archive, "porch", name, before=None, known=None)
    assert isinstance(refused, Refused)
    assert refused.why
    assert path.read_bytes() == data


async def test_another_cameras_recording_is_refused_as_readable(archive: Archive, sealed: Recording) -> None:
    moved = archive.path("loop", sealed.name)
    moved.write_bytes(unsealed(archive, sealed).read_bytes())
    data = moved.read_bytes()
    refused = await take_in(archive, "loop", sealed.name, before=None, known=None)
    assert refused == Refused("hlscam did not write it for this camera", unreadable=False)
    assert moved.read_bytes() == data


@contextmanager
def no_space_beyond(size_bytes: int) -> Iterator[None]:
    """The kernel lets no file of ours become longer, as when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_recording_that_cannot_be_sealed_stays_open_with_all_its_segments(
    archive: Archive, sealed: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    path = unsealed(archive, sealed)
    size_bytes = path.stat().st_size
    with no_space_beyond(size_bytes):
        kept = await take_in(archive, "porch", sealed.name, before=None, known=sealed)
    assert isinstance(kept, Kept)
    assert kept.recording.is_open
    assert kept.recording.segments == sealed.segments
    assert "could not be sealed: File too large" in caplog.text
    again = await take_in(archive, "porch", sealed.name, before=None, known=kept.recording)
    assert isinstance(again, Kept)
    assert replace(again.recording, end_reason=sealed.end_reason) == replace(sealed, size_bytes=path.stat().st_size)


async def test_sealing_twice_changes_nothing(archive: Archive, sealed: Recording) -> None:
    path = archive.path("porch", sealed.name)
    whole = path.read_bytes()
    found = await scan(archive, "porch", sealed.name)
    assert found.box is not None
    assert await seal(archive, sealed, whole_bytes=found.box.offset) == sealed
    assert path.read_bytes() == whole


async def test_a_file_that_is_gone_is_told_to_the_caller(archive: Archive) -> None:
    with pytest.raises(FileNotFoundError):
        await take_in(archive, "porch", "20200101T000000Z-gone.mp4", before=None, known=None)
