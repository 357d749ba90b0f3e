"""A program that lives no longer than the test that started it.

Three things go wrong with children in tests: they outlive a killed test run, they hang on a pipe nobody reads, and they
stay as zombies. Here `setpriv --pdeathsig KILL` (util-linux, always there on Debian) has the kernel kill the child
with its parent; its stderr goes to a nameless file, which never fills up as a pipe does and can be read at any time;
and `kill` ends its whole process group and always reaps.

The kernel watches the *thread* that forked, so start children from the event loop's own thread, as asyncio does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

NOBODY = 65534


class Child:
    """A running program, with what it said on stderr."""

    def __init__(self, process: Process, log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        as_nobody: bool = False,
    ) -> Child:
        """Start `argv` in `folder`; `as_nobody` drops root first. Raises AssertionError when it cannot be started."""
        drop = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if as_nobody else []
        command = ["setpriv", "--pdeathsig", "KILL", *drop, "--", *argv]
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                cwd=folder,
                env=dict(env or os.environ),
                start_new_session=True,
            )
        except OSError as error:
            log.close()
            raise AssertionError(f"cannot start {argv[0]}: {error}; run tests/rig/prepare.sh") from error
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def line(self, timeout_s: float = 20) -> str:
        """The next line of stdout. Raises AssertionError with the child's stderr when none comes."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        except TimeoutError:
            line = b""
        assert line, f"the child said nothing on stdout; on stderr: {self.log_text()[-2000:]}"
        return line.decode()

    def log_text(self) -> str:
        """All that the child wrote to stderr so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.is_alive:
            self._process.send_signal(number)

    async def ended(self, timeout_s: float = 20) -> int:
        """Wait for its end; the exit code. Raises AssertionError with its stderr when it goes on."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._process.wait()), timeout_s)
        except TimeoutError:
            raise AssertionError(f"the child did not end; on stderr: {self.log_text()[-2000:]}") from None

    async def kill(self) -> str:
        """End it and what it started at once, reap it, and return what it said on stderr. May be called again.

        Its whole process group goes: a grandchild would keep stdout open, and reading that to its end would hang.
        """
        if self._log.closed:
            return ""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        await self._process.communicate()
        text = self.log_text()
        self._log.close()
        return text
