"""One start of one way: a page opened in a profile that has seen nothing, and what its pictures say.

Sampling is done in the page (`sampler.js`); here it is opened and the clocks are read afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlscam.adapters.ffmpeg.pattern_font import CELLS_IN_HEIGHT
from hlscam.bench.clockface import CELLS, ROWS, Picture
from hlscam.bench.plan import Plan
from hlscam.bench.report import Watched
from hlscam.bench.ways import WAYS, Traffic, Way
from hlscam.errors import HlscamError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

_SAMPLER = Path(__file__).with_name("sampler.js")
_EAGER = 3
"""The first frames, all sampled: the very first one may be half drawn, or of before."""
_SLACK = 3
_MORE_S = 10
"""Sampling may take `_SLACK` times as long as planned and `_MORE_S` more: pictures stand now and then."""


class NoPicture(HlscamError):
    """A page showed nothing that can be measured."""


async def watch(way: Way, plan: Plan, url: str, browser: Browser) -> Watched:
    """Open a way and sample what it shows. Raises NoPicture."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = await context.new_page()
        traffic, troubles = Traffic(page), list[str]()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        await page.add_init_script(await asyncio.to_thread(_script, way, plan))
        address = url + way.path.format(camera=plan.camera)
        if way.html:
            await page.route(address, _answer_with(way.html.format(camera=plan.camera)))
        samples = await _sampled(page, address, plan, traffic, troubles)
        if way.carrier not in (None, traffic.carrier):
            played = WAYS[traffic.carrier].title if traffic.carrier else "something else"
            raise NoPicture(f"the page played {played} instead")
        return read_samples(samples)
    finally:
        await context.close()


async def _sampled(page: Page, address: str, plan: Plan, traffic: Traffic, troubles: list[str]) -> list[dict[str, Any]]:
    from playwright.async_api import Error

    longest_s = _SLACK * plan.sampling_s + _MORE_S
    try:
        await page.goto(address, wait_until="commit")
        if not await page.evaluate("(ms) => window.hlscamBench.isBegun(ms)", plan.first_picture_within_s * 1000):
            raise NoPicture("; ".join([f"no picture within {plan.first_picture_within_s:g} s", *troubles]))
        traffic.settle()
        if not await page.evaluate("(ms) => window.hlscamBench.isDone(ms)", longest_s * 1000):
            raise NoPicture("; ".join([f"too few pictures within {longest_s:.0f} s", *troubles]))
        samples: list[dict[str, Any]] = await page.evaluate("window.hlscamBench.collect()")
    except Error as error:
        raise NoPicture(f"Chromium says {error.message.splitlines()[0]}") from None
    return samples


def _script(way: Way, plan: Plan) -> str:
    wishes = {
        "selector": way.selector,
        "camera": plan.camera,
        "cells": CELLS,
        "cellRows": ROWS,
        "cellsInHeight": CELLS_IN_HEIGHT,
        "eager": _EAGER,
        "settleMs": plan.settle_s * 1000,
        "everyMs": plan.every_ms,
        "wanted": _EAGER + plan.samples,
    }
    return f"({_SAMPLER.read_text(encoding='utf-8').rstrip()})({json.dumps(wishes)})"


def _answer_with(html: str) -> Callable[[Route], Awaitable[None]]:
    return lambda route: route.fulfill(body=html, content_type="text/html")


def read_samples(samples: list[dict[str, Any]]) -> Watched:
    """The figures in what the sampler has collected. Raises NoPicture when no clock can be read."""
    read = [(sample, _clock_ms(sample)) for sample in samples]
    known = [(sample, clock_ms) for sample, clock_ms in read if clock_ms is not None]
    later = [(sample, clock_ms) for sample, clock_ms in read[_EAGER:] if clock_ms is not None]
    if not later:
        raise NoPicture("it shows pictures without the test pattern's clock: name a `test:` camera")
    return Watched(
        first_picture_ms=known[0][0]["pageMs"],
        latencies_ms=tuple(sample["wallMs"] - clock_ms for sample, clock_ms in later),
        date_errors_ms=tuple(sample["saysMs"] - clock_ms for sample, clock_ms in later if sample["saysMs"] is not None),
        unread=len(samples) - len(known),
    )


def _clock_ms(sample: dict[str, Any]) -> int | None:
    picture = Picture(sample["width"], sample["height"], base64.b64decode(sample["gray"]))
    return picture.clock_ms(sample["fullHeight"])
