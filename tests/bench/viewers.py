"""Many LL-HLS viewers in one process: `python -m tests.bench.viewers HOST PORT CAMERA VIEWERS SECONDS CORE FILE`.

Each does what a player does (RFC 8216bis 6.3.7): asks for the playlist with the next part in it, which the server
answers once that is whole, then fetches every part that is new to it, once. It counts from the moment that all have
begun. Run by `crowd.py`.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.bench.crowd import crowd_main
from tests.bench.lean_client import Answer, LeanConnection
from tests.bench.on_disk import last_fragment_key

Position = tuple[int, int]
_PART = re.compile(r'#EXT-X-PART:.*?URI="([^"]*?)(\d+)\.(\d+)\.m4s')
_HINT = re.compile(r'#EXT-X-PRELOAD-HINT:.*?URI="[^"]*?(\d+)\.(\d+)\.m4s')
_JOIN_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 20.0


@dataclass
class Seen:
    """`arrivals` are the Unix times at which a part came to each viewer; `keys` name parts as `on_disk.py` does."""

    counting: bool = False
    keys: dict[Position, str] = field(default_factory=dict)
    arrivals: defaultdict[Position, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)

    def part(self, position: Position, answer: Answer) -> None:
        if position not in self.keys:
            self.keys[position] = last_fragment_key(answer.body)
        if self.counting:
            self.arrivals[position].append(answer.arrived_s)

    def plain(self) -> dict[str, Any]:
        arrivals = {self.keys[position]: times for position, times in self.arrivals.items()}
        return {"arrivals": arrivals, "errors": self.errors}


def listed_parts(playlist: str) -> list[tuple[Position, str]]:
    """(position, name) of every part that a playlist lists, oldest first."""
    return [((int(msn), int(part)), f"{way}{msn}.{part}.m4s") for way, msn, part in _PART.findall(playlist)]


def next_position(playlist: str) -> Position:
    """Of the part that comes next: the hinted one, or else the one behind the newest. Raises ValueError without any."""
    if hints := _HINT.findall(playlist):
        return int(hints[-1][0]), int(hints[-1][1])
    parts = listed_parts(playlist)
    if not parts:
        raise ValueError("the playlist lists no parts")
    (media_sequence, part), _ = parts[-1]
    return media_sequence, part + 1


async def view(host: str, port: int, camera: str, seen: Seen, begun: asyncio.Event) -> None:
    """One viewer, until it is cancelled. Raises whatever goes wrong."""
    folder = f"/hls/{camera}/"
    connection = await LeanConnection.open(host, port)
    try:
        playlist = (await _get(connection, f"{folder}live.m3u8")).body.decode()
        newest = listed_parts(playlist)[-1][0]
        while True:
            media_sequence, part = next_position(playlist)
            path = f"{folder}live.m3u8?_HLS_msn={media_sequence}&_HLS_part={part}"
            playlist = (await _get(connection, path)).body.decode()
            for position, name in listed_parts(playlist):
                if position > newest:
                    seen.part(position, await _get(connection, name if name.startswith("/") else folder + name))
                    newest = position
            begun.set()
    finally:
        connection.close()


async def _get(connection: LeanConnection, path: str) -> Answer:
    async with asyncio.timeout(_ANSWER_WITHIN_S):  # wait_for of Python 3.11 forgets a cancellation that meets an answer
        answer = await connection.get(path)
    if answer.status != 200:
        raise ValueError(f"{answer.status} for {re.sub('[0-9]+', 'N', path)}")
    return answer


async def watch_all(host: str, port: str, camera: str, viewers: str, seconds: str) -> dict[str, Any]:
    """All viewers, and what they have seen in `seconds` from the moment that all have begun."""
    seen = Seen()
    begun = [asyncio.Event() for _ in range(int(viewers))]
    tasks = []
    for event in begun:
        tasks.append(asyncio.create_task(view(host, int(port), camera, seen, event)))
        tasks[-1].add_done_callback(lambda _, event=event: event.set())  # type: ignore[misc]
        await asyncio.sleep(_JOIN_WITHIN_S / len(begun))
    for event in begun:
        await event.wait()
    seen.counting = True
    await asyncio.sleep(float(seconds))
    seen.counting = False
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    seen.errors.update(repr(end) for end in ends if not isinstance(end, asyncio.CancelledError))
    return seen.plain()


if __name__ == "__main__":
    crowd_main(watch_all, sys.argv[1:])
