"""The cameras are real: ffmpeg reads them over TCP, and meets every trouble that they are told to make.

Where a test counts what comes in so many seconds, the camera is not shared: who joins a shared one waits for the next
sync sample, while sound comes at once, and ffmpeg's seconds begin with whichever is first.
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.rig.ffmpeg_tools import decode, first_pts, gray_picture, packets, pictures, probe, run_ffmpeg
from tests.rig.rtsp import CameraKeywords, RtspCamera, refusing_camera, silent_camera
from tests.rig.waiting import until

TCP = ["-rtsp_transport", "tcp", "-analyzeduration", "500000"]


async def test_h264_with_g711_is_read_in_real_time() -> None:
    async with RtspCamera(audio="alaw", shared=False) as camera:
        seen = await probe(camera.url, options=TCP)
        assert [(stream.kind, stream.codec) for stream in seen.streams] == [("Video", "h264"), ("Audio", "pcm_alaw")]
        assert (seen.of("Video")[0].width, seen.of("Video")[0].height, seen.of("Video")[0].rate) == (320, 180, 25)
        coded = await packets(camera.url, options=TCP, duration_s=1.5)
    steps = [float(after.dts_s - before.dts_s) for before, after in pairwise(coded)]
    assert sum(steps) == pytest.approx(1.5, abs=0.2)
    assert steps == pytest.approx([round(step * 25) / 25 for step in steps], abs=0.001)


@pytest.mark.parametrize(
    ("options", "streams"),
    [
        ({"audio": "aac", "b_frames": 2, "shared": False}, [("Video", "h264"), ("Audio", "aac")]),
        ({"video": "hevc", "gop": 10, "shared": False}, [("Video", "hevc")]),
        ({"video": "none", "audio": "alaw", "shared": False}, [("Audio", "pcm_alaw")]),
    ],
    ids=["b-frames and aac", "hevc", "sound alone"],
)
async def test_other_streams_decode(options: CameraKeywords, streams: list[tuple[str, str]]) -> None:
    async with RtspCamera(**options) as camera:
        seen = await probe(camera.url, options=TCP)
        assert [(stream.kind, stream.codec) for stream in seen.streams] == streams
        decoded = await decode(camera.url, options=TCP, duration_s=1)
    assert decoded.errors == []
    assert decoded.duration_s == pytest.approx(1, abs=0.25)


async def test_b_frames_are_there_when_asked_for() -> None:
    async with RtspCamera(b_frames=2, shared=False) as camera:
        coded = await packets(camera.url, options=TCP, duration_s=1)
    shown = [packet.pts_s for packet in coded if packet.pts_s is not None]
    assert shown != sorted(shown)


async def test_a_mute_camera_declares_sound_and_sends_none() -> None:
    async with RtspCamera(audio="mute", shared=False) as camera:
        assert [stream.codec for stream in (await probe(camera.url, options=TCP)).streams] == ["h264", "pcm_alaw"]
        listening = asyncio.create_task(packets(camera.url, stream="a:0", options=TCP))
        seen = await packets(camera.url, options=TCP, duration_s=1)
        await camera.stop()
        assert len(await listening) <= 1
    assert len(seen) > 20


@pytest.mark.parametrize("auth", ["basic", "digest"])
async def test_only_the_right_password_opens(auth: str) -> None:
    async with RtspCamera(user="viewer", password="s3cret", auth="digest" if auth == "digest" else "basic") as camera:
        assert (await probe(camera.url, options=TCP)).of("Video")
        for url in (camera.url_as("viewer", "wrong"), camera.url_as("", "")):
            with pytest.raises(AssertionError, match="401 Unauthorized"):
                await probe(url, options=TCP)


async def test_the_picture_says_when_it_was_made() -> None:
    async with RtspCamera(width=640, height=360) as camera:
        before_ms = time.time_ns() // 1_000_000
        picture = await gray_picture(camera.url, options=TCP)
        made_ms = picture.clock_ms()
        assert made_ms is not None
        assert before_ms - 2000 < made_ms < time.time_ns() // 1_000_000


@pytest.mark.parametrize("shared", [True, False])
async def test_a_shared_camera_shows_all_the_same_pictures(shared: bool) -> None:
    async with RtspCamera(shared=shared, width=640, height=360) as camera:
        seen = await asyncio.gather(*(pictures(camera.url, options=TCP, duration_s=1.5) for _ in range(2)))
    first, second = ({picture.md5 for picture in shown} for shown in seen)
    assert bool(first & second) == shared


async def test_stopping_ends_readers_and_restarting_keeps_the_address(tmp_path: Path) -> None:
    async with RtspCamera() as camera:
        url = camera.url
        reading = asyncio.create_task(run_ffmpeg([*TCP, "-i", url, "-c", "copy", tmp_path / "seen.ts"], timeout_s=20))
        await until(lambda: _exists(tmp_path / "seen.ts"), "the first bytes")
        await camera.stop()
        await reading
        await camera.restart()
        assert camera.url == url
        assert await first_pts(url) >= 0


async def test_a_paused_camera_sends_nothing_until_it_is_resumed() -> None:
    async with RtspCamera() as camera:
        camera.pause()
        with pytest.raises(AssertionError, match="finds nothing"):
            await probe(camera.url, options=[*TCP, "-timeout", "500000"])
        camera.resume()
        assert (await probe(camera.url, options=TCP)).of("Video")


async def test_cameras_that_do_not_work() -> None:
    with refusing_camera() as url, pytest.raises(AssertionError, match="Connection refused"):
        await probe(url, options=TCP)
    async with silent_camera() as url:
        with pytest.raises(AssertionError, match=r"timed out"):
            await probe(url, options=[*TCP, "-timeout", "500000"])


async def test_a_camera_that_cannot_start_says_why() -> None:
    async with RtspCamera() as camera:
        rival = RtspCamera()
        rival._port = camera._port
        with pytest.raises(AssertionError, match="cannot listen"):
            await rival.start()


async def _exists(path: Path) -> bool:
    return path.exists()  # noqa: ASYNC240
