"""One ffmpeg process: started, listened to, stopped, reaped.

* It dies with us, however we die (`pdeathsig.py`).
* Its stderr is drained always, line by line, or it would block; nobody reads its stdout.
* It is stopped by `q` on stdin, which closes the recording properly (SIGINT during an RTSP read can abort the MP4
  trailer); then SIGTERM; then SIGKILL. It is reaped in every case, also when the caller is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence

from hlscam.adapters.ffmpeg.pdeathsig import bound_to_us

_LONGEST_LINE_BYTES = 64 * 1024
QUIT_GRACE_S = 5.0
TERM_GRACE_S = 2.0


class FfmpegProcess:
    """A running ffmpeg. Use `start`, then `wait`, and `stop` in a `finally`."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._drain = asyncio.create_task(_drain(process.stderr, on_line), name=f"ffmpeg {process.pid} stderr")

    @classmethod
    async def start(
        cls, argv: Sequence[str], *, on_line: Callable[[str], None], environment: Mapping[str, str] | None = None
    ) -> FfmpegProcess:
        """Run `argv` (absolute program first) in UTC. Raises OSError when no process can be made.

        A program that cannot be executed ends with code 1 and a line that says so.
        """
        process = await asyncio.create_subprocess_exec(
            *bound_to_us(list(argv)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {}), "TZ": "UTC"},
            start_new_session=True,
            limit=_LONGEST_LINE_BYTES,
        )
        return cls(process, on_line)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """Wait for the end and for the last line of stderr; the exit code (negative: the signal)."""
        code = await self._process.wait()
        await asyncio.shield(self._drain)
        return code

    async def stop(self, *, quit_grace_s: float | None = None) -> int:
        """End it: ask, then insist, then kill. Idempotent; the exit code.

        `quit_grace_s` is how long it may take when asked, if not as usual.
        """
        ending = asyncio.ensure_future(self._end(QUIT_GRACE_S if quit_grace_s is None else quit_grace_s))
        try:
            return await asyncio.shield(ending)
        except asyncio.CancelledError:
            self._kill()
            await ending
            raise

    async def kill(self) -> int:
        """End it at once, when it has nothing to close. Idempotent; the exit code."""
        self._kill()
        return await asyncio.shield(asyncio.ensure_future(self.wait()))

    async def _end(self, quit_grace_s: float) -> int:
        self._ask_to_quit()
        for grace_s, insist in ((quit_grace_s, self._terminate), (TERM_GRACE_S, self._kill)):
            try:
                return await asyncio.wait_for(self.wait(), grace_s)
            except TimeoutError:
                insist()
        return await self.wait()

    def _ask_to_quit(self) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            with contextlib.suppress(OSError):
                stdin.write(b"q")

    def _terminate(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def _drain(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    assert stream is not None
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue  # longer than _LONGEST_LINE_BYTES: asyncio has thrown that piece away
        if not line:
            return
        text = line.decode("utf-8", "replace").strip()
        if text:
            on_line(text)
