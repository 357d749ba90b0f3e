"""`hlscam record` and `hlscam serve`: one recorder, any number of servers, and neither needs the other to live."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import m3u8

from tests.rig.child import Child
from tests.rig.paths import REPOSITORY
from tests.rig.waiting import until
from tests.services.studio import ffmpegs
from tests.test_app import announced, configuration


@asynccontextmanager
async def running(folder: Path, command: str) -> AsyncIterator[Child]:
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    child = await Child.start([sys.executable, "-m", "hlscam", command], folder=folder, env=env)
    try:
        yield child
    finally:
        await child.kill()


async def playlist(session: aiohttp.ClientSession, url: str) -> m3u8.M3U8 | None:
    async with session.get(f"{url}hls/porch/timeline.m3u8?from=0") as answer:
        return m3u8.loads(await answer.text()) if answer.status == 200 else None


async def listed(session: aiohttp.ClientSession, url: str, count: int) -> dict[str, tuple[str, bytes]]:
    """(program date time, bytes) of so many segments by URI, once they are listed."""

    async def enough() -> m3u8.M3U8 | None:
        found = await playlist(session, url)
        return found if found and len(found.segments) >= count else None

    found: dict[str, tuple[str, bytes]] = {}
    for segment in (await until(enough, f"{count} segments are listed")).segments:
        async with session.get(f"{url}hls/porch/{segment.uri}") as answer:
            assert answer.status == 200
            found[segment.uri] = segment.current_program_date_time.isoformat(), await answer.read()
    return found


async def camera(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(f"{url}api/v1/cameras/porch") as answer:
        told: dict[str, Any] = await answer.json()
        return told


def agree(one: dict[str, tuple[str, bytes]], other: dict[str, tuple[str, bytes]]) -> bool:
    """Whether two servers say the same of what both list."""
    both = one.keys() & other.keys()
    return bool(both) and all(one[uri] == other[uri] for uri in both)


async def test_servers_come_and_go_while_recording_goes_on(tmp_path: Path) -> None:
    configuration(tmp_path)
    async with running(tmp_path, "record") as recorder, aiohttp.ClientSession() as session:
        async with running(tmp_path, "serve") as first, running(tmp_path, "serve") as second:
            url, other_url = await announced(first), await announced(second)
            before = await listed(session, url, 3)
            workers = ffmpegs(tmp_path / "archive" / "porch")
            assert agree(before, await listed(session, other_url, 3))
            first.signal(signal.SIGTERM)
            assert await first.ended() == 0
            second.signal(signal.SIGKILL)
        async with running(tmp_path, "serve") as third:
            url = await announced(third)
            after = await listed(session, url, len(before) + 3)
            assert {uri: after[uri] for uri in before} == before
            whole = await playlist(session, url)
            assert whole is not None
            assert [each.discontinuity for each in whole.segments].count(True) == 0
            assert ffmpegs(tmp_path / "archive" / "porch") == workers
            assert (await camera(session, url))["state"] == "recording"
            recorder.signal(signal.SIGTERM)
            assert await recorder.ended() == 0

            async def is_stopped() -> bool:
                return bool((await camera(session, url))["state"] == "stopped")

            await until(is_stopped, "the server tells that nothing is recorded")
            kept = await listed(session, url, len(after))
            assert {uri: kept[uri] for uri in after} == after


async def test_a_server_follows_a_recorder_that_is_killed_and_started_again(tmp_path: Path) -> None:
    configuration(tmp_path)
    async with running(tmp_path, "serve") as server, aiohttp.ClientSession() as session:
        async with running(tmp_path, "record"):
            url = await announced(server)
            before = await listed(session, url, 3)
        await _none_left(tmp_path)
        async with running(tmp_path, "record"):

            async def goes_on() -> m3u8.M3U8 | None:
                found = await playlist(session, url)
                return found if found and any(each.discontinuity for each in found.segments) else None

            whole = await until(goes_on, "the server lists the next run")
            numbers = [int(each.uri.partition(".")[0]) for each in whole.segments]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            after = await listed(session, url, len(numbers))
            assert {uri: after[uri] for uri in before} == before


async def _none_left(folder: Path) -> None:
    async def is_gone() -> bool:
        return not ffmpegs(folder / "archive" / "porch")

    await until(is_gone, "the recorder's ffmpeg has died with it")
