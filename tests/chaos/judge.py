"""After each fault: does every camera record again, and is everything that was there still there, and the same?

What is wrong is a complaint in words. What is merely slow is a figure: `recovered_s` above `PROMISE_S` is marked, and
patience ends at `PATIENCE_S`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from tests.chaos.faults import Fault
from tests.chaos.observer import Observer
from tests.chaos.scene import CAMERAS, PART_S, RATE, Scene
from tests.rig.ffmpeg_tools import decode, probe

PROMISE_S = 15
PATIENCE_S = 90
TAIL_S = PART_S + 2 / RATE + 0.3
"""What a kill may cost: a fragment, which is a frame or two longer than asked for, as seen by a host that is busy."""

RECENT_S = 120
OLDER_SAMPLED = 12
DECODED_SEGMENTS = 3
NO_HOLE_S = 1 / RATE
"""A looped clip whose sound is longer than its pictures leaves less than a picture's time between two recordings."""

SAME_LENGTH_S = 0.25
"""Sound ends a little earlier or later than the pictures; a file lasts as long as the longer of them."""

_LIVE_S = 24
"""Footage that retention spares for live players: twice the live window, a segment, and the one in progress."""
_NAMED_S = 2
"""A name tells the second in which ffmpeg began a file; its first picture may be from a second later."""

_NAMED_TIME = "%Y%m%dT%H%M%SZ"
_NAMED_TIME_LENGTH = len("20261122T221000Z")


@dataclass(frozen=True, slots=True)
class Loss:
    """A camera's part of a fault. `tail_s` is footage from before the fault that is gone."""

    camera: str
    lost_s: float
    tail_s: float
    recovered_s: float | None


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before a fault. `live_from_wall_s` tells per camera where what live players may ask for begins."""

    files: dict[str, int]
    quarantined: frozenset[str]
    discontinuities: dict[str, int]
    live_from_wall_s: dict[str, float]
    complaints: int

    @classmethod
    def of(cls, scene: Scene) -> Before:
        newest = {camera: observer.newest for camera, observer in scene.observers.items()}
        return cls(
            files=scene.recordings(),
            quarantined=frozenset(scene.quarantined()),
            discontinuities={
                camera: sighting.line.discontinuity_sequence for camera, sighting in newest.items() if sighting
            },
            live_from_wall_s={camera: _live_from_wall_s(observer) for camera, observer in scene.observers.items()},
            complaints=len(scene.complaints),
        )


class Judge:
    """Judges one scene after another fault. `complaints` are its own; the observers have theirs."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self._scene = scene
        self._chance = chance

    async def judge(self, fault: Fault, before: Before) -> tuple[list[Loss], list[str]]:
        """What each camera lost, and what is wrong."""
        recovered = await self._wait_recovered(fault)
        wrong = [f"{camera} did not record again within {PATIENCE_S} s" for camera, s in recovered.items() if s is None]
        losses = [await self._loss(fault, camera, recovered[camera]) for camera in CAMERAS]
        wrong += [complaint for loss in losses for complaint in _too_much(fault, loss)]
        for observer in self._scene.observers.values():
            wrong += await self.fetch_again(observer)
            wrong += await self._decode_newest(observer)
            wrong += self._noticed(fault, before, observer)
        wrong += self._vanished(fault, before)
        wrong += self._scene.complaints[before.complaints :]
        self._scene.servers.assert_alive()
        return losses, wrong

    async def _wait_recovered(self, fault: Fault) -> dict[str, float | None]:
        """Seconds from the fault's end until a segment was listed that begins after it, per camera."""
        found: dict[str, float | None] = dict.fromkeys(CAMERAS)
        while None in found.values() and time.monotonic() < fault.ended_mono_s + PATIENCE_S:
            for camera in CAMERAS:
                found[camera] = _recovered_s(self._scene.observers[camera], fault)
            await asyncio.sleep(0.05)
        return found

    async def _loss(self, fault: Fault, camera: str, recovered_s: float | None) -> Loss:
        holes = [
            (begin, end)
            for begin, end in await holes_since(self._scene, camera, fault.began_wall_s - 30)
            if end > fault.began_wall_s
        ]
        lost_s = sum(end - begin - _overlap_s((begin, end), fault) for begin, end in holes)
        tail_s = max([fault.began_wall_s - begin for begin, _ in holes], default=0.0)
        return Loss(camera, lost_s, max(tail_s, 0.0), recovered_s)

    async def fetch_again(self, observer: Observer, *, everything: bool = False) -> list[str]:
        """Fetch what is listed, what was lately, and some of what was long ago; complaints are the observer's."""
        before = len(observer.removed)
        recent_from_s = time.time() - RECENT_S
        kept = [number for number in observer.seen if number not in observer.removed]
        recent = [number for number in kept if observer.seen[number].line.end_s >= recent_from_s]
        older = sorted(set(kept) - set(recent))
        if not everything:
            older = self._chance.sample(older, min(OLDER_SAMPLED, len(older)))
        await observer.fetch_all([*older, *recent])
        for uri in {observer.seen[number].line.map_uri for number in [*older, *recent]}:
            await observer.fetch_map(uri)
        return await self._wrongly_removed(observer) if len(observer.removed) > before else []

    async def _wrongly_removed(self, observer: Observer) -> list[str]:
        """Retention takes whole recordings, the oldest first: what it took lies before all that it may still take."""
        camera, protected = observer.camera, self._scene.protected
        kept = await recordings_of(self._scene, camera)
        first = next(int(each["first_media_sequence"]) for each in kept if f"{camera}/{each['name']}" not in protected)
        wrongly = sorted(number for number in observer.removed if number >= first)
        return [f"{camera}: {wrongly} are gone, though older footage is there"] if wrongly else []

    async def _decode_newest(self, observer: Observer) -> list[str]:
        newest = observer.listed[-DECODED_SEGMENTS:]
        return await decode_faults(observer, [number for number in newest if number not in observer.removed])

    def _noticed(self, fault: Fault, before: Before, observer: Observer) -> list[str]:
        """A camera that the fault did not hit goes on without a discontinuity."""
        camera, newest = observer.camera, observer.newest
        if camera in fault.hit or newest is None:
            return []
        was, is_now = before.discontinuities[camera], newest.line.discontinuity_sequence
        return [f"{camera} began {is_now - was} new runs, though the fault is not its own"] if was != is_now else []

    def _vanished(self, fault: Fault, before: Before) -> list[str]:
        """Files that are neither where they were nor in quarantine, and that retention did not have to remove."""
        now, aside = self._scene.recordings(), self._scene.quarantined()
        wrong = [f"{name} vanished from quarantine" for name in sorted(before.quarantined - aside.keys())]
        gone = sorted(name for name in before.files if name not in now and name not in aside)
        wrong += [f"{name} was protected, and is gone" for name in gone if name in self._scene.protected]
        if gone and not fault.may_remove:
            wrong.append(f"recordings vanished: {', '.join(gone)}")
        elif gone:
            wrong += out_of_order(gone, before, now.keys() - self._scene.protected)
        return wrong


def out_of_order(gone: list[str], before: Before, kept: Set[str]) -> list[str]:
    """Retention takes the oldest of all cameras first, and of each camera leaves what live players may ask for.

    That is what they might ask for when the fault began: what retention has left then is older by now.
    """
    of_camera: dict[str, list[str]] = {}
    for name in sorted(before.files):
        of_camera.setdefault(name.split("/")[0], []).append(name)
    may_go = [
        name
        for camera, names in of_camera.items()
        for name, after in pairwise(names[:-1])  # the newest is always spared, and the one before it
        if name in kept and _named_wall_s(after) + _NAMED_S < before.live_from_wall_s[camera]
    ]
    oldest_kept, last_gone = min(may_go, key=_named_wall_s, default=None), max(gone, key=_named_wall_s)
    if oldest_kept is not None and _named_wall_s(last_gone) > _named_wall_s(oldest_kept) + _NAMED_S:
        return [f"retention took {last_gone} and left {oldest_kept}, which is older"]
    return []


def _named_wall_s(name: str) -> float:
    """When a recording began, as its name tells it, to the second; the one before it has ended by then."""
    named = name.split("/")[1][:_NAMED_TIME_LENGTH]
    return datetime.strptime(named, _NAMED_TIME).replace(tzinfo=UTC).timestamp()


def _live_from_wall_s(observer: Observer) -> float:
    """When the newest `_LIVE_S` of a camera's footage began."""
    left_s = float(_LIVE_S)
    for number in sorted(observer.seen, reverse=True):
        line = observer.seen[number].line
        left_s -= line.end_s - line.start_s
        if left_s <= 0:
            return line.start_s
    return 0.0


def _recovered_s(observer: Observer, fault: Fault) -> float | None:
    sightings = [each for each in observer.seen.values() if each.line.start_s >= fault.ended_wall_s]
    first_mono_s = min((each.first_mono_s for each in sightings), default=None)
    return None if first_mono_s is None else first_mono_s - fault.ended_mono_s


def _overlap_s(hole: tuple[float, float], fault: Fault) -> float:
    return max(0.0, min(hole[1], fault.ended_wall_s) - max(hole[0], fault.began_wall_s))


def _too_much(fault: Fault, loss: Loss) -> list[str]:
    if fault.is_kill and loss.tail_s > TAIL_S + fault.cut_s:
        return [f"{loss.camera} lost {loss.tail_s:.2f} s from before the kill, more than a fragment"]
    if loss.camera not in fault.hit and loss.lost_s > NO_HOLE_S:
        return [f"{loss.camera} lost {loss.lost_s:.2f} s, though the fault is not its own"]
    return []


async def spans_since(scene: Scene, camera: str, from_wall_s: float) -> list[tuple[float, float]]:
    """Where the API says that there is footage, in Unix seconds."""
    answer = await _json(scene, f"api/v1/cameras/{camera}/timeline?from={from_wall_s:.3f}")
    return [(_seconds(span["start"]), _seconds(span["end"])) for span in answer["spans"]]


async def holes_since(scene: Scene, camera: str, from_wall_s: float) -> list[tuple[float, float]]:
    """What lies between those."""
    spans = await spans_since(scene, camera, from_wall_s)
    return [(before[1], after[0]) for before, after in pairwise(spans)]


async def recordings_of(scene: Scene, camera: str) -> list[dict[str, Any]]:
    """All that the API says of a camera's recordings, oldest first."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = f"&cursor={cursor}" if cursor else ""
        answer = await _json(scene, f"api/v1/cameras/{camera}/recordings?limit=1000{page}")
        found += answer["recordings"]
        cursor = answer["next"]
    return found


async def file_faults(scene: Scene, camera: str) -> list[str]:
    """What ffmpeg has against closed recordings as plain files: each must decode, and last as long as the API says."""
    wrong: list[str] = []
    for each in await recordings_of(scene, camera):
        if each["end"] is None:
            continue
        what, path = f"{camera}/{each['name']} ({each['end_reason']})", scene.archive / camera / each["name"]
        try:
            decoded, probed = await decode(path), await probe(path)
        except AssertionError as error:
            wrong.append(f"{what} cannot be opened: {error}")
            continue
        if decoded.errors:
            wrong.append(f"{what} does not decode: {decoded.errors[:3]}")
        if probed.duration_s is None or abs(probed.duration_s - each["duration_s"]) > SAME_LENGTH_S:
            wrong.append(f"{what} lasts {probed.duration_s} s for ffmpeg, and {each['duration_s']} s by the API")
    return wrong


async def _json(scene: Scene, path: str) -> dict[str, Any]:
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(scene.servers.url(path)) as found:
        answer: dict[str, Any] = await found.json()
        return answer


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def decode_faults(observer: Observer, numbers: Sequence[int]) -> list[str]:
    """What ffmpeg has against these segments, each run of them with its init section in front."""
    wrong: list[str] = []
    for group in _runs(observer, numbers):
        what = f"{observer.camera}: segments {group[0]} to {group[-1]}"
        init = await observer.fetch_map(observer.seen[group[0]].line.map_uri)
        pieces = [await observer.fetch(number) for number in group]
        if init is None or None in pieces:
            continue  # the observer has complained
        data = b"".join(piece for piece in pieces if piece is not None)
        with TemporaryDirectory(prefix="chaos-decode-") as folder:
            path = Path(folder) / "run.mp4"
            path.write_bytes(data if data.startswith(init) else init + data)
            decoded = await decode(path, timeout_s=300)
        if decoded.errors:
            wrong.append(f"{what} do not decode: {decoded.errors[:3]}")
        elif not decoded.frames:
            wrong.append(f"{what} hold no picture")
    return wrong


def _runs(observer: Observer, numbers: Sequence[int]) -> list[list[int]]:
    """The numbers, in rows that one init section and one discontinuity sequence hold for, without a number missing."""
    rows: list[list[int]] = []
    for number in sorted(numbers):
        if rows and number == rows[-1][-1] + 1 and _key(observer, number) == _key(observer, rows[-1][-1]):
            rows[-1].append(number)
        else:
            rows.append([number])
    return rows


def _key(observer: Observer, number: int) -> tuple[int, str]:
    line = observer.seen[number].line
    return line.discontinuity_sequence, line.map_uri
