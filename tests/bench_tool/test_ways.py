"""By which way does a page's media come? Asked of a real page, which asks a server that has nothing but a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from hlscam.bench.browser import open_browser
from hlscam.bench.ways import WAYS, Traffic
from tests.rig.waiting import until


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html>", content_type="text/html")

    async def socket(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        await connection.receive()
        return connection

    application = web.Application()
    application.add_routes([web.get("/", page), web.get("/ws/c", socket), web.get("/other", socket)])
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.players
async def test_the_carrier_is_what_a_page_asks_for(url: str) -> None:
    async with open_browser() as browser:
        page = await browser.new_page()
        traffic = Traffic(page)
        await page.goto(url)

        async def carrier_after(script: str) -> str:
            await page.evaluate(f"async () => {{ {script} }}")
            return traffic.carrier

        assert await carrier_after("await fetch('/hls/c/live.m3u8?_HLS_msn=7&_HLS_part=1')") == ""
        assert await carrier_after("await fetch('/mjpeg/c')") == "mjpeg"
        assert await carrier_after("await fetch('/hls/c/7.m4s')") == "hls"
        assert await carrier_after("await fetch('/hls/c/8.0.m4s')") == "ll-hls"
        assert await carrier_after("await fetch('/hls/c/8.m4s')") == "ll-hls"
        traffic.settle()
        assert traffic.carrier == "ll-hls", "nothing new is no other way"
        opened = "const s = new WebSocket('{}'); await new Promise((done) => {{ s.onopen = done; }}); window.s = s;"
        assert await carrier_after(opened.format("/other")) == "ll-hls"
        assert await carrier_after(opened.format("/ws/c")) == "ws"
        assert await carrier_after("await fetch('/hls/c/9.m4s')") == "hls", "a page that fell back"
        traffic.settle()
        assert traffic.carrier == "ws"
        await page.evaluate("window.s.close()")

        async def is_closed() -> bool:
            return traffic.carrier != "ws"

        await until(is_closed, "the socket is closed")


def test_every_way_can_be_opened() -> None:
    for name, way in WAYS.items():
        assert way.name == name
        assert "{" not in (way.path + way.probe + way.html).format(camera="c")
