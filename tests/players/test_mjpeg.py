"""MJPEG in a real browser: an `<img>` shows what is live, and goes on to; another one plays the past."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlscam.bench.clockface import Picture
from tests.rig.chromium import Tab, open_tab
from tests.rig.hlscam_server import HlscamServer
from tests.rig.waiting import until

pytestmark = pytest.mark.players

SETTINGS = """
archive: {path: ./archive}
cameras:
  pattern: {source: "test:?size=320x180&rate=15&gop_s=1&audio=0"}
"""
_SHOW = """source => { document.body.innerHTML = `<img src="${source}">`; }"""
_TAKE = """() => {
    const image = document.querySelector("img");
    if (!image.naturalWidth) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, Array.from(rgba).filter((_, at) => at % 4 === 1)];
}"""


async def shown_ms(tab: Tab) -> int | None:
    """The clock in the picture that is shown; None before there is one."""
    taken = await tab.page.evaluate(_TAKE)
    return Picture(taken[0], taken[1], bytes(taken[2])).clock_ms() if taken else None


async def test_an_image_shows_what_is_live_and_another_the_past(tmp_path: Path) -> None:
    async with HlscamServer(tmp_path, SETTINGS) as server, open_tab() as tab:
        await tab.page.goto(server.url("healthz"))
        first_ms: dict[str, int] = {}
        camera = await server.json("api/v1/cameras/pattern")
        for name, query in [("live", ""), ("past", f"?from={camera['first']}")]:
            await tab.page.evaluate(_SHOW, f"/mjpeg/pattern{query}")
            first_ms[name] = await until(lambda: shown_ms(tab), f"a picture of {name}")

            async def later(after_ms: int = first_ms[name] + 500) -> bool:
                return (await shown_ms(tab) or 0) > after_ms

            await until(later, f"{name} goes on")
        assert tab.page_errors == []
    assert first_ms["past"] < first_ms["live"]
