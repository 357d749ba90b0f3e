"""Which web pages of other origins may read this server: Fetch's CORS, on every response, errors too.

There are no users yet, so whoever may read a response sees the cameras. Pages from this very machine may (people who
build on cameras develop there); others only when `server.cors_origins` names them, `*` for all.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from yarl import URL

from hlscam.domain.config import is_loopback

_METHODS = "GET, HEAD, OPTIONS"
_EXPOSED = "Content-Length, Content-Range, Date, ETag, X-Position, X-Timestamp"
_PREFLIGHT_MAX_AGE_S = 86_400


class Cors:
    """The rule for one server."""

    def __init__(self, allowed_origins: Sequence[str]) -> None:
        self._allowed = frozenset(each.rstrip("/") for each in allowed_origins)

    async def add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """An `on_response_prepare` signal handler."""
        varies_by = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{varies_by}, {hdrs.ORIGIN}" if varies_by else hdrs.ORIGIN
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not self.allows(origin):
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may read responses."""
        if "*" in self._allowed or origin in self._allowed:
            return True
        try:
            host = URL(origin).host
        except ValueError:
            return False
        return host is not None and is_loopback(host)


@web.middleware
async def answer_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """OPTIONS of anything, a preflight or not: what may be done, and that it may be asked with any header."""
    if request.method != hdrs.METH_OPTIONS:
        return await handler(request)
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "Range, If-None-Match")
    return web.Response(
        status=204,
        headers={
            hdrs.ALLOW: _METHODS,
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: asked,
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_MAX_AGE_S),
        },
    )
