"""The parts of the load benchmarks: what they count is what a real server did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bench.lean_client import LeanConnection
from tests.bench.ll_hls_viewers import lateness_ms
from tests.bench.on_disk import DiskWatch, last_fragment_key
from tests.bench.viewers import listed_parts, next_position
from tests.rig.hlscam_server import HlscamServer
from tests.rig.waiting import until

SETTINGS = """
archive: {path: ./archive, recording_minutes: 0.1}
cameras: {c: {source: "test:?size=128x96&rate=15&gop_s=1"}}
"""
PLAYLIST = """\
#EXT-X-PART:DURATION=0.5,URI="9.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.5,URI="9.1.m4s"
#EXTINF:1,
9.m4s
#EXT-X-PART:DURATION=0.5,INDEPENDENT=YES,URI="/hls/c/10.0.m4s"
"""


async def test_a_delivered_segment_is_known_by_what_was_seen_on_disk(tmp_path: Path) -> None:
    """Over a change of recording, since a benchmark may well see one."""
    async with HlscamServer(tmp_path, SETTINGS) as server:
        disk = DiskWatch(tmp_path / "archive" / "c")
        following = asyncio.create_task(disk.follow())
        connection = await LeanConnection.open("127.0.0.1", server.port)

        async def two_recordings() -> bool:
            return len(list((tmp_path / "archive" / "c").glob("*.mp4"))) > 1

        await until(two_recordings, "another recording")
        playlist = (await connection.get("/hls/c/live.m3u8")).body.decode()
        names = [line for line in playlist.splitlines() if line.endswith(".m4s")]
        answers = [await connection.get(f"/hls/c/{name}") for name in names]
        nothing = await connection.get("/hls/nobody/live.m3u8")
        keys = [last_fragment_key(answer.body) for answer in answers]

        async def all_seen() -> bool:
            return set(keys) <= set(disk.times)

        await until(all_seen, "every fragment is seen on disk")
        connection.close()
        with pytest.raises(ConnectionError):
            await connection.get("/")
        following.cancel()
    assert nothing.status == 404
    assert nothing.body.startswith(b"{")
    assert [answer.status for answer in answers] == [200] * len(names)
    arrivals = {key: [answer.arrived_s] for key, answer in zip(keys, answers, strict=True)}
    late = lateness_ms(arrivals | {"of another server": [1.0]}, disk.times)
    assert len(late) == len(names)
    assert min(late) > 0


def test_what_is_no_fragment_has_no_name() -> None:
    assert last_fragment_key(b"") == last_fragment_key(b"\0\0\0\x08free") == last_fragment_key(b"\0\0") == ""


def test_parts_of_a_playlist() -> None:
    assert listed_parts(PLAYLIST) == [((9, 0), "9.0.m4s"), ((9, 1), "9.1.m4s"), ((10, 0), "/hls/c/10.0.m4s")]
    assert next_position(PLAYLIST) == (10, 1)
    assert next_position(PLAYLIST + '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="11.0.m4s"\n') == (11, 0)
    with pytest.raises(ValueError, match="no parts"):
        next_position("#EXTM3U")
