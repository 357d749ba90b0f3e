"""What is missing is told with what to do."""

from __future__ import annotations

import sys

import pytest

from hlscam.bench.browser import find_chromium, open_browser
from hlscam.errors import HlscamError


async def test_without_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    with pytest.raises(HlscamError, match="Playwright, which is not installed") as told:
        async with open_browser():
            pass
    assert "pip install 'playwright>=1.65'" in told.value.hint


async def test_without_chromium() -> None:
    with pytest.raises(HlscamError, match="/no/chromium is not a program") as told:
        async with open_browser("/no/chromium"):
            pass
    assert "apt install chromium" in told.value.hint


async def test_with_something_else() -> None:
    with pytest.raises(HlscamError, match="Chromium cannot be started") as told:
        async with open_browser("false"):
            pass
    assert "--chromium" in told.value.hint


def test_what_is_installed_is_found() -> None:
    assert find_chromium("") == find_chromium(None) is not None


async def test_it_reaches_the_wanted_host_alone() -> None:
    async with open_browser(host="127.0.0.1") as browser:
        page = await browser.new_page()
        with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
            await page.goto("http://localhost:8080/")
