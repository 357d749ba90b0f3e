"""Chromium, driven by Playwright: both are the user's to install, so what is missing is told with what to do.

It talks to the wanted host only: every other name fails to resolve, and all that it would do in the background is off,
so that what is measured is the page's doing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hlscam.errors import HlscamError

if TYPE_CHECKING:
    from playwright.async_api import Browser

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL_CHROMIUM = (
    "install it (Debian: `apt install chromium`; elsewhere `python -m playwright install chromium`), or name a program"
    " with --chromium or $CHROMIUM"
)
_FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--mute-audio",
    "--no-first-run",
)


@asynccontextmanager
async def open_browser(program: str | None = None, *, host: str = "127.0.0.1") -> AsyncIterator[Browser]:
    """A Chromium of its own, which ends with the block and reaches `host` alone. Raises HlscamError.

    `program` is a path or a name in PATH; without, $CHROMIUM, then what is installed, then what Playwright has brought.
    """
    try:
        from playwright.async_api import Error, async_playwright
    except ImportError:
        raise HlscamError(
            "this drives Chromium by way of Playwright, which is not installed",
            hint="pip install 'playwright>=1.65' (or hlscam[bench]), into the environment that hlscam runs in",
        ) from None
    found = find_chromium(program or os.environ.get("CHROMIUM"))
    flags = [*_FLAGS, f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {host}"]
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(
                executable_path=found, args=flags, headless=True, chromium_sandbox=os.geteuid() != 0
            )
        except Error as error:
            why = error.message.splitlines()[0]
            raise HlscamError(f"Chromium cannot be started: {why}", hint=_INSTALL_CHROMIUM) from None
        try:
            yield browser
        finally:
            await browser.close()


def find_chromium(wished: str | None) -> str | None:
    """The program to run; None for Playwright's own. Raises HlscamError when the wished one is not there."""
    if wished:
        path = shutil.which(wished)
        if path is None:
            raise HlscamError(f"{wished} is not a program that can be run", hint=_INSTALL_CHROMIUM)
        return path
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)
