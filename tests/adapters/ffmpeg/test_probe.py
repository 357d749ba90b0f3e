"""Real sources, described by the real ffmpeg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg import probe as module
from hlscam.adapters.ffmpeg.command import InputOptions, StreamPlan
from hlscam.adapters.ffmpeg.probe import plan_streams, probe
from hlscam.domain.recording import EndReason
from hlscam.domain.source import FileSource, Source, TestSource, UrlSource
from hlscam.errors import SourceError
from tests.rig.ffmpeg_tools import ffmpeg_path, make_clip
from tests.rig.rtsp import RtspCamera, refusing_camera, silent_camera


async def plan(source: Source, *, audio: str = "auto") -> StreamPlan:
    return await probe(ffmpeg_path(), source, InputOptions(), audio=audio, on_line=lambda _line: None)


H264 = StreamPlan(video_codec="h264", audio=None, frame_rate=10)
HEVC = replace(H264, video_codec="hevc")
CLIPS: list[tuple[dict[str, str], str, StreamPlan]] = [
    ({"audio": "none"}, "mp4", H264),
    ({"audio": "aac"}, "mp4", replace(H264, audio="copy", audio_rate_hz=48_000)),
    ({"audio": "opus"}, "mkv", replace(H264, audio="copy", audio_rate_hz=48_000, is_opus=True)),
    ({"audio": "pcm"}, "mkv", replace(H264, audio="aac", audio_rate_hz=8_000)),
    ({"audio": "aac", "codec": "hevc"}, "mp4", replace(HEVC, audio="copy", audio_rate_hz=48_000)),
]


@pytest.mark.parametrize(("what", "suffix", "expected"), CLIPS, ids=["-".join(what.values()) for what, _, _ in CLIPS])
async def test_plans_for_clips(tmp_path: Path, what: dict[str, str], suffix: str, expected: StreamPlan) -> None:
    path = tmp_path / f"clip.{suffix}"
    make_clip(path, seconds=0.5, size="128x96", rate=10, **what)  # type: ignore[arg-type]  # literals from the table
    assert await plan(FileSource(path)) == expected
    without = await plan(FileSource(path), audio="none")
    assert (without.video_codec, without.audio) == (expected.video_codec, None)
    made_aac = await plan(FileSource(path), audio="aac")
    assert made_aac.audio == ("aac" if expected.audio else None)


async def test_the_test_pattern_is_not_asked() -> None:
    assert await plan(TestSource(codec="hevc", rate=10, audio=True)) == replace(HEVC, audio="aac", audio_rate_hz=48_000)
    assert await plan(TestSource(rate=10, audio=False)) == H264


async def refusal(source: Source) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        await plan(source)
    assert caught.value.hint
    return caught.value.reason, caught.value.message


def _text(path: Path) -> None:
    path.write_text("this is a shopping list\n" * 40)


FILES: list[tuple[str, Callable[[Path], object], EndReason, str]] = [
    ("text.mp4", _text, EndReason.SOURCE_REFUSED, "the source is not video that ffmpeg can read"),
    ("empty.mp4", Path.touch, EndReason.SOURCE_REFUSED, "the source is not video that ffmpeg can read"),
    (
        "sound.mp4",
        lambda path: make_clip(path, codec="none", audio="aac", seconds=0.5),
        EndReason.SOURCE_REFUSED,
        "the source has no video",
    ),
    (
        "mjpeg.avi",
        lambda path: make_clip(path, seconds=0.5, options=["-c:v", "mjpeg"]),
        EndReason.SOURCE_REFUSED,
        "its video is mjpeg, which players of HLS do not take",
    ),
    ("missing.mp4", lambda _path: None, EndReason.CRASHED, "a file or folder is missing"),
]


@pytest.mark.parametrize(("name", "make", "reason", "message"), FILES, ids=[name for name, *_ in FILES])
async def test_clips_that_cannot_be_recorded(
    tmp_path: Path, name: str, make: Callable[[Path], object], reason: EndReason, message: str
) -> None:
    make(tmp_path / name)
    assert await refusal(FileSource(tmp_path / name)) == (reason, message)


@asynccontextmanager
async def cameras() -> AsyncIterator[tuple[RtspCamera, RtspCamera, RtspCamera]]:
    """One behind Basic, one behind Digest authentication, one that only listens to the room."""
    async with AsyncExitStack() as stack:
        basic = await stack.enter_async_context(RtspCamera(user="viewer", password="secret", audio="alaw"))
        digest = await stack.enter_async_context(RtspCamera(user="viewer", password="secret", auth="digest"))
        deaf = await stack.enter_async_context(RtspCamera(video="none", audio="alaw"))
        yield basic, digest, deaf


async def test_cameras_on_the_network() -> None:
    async with cameras() as (basic, digest, deaf):
        found = await asyncio.gather(
            plan(UrlSource(basic.url)),
            refusal(UrlSource(basic.url_as("viewer", "wrong"))),
            refusal(UrlSource(basic.url_as("", ""))),
            refusal(UrlSource(f"{basic.url}-2")),
            refusal(UrlSource(digest.url_as("viewer", "wrong"))),
            refusal(UrlSource(deaf.url)),
        )
    password = (EndReason.AUTHENTICATION, "the camera refuses the user name or password")
    assert list(found) == [
        StreamPlan(video_codec="h264", audio="aac", audio_rate_hz=8_000, frame_rate=25),
        password,
        password,
        (EndReason.SOURCE_REFUSED, "the camera has no such stream"),
        password,
        (EndReason.SOURCE_REFUSED, "the source has no video"),
    ]


async def test_nobody_is_there() -> None:
    with refusing_camera() as url:
        assert await refusal(UrlSource(url)) == (EndReason.UNREACHABLE, "the camera refuses the connection")
    nowhere = await refusal(UrlSource("rtsp://nobody.invalid/stream"))
    assert nowhere == (EndReason.UNREACHABLE, "the camera cannot be found on the network")


async def test_a_camera_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.3)
    async with silent_camera() as url:
        reason, message = await refusal(UrlSource(url))
    assert reason == EndReason.STALLED
    assert message == "the camera accepts the connection but sent no picture within 0 s"


async def test_asking_can_be_cancelled() -> None:
    connected = asyncio.Event()

    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()  # until ffmpeg is gone
        connected.clear()
        writer.close()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(listen_only, "127.0.0.1", 0)
    source = UrlSource(f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream")
    asking = asyncio.create_task(plan(source))
    await connected.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await gone.wait()
    server.close()
    await server.wait_closed()


DESCRIBED: list[tuple[list[str], str, StreamPlan]] = [
    (
        ["Stream #0:0: Video: h264, 1920x1080, 12.50 fps, 25 tbr", "Stream #0:1: Audio: pcm_mulaw, 8000 Hz, mono"],
        "auto",
        StreamPlan(video_codec="h264", audio="aac", audio_rate_hz=8_000, frame_rate=12.5),
    ),
    (
        ["Stream #0:0(und): Audio: aac (LC), 44100 Hz, stereo", "Stream #0:1[0x2](eng): Video: hevc (Main) (hvc1)"],
        "auto",
        StreamPlan(video_codec="hevc", audio="copy", audio_rate_hz=44_100),
    ),
    (
        ["Stream #0:0: Video: av1 (Main)", "Stream #0:1: Audio: opus, 48000 Hz", "Stream #0:2: Data: none"],
        "auto",
        StreamPlan(video_codec="av1", audio="copy", audio_rate_hz=48_000, is_opus=True),
    ),
    (
        ["Stream #0:0: Video: h264", "Stream #0:1: Audio: adpcm_g726"],
        "auto",
        StreamPlan(video_codec="h264", audio="aac", audio_rate_hz=0),
    ),
]


@pytest.mark.parametrize(("lines", "audio", "expected"), DESCRIBED)
def test_plans_for_what_ffmpeg_described(lines: list[str], audio: str, expected: StreamPlan) -> None:
    said = ["Input #0, rtsp, from 'rtsp://…':", "title           : Stream #0:9: Video: mjpeg", *lines]
    assert plan_streams([*said, "At least one output file must be specified"], 1, audio=audio) == expected
