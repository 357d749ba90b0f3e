"""Stills: the very picture that was asked for, in whatever order a camera sends them; and no process left over."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from hlscam.adapters.ffmpeg.still import decode_still, still_command
from hlscam.domain.picture import Piece
from hlscam.domain.position import PicturePosition
from hlscam.errors import DecodingError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import read_events
from tests.adapters.catalog.samples import recording
from tests.bench.processes import children
from tests.rig.ffmpeg_tools import ffmpeg_path, make_clip, probe, run_ffmpeg
from tests.rig.waiting import until

RATE, GOP, WIDTH, HEIGHT = 25, 50, 160, 90
FRAGMENTED = [
    "-movflags",
    "+frag_keyframe+empty_moov+default_base_moof+skip_sidx+frag_discont+negative_cts_offsets",
    *("-use_editlist", "0", "-frag_duration", "500000"),
]
Codec = Literal["h264", "hevc"]
KINDS: dict[str, tuple[Codec, int]] = {"h264": ("h264", 0), "h264 with B-frames": ("h264", 2), "hevc": ("hevc", 3)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("still")

    def make(kind: str) -> Path:
        codec, b_frames = KINDS[kind]
        path = folder / f"{kind}.mp4"
        if not path.exists():
            make_clip(path, rate=RATE, gop=GOP, b_frames=b_frames, codec=codec, options=FRAGMENTED)
        return path

    return make


def pieces(path: Path) -> list[Piece]:
    """The clip's GOPs, as segments of a recording that begins at 0."""
    data = path.read_bytes()
    events = read_events(data)
    init = next(each for each in events if isinstance(each, InitSection))
    fragments = [each for each in events if isinstance(each, Fragment)]
    starts = [at for at, each in enumerate(fragments) if each.starts_with_sync]
    facts = replace(
        recording(0),
        timescale=init.video.timescale,
        first_decode_ticks=fragments[0].decode_ticks,
        start_wall_us=0,
        first_media_sequence=100,
    )
    return [
        Piece.of(facts, number, [data[fragments[at].offset : fragments[end - 1].end]], init)
        for number, (at, end) in enumerate(zip(starts, [*starts[1:], len(fragments)], strict=True))
    ]


async def grays(source: Path) -> list[bytes]:
    """Every picture of a clip, small and grey, as ffmpeg shows them."""
    raw = ["-pix_fmt", "gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    done = await run_ffmpeg(["-v", "error", "-i", source, "-vf", f"scale={WIDTH}:{HEIGHT}", *raw])
    size = WIDTH * HEIGHT
    return [done.stdout[at : at + size] for at in range(0, len(done.stdout), size)]


def nearest(shown: bytes, pictures: list[bytes]) -> int:
    """Which of the pictures this one resembles most."""
    return min(range(len(pictures)), key=lambda at: sum(abs(a - b) for a, b in zip(shown, pictures[at], strict=True)))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_picture_of_each_moment(clip: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    path = clip(kind)
    all_pictures = await grays(path)
    for number, piece in enumerate(pieces(path)):
        assert [each.position for each in piece.pictures] == [PicturePosition(100 + number, at) for at in range(GOP)]
        for at in (0, 1, 2, 12, 25, 26, GOP - 1):
            picture = piece.shown_at(piece.pictures[at].wall_us + 39_000)
            assert picture is piece.pictures[at]
            assert picture.wall_us == round((number * GOP + at) / RATE * 1_000_000)
            media, at_ticks = piece.needed_for(picture)
            jpeg = await decode_still(still_command(ffmpeg_path(), width=None, at_ticks=at_ticks), media)
            (tmp_path / "still.jpg").write_bytes(jpeg)
            (shown,) = await grays(tmp_path / "still.jpg")
            assert nearest(shown, all_pictures) == number * GOP + at


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture_that_decodes_alone(clip: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    """From its own fragment: the first of its segment, of which a small part is read."""
    path = clip(kind)
    piece = pieces(path)[1]
    picture = piece.nearest_alone(piece.pictures[-1].wall_us, 101)
    assert picture is piece.pictures[0]
    media, _ = piece.needed_for(picture)
    assert len(media) < len(piece.init.data) + len(piece.media) / 2
    jpeg = await decode_still(still_command(ffmpeg_path(), width=None, at_ticks=None), media)
    (tmp_path / "still.jpg").write_bytes(jpeg)
    assert nearest((await grays(tmp_path / "still.jpg"))[0], await grays(path)) == GOP


@pytest.mark.parametrize(
    ("width", "size"),
    [(None, (320, 180)), (160, (160, 90)), (101, (100, 56)), (21, (20, 10)), (320, (320, 180)), (3840, (320, 180))],
)
async def test_widths(clip: Callable[[str], Path], tmp_path: Path, width: int | None, size: tuple[int, int]) -> None:
    piece = pieces(clip("h264"))[0]
    media, _ = piece.needed_for(piece.pictures[0])
    jpeg = await decode_still(still_command(ffmpeg_path(), width=width, at_ticks=None), media)
    (tmp_path / "still.jpg").write_bytes(jpeg)
    (stream,) = (await probe(tmp_path / "still.jpg")).streams
    assert (stream.codec, (stream.width, stream.height)) == ("mjpeg", size)


async def test_what_cannot_be_decoded_is_told(clip: Callable[[str], Path]) -> None:
    piece = pieces(clip("h264"))[0]
    argv = still_command(ffmpeg_path(), width=None, at_ticks=None)
    for media in (b"", piece.init.data, bytes(5000)):
        with pytest.raises(DecodingError, match="no picture can be decoded: "):
            await decode_still(argv, media)


async def test_no_process_outlives_a_caller_who_goes_away() -> None:
    """A decoder that takes for ever, cancelled."""
    before = set(children(os.getpid()))
    argv = [ffmpeg_path(), "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"]
    decoding = asyncio.create_task(decode_still(argv, b""))

    async def started() -> set[int]:
        return set(children(os.getpid())) - before

    await until(started, "ffmpeg runs")
    decoding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await decoding
    assert decoding.cancelled()
    assert await started() == set()
