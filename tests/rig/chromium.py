"""Debian's Chromium with a page open, driven by Playwright.

    async with open_tab() as tab:
        await tab.page.goto(url)
        await tab.wait_for("document.querySelector('video').currentTime > 1")
        (await tab.shown_picture()).clock_ms()
        tab.assert_quiet()

The browser talks to 127.0.0.1 only (`hlscam/bench/browser.py`). `CHROMIUM` in the environment names another one.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import ConsoleMessage, Error, Page, Request

from hlscam.bench.browser import open_browser
from hlscam.bench.clockface import Picture

_TAKE_PICTURE = """([selector, rows]) => {
    const video = document.querySelector(selector);
    if (!video || !video.videoWidth || video.readyState < 2) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = Math.min(rows ?? video.videoHeight, video.videoHeight);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let gray = "";
    for (let at = 0; at < rgba.length; at += 4) {
        gray += String.fromCharCode((rgba[at] * 299 + rgba[at + 1] * 587 + rgba[at + 2] * 114) / 1000);
    }
    return { width: canvas.width, height: canvas.height, gray: btoa(gray) };
}"""


@dataclass  # without slots: Playwright leaves marks on the object whose methods listen
class Tab:
    """An open page and what went wrong in it.

    `console_errors` are messages of level error, `page_errors` uncaught exceptions, `failed_requests` those that got no
    answer at all (`method url: why`).
    """

    page: Page
    console_errors: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)
    failed_requests: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Begin to collect errors."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_page_error)
        self.page.on("requestfailed", self._on_request_failed)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _on_page_error(self, error: Error) -> None:
        self.page_errors.append(str(error))

    def _on_request_failed(self, request: Request) -> None:
        self.failed_requests.append(f"{request.method} {request.url}: {request.failure}")

    def assert_quiet(self) -> None:
        """Raise AssertionError when the console or the page had errors."""
        assert not self.console_errors, f"errors on the console: {self.console_errors}"
        assert not self.page_errors, f"uncaught errors: {self.page_errors}"

    async def wait_for(self, condition: str, argument: Any = None, *, timeout_s: float = 20) -> Any:
        """Wait until a JavaScript expression, or function of `argument`, is truthy in the page; return its value."""
        try:
            handle = await self.page.wait_for_function(condition, arg=argument, timeout=timeout_s * 1000, polling=50)
        except Error as error:
            raise AssertionError(f"{condition}: {error}; {self._troubles()}") from error
        return await handle.json_value()

    async def look(self) -> dict[str, Any]:
        """All that player.html knows: `record` and the player's present state."""
        seen: dict[str, Any] = await self.page.evaluate("window.look()")
        return seen

    async def shown_picture(self, selector: str = "video", *, rows: int | None = None) -> Picture:
        """What a video shows now, in grey, at its own size; only its first `rows` rows if given."""
        taken = await self.page.evaluate(_TAKE_PICTURE, [selector, rows])
        assert taken, f"{selector} shows no picture; {self._troubles()}"
        return Picture(taken["width"], taken["height"], base64.b64decode(taken["gray"]))

    def _troubles(self) -> str:
        return f"console {self.console_errors}, page {self.page_errors}, requests {self.failed_requests}"


@asynccontextmanager
async def open_tab(*, width: int = 1280, height: int = 800) -> AsyncIterator[Tab]:
    """A page in a browser of its own, which ends with the block."""
    async with open_browser() as browser:
        tab = Tab(await browser.new_page(viewport={"width": width, "height": height}))
        tab.listen()
        yield tab
