"""No child outlives its parent, not even one that was killed without warning."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.rig.child import Child
from tests.rig.paths import REPOSITORY
from tests.rig.waiting import until

PARENT = """
import asyncio
from tests.rig.child import Child

async def main():
    child = await Child.start(["sleep", "600"])
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_child_dies_with_a_killed_parent() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=PIPE, cwd=REPOSITORY)
    assert parent.stdout is not None
    child = Path("/proc") / (await parent.stdout.readline()).decode().strip()

    async def is_sleep() -> bool:
        return (child / "comm").read_text().strip() == "sleep"

    async def is_gone() -> bool:
        return not child.exists() or "\nState:\tZ" in (child / "status").read_text()

    await until(is_sleep, "setpriv becoming sleep")
    parent.kill()
    await parent.communicate()
    await until(is_gone, "the child's end")


async def test_killing_reaps_and_returns_what_it_said() -> None:
    child = await Child.start(["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x >&2; echo ready; sleep 600"])
    assert await child.line() == "ready\n"
    child.signal(signal.SIGSTOP)
    assert len(await child.kill()) == 300_000
    assert not child.is_alive
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
    assert await child.kill() == ""


async def test_a_child_that_says_nothing_is_quoted_from_stderr() -> None:
    child = await Child.start(["sh", "-c", "echo no such camera >&2"])
    try:
        with pytest.raises(AssertionError, match="no such camera"):
            await child.line()
    finally:
        await child.kill()


async def test_until_says_what_was_awaited() -> None:
    async def never() -> int:
        return 0

    with pytest.raises(AssertionError, match=r"rain: not within 0\.1 s; the last answer was 0"):
        await until(never, "rain", timeout_s=0.1)
