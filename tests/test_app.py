"""The whole server: composed, running, stopped in order, killed, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest
from aiohttp import web

from hlscam.adapters.catalog.store import Catalog
from hlscam.app import running_reader, running_server
from hlscam.domain.config import CameraConfig, Config, RetentionConfig
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.source import FileSource
from hlscam.errors import ArchiveError, ConfigError, HlscamError
from hlscam.server.application import make_application
from hlscam.server.page_files import PageFiles
from hlscam.server.services import Services
from hlscam.services.live import LiveStream
from tests.rig.child import Child
from tests.rig.ffmpeg_tools import make_noise
from tests.rig.paths import REPOSITORY
from tests.rig.playlist_lint import read_m3u8
from tests.rig.small_disk import MB, SmallDisk
from tests.rig.waiting import until
from tests.services.studio import CLOSED_BY_FFMPEG, FINISHED_BY_US, PATTERN, box_types, ffmpegs

HLSCAM = [sys.executable, "-m", "hlscam"]


def configuration(folder: Path) -> None:
    (folder / "hlscam.yaml").write_text(
        "server: {port: 0}\narchive: {path: archive, recording_minutes: 60}\n"
        "hls: {segment_duration_s: 0.5, part_duration_s: 0.25}\n"
        f'cameras:\n  porch: {{source: "{PATTERN}"}}\n'
    )


@asynccontextmanager
async def served(folder: Path, *arguments: str) -> AsyncIterator[tuple[Child, str]]:
    """`hlscam run` as a process, and the URL that it printed."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    child = await Child.start([*HLSCAM, "run", *arguments], folder=folder, env=env)
    try:
        yield child, await announced(child)
    finally:
        await child.kill()


async def announced(child: Child) -> str:
    while True:
        line = await child.line(timeout_s=30)
        if "hlscam is ready: open " in line:
            return line.split("open ")[1].strip()


async def live(url: str) -> m3u8.M3U8:
    async with aiohttp.ClientSession() as session, session.get(f"{url}hls/porch/live.m3u8") as answer:
        assert answer.status == 200, await answer.text()
        return read_m3u8(await answer.text())


async def listed(url: str, count: int) -> dict[int, tuple[bytes, str]]:
    """(bytes, program date time) of at least so many live segments, by number."""

    async def enough() -> m3u8.M3U8 | None:
        playlist = await live(url)
        return playlist if len(playlist.segments) >= count else None

    playlist = await until(enough, f"{count} segments are listed")
    assert playlist is not None
    found: dict[int, tuple[bytes, str]] = {}
    async with aiohttp.ClientSession() as session:
        for segment in playlist.segments:
            async with session.get(f"{url}hls/porch/{segment.uri}") as answer:
                assert answer.status == 200
                number = int(str(segment.uri).partition(".")[0])
                found[number] = (await answer.read(), segment.current_program_date_time.isoformat())
    return found


async def rows_of(folder: Path) -> list[Recording]:
    catalog = await Catalog.open(f"sqlite:///{folder / 'archive' / 'catalog.sqlite3'}")
    try:
        return await catalog.recordings("porch")
    finally:
        await catalog.close()


def exists(pid: int) -> bool:
    """Whether there is such a process, were it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_life(tmp_path: Path) -> None:
    """Killed while it records, started again, stopped in order: numbers go on, and nothing that was listed changes."""
    configuration(tmp_path)
    async with served(tmp_path) as (child, url):
        before = await listed(url, 2)
        workers = ffmpegs(tmp_path / "archive" / "porch")
        child.signal(signal.SIGKILL)

        async def are_gone() -> bool:
            return not any(exists(pid) for pid in workers)

        await until(are_gone, "its ffmpeg has died with it")
    assert len(workers) == 1
    async with served(tmp_path) as (child, url):
        after = await listed(url, len(before) + 1)
        playlist = await live(url)
        workers = ffmpegs(tmp_path / "archive" / "porch")
        child.signal(signal.SIGINT)
        child.signal(signal.SIGINT)  # as `timeout` does
        assert await child.ended() == 0
        assert "was never closed: kept " in child.log_text()
        assert child.log_text().rstrip().endswith("stopped")
    assert not any(exists(pid) for pid in workers)
    assert {number: after[number] for number in before} == before
    assert sorted(after) == list(range(min(before), max(after) + 1))
    assert [each.discontinuity for each in playlist.segments].count(True) == 1
    rows = await rows_of(tmp_path)
    assert [row.end_reason for row in rows] == [EndReason.SERVER_CRASHED, EndReason.STOPPED]
    assert rows[1].first_media_sequence == rows[0].end_media_sequence
    types = [box_types(tmp_path / "archive" / "porch" / row.name) for row in rows]
    assert types == [FINISHED_BY_US, CLOSED_BY_FFMPEG]


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    configuration(tmp_path)
    async with served(tmp_path) as (child, _):
        for worker in ffmpegs(tmp_path / "archive" / "porch"):
            os.kill(worker, signal.SIGSTOP)  # it will not close its recording soon

        async def pressed() -> bool:
            child.signal(signal.SIGINT)
            return "stopped at once" in child.log_text()

        await until(pressed, "it has taken it for a second signal", every_s=0.2)
        assert await child.ended() == 130
        assert "stopped at once: recordings in progress are closed at the next start" in child.log_text()
        assert "Traceback" not in child.log_text()


def config_of(folder: Path, **server: Any) -> Config:
    return Config.model_validate(
        {
            "server": {"port": 0, **server},
            "archive": {"path": folder / "archive", "recording_minutes": 1 / 60},
            "hls": {"segment_duration_s": 0.5, "part_duration_s": 0.25},
            "cameras": {"porch": {"source": PATTERN}},
        }
    )


async def refused(config: Config) -> HlscamError:
    with pytest.raises(HlscamError) as caught:
        async with running_server(config):
            pass
    return caught.value


async def test_a_second_server_on_the_archive_is_refused(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    async with running_server(config) as server:
        assert server.url.startswith("http://127.0.0.1:")
        error = await refused(config)
    assert isinstance(error, ArchiveError)
    assert error.message == f"another hlscam is using the archive {tmp_path / 'archive'}"
    async with running_server(config):
        pass


async def test_a_port_in_use_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = await refused(config_of(tmp_path, port=port))
    assert isinstance(error, ConfigError)
    assert error.message.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "set server.port or --port" in error.hint
    assert ffmpegs(tmp_path / "archive" / "porch") == []


async def test_an_archive_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file")
    error = await refused(config_of(tmp_path))
    assert isinstance(error, ArchiveError)
    assert error.message == f"the archive folder {tmp_path / 'archive'} cannot be made: File exists"


async def test_one_unreadable_camera_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "porch").write_text("a file")
    config = config_of(tmp_path)
    cameras = {**config.cameras, "yard": config.cameras["porch"]}
    async with running_server(config.model_copy(update={"cameras": cameras})) as server:
        stream = server.services.live.stream("yard")
        while stream.newest is None:
            await stream.wait_changed()
        porch = server.notes("porch")
        assert porch is not None
        assert "cannot be written: File exists" in porch.status.last_error


async def test_a_server_that_starts_beside_a_recorder_answers_with_all_that_was_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a player of the server before it, who waits for what comes next: it answers nobody before it has looked."""
    config = config_of(tmp_path)
    config = config.model_copy(update={"archive": config.archive.model_copy(update={"recording_minutes": 60})})
    async with running_server(config) as server:
        stream = server.services.live.stream("porch")
        while stream.newest is None or len(stream.newest.segments) < 4:
            await stream.wait_changed()
        end = stream.newest.end_media_sequence
        page, known_when_it_answered = PageFiles(), list[int]()

        def application(services: Services, page: PageFiles) -> web.Application:
            newest = services.live.stream("porch").newest
            known_when_it_answered.append(newest.end_media_sequence if newest else 0)
            return make_application(services, page)

        monkeypatch.setattr("hlscam.app.make_application", application)
        monkeypatch.setattr("hlscam.app.PageFiles", lambda: page)  # it takes no time to read
        async with running_reader(config) as reader, aiohttp.ClientSession() as session:
            assert known_when_it_answered >= [end]
            async with session.get(f"{reader.url}hls/porch/live.m3u8?_HLS_msn={end}") as answer:
                assert answer.status == 200
                assert f"\n{end}.m4s" in await answer.text()


async def test_room_is_kept_and_a_full_disk_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """The oldest recordings go while it runs, and before it opens its catalog where another program left nothing."""
    camera = CameraConfig(source=FileSource(make_noise(tmp_path / "noise.mp4")))
    changes = {"retention": RetentionConfig(headroom_mb=3), "cameras": {"porch": camera}}
    with SmallDisk(tmp_path / "disk", size_mb=16) as disk:
        config = config_of(disk.folder).model_copy(update=changes)
        folder = disk.folder / "archive" / "porch"
        async with running_server(config) as server:
            stream = server.services.live.stream("porch")
            oldest = await first_of(stream)
            while disk.free_bytes > 9 * MB:
                await stream.wait_changed()
            disk.leave(3 * MB)
            while (folder / oldest.name).exists():
                await stream.wait_changed()
            assert {each.run for each in stream.recordings} == {oldest.run}
        disk.fill()
        before = sorted(path.name for path in folder.glob("*.mp4"))
        async with running_server(config) as server:
            stream = server.services.live.stream("porch")
            known = stream.newest
            assert known is not None
            assert known.name == before[-1]
            assert not (folder / before[0]).exists()
            disk.relieve()
            while stream.newest is None or stream.newest.run == known.run:
                await stream.wait_changed()
            assert stream.newest.first_media_sequence == known.end_media_sequence


async def first_of(stream: LiveStream) -> Recording:
    while stream.newest is None:
        await stream.wait_changed()
    return stream.newest


async def test_starting_and_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    config = config_of(tmp_path)
    async with running_server(config):
        pass
    before, tasks = descriptors(), asyncio.all_tasks()
    async with running_server(config) as server:
        stream = server.services.live.stream("porch")
        await stream.wait_changed()
    assert asyncio.all_tasks() == tasks
    assert descriptors() == before
    assert ffmpegs(tmp_path / "archive" / "porch") == []
