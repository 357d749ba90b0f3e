"""Response headers that more than one handler needs: caching, validators, and text that is worth compressing."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache

from aiohttp import ETag, hdrs, web

MPEGURL = "application/vnd.apple.mpegurl"
IMMUTABLE = "public, max-age=31536000, immutable"
_COMPRESS_FROM_BYTES = 1024
_SHORT = 32 * 1024
"""Up to here a text is encoded once for the hundreds who are told it at the same moment, which takes less than a
millisecond; a longer one is compressed off the loop, for each."""

_SHORT_TEXTS_KEPT = 64
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*", re.IGNORECASE)


def text_response(request: web.Request, text: str, *, content_type: str, max_age_s: int) -> web.Response:
    """Text with a validator, gzipped for whoever takes it; 304 when the client has it already."""
    is_short = len(text) <= _SHORT
    body, etag = _encoded_once(text) if is_short else _encoded(text)
    response = not_modified(request, etag)
    if response is None and len(body) >= _COMPRESS_FROM_BYTES and takes_gzip(request):
        response = web.Response(body=_gzipped_once(body) if is_short else body, content_type=content_type)
        if is_short:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        else:
            response.enable_compression(web.ContentCoding.gzip)
    elif response is None:
        response = web.Response(body=body, content_type=content_type)
    response.etag = ETag(etag, is_weak=True)  # weak: the gzipped bytes are others
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    response.headers[hdrs.CACHE_CONTROL] = f"public, max-age={max_age_s}"
    return response


def _encoded(text: str) -> tuple[bytes, str]:
    """A text's bytes and their digest."""
    body = text.encode()
    return body, hashlib.sha256(body).hexdigest()[:20]


_encoded_once = lru_cache(maxsize=_SHORT_TEXTS_KEPT)(_encoded)


@lru_cache(maxsize=_SHORT_TEXTS_KEPT)
def _gzipped_once(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)


def takes_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding names gzip and does not refuse it with a weight of 0 (RFC 9110 12.5.3)."""
    for each in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return not _REFUSED.fullmatch(weight)
    return False


def not_modified(request: web.Request, etag: str) -> web.Response | None:
    """304 when If-None-Match names `etag`, compared weakly (RFC 9110 13.1.2)."""
    given = request.if_none_match
    if given and any(each.value in (etag, "*") for each in given):
        return web.Response(status=304)
    return None
