"""A merciless client of one camera: it looks at the live playlist all the time, and forgets nothing.

EXT-X-MEDIA-SEQUENCE, EXT-X-DISCONTINUITY-SEQUENCE and times may only grow; a number that was listed keeps its URL,
duration, time, discontinuity and map for ever; whatever is listed can be fetched, and its bytes never change. It takes
a refused connection only while the server is down, and a 410 only of what retention has removed.

What is wrong is a complaint, each told once. Nothing is ever raised, so that one fault does not hide the next.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

import aiohttp

from tests.chaos.playlist import Line, Window, read_window

LOOK_EVERY_S = 0.25
SAME_TIME_S = 0.003
"""A playlist's times are whole milliseconds, and readers add up durations in between: so far two can be apart."""

MOST_AHEAD_S = 0.5
"""A segment is listed after it has ended; its times may be off by what a camera's clock has drifted."""

ANSWER_TIMEOUT_S = 10
_GONE = 410


class Answering(Protocol):
    """Where to ask, and whether nobody could answer at some time."""

    def url(self, path: str) -> str: ...

    def was_down(self, from_mono_s: float, to_mono_s: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A segment that was listed: how, when first, and the digest of its bytes once they were fetched."""

    line: Line
    first_mono_s: float
    digest: str = ""
    size_bytes: int = 0


class Observer:
    """Watches `camera`. `seen` holds every segment that was ever listed, by number."""

    def __init__(self, camera: str, servers: Answering, complaints: list[str]) -> None:
        self.camera = camera
        self.seen: dict[int, Sighting] = {}
        self.removed: set[int] = set()
        """Numbers that the server said retention has removed."""

        self.destroyed: set[int] = set()
        """Numbers whose bytes a fault took from the disk: they need not be there any more, but may not be others."""
        self.looks = 0
        self._complaints = complaints
        self._servers = servers
        self._maps: dict[str, str] = {}
        self._window: Window | None = None
        self._target_s = 0
        self._last_text = ""
        self.session: aiohttp.ClientSession | None = None

    async def watch(self) -> None:
        """Look, for ever."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)) as self.session:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_EVERY_S)

    @property
    def newest(self) -> Sighting | None:
        return self.seen[max(self.seen)] if self.seen else None

    @property
    def listed(self) -> list[int]:
        """The numbers that the live playlist lists now."""
        return [line.number for line in self._window.lines] if self._window else []

    async def look(self) -> None:
        """Look at the live playlist once, and fetch what was not fetched yet."""
        body = await self._get("live.m3u8", or_not_yet=not self.seen)
        if body is not None:
            self.looks += 1
            text = body.decode()
            if text != self._last_text:
                self._last_text = text
                self._read(text)
        for number in [number for number, sighting in self.seen.items() if not sighting.digest]:
            if number not in self.removed:
                await self.fetch(number)

    async def fetch(self, number: int) -> bytes | None:
        """A segment's bytes, and its map's are looked at too; a complaint when they are not what they were."""
        sighting = self.seen[number]
        await self._fetch_map(sighting.line.map_uri)
        data = await self._get(sighting.line.uri, number=number)
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        if sighting.digest and sighting.digest != digest:
            self._complain(f"the bytes of segment {number} changed ({len(data)} bytes now)")
        elif not sighting.digest:
            self.seen[number] = replace(sighting, digest=digest, size_bytes=len(data))
        return data

    async def fetch_map(self, uri: str) -> bytes | None:
        """An init section's bytes; a complaint when they are not what they were."""
        data = await self._get(uri)
        if data is not None:
            digest = hashlib.sha256(data).hexdigest()
            if self._maps.setdefault(uri, digest) != digest:
                self._complain(f"the bytes of {uri} changed")
        return data

    async def look_back(self, from_s: float, to_s: float) -> None:
        """Look at all that the timeline lists of that range: what was seen must be in it, and told as it was then.

        A segment that only the timeline lists (the last of a run, found after a crash) counts as seen from now on.
        """
        body = await self._get(f"timeline.m3u8?from={from_s:.3f}&to={to_s:.3f}")
        window = None if body is None else self._window_of(body.decode())
        if window is None:
            return
        lines = {int(line.uri.partition(".")[0]): line for line in window.lines}
        for number, listed in lines.items():
            line = replace(listed, number=number)
            known = self.seen.setdefault(number, Sighting(line, time.monotonic()))
            if listed.number != number:  # what retention removed beside protected footage is not counted in a list
                line = replace(line, discontinuity_sequence=known.line.discontinuity_sequence)
            if not is_same(known.line, line):
                self._complain(f"the timeline tells segment {number} differently: {difference(known.line, line)}")
        missing = sorted(
            number for number, each in self.seen.items()
            if from_s <= each.line.start_s < to_s and number not in {*lines, *self.removed, *self.destroyed}
        )  # fmt: skip
        if missing:
            self._complain(f"the timeline does not list {missing}")
        for before, after in pairwise(sorted(self.seen)):
            if self.seen[after].line.start_s < self.seen[before].line.end_s - SAME_TIME_S:
                self._complain(f"segment {after} starts before {before} has ended")

    async def fetch_all(self, numbers: Iterable[int]) -> int:
        """Fetch these again. How many could be."""
        return sum([await self.fetch(number) is not None for number in numbers])

    async def _fetch_map(self, uri: str) -> None:
        if uri not in self._maps:
            await self.fetch_map(uri)

    async def _get(self, name: str, *, number: int | None = None, or_not_yet: bool = False) -> bytes | None:
        assert self.session is not None, "nobody watches"
        began_mono_s = time.monotonic()
        try:
            async with self.session.get(self._servers.url(f"hls/{self.camera}/{name}")) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if not self._servers.was_down(began_mono_s, time.monotonic()):
                self._complain(f"{name} got no answer: {type(error).__name__} {error}")
            return None
        if status == 200:
            return body
        if number is not None and (status == _GONE or number in self.destroyed):
            self.removed.add(number)
        elif not (or_not_yet and status == 503):
            self._complain(f"{name} was answered with {status}: {body[:300].decode(errors='replace')}")
        return None

    def _read(self, text: str) -> None:
        window = self._window_of(text)
        if window is None:
            return
        before, self._window = self._window, window
        if before is not None:
            self._compare(before, window)
        self._check_target(window)
        for line in window.lines:
            self._see(line)

    def _window_of(self, text: str) -> Window | None:
        try:
            return read_window(text)
        except (AssertionError, ValueError) as error:
            self._complain(f"the playlist cannot be read: {error}; it is {text!r}")
            return None

    def _compare(self, before: Window, now: Window) -> None:
        for tag in ("media_sequence", "discontinuity_sequence"):
            was, is_now = getattr(before, tag), getattr(now, tag)
            if is_now < was:
                self._complain(f"EXT-X-{tag.upper().replace('_', '-')} went back from {was} to {is_now}")
        was = max((line.number for line in before.lines if line.number not in self.destroyed), default=0)
        if now.lines and now.lines[-1].number < was:
            self._complain(f"the newest segment was {was}, is {now.lines[-1].number}")
        if now.ended:
            self._complain("the live playlist has an end")

    def _check_target(self, window: Window) -> None:
        """It stays what it was, but while a picture is listed that stood still for longer (`domain/timeline.py`)."""
        self._target_s = self._target_s or window.target_duration_s
        needed_s = max([self._target_s, *(int(line.duration_s + 0.5) for line in window.lines)])
        if window.target_duration_s != needed_s:
            self._complain(f"EXT-X-TARGETDURATION is {window.target_duration_s}, not {needed_s}")

    def _see(self, line: Line) -> None:
        known = self.seen.get(line.number)
        if known is None:
            self._check_new(line)
            self.seen[line.number] = Sighting(line, time.monotonic())
        elif not is_same(known.line, line):
            self._complain(f"segment {line.number} changed: {difference(known.line, line)}")
            self.seen[line.number] = replace(known, line=line)

    def _check_new(self, line: Line) -> None:
        if line.uri != f"{line.number}.m4s":
            self._complain(f"segment {line.number} is called {line.uri}")
        if line.duration_s <= 0:
            self._complain(f"segment {line.number} lasts {line.duration_s} s")
        ahead_s = line.end_s - time.time()
        if ahead_s > MOST_AHEAD_S:
            self._complain(f"segment {line.number} ends {ahead_s:.3f} s in the future")
        newest = self.newest
        if newest is None:
            return
        if line.number < newest.line.number:
            self._complain(f"segment {line.number} appeared after {newest.line.number}")
        elif line.start_s < newest.line.end_s - SAME_TIME_S:
            over_s = newest.line.end_s - line.start_s
            self._complain(f"segment {line.number} starts {over_s:.3f} s before {newest.line.number} ends: {line}")

    def _complain(self, what: str) -> None:
        complaint = f"{self.camera}: {what}"
        if complaint not in self._complaints:
            self._complaints.append(complaint)
            print(f"    ! {datetime.now(UTC):%H:%M:%S.%f} {complaint}", flush=True)


def is_same(before: Line, now: Line) -> bool:
    """Whether two playlists tell the same of a segment."""
    return replace(now, start_s=before.start_s) == before and abs(now.start_s - before.start_s) <= SAME_TIME_S


def difference(before: Line, now: Line) -> str:
    """What two playlists tell differently of a segment."""
    was, is_now = asdict(before), asdict(now)
    return ", ".join(f"{name} {was[name]} became {is_now[name]}" for name in was if was[name] != is_now[name])
