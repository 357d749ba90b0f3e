"""Watching over WebSocket: every fragment once and in order, from the archive and live, whatever client and camera do.

What is sent is compared with what HLS serves: a segment's fragments, end to end, are the segment.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from hlscam.adapters.listener import open_listeners
from hlscam.app import Server, running_server
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.camera_state import CameraState
from hlscam.domain.recording import EndReason
from hlscam.isobmff.init_section import read_init_section
from hlscam.units import US_PER_S
from tests.rig.waiting import until
from tests.server.serving import (
    CAMERA,
    ENOUGH_S,
    HOLE_S,
    LaterClock,
    Serve,
    Serving,
    at,
    make_config,
    noted,
    until_changed,
)

MOST_S = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, and the bytes that belong to it."""

    fields: dict[str, Any]
    data: bytes = field(default=b"", repr=False)

    @property
    def kind(self) -> str:
        return str(self.fields["type"])

    @property
    def position(self) -> tuple[int, int]:
        number, _, part = self.fields["position"].partition(".")
        return int(number), int(part)


@dataclass(frozen=True, slots=True)
class Watcher:
    """A client of `/ws`."""

    socket: aiohttp.ClientWebSocketResponse

    async def next(self) -> Sent:
        message = await self.socket.receive(timeout=MOST_S)
        assert message.type is WSMsgType.TEXT, message
        fields = json.loads(message.data)
        if fields["type"] in ("init", "fragment"):
            return Sent(fields, await self.socket.receive_bytes(timeout=MOST_S))
        return Sent(fields)

    async def until(self, kind: str, **wanted: Any) -> list[Sent]:
        """All messages up to the first of this kind, and with these fields."""
        seen: list[Sent] = []
        while not seen or seen[-1].kind != kind or any(seen[-1].fields[name] != wanted[name] for name in wanted):
            seen.append(await self.next())
        return seen

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))

    async def due(self) -> list[Sent]:
        """All that the server has to send by now: until a ping is answered with nothing else before it.

        The first answer may come before the server has looked at what there is.
        """
        seen: list[Sent] = []
        pings = 0
        while True:
            await self.say("ping", id=pings)
            more = await self.until("pong", id=pings)
            seen += [each for each in more if each.kind != "pong"]
            pings += 1
            if len(more) == 1 and pings > 1:
                return seen


@asynccontextmanager
async def watching(serving: Serving, query: str = "", **headers: str) -> AsyncIterator[Watcher]:
    """Connected to `/ws/gate`."""
    async with serving.client.ws_connect(f"/ws/{CAMERA}{query}", headers=headers) as opened:
        yield Watcher(opened)


def fragments(sent: list[Sent]) -> list[Sent]:
    return [each for each in sent if each.kind == "fragment"]


def of_segments(sent: list[Sent]) -> dict[int, bytes]:
    """The bytes of each segment."""
    segments: dict[int, bytes] = {}
    for each in fragments(sent):
        number = each.position[0]
        segments[number] = segments.get(number, b"") + each.data
    return segments


async def all_of(serving: Serving) -> list[Sent]:
    """Everything there is, sent at once."""
    async with watching(serving, f"?after={serving.first_number}.0") as watcher:
        return await watcher.due()


def time_of(wall_us: int) -> float:
    return wall_us / US_PER_S


async def test_live_begins_with_what_a_player_has_to_know(serving: Serving) -> None:
    async with watching(serving) as watcher:
        hello, init, first = [await watcher.next() for _ in range(3)]
    media = serving.recordings[-1].media
    assert hello.kind == "hello"
    assert hello.fields["camera"] == CAMERA
    assert hello.fields["codecs"] == f'video/mp4; codecs="{media.video_codec},{media.audio_codec}"'
    assert hello.fields["server_time"] == time_of(serving.clock.wall_us())
    assert hello.fields["time"] == time_of(serving.last_us)
    assert (hello.fields["target_duration_s"], hello.fields["part_duration_s"]) == (1, 0.3)
    assert (hello.fields["state"], hello.fields["error"]) == ("stopped", None)
    assert (init.kind, init.fields["codecs"]) == ("init", hello.fields["codecs"])
    answer = await serving.ask(f"/hls/gate/init-{init.fields['hash']}.mp4")
    assert init.data == answer.body
    # The newest there is: the last segment, from its sync sample on.
    assert first.position == (serving.last_number, 0)
    assert first.fields["independent"]


async def test_a_camera_without_footage_says_hello(serving: Serving) -> None:
    async with serving.client.ws_connect("/ws/shed") as opened:
        watcher = Watcher(opened)
        hello = (await watcher.next()).fields
        assert await watcher.due() == []
    assert (hello["codecs"], hello["position"], hello["time"]) == (None, None, None)


async def test_the_archive_is_sent_fragment_by_fragment_across_recordings_and_runs(serving: Serving) -> None:
    async with watching(serving, f"?from={at(serving.first_us)}") as watcher:
        seen = await watcher.due()
        serving.clock.advance(60)
        seen += await watcher.due()
    segments = of_segments(seen)
    assert list(segments) == list(range(serving.first_number, serving.last_number + 1))
    init_of_run: dict[str, bytes] = {}
    for recording in serving.recordings:
        init_of_run[recording.run] = (await serving.ask(f"/hls/gate/init-{recording.init_hash}.mp4")).body
        for number in range(
            max(recording.first_media_sequence, serving.first_number + 1), recording.end_media_sequence
        ):
            body = (await serving.ask(f"/hls/gate/{number}.m4s")).body
            begins_run = recording.starts_run and number == recording.first_media_sequence
            assert segments[number] == body[len(init_of_run[recording.run]) if begins_run else 0 :]
    positions = [each.position for each in fragments(seen)]
    assert positions == sorted(set(positions))


async def test_media_time_runs_on_within_a_run_and_wall_time_over_the_hole(serving: Serving) -> None:
    seen = [each for each in await all_of(serving) if each.kind in ("init", "fragment", "gap")]
    left_us, entered_us = serving.hole_us
    (gap,) = (each for each in seen if each.kind == "gap")
    assert gap.fields == {
        "type": "gap",
        "start": time_of(left_us),
        "end": time_of(entered_us),
        "reason": "stopped",
        "message": "The server was stopped.",
    }
    at_gap = seen.index(gap)
    first_run, second_run = seen[:at_gap], seen[at_gap + 1 :]
    for each_run, discontinuity in ((first_run, 0), (second_run, 1)):
        (init,) = (each for each in each_run if each.kind == "init")
        assert init is each_run[0]
        assert init.fields["discontinuity_sequence"] == discontinuity
        for before, after in pairwise(each_run[1:]):
            step_s = after.fields["start_s"] - before.fields["start_s"]
            assert step_s == pytest.approx(before.fields["duration_s"], abs=1e-5)
            assert after.fields["time"] - before.fields["time"] == pytest.approx(step_s, abs=0.01)
    assert second_run[1].fields["time"] == time_of(entered_us)
    assert second_run[1].fields["independent"]


async def test_resume_is_exact_to_the_fragment(serving: Serving) -> None:
    """After each position comes the very next one: within a segment, a recording and a run, and behind them."""
    expected = fragments(await all_of(serving))
    for before, after in pairwise(expected):
        async with watching(serving, f"?after={before.fields['position']}") as watcher:
            first = fragments(await watcher.until("fragment"))[0]
        assert first == after


async def test_resume_as_a_message_answers_with_its_id(serving: Serving) -> None:
    async with watching(serving) as watcher:
        await watcher.due()
        await watcher.say("resume", after=f"{serving.first_number}.0", id="back")
        init, first = await watcher.next(), await watcher.next()
    assert (init.kind, init.fields["id"]) == ("init", "back")
    assert first.position == (serving.first_number, 1)


async def test_who_has_all_there_is_waits(serving: Serving) -> None:
    async with watching(serving, f"?after={serving.last_number}.9") as watcher:
        assert (await watcher.next()).kind == "hello"
        assert await watcher.due() == []


async def test_seek_begins_with_the_sync_sample_before_the_moment(serving: Serving) -> None:
    second = serving.recordings[1]
    async with watching(serving) as watcher:
        await watcher.due()
        await watcher.say("seek", time=time_of(second.start_wall_us + 700_000), id=7)
        init, first = (await watcher.until("init", id=7))[-1], await watcher.next()
        assert init.fields["discontinuity_sequence"] == 0
        assert first.position == (second.first_media_sequence, 0)
        assert first.fields["time"] == time_of(second.start_wall_us)
        await watcher.due()
        await watcher.say("seek", time=at(second.start_wall_us), id=8)
        await watcher.until("init", id=8)
        assert (await watcher.next()) == first


async def test_seek_into_the_hole_begins_behind_it_and_into_the_end_is_live(serving: Serving) -> None:
    left_us, entered_us = serving.hole_us
    async with watching(serving, f"?from={at(left_us + US_PER_S)}") as watcher:
        await watcher.until("init")
        assert (await watcher.next()).fields["time"] == time_of(entered_us)
        for wish in ({"time": time_of(serving.last_us + 5 * US_PER_S)}, {"live": True}):
            await watcher.due()
            await watcher.say("seek", **wish, id="end")
            await watcher.until("init", id="end")
            assert (await watcher.next()).position == (serving.last_number, 0)


async def test_past_is_sent_at_the_pace_of_real_time_and_a_little_ahead(serving: Serving) -> None:
    async with watching(serving) as watcher:
        await watcher.say("seek", time=time_of(serving.first_us), ahead_s=1, id=1)
        await watcher.until("init", id=1)
        sent = fragments(await watcher.due())
        assert 1 < duration_s(sent) <= 1.6
        for mark in (3, 4, 5):
            serving.clock.advance(1)
            sent += fragments(await watcher.due())
            assert mark - 1 < duration_s(sent) <= mark - 1 + 0.6
    assert [each.position for each in sent] == sorted({each.position for each in sent})


def duration_s(sent: list[Sent]) -> float:
    return sum(float(each.fields["duration_s"]) for each in sent)


async def test_pause_sends_nothing_and_play_goes_on_with_the_very_next(serving: Serving) -> None:
    async with watching(serving) as watcher:
        await watcher.say("seek", time=time_of(serving.first_us), ahead_s=0.5, id=1)
        await watcher.until("init", id=1)
        before = fragments(await watcher.due())
        await watcher.say("pause")
        assert fragments(await watcher.due()) == []
        serving.clock.advance(60)
        assert fragments(await watcher.due()) == []
        await watcher.say("play")
        assert fragments(await watcher.due()) == []  # the minute was not played
        serving.clock.advance(1)
        after = fragments(await watcher.due())
    positions = [each.position for each in [*before, *after]]
    assert len(after) >= 1
    expected = [(serving.first_number, 0), *(each.position for each in fragments(await all_of(serving)))]
    assert positions == expected[: len(positions)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"resume"', "{}", '{"type":"stop"}', '{"type":"resume"}', '{"type":"resume","after":4711}',
     '{"type":"resume","after":"4711"}', '{"type":"seek"}', '{"type":"seek","time":true}', '{"type":"seek","time":NaN}',
     '{"type":"seek","time":"noon"}', '{"type":"seek","time":1e300}', '{"type":"seek","live":true,"ahead_s":0}',
     '{"type":"ping","id":[]}', '{"type":"ping","id":NaN}', '{"type":"ping","id":1e999}',
     '{"type":"seek","time":1%s}' % ("0" * 400), "[" * 2000],
)  # fmt: skip
async def test_what_is_not_understood_is_told_and_changes_nothing(serving: Serving, text: str) -> None:
    async with watching(serving) as watcher:
        await watcher.due()
        await watcher.socket.send_str(text)
        error = await watcher.next()
        assert error.kind == "error"
        assert error.fields["message"]
        assert await watcher.due() == []


async def test_a_wish_that_cannot_be_granted_is_told_with_its_id(serving: Serving) -> None:
    async with watching(serving) as watcher:
        await watcher.due()
        await watcher.say("seek", time=time_of(serving.clock.wall_us() + 3600 * US_PER_S), id=1)
        await watcher.say("ping", id=0)
        assert (await watcher.until("error"))[-1].fields["id"] == 1
        await watcher.say("resume", after=f"{serving.last_number + 1000}.0", id=2)
        assert (await watcher.until("error"))[-1].fields["id"] == 2
        await watcher.socket.send_bytes(b"1")
        assert (await watcher.next()).kind == "error"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ws/nobody", 404), ("/ws/gate?after=1", 400), ("/ws/gate?from=noon", 400), ("/ws/gate?after=1.1&from=1", 400)],
)
async def test_what_cannot_be_watched_is_refused(serving: Serving, path: str, status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await serving.client.ws_connect(path)
    assert refusal.value.status == status


async def test_without_websocket_it_says_so(serving: Serving) -> None:
    answer = await serving.ask("/ws/gate")
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


@pytest.mark.parametrize(
    "origin", ["https://example.org", "null", "http://192.168.1.20", "http://127.0.0.1@example.org", "http://[::1"]
)
async def test_foreign_pages_must_not_watch(serving: Serving, origin: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await serving.client.ws_connect("/ws/gate", headers={"Origin": origin})
    assert refusal.value.status == 403


async def test_pages_of_this_server_and_allowed_ones_watch(serve: Serve, archive_folder: Path) -> None:
    serving = await serve(make_config(archive_folder, cors_origins=["https://home.example.org"]))
    allowed = [
        {"Origin": "https://home.example.org"},
        {"Origin": "http://localhost:5173"},
        {"Origin": "http://cams.lan:8080", "Host": "cams.lan:8080"},
        {"Origin": "https://cams.example.org", "X-Forwarded-Host": "cams.example.org"},
    ]
    for headers in allowed:
        async with watching(serving, **headers) as watcher:
            assert (await watcher.next()).kind == "hello"


async def test_what_becomes_of_the_camera_is_told(serve: Serve, archive_folder: Path) -> None:
    notes = [noted(CameraState.RECORDING, since_wall_us=US_PER_S)]

    def current(_: str) -> CameraNotes:
        return notes[-1]

    serving = await serve(make_config(archive_folder), notes=current)
    async with watching(serving) as watcher:
        hello = await watcher.next()
        assert (hello.fields["state"], hello.fields["since"]) == ("recording", 1)
        await watcher.due()
        await serving.clock.wait_sleeping()
        notes.append(noted(CameraState.WAITING, 2 * US_PER_S, "no route to host", gap_reason=EndReason.UNREACHABLE))
        serving.clock.advance(1)
        state, gap = sorted([await watcher.next(), await watcher.next()], key=lambda each: each.kind, reverse=True)
        assert state.fields == {"type": "state", "state": "waiting", "since": 2, "error": "no route to host"}
        assert (gap.kind, gap.fields["start"]) == ("gap", time_of(serving.last_us))
        assert (gap.fields["end"], gap.fields["reason"]) == (None, "unreachable")
        assert await watcher.due() == []  # it is told once


async def test_what_retention_removed_is_stepped_over(serve: Serve, own_folder: Path) -> None:
    serving = await serve(make_config(own_folder))
    first, second, third = serving.recordings[:3]
    await serving.remove(second)
    async with watching(serving, f"?after={first.end_media_sequence - 1}.9") as watcher:
        seen = await watcher.until("fragment")
        assert seen[-1].position == (third.first_media_sequence, 0)
    async with watching(serving, f"?after={second.first_media_sequence}.0") as watcher:
        assert fragments(await watcher.until("fragment"))[0].position == (third.first_media_sequence, 0)


async def test_a_file_that_somebody_removed_is_stepped_over(serve: Serve, own_folder: Path) -> None:
    """The catalog has its row until the next start."""
    serving = await serve(make_config(own_folder))
    first, second, third = serving.recordings[:3]
    serving.services.archive.path(CAMERA, second.name).unlink()
    async with watching(serving, f"?after={first.end_media_sequence - 1}.9") as watcher:
        assert (await watcher.until("fragment"))[-1].position == (third.first_media_sequence, 0)
        await watcher.say("seek", time=time_of(second.start_wall_us), id=1)
        assert (await watcher.until("error"))[-1].fields["id"] == 1
        assert (await watcher.due())[-1:] != []  # and goes on as it was


async def test_where_the_live_edge_has_no_sync_sample_an_older_segment_has(serve: Serve, long_gop_folder: Path) -> None:
    """Its GOP is longer than what is kept of parts: live begins at a sync sample, and so does any moment just now."""
    serving = await serve(make_config(long_gop_folder))
    recording = serving.recordings[-1]
    begun = [index for index, is_independent in enumerate(recording.segments.independents) if is_independent]
    assert begun[-1] < len(recording.segments) - 1, "the last segment begins without a sync sample"
    edge = await serving.services.footage.parts(CAMERA, serving.last_number)
    init = read_init_section(await serving.services.footage.init_section(recording.init_hash))
    serving.services.live.stream(CAMERA).publish(recording, init, edge)
    sync = (recording.first_media_sequence + begun[-1], 0)
    for query in ("", f"?from={at(edge[0].wall_us)}", f"?from={at(edge[-1].wall_us)}"):
        async with watching(serving, query) as watcher:
            first = (await watcher.until("fragment"))[-1]
            assert (first.position, first.fields["independent"]) == (sync, True)


def small_listener() -> socket.socket:
    """A listening socket whose connections hold next to nothing that was sent and not taken."""
    (listener,) = open_listeners("127.0.0.1", 0, {})
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return listener


@asynccontextmanager
async def recording(archive_folder: Path, folder: Path) -> AsyncIterator[Server]:
    """A server that records on, behind a copy of the archive."""
    shutil.copytree(archive_folder, folder)
    config = make_config(folder, recording_s=6)
    async with running_server(config, [small_listener()], clock=LaterClock(2 * HOLE_S)) as server:
        stream = server.services.live.stream(CAMERA)
        async with asyncio.timeout(ENOUGH_S):
            while not stream.parts:
                await stream.wait_changed()
        yield server


@asynccontextmanager
async def live(server: Server, query: str = "") -> AsyncIterator[Watcher]:
    url = f"{server.url}ws/{CAMERA}{query}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as opened:
        yield Watcher(opened)


async def test_live_goes_on_fragment_by_fragment_whoever_else_watches(archive_folder: Path, tmp_path: Path) -> None:
    """One server for all that is live: what it sends is what it serves, resumed or not, however slow others are.

    One of them takes nothing until the end, and does not keep the server from it.
    """
    async with recording(archive_folder, tmp_path / "archive") as server:
        reader, writer = await _deaf_client(server)
        seen = await _watch_live(server)
        await _come_back(server, seen)
        await _from_the_past(server)
        await _hear_at_last(server, reader, writer)
        await _vanish(server)
        session = aiohttp.ClientSession()
        last = Watcher(await session.ws_connect(f"{server.url}ws/{CAMERA}"))
        await last.until("fragment")
        leaving = asyncio.create_task(_until_closed(last))
        _, writer = await _deaf_client(server)
        newest = server.services.live.stream(CAMERA).parts[-1].media_sequence
        await until_changed(
            server.services.live.stream(CAMERA),
            lambda: server.services.live.stream(CAMERA).parts[-1].media_sequence > newest + 3,
        )
    assert await leaving == aiohttp.WSCloseCode.GOING_AWAY
    await session.close()
    writer.transport.abort()


async def _watch_live(server: Server) -> list[Sent]:
    """From the newest sync sample on, each fragment follows the one before, over a new recording too."""
    async with live(server) as watcher:
        seen = await watcher.until("fragment")
        assert seen[-1].fields["independent"]
        while len(of_segments(seen)) < 8:
            seen.append(await watcher.next())
    assert {each.kind for each in seen[3:]} == {"fragment"}
    for before, after in pairwise(each.position for each in fragments(seen)):
        assert after in ((before[0], before[1] + 1), (before[0] + 1, 0))
    async with aiohttp.ClientSession() as session:
        for each, data in list(of_segments(seen).items())[:-1]:
            async with session.get(f"{server.url}hls/{CAMERA}/{each}.m4s") as response:
                assert (await response.read()).endswith(data)
    return seen


async def _come_back(server: Server, seen: list[Sent]) -> None:
    before, after = fragments(seen)[-2:]
    async with live(server, f"?after={before.fields['position']}") as watcher:
        assert fragments(await watcher.until("fragment"))[0] == after


async def _from_the_past(server: Server) -> None:
    """The whole archive, its holes, and on into what is recorded meanwhile."""
    first = (await server.services.footage.recordings(CAMERA, limit=1))[0].first_media_sequence
    newest = server.services.live.stream(CAMERA).parts[-1].media_sequence
    async with live(server, f"?after={first}.0") as watcher:
        seen = [await watcher.next()]
        while newest + 2 not in of_segments(seen):
            seen.append(await watcher.next())
    assert list(of_segments(seen)) == list(range(first, newest + 3))
    positions = [each.position for each in fragments(seen)]
    assert positions == sorted(set(positions))
    assert [each.fields["discontinuity_sequence"] for each in seen if each.kind == "init"] == [0, 1, 2]
    assert [each.fields["reason"] for each in seen if each.kind == "gap"] == ["stopped", "stopped"]


async def _deaf_client(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """One that asks for live and takes nothing."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    writer.write(
        f"GET /ws/{CAMERA} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """(opcode, payload) of a server's frame (RFC 6455 5.2)."""
    head = await reader.readexactly(2)
    size = head[1] & 0x7F
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    return head[0] & 0xF, await reader.readexactly(size)


async def _hear_at_last(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What was not taken is left out, from the next sync sample on, and the client is told of it."""
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(MOST_S):
        while len(seen) < 2 or seen[-2]["type"] != "skipped":
            opcode, payload = await _frame(reader)
            if opcode == WSMsgType.TEXT:
                seen.append(json.loads(payload))
    skipped, after = seen[-2:]
    before = next(each for each in reversed(seen[:-2]) if each["type"] == "fragment")
    assert skipped["after"] == before["position"]
    assert skipped["position"] == after["position"]
    assert after["independent"]
    assert float(after["time"]) - float(before["time"]) > 3
    writer.transport.abort()


async def _vanish(server: Server) -> None:
    """Nothing is left of clients that are gone."""
    async with live(server) as watcher:
        await watcher.until("fragment")
        assert _ushers() == 1
        response = watcher.socket._response
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.abort()

    async def nobody() -> bool:
        return _ushers() == 0

    await until(nobody, "nobody is there for clients that are gone")


def _ushers() -> int:
    return sum(task.get_name().startswith("audience of") for task in asyncio.all_tasks())


async def _until_closed(watcher: Watcher) -> int | None:
    while not watcher.socket.closed:
        await watcher.socket.receive()
    return watcher.socket.close_code
