"""Many WebSocket clients in one process: `python -m tests.bench.sockets URL READERS SILENT BEFORE_S AFTER_S CORE FILE`.

Readers take every message as it comes. After `BEFORE_S` the silent ones join: they say that they want live, and read
nothing. Noted is when each fragment came to the readers (`before` and `after` the silent ones joined), how many silent
connections the server has closed, and what went wrong. Run by `crowd.py`.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from time import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.bench.crowd import crowd_main
from tests.bench.on_disk import last_fragment_key

_JOIN_WITHIN_S = 5.0
_SMALL_BUFFER_BYTES = 64 * 1024
_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aGxzY2FtIGJlbmNoIQ==\r\n\r\n"
)


@dataclass
class Heard:
    """When fragments came, by name and phase; "" while nothing is counted."""

    phase: str = ""
    arrivals: dict[str, defaultdict[str, list[float]]] = field(
        default_factory=lambda: {"before": defaultdict(list), "after": defaultdict(list)}
    )
    names: dict[bytes, str] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    silent_closed: int = 0

    def fragment(self, data: bytes) -> None:
        arrived_s = time()
        start = data[:256]  # prft and moof: as good as a name, and found without hashing all for every reader
        if start not in self.names:
            self.names[start] = last_fragment_key(data)
        if self.phase and (name := self.names[start]):
            self.arrivals[self.phase][name].append(arrived_s)


async def read_all(session: aiohttp.ClientSession, url: str, heard: Heard) -> None:
    """A reader, until it is cancelled; the server's hanging up is an error."""
    try:
        async with session.ws_connect(url, max_msg_size=0) as connection:
            async for message in connection:
                if message.type is aiohttp.WSMsgType.BINARY:
                    heard.fragment(message.data)
        heard.errors[f"closed by the server with {connection.close_code}"] += 1
    except aiohttp.ClientError as error:
        heard.errors[f"{type(error).__name__}: {error}"] += 1


async def be_silent(url: str) -> socket.socket:
    """A client that asks and then reads no byte more."""
    parts = urlsplit(url)
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    silent.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(silent, (parts.hostname, parts.port))
    await loop.sock_sendall(silent, _UPGRADE.format(path=parts.path, host=parts.netloc).encode())
    return silent


def is_closed(silent: socket.socket) -> bool:
    """Whether the server has given a silent one up. What it has sent before is thrown away."""
    with suppress(BlockingIOError):
        try:
            while silent.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        return True
    return False


async def listen(url: str, readers: str, silent: str, before_s: str, after_s: str) -> dict[str, Any]:
    """All clients, and what the readers have heard."""
    heard = Heard()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = []
        for _ in range(int(readers)):
            tasks.append(asyncio.create_task(read_all(session, url, heard)))
            await asyncio.sleep(_JOIN_WITHIN_S / int(readers))
        heard.phase = "before"
        await asyncio.sleep(float(before_s))
        heard.phase = "after"
        quiet = [await be_silent(url) for _ in range(int(silent))]
        await asyncio.sleep(float(after_s))
        heard.phase = ""
        heard.silent_closed = sum(map(is_closed, quiet))
        for each in quiet:
            each.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {**heard.arrivals, "errors": heard.errors, "silent_closed": heard.silent_closed}


if __name__ == "__main__":
    crowd_main(listen, sys.argv[1:])
