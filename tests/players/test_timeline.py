"""The past in real players: many recordings are one timeline, a hole is a discontinuity, and nothing is missing.

One archive is made for all tests here: two runs of an H.264 camera with B-frames and sound and of an HEVC camera, cut
into recordings of 6 s, with the server stopped in between. The cameras are then switched off and only played.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import read_events
from tests.rig.chromium import open_tab
from tests.rig.ffmpeg_tools import decode, packets, probe
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

RATE = {"avc": 25, "hevc": 10}
CAMERAS = """
archive: {{path: ./archive, recording_minutes: 0.1}}
cameras:
  avc: {{source: "test:?size=320x180&rate=25&gop_s=1&bframes=2&audio=1", enabled: {enabled}}}
  hevc: {{source: "test:?size=192x108&rate=10&gop_s=2&bframes=2&codec=hevc&audio=0", enabled: {enabled}}}
"""
FIRST_RUN_RECORDINGS = 5
SECOND_RUN_RECORDINGS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run lies, as the API says it: RFC 3339."""

    start: str
    end: str

    @property
    def query(self) -> str:
        return f"from={self.start}&to={self.end}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timeline")
    asyncio.run(_record(folder))
    return folder


async def _record(folder: Path) -> None:
    for count in (FIRST_RUN_RECORDINGS, FIRST_RUN_RECORDINGS + SECOND_RUN_RECORDINGS + 1):
        async with HlscamServer(folder, CAMERAS.format(enabled="true")) as server:
            enough = partial(_have, server, count)
            await until(enough, f"more than {count} recordings of each camera", timeout_s=120)


async def _have(server: HlscamServer, count: int) -> bool:
    return min([len(await _recordings(server, camera)) for camera in RATE]) > count


async def _recordings(server: HlscamServer, camera: str) -> list[dict[str, Any]]:
    answer = await server.json(f"api/v1/cameras/{camera}/recordings?limit=1000")
    return list(answer["recordings"])


@pytest.fixture
async def server(archive: Path) -> AsyncIterator[HlscamServer]:
    async with HlscamServer(archive, CAMERAS.format(enabled="false")) as running:
        yield running


async def runs(server: HlscamServer, camera: str) -> list[Run]:
    answer = await server.json(f"api/v1/cameras/{camera}/timeline?from={time.time() - 86_400:.3f}")
    return [Run(span["start"], span["end"]) for span in answer["spans"]]


def frames_of(archive: Path, camera: str, names: list[str]) -> int:
    """How many pictures the files hold."""
    events = (event for name in names for event in read_events((archive / "archive" / camera / name).read_bytes()))
    return sum(event.sample_count for event in events if isinstance(event, Fragment))


@pytest.mark.parametrize("camera", list(RATE))
async def test_closed_recordings_are_ordinary_files(server: HlscamServer, archive: Path, camera: str) -> None:
    found = await _recordings(server, camera)
    assert len(found) > FIRST_RUN_RECORDINGS + SECOND_RUN_RECORDINGS
    for each in found:
        path = archive / "archive" / camera / each["name"]
        decoded, probed = await decode(path), await probe(path)
        assert decoded.errors == []
        assert decoded.frames == frames_of(archive, camera, [each["name"]])
        assert probed.duration_s is not None
        assert abs(probed.duration_s - each["duration_s"]) < 0.15
        assert abs(decoded.frames / RATE[camera] - each["duration_s"]) < 0.05
    assert all(each["end_reason"] in ("rolled", "stopped") for each in found)


@pytest.mark.parametrize("camera", list(RATE))
async def test_ffmpeg_reads_every_picture_of_a_run(server: HlscamServer, archive: Path, camera: str) -> None:
    first = (await runs(server, camera))[0]
    names = [each["name"] for each in await _recordings(server, camera) if each["start"] < first.end]
    decoded = await decode(server.url(f"hls/{camera}/timeline.m3u8?{first.query}"))
    assert decoded.errors == []
    assert decoded.frames == frames_of(archive, camera, names)


@pytest.mark.parametrize("camera", list(RATE))
async def test_ffmpeg_reads_on_over_a_hole(server: HlscamServer, archive: Path, camera: str) -> None:
    both = await runs(server, camera)
    names = [each["name"] for each in await _recordings(server, camera)]
    read = await packets(server.url(f"hls/{camera}/timeline.m3u8?from={both[0].start}&to={both[-1].end}"))
    assert len(read) == frames_of(archive, camera, names)


async def _play_fast(server: HlscamServer, playlist: str, *, ended: str = "record.ended") -> dict[str, Any]:
    """Play a finished playlist to its end in hls.js, four times as fast; what the player saw."""
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.goto(host.player_url(server.url(playlist)))
        await tab.wait_for("() => window.look().readyState >= 3")
        await tab.page.evaluate("window.video.playbackRate = 4")
        await tab.wait_for(f"() => window.{ended}", timeout_s=60)
        tab.assert_quiet()
        return await tab.look()


async def test_hls_js_plays_a_run_as_one_timeline(server: HlscamServer) -> None:
    """Over every change of file: no discontinuity, no stall, nothing skipped."""
    first = (await runs(server, "avc"))[0]
    look = await _play_fast(server, f"hls/avc/timeline.m3u8?{first.query}")
    assert look["errors"] == []
    assert look["stalls"] == []
    assert {frag["cc"] for frag in look["frags"]} == {0}
    numbers = [frag["sn"] for frag in look["frags"]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(look["buffered"]) == 1


async def test_hls_js_plays_on_over_a_hole(server: HlscamServer) -> None:
    """One discontinuity, where program date time jumps, and an EXT-X-DATERANGE that it does not stumble over."""
    both = await runs(server, "avc")
    playlist = f"hls/avc/timeline.m3u8?from={both[0].start}&to={both[-1].end}"
    assert 'X-REASON="stopped"' in await server.text(playlist)
    look = await _play_fast(server, playlist)
    assert not [error for error in look["errors"] if error["fatal"]]
    assert len({frag["cc"] for frag in look["frags"]}) == len(both)
    dates = [frag["programDateTimeMs"] for frag in look["frags"]]
    hole_ms = (datetime.fromisoformat(both[1].start) - datetime.fromisoformat(both[0].end)).total_seconds() * 1000
    assert max(after - before for before, after in pairwise(dates)) > hole_ms


async def test_hls_js_plays_on_over_what_retention_removed(archive: Path, tmp_path: Path) -> None:
    """From a recording that is protected, whose neighbours are gone, through all that is left, to its last segment.

    The sound that belongs to the last two pictures is in the next recording, which is gone. hls.js seeks over the hole
    in its buffer that this leaves, and never tells the end of a playlist after one of 0.1 s or less.
    """
    shutil.copytree(archive / "archive", tmp_path / "archive")
    for path in sorted((tmp_path / "archive" / "avc").glob("*.mp4"))[1:3]:
        path.unlink()
    async with HlscamServer(tmp_path, CAMERAS.format(enabled="false")) as server:
        kept, after, *_ = await _recordings(server, "avc")
        playlist = f"hls/avc/timeline.m3u8?from={kept['start']}"
        look = await _play_fast(server, playlist, ended="video.currentTime > window.video.duration - 0.5")
    assert not [error for error in look["errors"] if error["fatal"]]
    numbers = [int(Path(frag["url"]).stem) for frag in look["frags"]]
    first, behind = kept["first_media_sequence"], after["first_media_sequence"]
    before = [number for number in numbers if number < behind]
    assert before == list(range(first, first + len(before)))
    assert behind in numbers
    assert behind - before[-1] > 6
    assert numbers[-1] > behind + 6


async def test_vlc_plays_on_over_a_hole(server: HlscamServer) -> None:
    """From 4 s before the end of the first run: VLC must show more pictures than were left of it."""
    both = await runs(server, "avc")
    start = datetime.fromisoformat(both[0].end) - timedelta(seconds=4)
    moment = start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    async with Vlc(server.url(f"hls/avc/timeline.m3u8?from={moment}&to={both[-1].end}")) as vlc:
        stats = await vlc.playing(displayed=25 * 9, timeout_s=60)
    assert stats.audio_played > 0


async def test_a_player_given_only_a_time_starts_there_and_goes_on(archive: Path, tmp_path: Path) -> None:
    """An open timeline of a recording camera: begins at `from`, and later lists what did not exist at first."""
    shutil.copytree(archive / "archive", tmp_path / "archive")
    async with HlscamServer(tmp_path, CAMERAS.format(enabled="true")) as server:
        last = (await runs(server, "avc"))[-1]
        async with MediaServer(tmp_path) as host, open_tab() as tab:
            await tab.page.goto(host.player_url(server.url(f"hls/avc/timeline.m3u8?from={last.start}")))
            await tab.wait_for("() => window.record.levelsLoaded.length > 0")
            listed = (await tab.look())["levelsLoaded"][0]["endSN"]
            await tab.page.evaluate("window.video.playbackRate = 4")
            await tab.wait_for(f"() => window.record.frags.some(frag => frag.sn > {listed})", timeout_s=60)
            look = await tab.look()
    first_ms = datetime.fromisoformat(last.start).timestamp() * 1000
    assert abs(look["frags"][0]["programDateTimeMs"] - first_ms) < 1500
    assert not [error for error in look["errors"] if error["fatal"]]


async def test_vlc_given_only_a_time_starts_there(server: HlscamServer) -> None:
    """`index.m3u8?from=` begins at `from` in players that join whatever has no end at its end."""
    first = (await runs(server, "avc"))[0]
    async with Vlc(server.url(f"hls/avc/index.m3u8?from={first.start}")) as vlc:
        await vlc.playing(displayed=10, timeout_s=40)
        shown_ms = await until(lambda: _shown_ms(vlc), "a readable clock in VLC's picture")
    first_ms = datetime.fromisoformat(first.start).timestamp() * 1000
    assert abs(shown_ms - first_ms) < 5_000


async def _shown_ms(vlc: Vlc) -> int | None:
    return (await vlc.picture()).clock_ms()
