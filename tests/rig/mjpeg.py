"""Reads `multipart/x-mixed-replace` as an old client does: part by part, by boundary and length.

async with watch_mjpeg(session, url) as watching:
    picture = await watching.next()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

ENOUGH_S = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that came, and what was said of it."""

    jpeg: bytes = field(repr=False)
    timestamp: str
    position: tuple[int, int]


class Watching:
    """An answer that is being read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._boundary = response.headers["Content-Type"].partition("boundary=")[2].encode()
        self._begun = False

    async def next(self) -> Shown:
        """The next picture. Raises IncompleteReadError when the answer ends."""
        async with asyncio.timeout(ENOUGH_S):
            content = self.response.content
            if not self._begun:
                assert await content.readuntil(b"\r\n") == b"--" + self._boundary + b"\r\n"
                self._begun = True
            head = (await content.readuntil(b"\r\n\r\n")).decode().splitlines()
            fields = dict(line.split(": ", 1) for line in head if line)
            jpeg = await content.readexactly(int(fields["Content-Length"]))
            assert await content.readexactly(len(self._boundary) + 6) == b"\r\n--" + self._boundary + b"\r\n"
        assert fields["Content-Type"] == "image/jpeg"
        number, _, picture = fields["X-Position"].partition(".")
        return Shown(jpeg, fields["X-Timestamp"], (int(number), int(picture)))

    async def some(self, count: int) -> list[Shown]:
        """The next pictures."""
        return [await self.next() for _ in range(count)]


@contextlib.asynccontextmanager
async def watch_mjpeg(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Watching]:
    """Begin to watch; at the end the connection is closed."""
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
        response.raise_for_status()
        assert response.headers["Content-Type"].startswith("multipart/x-mixed-replace; boundary=")
        yield Watching(response)
