"""Footage in, JPEGs out, picture by picture, as long as there is footage: what MJPEG is made with.

It holds nothing back (**measured**: the last picture of a fragment comes out before the next fragment goes in, but for
those that a stream with B-frames shows later):

- `probesize=32`: the init section says all that there is to know. `fflags=nobuffer` would lose the first packets.
- `flags=low_delay`, and threads that share a picture and not several: those hold back a picture each.
- The encoder has one thread, for the same reason.

Which picture a JPEG shows is told on stderr by the filter `showinfo`, a line for each in the same order, the time as
ffmpeg counts it. It needs no `pdeathsig`: should we die, its input ends, and so does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import ffmpeg

from hlscam.adapters.ffmpeg.jpegs import JpegSplitter
from hlscam.adapters.ffmpeg.still import jpeg_encoding, scaled
from hlscam.clock import to_the_end

_QUALITY = 5
"""Of 2 (best) to 31: at 720p and 25 pictures a second some 10 Mbit/s."""
_READ_BYTES = 256 * 1024
_SHOWN = re.compile(rb"Parsed_showinfo.* pts: *(-?\d+) ")


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A JPEG, and the time that ffmpeg has for it, in ticks of the track's timescale."""

    ticks: int
    jpeg: bytes


def decoder_command(binary: str, *, width: int | None) -> list[str]:
    """The argv of a decoder of fragmented MP4: JPEGs as wide as the source, or `width` if that is less."""
    reading = {"probesize": 32, "flags": "low_delay", "thread_type": "slice"}
    video = ffmpeg.input("pipe:0", f="mp4", **reading)["v:0"].filter("showinfo", checksum=0)
    output = ffmpeg.output(scaled(video, width), "pipe:1", f="image2pipe", **jpeg_encoding(_QUALITY))
    argv: list[str] = ffmpeg.compile(output, cmd=[binary, "-hide_banner", "-nostats", "-loglevel", "info", "-copyts"])
    return argv


class PictureDecoder:
    """A running decoder. One task feeds it, another takes pictures; `close` it when done."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._splitter = JpegSplitter()
        self._jpegs: deque[bytes] = deque()
        self._ticks: asyncio.Queue[int | None] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(), name=f"decoder {process.pid} stderr")

    @classmethod
    async def start(cls, argv: Sequence[str]) -> PictureDecoder:
        """Run it. Raises OSError when no process can be made."""
        return cls(await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=PIPE))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def feed(self, data: bytes) -> None:
        """The next bytes of the stream; waits while the decoder is busy. Does nothing once that has ended."""
        stdin = self._process.stdin
        assert stdin is not None
        if not stdin.is_closing():
            with contextlib.suppress(ConnectionError):
                stdin.write(data)
                await stdin.drain()

    def end(self) -> None:
        """No more bytes follow: what is still to be shown is shown."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def take(self) -> DecodedPicture | None:
        """The next picture; None when there is none any more. Raises DecodingError when what comes is no JPEG."""
        assert self._process.stdout is not None
        while not self._jpegs:
            data = await self._process.stdout.read(_READ_BYTES)
            if not data:
                return None
            self._jpegs += self._splitter.feed(data)
        ticks = await self._ticks.get()
        return None if ticks is None else DecodedPicture(ticks, self._jpegs.popleft())

    async def close(self) -> None:
        """End it at once, and reap it."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await to_the_end(asyncio.gather(self._process.wait(), self._listening, self._drain()))

    async def _drain(self) -> None:
        """Read what nobody takes any more: a pipe whose reading was paused is closed at its end only."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(_READ_BYTES):
            pass

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            found = _SHOWN.search(line)
            if found:
                self._ticks.put_nowait(int(found[1]))
        self._ticks.put_nowait(None)
