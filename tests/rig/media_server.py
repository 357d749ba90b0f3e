"""A static server for the rig's own tests, and the page on which hls.js plays whatever it is given.

async with MediaServer(folder) as server:
    server.url("index.m3u8")                    # a file of the folder
    server.player_url("http://…/live.m3u8")     # player.html playing that playlist, from anywhere
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web

from tests.rig.paths import REPOSITORY, RIG

_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/mp4", ".mp4": "video/mp4", ".ts": "video/mp2t"}
_FRESH = {"Cache-Control": "no-store"}
_OPEN = _FRESH | {"Access-Control-Allow-Origin": "*"}


def hls_js_path() -> Path:
    """hls.js as the web page bundles it. Raises AssertionError with what to do when it is not there."""
    path = REPOSITORY / "web/node_modules/hls.js/dist/hls.min.js"
    assert path.is_file(), "hls.js is not there: run `npm ci` in web/"
    return path


class MediaServer:
    """Serves a folder under /media/, and player.html with hls.js, on 127.0.0.1 for the length of an `async with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._origin = ""
        app = web.Application()
        app.router.add_get("/player.html", _player)
        app.router.add_get("/hls.min.js", _hls_js)
        app.router.add_get("/favicon.ico", _nothing)
        app.router.add_get("/media/{name:.+}", self._media)
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def url(self, name: str) -> str:
        return f"{self._origin}/media/{quote(name)}"

    def player_url(self, playlist_url: str, *, config: Mapping[str, Any] | None = None) -> str:
        """The page that plays `playlist_url`, with `config` for `new Hls(config)`."""
        return f"{self._origin}/player.html?{quote(json.dumps({'url': playlist_url, 'config': dict(config or {})}))}"

    async def _media(self, request: web.Request) -> web.StreamResponse:
        path = (self._folder / request.match_info["name"]).resolve()
        if not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            raise web.HTTPNotFound(headers=_OPEN)
        return web.FileResponse(path, headers=_OPEN | {"Content-Type": _TYPES.get(path.suffix, "text/plain")})


async def _player(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(RIG / "player.html", headers=_FRESH)


async def _hls_js(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(hls_js_path(), headers=_FRESH)


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)
