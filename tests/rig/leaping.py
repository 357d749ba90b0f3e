"""A camera whose clock can be set, made to leap, to run at another pace or to stand still, while it sends.

    async with LeapingCamera(gop=10) as camera:
        ...                        # camera.url is tcp://127.0.0.1:40123
        camera.leap(3600)          # its clock is set forward by an hour
        camera.run_at(0)           # it stands still, while pictures go on to come
        camera.leap_every(1)       # it leaps by a minute once a second, for ever
        await camera.sends(20)     # until so many more pictures went out

It sends a clip over and over as FLV, in real time, and each picture is stamped by that clock. FLV, because ffmpeg
takes its timestamps as they are; those of MPEG-TS it mends where they leap by more than ten seconds. Only set back this
clock cannot be: ffmpeg takes that for the end of the 32 bits of FLV's milliseconds.

All who connect see the same live stream, from the next sync sample on, or with `replays_gop` from the last one, in a
burst, as cameras do that want their viewers to see a picture at once. ffmpeg looks at FLV for six seconds before it
goes on; `BRIEF_LOOK` are input options that make it a fraction of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.ffmpeg_tools import make_clip

_HEAD = b"FLV\x01%c\x00\x00\x00\x09\x00\x00\x00\x00"
_HEAD_BYTES = 13
_SOUND, _PICTURE = 8, 9
_CLIP_S = 2
_LEAP_S = 60

BRIEF_LOOK = {"analyzeduration": "100000"}


@dataclass(frozen=True, slots=True)
class _Tag:
    """One picture or piece of sound, taken `at_ms` after the clip's start."""

    kind: int
    at_ms: int
    body: bytes

    @property
    def is_setup(self) -> bool:
        """Whether it holds a decoder's configuration."""
        return self.body[1] == 0 and (self.kind == _PICTURE or self.body[0] >> 4 == 10)

    @property
    def is_sync(self) -> bool:
        return self.kind == _PICTURE and self.body[0] >> 4 == 1

    def stamped(self, stamp_ms: int) -> bytes:
        """The bytes on the wire."""
        stamp = (stamp_ms & 0xFFFFFF).to_bytes(3, "big") + (stamp_ms >> 24 & 0xFF).to_bytes(1, "big")
        head = bytes([self.kind]) + len(self.body).to_bytes(3, "big") + stamp + b"\0\0\0"
        return head + self.body + (len(head) + len(self.body)).to_bytes(4, "big")


class LeapingCamera:
    """A camera on 127.0.0.1 for the length of an `async with`."""

    def __init__(
        self, *, rate: int = 25, gop: int = 25, b_frames: int = 0, sound: bool = False, replays_gop: bool = False
    ) -> None:
        assert _CLIP_S * rate % gop == 0, "the clip is whole groups of pictures"
        self._shape = (rate, gop, b_frames)
        self._sound = sound
        self._replays_gop = replays_gop
        self._setup: list[_Tag] = []
        self._tags: list[_Tag] = []
        self._server: asyncio.Server | None = None
        self._viewers: set[asyncio.Task[None]] = set()
        self._on_mono_s = 0.0
        self._set_mono_s = 0.0
        self._set_to_s = 0.0
        self._pace = 1.0
        self._leap_every_s = 0.0
        self._sent = 0
        self._sending = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._make)
        self._on_mono_s = self._set_mono_s = time.monotonic()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for viewer in self._viewers:
            viewer.cancel()
        await asyncio.gather(*self._viewers, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None, "the camera was never started"
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def clock_s(self) -> float:
        """What its clock says now."""
        return self._clock_s(time.monotonic())

    def leap(self, by_s: float) -> None:
        """Set the camera's clock forward."""
        assert by_s >= 0, "ffmpeg would not see that it was set back"
        self._set_to_s += by_s

    def run_at(self, pace: float) -> None:
        """From now on the camera's clock takes `pace` seconds per second."""
        now_mono_s = time.monotonic()
        self._set_to_s, self._set_mono_s, self._pace = self._clock_s(now_mono_s), now_mono_s, pace

    def leap_every(self, seconds: float) -> None:
        """From now on the camera's clock leaps a minute ahead again and again."""
        self.run_at(self._pace)
        self._leap_every_s = seconds

    async def sends(self, pictures: int) -> None:
        """Until so many more pictures have been sent, to all viewers together."""
        async with self._sending:
            wanted = self._sent + pictures
            await self._sending.wait_for(lambda: self._sent >= wanted)

    def _clock_s(self, mono_s: float) -> float:
        passed_s = max(mono_s - self._set_mono_s, 0.0)
        leaps = int(passed_s // self._leap_every_s) if self._leap_every_s else 0
        return self._set_to_s + passed_s * self._pace + _LEAP_S * leaps

    def _make(self) -> None:
        rate, gop, b_frames = self._shape
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.flv"
            make_clip(
                clip,
                seconds=_CLIP_S,
                size="128x96",
                rate=rate,
                gop=gop,
                b_frames=b_frames,
                audio="aac" if self._sound else "none",
            )
            tags = list(_tags_of(clip.read_bytes()))
        self._setup = [tag for tag in tags if tag.is_setup]
        self._tags = [tag for tag in tags if not tag.is_setup and tag.at_ms < _CLIP_S * 1000]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        viewer = asyncio.current_task()
        assert viewer is not None
        self._viewers.add(viewer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):  # asyncio would log a cancelled one
                await self._send(writer)
        finally:
            self._viewers.discard(viewer)
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        now_mono_s = time.monotonic()
        writer.write(_HEAD % (5 if self._sound else 1))
        for tag in self._setup:
            writer.write(tag.stamped(self._stamp_ms(now_mono_s)))
        for tag, taken_mono_s in self._from(self._first_round(now_mono_s)):
            await asyncio.sleep(taken_mono_s - time.monotonic())
            writer.write(tag.stamped(self._stamp_ms(taken_mono_s)))
            await writer.drain()
            if tag.kind == _PICTURE:
                async with self._sending:
                    self._sent += 1
                    self._sending.notify_all()

    def _first_round(self, mono_s: float) -> tuple[int, int]:
        """(round of the clip, index of the tag) of the sync sample that a new viewer begins with."""
        before = after = (0, self._tags.index(next(tag for tag in self._tags if tag.is_sync)))
        number = int((mono_s - self._on_mono_s) // _CLIP_S)
        for round_ in (number - 1, number, number + 1):
            for index, tag in enumerate(self._tags):
                if round_ < 0 or not tag.is_sync:
                    continue
                if self._taken_mono_s(round_, tag) >= mono_s:
                    after = (round_, index)
                    return before if self._replays_gop else after
                before = (round_, index)
        return after

    def _from(self, first: tuple[int, int]) -> Iterator[tuple[_Tag, float]]:
        """All that is sent from `first` on, with when it was taken."""
        round_, index = first
        while True:
            for tag in self._tags[index:]:
                yield tag, self._taken_mono_s(round_, tag)
            round_, index = round_ + 1, 0

    def _taken_mono_s(self, round_: int, tag: _Tag) -> float:
        return self._on_mono_s + round_ * _CLIP_S + tag.at_ms / 1000

    def _stamp_ms(self, mono_s: float) -> int:
        return round(self._clock_s(mono_s) * 1000)


def _tags_of(flv: bytes) -> Iterator[_Tag]:
    at = _HEAD_BYTES
    while at < len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        stamp = int.from_bytes(flv[at + 4 : at + 7], "big") | flv[at + 7] << 24
        if flv[at] in (_SOUND, _PICTURE) and flv[at + 11 : at + 12]:
            yield _Tag(flv[at], stamp, flv[at + 11 : at + 11 + size])
        at += 11 + size + 4
