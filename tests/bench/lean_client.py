"""An HTTP/1.1 client that costs next to nothing, so that hundreds of viewers in one process measure the server.

One request at a time on a connection that stays open; answers have a Content-Length. No redirects, no TLS.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """`arrived_s` is the Unix time at which its last byte came."""

    status: int
    body: bytes
    arrived_s: float


class LeanConnection(asyncio.Protocol):
    """A connection to one server. Raises ConnectionError where the server hangs up or speaks otherwise."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._whole_bytes = 0
        self._body_at = 0
        self._waiting: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> LeanConnection:
        """A new connection. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return connection

    async def get(self, path: str) -> Answer:
        """What GET answers."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        self._received.clear()
        self._whole_bytes = 0
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._whole_bytes:
            self._read_head()
        if self._whole_bytes and len(self._received) >= self._whole_bytes:
            status = int(self._received[9:12])
            body = bytes(self._received[self._body_at : self._whole_bytes])
            self._settle(Answer(status, body, time.time()))

    def connection_lost(self, error: Exception | None) -> None:
        self._settle(error or ConnectionError("the server hung up"))

    def _read_head(self) -> None:
        end = self._received.find(_HEAD_END)
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        if length is None:
            self._settle(ConnectionError(f"an answer without a length: {bytes(self._received[:end])!r}"))
            return
        self._body_at = end + len(_HEAD_END)
        self._whole_bytes = self._body_at + int(length[1])

    def _settle(self, outcome: Answer | Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, Exception):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)
