"""The page: the files that Vite built, held in memory, so that no URL ever names a path.

They are part of the package (`hlscam/server/page/`, made by `make page`). Assets carry a hash in their names and are
immutable; the page itself is always asked for again. What shrinks is gzipped once, at the start.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ETag, hdrs, web

from hlscam.errors import NotFound
from hlscam.server.responses import IMMUTABLE, not_modified, takes_gzip

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


@dataclass(frozen=True, slots=True)
class _File:
    """`gzipped` is empty where that gains nothing."""

    content_type: str
    etag: str
    body: bytes
    gzipped: bytes


class PageFiles:
    """The built page by URL path. Empty when it was not built."""

    def __init__(self, folder: Path = BUILT_PAGE) -> None:
        files = (each for each in folder.rglob("*") if each.is_file())
        self._files = {f"/{each.relative_to(folder).as_posix()}": _read(each) for each in files}

    async def serve(self, request: web.Request) -> web.Response:
        """The page at `/`, its files at their paths."""
        path = "/index.html" if request.path == "/" else request.path
        file = self._files.get(path)
        if file is None:
            hint = "run `make page` and start again" if path == "/index.html" else "the page is at /"
            raise NotFound(f"there is nothing at {request.path}", hint=hint)
        response = not_modified(request, file.etag) or _whole(request, file)
        response.etag = ETag(file.etag, is_weak=True)
        response.headers.update(_SAFE_HEADERS)
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        response.headers[hdrs.CACHE_CONTROL] = IMMUTABLE if path.startswith("/assets/") else "no-cache"
        return response


def _read(path: Path) -> _File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    gzipped = gzip.compress(body, mtime=0) if kind.startswith(_COMPRESSIBLE) else body
    return _File(kind, hashlib.sha256(body).hexdigest()[:20], body, gzipped if len(gzipped) < len(body) else b"")


def _whole(request: web.Request, file: _File) -> web.Response:
    if file.gzipped and takes_gzip(request):
        headers = {hdrs.CONTENT_ENCODING: "gzip"}
        return web.Response(body=file.gzipped, content_type=file.content_type, headers=headers)
    return web.Response(body=file.body, content_type=file.content_type)
