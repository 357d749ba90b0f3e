"""hlscam itself as its users run it: the command in a process of its own, with a configuration file.

    async with HlscamServer(folder, "cameras: {c: {source: 'test:?size=320x180&rate=15'}}") as server:
        server.url("hls/c/index.m3u8")

It listens on a free port of loopback. `stop` is Ctrl-C; `kill` is `kill -9`; `start` starts it again on the same
folder and the same port, as a restarted server would be.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.rig.child import Child

_READY = re.compile(r"open (http://\S+)")


class HlscamServer:
    """A running `hlscam run -c`; `settings` is YAML without the section `server`.

    That has a free port, and what `server` adds, such as `cache_mb: 8`.
    """

    def __init__(self, folder: Path, settings: str, *, server: str = "") -> None:
        self.folder = folder
        self._port = _free_port()
        self._config = folder / "hlscam.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(f"server: {{port: {self._port}, {server}}}\n{settings}\n", encoding="utf-8")
        self._child: Child | None = None
        self.log = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is not None:
            error.add_note(f"hlscam's log ends:\n{self.log[-3000:]}")

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def port(self) -> int:
        return self._port

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}/{path}"

    async def start(self) -> None:
        """Start it, and wait until it says that it can be watched."""
        argv = [sys.executable, "-m", "hlscam", "run", "-c", str(self._config)]
        self._child = await Child.start(argv, folder=self.folder, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        while not _READY.search(await self._child.line(60)):
            pass

    async def stop(self) -> None:
        """Ctrl-C, and wait for its end."""
        if self._child is None:
            return
        self._child.signal(signal.SIGINT)
        await self._child.ended(30)
        await self.kill()

    async def kill(self) -> None:
        """`kill -9`."""
        if self._child is not None:
            self.log += await self._child.kill()
            self._child = None

    async def text(self, path: str) -> str:
        """What GET answers, as text. Raises aiohttp's errors for any status but 200."""
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(self.url(path)) as response:
            return await response.text()

    async def json(self, path: str) -> dict[str, Any]:
        """What GET answers, as JSON."""
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(self.url(path)) as response:
            answer: dict[str, Any] = await response.json()
            return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
