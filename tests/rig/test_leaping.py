"""The leaping camera sends in real time, and its clock does as it is told: as ffmpeg reads it."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from tests.rig.ffmpeg_tools import Packet, packets, probe
from tests.rig.leaping import BRIEF_LOOK, LeapingCamera

LOOK = [word for name, value in BRIEF_LOOK.items() for word in (f"-{name}", value)]


def steps(seen: list[Packet]) -> list[float]:
    """The media time between each picture and the next."""
    return [float(after.dts_s - before.dts_s) for before, after in pairwise(seen)]


async def test_it_sends_h264_and_sound_in_real_time() -> None:
    async with LeapingCamera(rate=25, gop=10, sound=True) as camera:
        assert [stream.codec for stream in (await probe(camera.url, options=LOOK)).streams] == ["h264", "aac"]
        began_s = time.monotonic()
        reading = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(60)
        took_s = time.monotonic() - began_s
    seen = await reading
    assert len(seen) > 50
    assert steps(seen) == pytest.approx([0.04] * (len(seen) - 1), abs=0.0011)
    assert took_s > (len(seen) - 2) * 0.04


async def test_its_clock_leaps_and_stands_still() -> None:
    async with LeapingCamera(rate=10, gop=5) as camera:
        reading = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(12)
        camera.leap(3600)
        await camera.sends(12)
        camera.run_at(0)
        await camera.sends(12)
    seen = steps(await reading)
    (leap,) = [index for index, step in enumerate(seen) if step > 1]
    assert seen[leap] == pytest.approx(3600.1, abs=0.0011)
    assert seen[:leap] == pytest.approx([0.1] * leap, abs=0.0011)
    assert seen[-10:] == [0] * 10


async def test_it_leaps_again_and_again() -> None:
    async with LeapingCamera(rate=10, gop=5) as camera:
        camera.leap_every(0.5)
        reading = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(25)
    leaps = [step for step in steps(await reading) if step > 1]
    assert len(leaps) >= 3
    assert leaps == pytest.approx([60.1] * len(leaps), abs=0.0011)


@pytest.mark.parametrize("replays_gop", [False, True])
async def test_who_connects_later_sees_the_same_stream(replays_gop: bool) -> None:
    """From the next sync sample on, or from the last one."""
    async with LeapingCamera(rate=25, gop=25, replays_gop=replays_gop) as camera:
        first = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(40)
        newest_s = camera.clock_s
        second = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(70)
    early, late = await first, await second
    assert late
    assert (late[0].dts_s < newest_s) is replays_gop
    known = {each.md5 for each in early}
    assert all(each.md5 in known for each in late)


async def test_b_frames_are_there_when_asked_for() -> None:
    async with LeapingCamera(rate=10, gop=10, b_frames=2) as camera:
        reading = asyncio.create_task(packets(camera.url, options=LOOK))
        await camera.sends(15)
    shown = [packet.pts_s for packet in await reading if packet.pts_s is not None]
    assert shown != sorted(shown)
