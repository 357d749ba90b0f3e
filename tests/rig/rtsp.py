"""Cameras for tests: a real one (gst-rtsp-server in a process of its own), and two that do not work.

    async with RtspCamera(audio="alaw", user="viewer", password="secret") as camera:
        ...                      # camera.url
        camera.pause()           # frozen: the connection stands, nothing comes
        camera.resume()
        await camera.restart()   # killed and started again at the same address

`silent_camera` accepts connections and says nothing; `refusing_camera` is an address where nothing listens.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Literal, Self, TypedDict, Unpack

from tests.rig.child import Child
from tests.rig.paths import REPOSITORY

_SYSTEM_PYTHON = "/usr/bin/python3"  # the one for which Debian packages gi


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOptions:
    """What a camera sends.

    `gop` is in frames, `width` a multiple of 8. `audio="mute"` declares G.711 sound and sends one packet of it, ever.
    A `shared` camera is one live stream for all who look, as cameras are; otherwise each session starts its own.
    """

    video: Literal["h264", "hevc", "none"] = "h264"
    audio: Literal["none", "alaw", "aac", "mute"] = "none"
    width: int = 320
    height: int = 180
    rate: int = 25
    gop: int = 25
    b_frames: int = 0
    bit_rate_kbps: int = 300
    user: str = ""
    password: str = ""
    auth: Literal["basic", "digest"] = "basic"
    shared: bool = True


class CameraKeywords(TypedDict, total=False):
    """`CameraOptions` as keyword arguments."""

    video: Literal["h264", "hevc", "none"]
    audio: Literal["none", "alaw", "aac", "mute"]
    width: int
    height: int
    rate: int
    gop: int
    b_frames: int
    bit_rate_kbps: int
    user: str
    password: str
    auth: Literal["basic", "digest"]
    shared: bool


class RtspCamera:
    """A camera on 127.0.0.1 for the length of an `async with`."""

    def __init__(self, **options: Unpack[CameraKeywords]) -> None:
        self.options = CameraOptions(**options)
        assert self.options.width % 8 == 0, "rows of I420 are padded to 4 bytes, chroma's too"
        assert self.options.height % 2 == 0, "I420 halves the height"
        self._port = 0
        self._child: Child | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log = await self.stop()
        if error is not None:
            error.add_note(f"the RTSP camera's stderr: {log[-2000:] or 'nothing'}")

    @property
    def port(self) -> int:
        """Where it listens, also while it is stopped."""
        assert self._port, "the camera was never started"
        return self._port

    @property
    def url(self) -> str:
        """Where to look, with the right user and password if one is needed."""
        return self.url_as(self.options.user, self.options.password)

    def url_as(self, user: str, password: str) -> str:
        """Where to look, with any user and password."""
        login = f"{user}:{password}@" if user else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/stream"

    async def start(self) -> None:
        """Start sending; at the same address if it ran before."""
        assert self._child is None, "the camera runs already"
        options = json.dumps(asdict(self.options) | {"port": self._port})
        child = await Child.start([_SYSTEM_PYTHON, "-m", "tests.rig.rtsp_server", options], folder=REPOSITORY)
        try:
            self._port = json.loads(await child.line())["port"]
        except BaseException:
            await child.kill()
            raise
        self._child = child

    async def stop(self) -> str:
        """Pull the plug. Returns what the camera said on stderr. May be called again."""
        child, self._child = self._child, None
        return await child.kill() if child else ""

    async def restart(self) -> None:
        """Pull the plug and put it back in: same address, media time starts again."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze: connections stand, and nothing comes over them."""
        self._running().signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().signal(signal.SIGCONT)

    def _running(self) -> Child:
        assert self._child is not None, "the camera does not run"
        return self._child


@contextmanager
def refusing_camera() -> Iterator[str]:
    """The URL of a port where nobody listens; it is held, so that nobody else comes to listen there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"rtsp://127.0.0.1:{held.getsockname()[1]}/stream"


@asynccontextmanager
async def silent_camera() -> AsyncIterator[str]:
    """The URL of a camera that takes connections and requests, and never answers."""

    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(listen_only, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
    finally:
        server.close()
