"""Low-latency HLS over a server that records (RFC 8216bis): each rule of the draft in a test of its own.

Every state of the live edge is looked at as a player looks: it asks for the next part by name, and is answered when
that is there.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from hlscam.app import running_server
from hlscam.domain.config import CameraConfig
from hlscam.domain.source import parse_source
from tests.rig.ffmpeg_tools import decode, make_clip
from tests.rig.playlist_lint import lint_all, number_of
from tests.server.serving import CAMERA, HOLE_S, LaterClock, make_config, newest_count, until_changed
from tests.server.test_growing import Growing
from tests.services.studio import ffmpegs

pytestmark = pytest.mark.asyncio(loop_scope="module")
STATES = 20
_PART = re.compile(r'#EXT-X-PART:DURATION=([0-9.]+),URI="(\d+)\.(\d+)\.m4s"(,INDEPENDENT=YES)?')
_LISTED = re.compile(r'#EXT-X-(?:MAP|PART):.*?URI="([^"]+)"')
_SEGMENT = re.compile(r"#EXTINF:([0-9.]+),\n(\d+)\.m4s")


@dataclass(frozen=True, slots=True)
class State:
    """A live playlist, read."""

    text: str

    @property
    def parts(self) -> list[tuple[tuple[int, int], float, bool]]:
        return [
            ((int(number), int(index)), float(s), bool(sync)) for s, number, index, sync in _PART.findall(self.text)
        ]

    @property
    def positions(self) -> list[tuple[int, int]]:
        return [position for position, _, _ in self.parts]

    @property
    def segments(self) -> dict[int, float]:
        return {int(number): float(s) for s, number in _SEGMENT.findall(self.text)}

    @property
    def newest(self) -> tuple[int, int]:
        """The position of what comes next, as a player reckons it: behind the last part, or the last segment."""
        following = max(self.segments) + 1
        return following, sum(position[0] == following for position, _, _ in self.parts)

    @property
    def hint(self) -> tuple[int, int]:
        found = re.search(r'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', self.text)
        assert found is not None, self.text
        return int(found[1]), int(found[2])

    def number(self, name: str) -> float:
        return number_of(self.text, name)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def growing(archive_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Growing]:
    folder = tmp_path_factory.mktemp("low-latency") / "archive"
    shutil.copytree(archive_folder, folder)
    config = make_config(folder, recording_s=6)
    async with running_server(config, clock=LaterClock(2 * HOLE_S)) as server, aiohttp.ClientSession() as client:
        yield Growing(server, client, folder)


async def state(growing: Growing, query: str = "") -> State:
    return State(await growing.text(f"/hls/{CAMERA}/live.m3u8{query}"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def states(growing: Growing) -> list[State]:
    """The live edge, part after part, across a roll."""
    run = growing.newest.run
    await until_changed(growing.stream, lambda: growing.newest.run != run or newest_count(growing.stream) >= 2)
    found = [await state(growing)]
    while len(found) < STATES:
        number, index = found[-1].newest
        found.append(await state(growing, f"?_HLS_msn={number}&_HLS_part={index}"))
    return found


async def test_each_reload_is_answered_when_the_part_is_there(states: list[State]) -> None:
    """6.2.5.2: the playlist that answers has the part that was asked for, or a later one."""
    for before, after in pairwise(states):
        assert after.newest > before.newest


async def test_a_strict_reader_accepts_every_state(states: list[State]) -> None:
    read = await lint_all([each.text for each in states])
    assert all(each["type"] == "media" for each in read)


async def test_every_state_says_what_low_latency_needs(states: list[State]) -> None:
    """B.1, 4.4.3.7, 4.4.5.3: dates, blocking reloads, the part target, and the name of one part that is to come."""
    for each in states:
        assert each.text.count("#EXT-X-PRELOAD-HINT:TYPE=PART,") == each.text.count("#EXT-X-PRELOAD-HINT") == 1
        for tag in ("#EXT-X-PART-INF:", "#EXT-X-SERVER-CONTROL:", "CAN-BLOCK-RELOAD=YES"):
            assert each.text.count(tag) == 1
        assert "#EXT-X-PROGRAM-DATE-TIME:" in each.text
        assert "#EXT-X-ENDLIST" not in each.text


@dataclass(frozen=True, slots=True)
class Watched:
    """The states of a live playlist across a change of the run, and the body of all that they listed, by its URI."""

    states: list[State]
    bodies: dict[str, bytes]


async def watch_a_new_run(growing: Growing, before: Callable[[], object]) -> Watched:
    """Kill the camera's ffmpeg when `before` was done; until the next run has a whole segment, fetch all at once."""
    await growing.until(lambda: newest_count(growing.stream) >= 2)
    run, watched = growing.newest.run, Watched([await state(growing)], {})
    await asyncio.to_thread(before)
    os.kill(ffmpegs(growing.folder / CAMERA)[0], signal.SIGKILL)
    is_over = False
    while not is_over:
        is_over = growing.newest.run != run
        number, index = watched.states[-1].newest
        now = await state(growing, f"?_HLS_msn={number}&_HLS_part={index}")
        watched.states.append(now)
        for uri in _LISTED.findall(now.text):
            if uri not in watched.bodies:
                status, _, watched.bodies[uri] = await growing.get(f"/hls/{CAMERA}/{uri}")
                assert status == 200, (uri, now.text)
    return watched


@pytest.mark.parametrize("size", ["320x180", "160x90"])
async def test_what_is_said_of_a_run_stands_before_its_first_part(tmp_path: Path, size: str) -> None:
    """4.4.4.9: discontinuity, map and date, from its first part on; and all that is listed can be had at once."""
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, rate=15, gop=15)
    config = make_config(tmp_path / "archive", recording_s=60)
    camera = CameraConfig(source=parse_source(f"file:{clip}", tmp_path))
    config = config.model_copy(update={"cameras": {CAMERA: camera}})
    async with running_server(config) as server, aiohttp.ClientSession() as client:
        growing = Growing(server, client, config.archive.path)
        watched = await watch_a_new_run(growing, lambda: make_clip(clip, seconds=2, size=size, rate=15, gop=15))
        first = growing.newest.first_media_sequence
        new_map = f"init-{growing.newest.init_hash}.mp4"
    begun = [each for each in watched.states if (first, 0) in each.positions]
    assert {first in each.segments for each in begun} == {True, False}, "as a part alone, and as a whole segment"
    is_changed = size != "320x180"
    said = ["DISCONTINUITY", *(["MAP"] if is_changed else []), "PROGRAM-DATE-TIME", "PART"]
    for each in begun:
        before = re.split(r"^\d+\.m4s$", each.text.partition(f'URI="{first}.0.m4s"')[0], flags=re.MULTILINE)[-1]
        assert re.findall(r"#EXT-X-(DISCONTINUITY|MAP|PROGRAM-DATE-TIME|PART)\b", before) == said, each.text
        assert re.findall(r'#EXT-X-MAP:URI="([^"]+)"', each.text)[-1] == new_map
    assert len({uri for uri in watched.bodies if uri.startswith("init-")}) == 1 + is_changed
    assert watched.bodies[f"{first}.0.m4s"].startswith(watched.bodies[new_map])
    await lint_all([each.text for each in watched.states])


async def test_what_is_said_of_a_segment_stands_before_its_first_part(states: list[State]) -> None:
    """4.4.4.9: where a recording begins, EXT-X-MAP and EXT-X-PROGRAM-DATE-TIME hold for the parts too."""
    for each in states:
        for segment in re.split(r"^\d+\.m4s$", each.text, flags=re.MULTILINE):
            _, part, rest = segment.partition("#EXT-X-PART:")
            said = re.findall("#EXT-X-(?:DISCONTINUITY|MAP|PROGRAM-DATE-TIME)\\b", rest)
            assert not (part and said), segment


async def test_parts_are_of_the_last_three_target_durations(states: list[State]) -> None:
    """6.2.2: those of older segments should be removed."""
    for each in states:
        target_s, numbers = each.number("TARGETDURATION"), sorted(each.segments)
        for number in {position[0] for position in each.positions} & set(numbers):
            behind = [of for of in numbers if of >= number]
            open_s = sum(part_s for (of, _), part_s, _ in each.parts if of > numbers[-1])
            assert sum(each.segments[of] for of in behind) + open_s <= 3 * target_s + 0.1
    assert len({position[0] for position in states[-1].positions}) >= 2


async def test_no_part_is_longer_than_the_part_target_and_it_never_changes(states: list[State]) -> None:
    """4.4.3.7, 4.4.4.9; and parts other than a segment's last have 85 % of it."""
    assert len({each.number("PART-TARGET") for each in states}) == 1
    target_s = states[0].number("PART-TARGET")
    for each in states:
        for (number, index), duration_s, _ in each.parts:
            assert duration_s <= target_s
            is_last = ((number, index + 1)) not in {position for position, _, _ in each.parts}
            assert is_last or duration_s >= 0.85 * target_s


async def test_players_hold_back_three_part_targets(states: list[State]) -> None:
    """4.4.3.8."""
    assert states[0].number("PART-HOLD-BACK") == pytest.approx(3 * states[0].number("PART-TARGET"))
    assert "CAN-BLOCK-RELOAD=YES" in states[0].text


async def test_the_parts_of_a_segment_last_as_long_as_it(states: list[State]) -> None:
    whole = {position: duration_s for each in states for position, duration_s, _ in each.parts}
    for number, duration_s in states[-1].segments.items():
        parts = [part_s for (of, _), part_s in whole.items() if of == number]
        if parts:
            assert sum(parts) == pytest.approx(duration_s, abs=0.1)


async def test_parts_never_change_once_listed(states: list[State]) -> None:
    """Invariant 1, for parts."""
    known: dict[tuple[int, int], tuple[float, bool]] = {}
    for each in states:
        for position, duration_s, independent in each.parts:
            assert known.setdefault(position, (duration_s, independent)) == (duration_s, independent)


async def test_a_segment_s_parts_end_to_end_are_the_segment(growing: Growing, states: list[State]) -> None:
    """Whoever takes parts and whoever takes segments sees the same; and decodes it."""
    for number in sorted(states[-1].segments)[-3:]:
        row = await growing.server.services.footage.parts(CAMERA, number)
        paths = [f"/hls/{CAMERA}/{number}.{each.index}.m4s" for each in row]
        pieces = [(await growing.get(path))[2] for path in paths]
        assert b"".join(pieces) == (await growing.get(f"/hls/{CAMERA}/{number}.m4s"))[2]


async def test_independent_parts_say_so(growing: Growing, states: list[State]) -> None:
    """4.4.4.9: with the init section in front, a part that says INDEPENDENT=YES decodes alone."""
    assert {index for (_, index), _, independent in states[-1].parts if independent} == {0}
    (number, index), *_ = [position for position, _, independent in states[-1].parts if independent]
    init = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', states[-1].text)[-1]
    data = (await growing.get(f"/hls/{CAMERA}/{init}"))[2] + (await growing.get(f"/hls/{CAMERA}/{number}.{index}.m4s"))[
        2
    ]
    path = growing.folder.parent / "part.mp4"
    path.write_bytes(data)
    decoded = await decode(path)
    assert decoded.frames
    assert not decoded.errors


async def test_a_hinted_part_is_sent_when_it_is_whole(growing: Growing, states: list[State]) -> None:
    """6.2.6: a request for the resource of a hint is answered when it is available."""
    assert states
    for _ in range(4):
        now = await state(growing)
        number, index = now.hint
        status, headers, body = await growing.get(f"/hls/{CAMERA}/{number}.{index}.m4s")
        assert status == 200, now.text
        assert "immutable" in headers["cache-control"]
        after = await state(growing)
        assert growing.stream.has(number, index)
        assert (number, index) in [position for position, _, _ in after.parts]
        assert body


async def test_the_hint_is_the_next_part(states: list[State]) -> None:
    """Where groups of pictures are regular it is right, at the borders of segments too."""
    misses = [before.hint for before, after in pairwise(states) if before.hint not in after.positions]
    assert len(misses) <= 2, misses


async def test_many_are_woken_by_one_part(growing: Growing, states: list[State]) -> None:
    assert states
    number, index = (await state(growing)).newest
    texts = await asyncio.gather(*(state(growing, f"?_HLS_msn={number}&_HLS_part={index}") for _ in range(50)))
    assert all(each.newest > (number, index) for each in texts)


async def test_a_part_of_the_past_can_be_fetched_for_ever(growing: Growing) -> None:
    oldest = (await growing.server.services.catalog.recordings(CAMERA))[0].first_media_sequence
    status, _, body = await growing.get(f"/hls/{CAMERA}/{oldest}.1.m4s")
    assert status == 200
    assert body in (await growing.get(f"/hls/{CAMERA}/{oldest}.m4s"))[2]
    status, _, body = await growing.get(f"/hls/{CAMERA}/{oldest}.99.m4s")
    assert status == 404
    assert "has no part 99" in body.decode()


async def test_with_gaps_there_are_no_parts(growing: Growing) -> None:
    text = await growing.text(f"/hls/{CAMERA}/live.m3u8?gaps=1")
    assert "#EXT-X-PART" not in text
