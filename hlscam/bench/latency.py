"""How old is the picture? Read off the clock in the picture itself, in Chromium, for every way that the server has.

Each way is started several times, at random moments, since where a player begins depends on how old the newest segment
is just then. The browser must run on the machine that draws the clock, or on one whose clock goes with it.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from hlscam.bench.browser import open_browser
from hlscam.bench.dates import date_errors_ms
from hlscam.bench.own_server import own_server, settings_text
from hlscam.bench.plan import SOURCE, Plan
from hlscam.bench.report import Report, Row, Watched
from hlscam.bench.watching import NoPicture, watch
from hlscam.bench.ways import Way, missing
from hlscam.clock import Clock, SystemClock
from hlscam.domain.config_text import parse_config
from hlscam.domain.source import TestSource, parse_source
from hlscam.errors import ConfigError, HlscamError
from hlscam.units import US_PER_S

if TYPE_CHECKING:
    from playwright.async_api import Browser

_ANSWER_WITHIN_S = 10
_FULL_WINDOW_WITHIN_S = 120
_LOOK_EVERY_S = 0.5
_BEFORE_US = 4 * US_PER_S
"""Segments that ended just before count too, or a quick look would see none."""
_LONGEST_PAUSE_S = 2.0
"""A usual GOP: starts are spread over the age that the newest segment may have."""
_MEDIA_SEQUENCE = re.compile(r"#EXT-X-MEDIA-SEQUENCE:(\d+)")

Tell = Callable[[str], None]


async def measure(plan: Plan, *, tell: Tell = lambda _: None, clock: Clock | None = None) -> Report:
    """Measure every way of the plan; `tell` hears what is being done. Raises HlscamError."""
    host = urlsplit(plan.url).hostname if plan.url else None
    async with open_browser(plan.chromium, host=host or "127.0.0.1") as browser, _server(plan, tell) as (url, what):
        about = f"{what}; Chromium {browser.version}; {plan.starts} starts, {plan.samples} pictures of each"
        began_wall_us = (clock or SystemClock()).wall_us()
        rows = [await _row(way, plan, url, browser, tell) for way in plan.ways]
        tell("EXT-X-PROGRAM-DATE-TIME ...")
        async with _session() as session:
            errors_ms = await date_errors_ms(session, url, plan.camera, began_wall_us - _BEFORE_US)
        return Report(about, tuple(rows), tuple(errors_ms))


@asynccontextmanager
async def _server(plan: Plan, tell: Tell) -> AsyncIterator[tuple[str, str]]:
    """(URL, what it is in words)."""
    if plan.url is not None:
        yield plan.url, f"{plan.url}, camera {plan.camera}"
        return
    settings = own_settings(plan)
    tell("starting a server ...")
    async with own_server(settings) as url:
        if plan.full_window:
            tell("waiting for a whole live playlist ...")
            await _until_window_is_full(f"{url}hls/{plan.camera}/live.m3u8")
        parts = "" if plan.part_duration_s is None else f", parts of {plan.part_duration_s:g} s"
        yield url, f"{plan.source}{parts}"


def own_settings(plan: Plan) -> str:
    """The configuration of our own server. Raises ConfigError for a plan that it cannot follow."""
    source = parse_source(plan.source, Path())
    if not isinstance(source, TestSource):
        raise ConfigError(f"{plan.source} has no clock in its picture", hint=f"name a test pattern, such as {SOURCE}")
    settings = settings_text(source.text, plan.part_duration_s)
    parse_config(settings, environ={}, base=Path(tempfile.gettempdir()), file_name="hlscam bench")
    return settings


async def _until_window_is_full(playlist_url: str) -> None:
    """Wait until a live playlist drops its oldest segment. Raises HlscamError."""
    first = None
    try:
        async with asyncio.timeout(_FULL_WINDOW_WITHIN_S), _session() as session:
            while True:
                async with session.get(playlist_url, raise_for_status=True) as answer:
                    found = _MEDIA_SEQUENCE.search(await answer.text())
                now = found and found.group(1)
                if first is not None and now != first:
                    return
                first = now
                await asyncio.sleep(_LOOK_EVERY_S)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HlscamError(f"{playlist_url} does not go on: {str(error) or 'not in time'}") from None


async def _row(way: Way, plan: Plan, url: str, browser: Browser, tell: Tell) -> Row:
    async with _session() as session:
        why = await missing(way, session, url, plan.camera)
    if why:
        return Row(way.name, way.title, missing=f"not there: {why}")
    starts: list[Watched] = []
    for at in range(plan.starts):
        tell(f"{way.title}, start {at + 1} of {plan.starts} ...")
        await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311
        try:
            starts.append(await watch(way, plan, url, browser))
        except NoPicture as error:
            return Row(way.name, way.title, missing=f"start {at + 1}: {error.message}")
    return Row(way.name, way.title, tuple(starts))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S))
