"""Errors as RFC 9457 problem documents, by one table."""

from __future__ import annotations

import http
import logging

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from hlscam.errors import (
    ArchiveError,
    CatalogError,
    DecodingError,
    Gone,
    HlscamError,
    InvalidRequest,
    MediaError,
    NotFound,
    NotReady,
)

log = logging.getLogger(__name__)

STATUS_OF: dict[type[HlscamError], int] = {
    InvalidRequest: 400,
    NotFound: 404,
    Gone: 410,
    NotReady: 503,
    ArchiveError: 503,
    CatalogError: 503,
    MediaError: 500,
    DecodingError: 500,
    HlscamError: 500,
}
_RETRY_AFTER_S = 2


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem document."""
    try:
        return await handler(request)
    except HlscamError as error:
        return _of_error(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        detail = "" if error.text is None or error.text.startswith(str(error.status)) else error.text
        headers: dict[str, str] = {}
        if isinstance(error, web.HTTPMethodNotAllowed):
            headers[hdrs.ALLOW] = ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))
            detail = f"{request.path} cannot be asked with {request.method}"
        if isinstance(error, web.HTTPUpgradeRequired):
            headers[hdrs.UPGRADE] = error.headers[hdrs.UPGRADE]
        return problem(error.status, detail or f"{request.method} {request.path} is not part of this server", headers)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return problem(500, "this is a fault of the server; its log says more")


def _of_error(request: web.Request, error: HlscamError) -> web.Response:
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    if status >= 500 and not isinstance(error, NotReady):
        log.error("%s %s: %s", request.method, request.path, error.message)
    headers = {"Retry-After": str(_RETRY_AFTER_S)} if status == 503 else {}
    return problem(status, f"{error.message} ({error.hint})" if error.hint else error.message, headers)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A problem document (RFC 9457) that nobody keeps."""
    body = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.json_response(
        body,
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
