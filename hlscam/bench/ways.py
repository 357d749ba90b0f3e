"""The ways from the server to a picture on a screen: where each is to be had, and how to see that it was really it.

A way is one row of `WAYS`. Whether the server has it is asked before Chromium is started (`probe`). Our page falls
back to a plainer way when one fails, so what a page has fetched is looked at too (`Traffic`): a figure of HLS must not
stand in the row of WebSocket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from hlscam.errors import ConfigError, HlscamError

if TYPE_CHECKING:
    from playwright.async_api import Page, Request, WebSocket

_GONE_STATUSES = (404, 405, 501)
_MEDIA = {
    "ll-hls": re.compile(r"/hls/[^/]+/\d+\.\d+\.m4s"),
    "hls": re.compile(r"/hls/[^/]+/\d+\.m4s"),
    "mjpeg": re.compile(r"/mjpeg/"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`{camera}` stands for the camera's id in `path`, `probe` and `html`, all under the server's URL.

    `selector` finds the video or img that shows the picture. A page with `html` is the instrument's own, at a `path`
    that the server need not have. `mark` is what the answer to `probe` must contain. `carrier` is the name of the way
    by which the media must come; None takes any.
    """

    name: str
    title: str
    path: str
    selector: str = "video"
    html: str = ""
    probe: str
    mark: str = ""
    carrier: str | None


def _of_our_page(name: str, title: str, probe: str, mark: str = "") -> Way:
    return Way(name=name, title=title, path=f"#/camera/{{camera}}?way={name}", probe=probe, mark=mark, carrier=name)


WAYS = {
    each.name: each
    for each in (
        _of_our_page("hls", "HLS", "hls/{camera}/live.m3u8"),
        _of_our_page("ll-hls", "LL-HLS", "hls/{camera}/live.m3u8", mark="#EXT-X-PART:"),
        _of_our_page("ws", "WebSocket", "ws/{camera}"),
        Way(
            name="mjpeg",
            title="MJPEG",
            path="hlscam-bench.html",
            selector="img",
            html='<!doctype html><title>MJPEG</title><img src="/mjpeg/{camera}" alt="">',
            probe="mjpeg/{camera}",
            carrier="mjpeg",
        ),
    )
}


def parse_ways(text: str) -> tuple[Way, ...]:
    """The ways that `hls,ws` names. Raises ConfigError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in WAYS]
    if unknown or not names:
        wrong = f"{', '.join(unknown)} is no way to a picture" if unknown else "no way to a picture is named"
        raise ConfigError(wrong, hint=f"name some of {', '.join(WAYS)}, with commas between")
    return tuple(WAYS[name] for name in dict.fromkeys(names))


async def missing(way: Way, session: aiohttp.ClientSession, url: str, camera: str) -> str:
    """Why the server at `url` does not have a way; empty when it does. Raises HlscamError when nobody answers."""
    path = way.probe.format(camera=camera)
    try:
        async with session.get(url + path) as answer:
            if answer.status in _GONE_STATUSES:
                return f"/{path} answers {answer.status}"
            if way.mark and way.mark not in await answer.text():
                return f"/{path} has no {way.mark.rstrip(':')}"
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HlscamError(f"{url} does not answer: {str(error) or 'not in time'}") from None
    return ""


class Traffic:
    """What a page asks for, and so by which way its media comes."""

    def __init__(self, page: Page) -> None:
        self._asked: list[str] = []
        self._settled_at = 0
        self._sockets: list[WebSocket] = []
        page.on("request", self._on_request)
        page.on("websocket", self._on_websocket)

    def settle(self) -> None:
        """From here on it counts: a page may begin with another way than it goes on with."""
        self._settled_at = len(self._asked)

    @property
    def carrier(self) -> str:
        """The name of the way that is used; empty when nothing was asked for."""
        if now := self._asked[self._settled_at :]:
            return _carrier_of(now)
        if any(not each.is_closed() for each in self._sockets):
            return "ws"
        return _carrier_of(self._asked)

    def _on_request(self, request: Request) -> None:
        self._asked += [name for name, media in _MEDIA.items() if media.search(request.url)]

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/ws/" in socket.url:
            self._sockets.append(socket)


def _carrier_of(asked: list[str]) -> str:
    """Whoever plays parts fetches whole segments now and then, and not the other way round."""
    return next((name for name in _MEDIA if name in asked), "")
