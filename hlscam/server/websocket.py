"""`/ws/{camera}`: fragments the moment they are whole, over WebSocket (RFC 6455). `ws_messages.py` has the words.

A browser lets any page open a WebSocket to anywhere and sends along where the page is from; so here, and not by CORS,
foreign pages are kept from watching. Whoever sends no Origin is no page.

A client that is gone is noticed by its silence to a ping, or when the network says so, and its connection is cut and
not closed: what it never took would wait in memory for it otherwise. What was sent and not taken is kept small, so that
a client which falls behind is noticed soon, and is not shown what was live half a minute ago.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket as sockets

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from yarl import URL

from hlscam.clock import first_of
from hlscam.domain.position import PartPosition
from hlscam.errors import HlscamError, InvalidRequest
from hlscam.server import ws_messages as messages
from hlscam.server.audience import AUDIENCE, GOODBYE_S
from hlscam.server.cors import Cors
from hlscam.server.queries import optional_time
from hlscam.server.services import SERVICES
from hlscam.server.viewing import Viewing
from hlscam.server.ws_messages import Resume, Seek, Wish

log = logging.getLogger(__name__)

_PING_AFTER_S = 20.0
"""A ping after so much silence; cut after half as much more."""
_LARGEST_MESSAGE_BYTES = 4096
_UNSENT_BYTES = 128 * 1024


async def watch(request: web.Request) -> web.StreamResponse:
    """`/ws/{camera}`, and from where on: `?after=4711.3` or `?from=` a time; without either live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    _check_origin(request, Cors(services.config.server.cors_origins))
    wish = _first_wish(request)
    socket = web.WebSocketResponse(
        timeout=GOODBYE_S,
        heartbeat=_PING_AFTER_S,
        compress=False,  # media is compressed
        max_msg_size=_LARGEST_MESSAGE_BYTES,
        writer_limit=0,  # wait for the client with each message, not when some have piled up
    )
    if not socket.can_prepare(request):
        raise web.HTTPUpgradeRequired(text="this is a WebSocket", headers={hdrs.UPGRADE: "websocket"})
    await socket.prepare(request)
    transport = request.transport
    _keep_unsent_small(transport)
    try:
        async with request.app[AUDIENCE].seat(camera, socket, transport) as wake:
            viewing = Viewing(services, camera, socket, wake, wish)
            await _converse(socket, viewing)
    finally:
        if transport is not None and socket.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE):
            transport.abort()
    return socket


async def _converse(socket: web.WebSocketResponse, viewing: Viewing) -> None:
    """Until the client goes, or cannot be served any more; it is told why then."""
    try:
        await first_of(viewing.run(), _hear(socket, viewing))
    except ConnectionError:
        log.debug("a client of /ws went away")
    except HlscamError as error:
        log.error("/ws: %s", error.message)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await socket.send_str(messages.error(error.message))
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)


async def _hear(socket: web.WebSocketResponse, viewing: Viewing) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            viewing.hear(message.data)
        elif message.type is WSMsgType.BINARY:
            viewing.hear("")  # no such thing is understood, and the client is told


def _first_wish(request: web.Request) -> Wish:
    """`?after=` or `?from=`. Raises InvalidRequest for both, or for what is none."""
    after, from_wall_us = request.query.get("after"), optional_time(request, "from")
    if after is not None and from_wall_us is not None:
        raise InvalidRequest("`from` and `after` both say where to begin", hint="leave one of them out")
    return Resume(PartPosition.parse(after)) if after is not None else Seek(from_wall_us)


def _check_origin(request: web.Request, cors: Cors) -> None:
    """Raises HTTPForbidden for a page that is neither of this server nor allowed to read it."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or cors.allows(origin) or _host_of(origin) in _own_hosts(request):
        return
    raise web.HTTPForbidden(text=f"pages of {origin} may not watch: server.cors_origins does not name it")


def _own_hosts(request: web.Request) -> set[str]:
    """How this server is called by who asks; behind a proxy that says so, how that one is. No page can set either."""
    return {request.headers.get(name, "").lower() for name in (hdrs.HOST, hdrs.X_FORWARDED_HOST)} - {""}


def _host_of(origin: str) -> str:
    """`host:port` as Host has it: without the scheme's own port."""
    try:
        url = URL(origin)
        return "" if url.host is None else url.raw_authority.lower()
    except ValueError:
        return ""


def _keep_unsent_small(transport: asyncio.Transport | None) -> None:
    """What is written and not on its way yet; what is on its way is as much as the network needs."""
    socket = transport.get_extra_info("socket") if transport is not None else None
    if socket is not None and hasattr(sockets, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):  # not TCP
            socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
