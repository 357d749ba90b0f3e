"""The server that is measured when no other is named: `hlscam run` as users run it, in a process of its own.

It records a test pattern into a folder that goes with it, listens on a free port of loopback, and cannot outlive us.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from hlscam.adapters.ffmpeg.pdeathsig import bound_to_us
from hlscam.errors import HlscamError

CAMERA = "pattern"
_READY = re.compile(rb"open (http://\S+)")
_START_WITHIN_S = 60
_STOP_WITHIN_S = 20
_LOG_LINES = 5


def settings_text(source: str, part_duration_s: float | None) -> str:
    """The server's configuration: one camera, named `CAMERA`."""
    parts = "" if part_duration_s is None else f"hls: {{part_duration_s: {part_duration_s}}}\n"
    return f'server: {{port: 0}}\narchive: {{path: archive}}\n{parts}cameras:\n  {CAMERA}: {{source: "{source}"}}\n'


@asynccontextmanager
async def own_server(settings: str) -> AsyncIterator[str]:
    """A running server's URL, once its camera can be watched. Raises HlscamError with the end of its log."""
    with tempfile.TemporaryDirectory(prefix="hlscam-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        config, log_path = folder / "hlscam.yaml", folder / "server.log"
        await asyncio.to_thread(config.write_text, settings, encoding="utf-8")
        log = await asyncio.to_thread(log_path.open, "wb")
        with log:
            process = await asyncio.create_subprocess_exec(
                *bound_to_us([sys.executable, "-m", "hlscam", "run", "-c", str(config)]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours, and we stop it in order
            )
        try:
            yield await _announced(process, log_path)
        finally:
            await _stop(process)


async def _announced(process: asyncio.subprocess.Process, log: Path) -> str:
    """The URL that it prints when there is something to see."""
    assert process.stdout is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_WITHIN_S):
            async for line in process.stdout:
                if ready := _READY.search(line):
                    return ready.group(1).decode()
    said = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
    tail = "\n  ".join(said.splitlines()[-_LOG_LINES:])
    raise HlscamError("the server that was to be measured did not start", hint=tail or "it said nothing")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """As Ctrl-C does, or at once when that takes too long or the caller is cancelled."""
    try:
        with suppress(ProcessLookupError, TimeoutError):
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), _STOP_WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
