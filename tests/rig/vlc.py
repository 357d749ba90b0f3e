"""Real VLC, without a screen, asked over its remote control.

    async with Vlc(url) as vlc:
        await vlc.playing()
        (await vlc.stats()).displayed, await vlc.time_s(), (await vlc.picture()).clock_ms()

What works with VLC 3.0.24, found by trying:

- VLC refuses to run as root, so root runs it as `nobody`, with a home of its own (pytest's folders are closed).
- `--vout=dummy --aout=dummy` decode everything, show it in real time and count it, with no display and no sound card.
- The remote control is `--intf rc` with `--rc-host`. Lua's `cli` answers it; the older `oldrc`, which alone has
  `--rc-unix`, starts only where stdin is a terminal. It ends each answer with a prompt.
- Pictures come from the remote control's `snapshot`: it works with the dummy output, costs nothing between
  snapshots, and the PNG is complete when the prompt is back. The `scene` filter works too, but writes pictures that
  nobody asked for; the `yuv` output opens its file anew whenever the output is rebuilt, which ends a pipe.
- `--avcodec-hw=none`, so that VLC loads no VA-API or VDPAU driver, which differ by machine.
- When a stream ends VLC goes to `stopped` and forgets its statistics.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hlscam.bench.clockface import Picture
from tests.rig.child import NOBODY, Child
from tests.rig.ffmpeg_tools import gray_picture
from tests.rig.waiting import until

_PROMPT = b"> "
_ANSWER_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class VlcStats:
    """VLC's own counts since the input began.

    `displayed` and `lost` are pictures. `decoded` grows about twice as fast (VLC 3 counts blocks and pictures
    together), so only compare it with itself. `discontinuities` and `corrupted` are the demuxer's complaints.
    """

    decoded: int
    displayed: int
    lost: int
    audio_decoded: int
    audio_played: int
    audio_lost: int
    corrupted: int
    discontinuities: int


class Vlc:
    """VLC playing `url` for the length of an `async with`; `options` are added to its command line."""

    def __init__(self, url: str, *, options: Sequence[str] = ()) -> None:
        self._url = url
        self._options = options
        self._home = Path()
        self._port = 0
        self._child: Child | None = None
        self._remote: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._last_log = ""

    async def __aenter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix="vlc-"))
        try:
            await self._start()
        except BaseException as error:
            await self._end(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _start(self) -> None:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(self._home, NOBODY, NOBODY)
        self._port = _free_port()
        home = {name: str(self._home) for name in ("HOME", "XDG_RUNTIME_DIR")}
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **home}
        self._child = await Child.start(self._command(), folder=self._home, env=env, as_nobody=is_root)
        await self._call()

    def _command(self) -> list[str]:
        return [
            *("cvlc", "--ignore-config", "--no-media-library", "--no-metadata-network-access", "--no-osd"),
            *("--vout=dummy", "--aout=dummy", "--avcodec-hw=none", "--intf=rc", f"--rc-host=127.0.0.1:{self._port}"),
            *(f"--snapshot-path={self._home}", "--snapshot-format=png", "--no-snapshot-preview"),
            *("--verbose=2", "--no-color", *self._options, self._url),
        ]

    async def _call(self) -> None:
        """Connect to the remote control and read its greeting."""
        self._remote = await until(self._connect, "connecting to VLC's remote control")
        await self._answer()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        assert self.is_alive, f"VLC ended at once: {self.log_text()[-2000:]}"
        try:
            return await asyncio.open_connection("127.0.0.1", self._port)
        except ConnectionError:
            return None

    async def _end(self, error: BaseException | None) -> None:
        self._hang_up()
        if self._child is not None:
            self._last_log = await self._child.kill()
            self._child = None
        shutil.rmtree(self._home, ignore_errors=True)
        if error is not None:
            error.add_note(f"VLC's log ends:\n{self._last_log[-3000:]}")

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.is_alive

    def log_text(self) -> str:
        """VLC's log so far (`--verbose 2`); it stays after the end."""
        return self._child.log_text() if self._child else self._last_log

    async def ask(self, command: str) -> str:
        """Give a command to the remote control (`help` lists them) and return its answer."""
        assert self._child is not None, "VLC is not running"
        if self._remote is None:
            await self._call()
        assert self._remote is not None
        try:
            self._remote[1].write(command.encode() + b"\n")
            return await self._answer()
        except BaseException:  # a wait that was given up leaves an answer behind, which the next question would get
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._remote is not None:
            self._remote[1].close()
            self._remote = None

    async def _answer(self) -> str:
        assert self._remote is not None
        answer = b""
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                while answer != _PROMPT and not answer.endswith(b"\n" + _PROMPT):
                    more = await self._remote[0].read(65536)
                    assert more, f"VLC hung up; its log ends: {self.log_text()[-2000:]}"
                    answer += more
        except TimeoutError:
            raise AssertionError(f"VLC did not answer; it said {answer!r}") from None
        return answer.removesuffix(_PROMPT).decode(errors="replace").strip()

    async def state(self) -> str:
        """`playing`, `paused`, `stopped` (also when the stream ended), …"""
        found = re.search(r"\( state (\w+) \)", await self.ask("status"))
        return found[1] if found else "unknown"

    async def time_s(self) -> int:
        """Whole seconds of the stream's time that VLC shows; 0 when it plays nothing."""
        return int(await self.ask("get_time") or 0)

    async def length_s(self) -> int:
        """Whole seconds that VLC believes the stream to last; 0 when it does not know."""
        return int(await self.ask("get_length") or 0)

    async def stats(self) -> VlcStats:
        """VLC's counts. Raises AssertionError when it plays nothing (any more)."""
        counts = await self._counts()
        assert counts, f"VLC plays nothing: its state is {await self.state()}"
        return counts

    async def _counts(self) -> VlcStats | None:
        said = await self.ask("stats")
        counts = {name.strip(): int(number) for name, number in re.findall(r"\| ([\w ]+?) *: +(\d+)", said)}
        if "frames displayed" not in counts:
            return None
        return VlcStats(
            decoded=counts["video decoded"],
            displayed=counts["frames displayed"],
            lost=counts["frames lost"],
            audio_decoded=counts["audio decoded"],
            audio_played=counts["buffers played"],
            audio_lost=counts["buffers lost"],
            corrupted=counts["demux corrupted"],
            discontinuities=counts["discontinuities"],
        )

    async def playing(self, *, displayed: int = 1, timeout_s: float = 20) -> VlcStats:
        """Wait until VLC has shown so many pictures, and return its counts then."""

        async def enough() -> VlcStats | None:
            counts = await self._counts()
            return counts if counts and counts.displayed >= displayed else None

        return await until(enough, f"VLC showing {displayed} pictures", timeout_s=timeout_s)

    async def picture(self) -> Picture:
        """The picture that VLC shows now, in grey. Raises AssertionError when it shows none."""
        await self.ask("snapshot")
        taken = sorted(self._home.glob("vlcsnap-*.png"))
        assert taken, f"VLC shows no picture: its state is {await self.state()}"
        picture = await gray_picture(taken[-1])
        for path in taken:
            path.unlink()
        return picture


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
