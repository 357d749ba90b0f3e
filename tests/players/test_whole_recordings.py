"""Recordings as plain files in real players: the right length, seeking, picture and sound, however they ended.

One run is recorded here in real time: its second recording was closed by ffmpeg, its third is torn, since ffmpeg was
killed. Its pictures carry the clock, so that what a player shows after a seek can be told from what it should.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from hlscam.adapters.archive import Archive, RecordingFile
from hlscam.adapters.ffmpeg.command import InputOptions, RecordingOptions, StreamPlan, record_command
from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.ffmpeg.pattern import write_fonts
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.bench.clockface import Picture
from hlscam.domain.source import TestSource, parse_source
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import read_events
from tests.rig.chromium import open_tab
from tests.rig.ffmpeg_tools import decode, gray_picture, probe
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

RATE = 20
RECORDING_S = 3
TORN_S = 2
SOUGHT_S = 1.25
PATTERN = f"test:?size=320x180&rate={RATE}&gop_s=0.5&bframes=2&audio=1"


@dataclass(frozen=True, slots=True)
class Whole:
    """A sealed recording, with what its fragments said before: how long its pictures last, and how many they are."""

    path: Path
    length_s: float
    frames: int


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """The recording that ffmpeg closed, and the torn one."""
    return asyncio.run(_record(tmp_path_factory.mktemp("run")))


async def _record(folder: Path) -> dict[str, Whole]:
    source = parse_source(PATTERN, folder)
    assert isinstance(source, TestSource)
    await asyncio.to_thread(write_fonts, folder, source)
    ffmpeg = await find_ffmpeg(None)
    writing = RecordingOptions(
        folder=folder,
        name_pattern="%Y%m%dT%H%M%SZ-aaaa.mp4",
        recording_s=RECORDING_S,
        fragment_us=243_000,
        hybrid=True,
        title="Porch",
        comment="",
    )
    plan = StreamPlan(video_codec="h264", audio="aac")
    said: list[str] = []
    argv = record_command(ffmpeg.binary, source, InputOptions(), plan, writing, folder)
    process = await FfmpegProcess.start(argv, on_line=said.append)
    try:
        await until(lambda: asyncio.to_thread(_is_third_long_enough, folder), f"a third recording: {said}")
    finally:
        await process.kill()
    archive = Archive(folder.parent)
    try:
        *_, closed, torn = await archive.names(folder.name)
        return {"closed": await _sealed(archive, folder, closed), "torn": await _sealed(archive, folder, torn)}
    finally:
        archive.close()


def _fragments(path: Path) -> list[Fragment]:
    return [event for event in read_events(path.read_bytes()) if isinstance(event, Fragment)]


def _is_third_long_enough(folder: Path) -> bool:
    paths = sorted(folder.glob("*.mp4"))
    return len(paths) >= 3 and sum(each.sample_count for each in _fragments(paths[-1])) >= TORN_S * RATE


async def _sealed(archive: Archive, folder: Path, name: str) -> Whole:
    path = folder / name
    fragments = await asyncio.to_thread(_fragments, path)
    file = RecordingFile(path)
    await archive.run(file.read_new)
    file.close()
    await archive.seal(folder.name, name, whole_bytes=file.whole_bytes, box=b"\0\0\0\x08free")
    frames = sum(each.sample_count for each in fragments)
    return Whole(path, frames / RATE, frames)


@pytest.mark.parametrize("which", ["closed", "torn"])
async def test_ffmpeg(run: dict[str, Whole], which: str) -> None:
    whole = run[which]
    about, decoded = await probe(whole.path), await decode(whole.path)
    assert (decoded.frames, decoded.errors) == (whole.frames, [])
    assert about.start_s == 0
    assert about.duration_s is not None
    assert whole.length_s <= about.duration_s < whole.length_s + 0.5


@pytest.mark.parametrize("which", ["closed", "torn"])
async def test_vlc(run: dict[str, Whole], which: str) -> None:
    """It is sent to the middle at once, so that what it shows then is further on than what it can have played.

    Slowly, since it counts what it has shown about once a second, and no more when it has come to the end.
    """
    whole = run[which]
    options = [f"--start-time={SOUGHT_S}", "--rate=0.25", "--play-and-pause"]
    async with MediaServer(whole.path.parent) as server, Vlc(server.url(whole.path.name), options=options) as vlc:
        await vlc.playing()
        assert whole.length_s - 1 < await vlc.length_s() < whole.length_s + 1
        shown_s = await _media_s(whole, await vlc.picture())
        counts = await vlc.stats()
        assert counts.displayed + counts.lost + RATE / 2 < shown_s * RATE < whole.frames
        await until(lambda: _heard(vlc), "sound")
        assert counts.corrupted == 0


async def _heard(vlc: Vlc) -> int:
    return (await vlc.stats()).audio_played


async def _media_s(whole: Whole, picture: Picture) -> float:
    """Where in the recording a picture is, by the clocks in it and in the first one."""
    shown_ms, first_ms = picture.clock_ms(), (await gray_picture(whole.path)).clock_ms()
    assert shown_ms is not None
    assert first_ms is not None
    return (shown_ms - first_ms) / 1000


@pytest.mark.parametrize("which", ["closed", "torn"])
async def test_chromium(run: dict[str, Whole], which: str) -> None:
    whole = run[which]
    async with MediaServer(whole.path.parent) as server, open_tab() as tab:
        await tab.page.goto(server.url(whole.path.name))
        length_s = await tab.wait_for("() => document.querySelector('video')?.duration")
        assert whole.length_s <= length_s < whole.length_s + 0.5
        await tab.wait_for("() => document.querySelector('video').currentTime > 0.5")
        assert await tab.page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount") > 0
        seek = "(to) => { const video = document.querySelector('video'); video.pause(); video.currentTime = to; }"
        await tab.page.evaluate(seek, SOUGHT_S)
        await tab.wait_for("() => !document.querySelector('video').seeking")
        shown_s = await _media_s(whole, await tab.shown_picture())
        assert abs(shown_s - SOUGHT_S) < 3 / RATE
        await tab.page.evaluate("() => document.querySelector('video').play()")
        await tab.wait_for("() => document.querySelector('video').ended")
        tab.assert_quiet()
