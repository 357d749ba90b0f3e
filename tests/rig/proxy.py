"""The network between two programs, on loopback: a TCP proxy that can be told to let nothing through.

    async with TcpProxy(camera_port) as network:
        network.between("rtsp://127.0.0.1:40123/stream")   # the same URL, by way of the proxy
        network.drop()       # connections stand, new ones are accepted, and nothing passes: not even a hang-up
        network.restore()    # what was under way arrives, late and in order, as TCP would send it again

While it drops, it does not read either, so that senders find their buffers full, as with a peer that is cut off.
Nothing is ever closed because of a drop. Where nobody listens behind the proxy, it hangs up on whoever came.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK_BYTES = 64 * 1024


class TcpProxy:
    """Forwards from a free port of 127.0.0.1 to `port` there, for the length of an `async with`."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None, "the proxy was never started"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many stand now."""
        return len(self._connections)

    def between(self, url: str) -> str:
        """The URL with the proxy's address in place of its own."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    def drop(self) -> None:
        """Let nothing through any more, in either direction."""
        self._passing.clear()

    def restore(self) -> None:
        """Let everything through again."""
        self._passing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its begin to its end on both sides."""
        with contextlib.closing(writer):
            await self._passing.wait()
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._behind)
            except OSError:
                return
            with contextlib.closing(far_writer):
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its sender hangs up, which is passed on like anything else."""
        with contextlib.suppress(ConnectionError):
            while data := await self._next(reader):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        """What is to be passed on next; empty at the end."""
        await self._passing.wait()
        try:
            return await reader.read(_CHUNK_BYTES)
        finally:
            await self._passing.wait()
