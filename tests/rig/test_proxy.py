"""The proxy passes everything on, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from tests.rig.ffmpeg_tools import probe
from tests.rig.proxy import TcpProxy
from tests.rig.rtsp import RtspCamera
from tests.rig.waiting import until

TCP = ["-rtsp_transport", "tcp", "-analyzeduration", "500000"]


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A port that says back what it is told, and hangs up when told to."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while (line := await reader.readline()) not in (b"", b"bye\n"):
                writer.write(line)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def nothing_comes(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.3)


async def test_it_passes_on_words_and_hang_ups() -> None:
    async with echo() as port, TcpProxy(port) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with closing(writer):
            writer.write(b"a" * 10_000 + b"\nbye\n")
            assert await reader.read() == b"a" * 10_000 + b"\n"
        await until(lambda: _is_empty(network), "the connection's end")


async def test_while_it_drops_connections_stand_and_nothing_passes() -> None:
    async with echo() as port, TcpProxy(port) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with closing(writer):
            writer.write(b"before\n")
            assert await reader.readline() == b"before\n"
            network.drop()
            writer.write(b"during\nbye\n")
            await nothing_comes(reader)
            network.restore()
            assert await reader.read() == b"during\n"


async def test_while_it_drops_new_connections_are_accepted_and_wait() -> None:
    async with echo() as port, TcpProxy(port) as network:
        network.drop()
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with closing(writer):
            writer.write(b"hello\n")
            await nothing_comes(reader)
            network.restore()
            assert await reader.readline() == b"hello\n"


async def test_a_flood_stops_at_full_buffers() -> None:
    """A sender is not read from while nothing passes: it gets no further than with a peer that is cut off."""
    async with echo() as port, TcpProxy(port) as network:
        network.drop()
        _, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with closing(writer):
            writer.write(bytes(50_000_000))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.3)
            writer.transport.abort()


async def test_where_nobody_listens_it_hangs_up() -> None:
    async with echo() as port:
        pass
    async with TcpProxy(port) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        with closing(writer):
            assert await reader.read() == b""


async def test_a_camera_behind_it_is_the_same_camera() -> None:
    async with (
        RtspCamera(audio="alaw", user="viewer", password="s3cret") as camera,
        TcpProxy(camera.port) as network,
    ):
        url = network.between(camera.url)
        assert url == camera.url.replace(str(camera.port), str(network.port))
        seen = await probe(url, options=TCP)
        network.drop()
        with pytest.raises(AssertionError, match="finds nothing"):
            await probe(url, options=[*TCP, "-timeout", "500000"])
    assert [stream.codec for stream in seen.streams] == ["h264", "pcm_alaw"]


async def _is_empty(network: TcpProxy) -> bool:
    return network.connections == 0
