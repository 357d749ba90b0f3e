"""The page: the files that Vite built, held in memory, so that no URL ever names a path.

They are part of the package (`hlscam/server/page/`, made by `make page`). Assets carry a hash in their names and are
immutable; the page itself is always asked for again.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from aiohttp import web

from hlscam.errors import NotFound
from hlscam.server.responses import IMMUTABLE

BUILT_PAGE = Path(__file__).with_name("page")
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")
_SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class PageFiles:
    """The built page by URL path. Empty when it was not built."""

    def __init__(self, folder: Path = BUILT_PAGE) -> None:
        files = (each for each in folder.rglob("*") if each.is_file())
        self._files = {f"/{each.relative_to(folder).as_posix()}": each.read_bytes() for each in files}

    async def serve(self, request: web.Request) -> web.Response:
        """The page at `/`, its files at their paths."""
        path = "/index.html" if request.path == "/" else request.path
        body = self._files.get(path)
        if body is None:
            hint = "run `make page` and start again" if path == "/index.html" else "the page is at /"
            raise NotFound(f"there is nothing at {request.path}", hint=hint)
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        response = web.Response(body=body, content_type=kind, headers=_SAFE_HEADERS)
        response.headers["Cache-Control"] = IMMUTABLE if path.startswith("/assets/") else "no-cache"
        if kind.startswith(_COMPRESSIBLE):
            response.enable_compression()
        return response
