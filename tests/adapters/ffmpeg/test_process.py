"""Processes that talk too much, will not end, or are left alone; none of them stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg import process as module
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from tests.rig.child import Child
from tests.rig.ffmpeg_tools import ffmpeg_path
from tests.rig.paths import REPOSITORY
from tests.rig.waiting import until

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]
QUITS = "import sys; sys.stderr.write('ready\\n'); sys.exit(7 if sys.stdin.read(1) == 'q' else 1)"
WANTS_TERM = "import sys, time; sys.stderr.write('ready\\n'); time.sleep(600)"
IGNORES_ALL = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.stderr.write('ready\\n');"
    "time.sleep(600)"
)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIT_GRACE_S", 0.1)
    monkeypatch.setattr(module, "TERM_GRACE_S", 0.1)


async def ready(code: str, lines: list[str]) -> FfmpegProcess:
    """Start a program and wait for the line by which it says that its handlers are set."""
    said = asyncio.Event()

    def hear(line: str) -> None:
        lines.append(line)
        said.set()

    started = await FfmpegProcess.start([*PYTHON, code], on_line=hear)
    await said.wait()
    return started


def is_gone(pid: int) -> bool:
    """Not running, and not waiting to be reaped either."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


STUBBORN = [(QUITS, 7), (WANTS_TERM, -signal.SIGTERM), (IGNORES_ALL, -signal.SIGKILL)]


@pytest.mark.parametrize(("code", "exit_code"), STUBBORN, ids=["q", "TERM", "KILL"])
@pytest.mark.usefixtures("short_grace")
async def test_stop_asks_then_insists_then_kills(code: str, exit_code: int) -> None:
    process = await ready(code, [])
    if exit_code == 7:
        module.QUIT_GRACE_S = 20  # put back by the fixture
    assert await process.stop() == exit_code
    assert is_gone(process.pid)
    assert await process.stop() == exit_code


@pytest.mark.parametrize("code", [QUITS, IGNORES_ALL])
async def test_kill_asks_nobody(code: str) -> None:
    process = await ready(code, [])
    assert await process.kill() == -signal.SIGKILL
    assert is_gone(process.pid)
    assert await process.kill() == -signal.SIGKILL


@pytest.mark.usefixtures("short_grace")
async def test_a_caller_that_is_cancelled_leaves_no_process() -> None:
    module.QUIT_GRACE_S = 600
    process = await ready(IGNORES_ALL, [])
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert is_gone(process.pid)


async def test_a_waiter_that_is_cancelled_disturbs_nothing() -> None:
    lines: list[str] = []
    process = await ready(QUITS, lines)
    waiting = asyncio.create_task(process.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await process.stop() == 7
    assert lines == ["ready"]


async def test_stderr_is_drained_however_much_there_is() -> None:
    count, length = 0, 0

    def hear(line: str) -> None:
        nonlocal count, length
        count += 1
        length += len(line)

    code = "import sys\nfor n in range(100_000): sys.stderr.write(f'{n:0100d}\\n')\nsys.exit(3)"
    process = await FfmpegProcess.start([*PYTHON, code], on_line=hear)
    assert await process.wait() == 3
    assert (count, length) == (100_000, 10_000_000)


async def test_lines_without_an_end_are_survived() -> None:
    lines: list[str] = []
    code = "import sys; sys.stderr.write('first\\n' + 'x' * 5_000_000 + '\\nlast\\nwithout end')"
    process = await FfmpegProcess.start([*PYTHON, code], on_line=lines.append)
    assert await process.wait() == 0
    assert lines[0] == "first"
    assert lines[-2:] == ["last", "without end"]
    assert all(len(line) <= 2 * 64 * 1024 for line in lines)


async def test_what_is_no_utf8_and_what_is_empty() -> None:
    lines: list[str] = []
    code = "import sys; sys.stderr.buffer.write(b'\\n  \\ncaf\\xe9\\r\\n\\xc3\\xa9\\n')"
    process = await FfmpegProcess.start([*PYTHON, code], on_line=lines.append)
    await process.wait()
    assert lines == ["caf\N{REPLACEMENT CHARACTER}", "é"]


async def test_the_environment_is_ours_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    lines: list[str] = []
    code = "import os, sys; sys.stderr.write(os.environ['TZ'] + os.environ['MORE'] + os.environ['PATH'][:1])"
    process = await FfmpegProcess.start([*PYTHON, code], on_line=lines.append, environment={"MORE": " more "})
    await process.wait()
    assert lines == ["UTC more /"]


async def test_a_program_that_cannot_be_executed_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    process = await FfmpegProcess.start([str(tmp_path / "missing")], on_line=lines.append)
    assert await process.wait() == 1
    assert lines[-1].startswith("FileNotFoundError: ")


async def test_a_signal_to_our_group_does_not_reach_it() -> None:
    """Ctrl-C on a terminal goes to the whole group; recordings are closed in order all the same."""
    process = await ready(QUITS, [])
    assert os.getpgid(process.pid) == process.pid
    assert os.getsid(process.pid) != os.getsid(0)
    await process.stop()


async def test_nothing_is_left_of_many(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    await (await ready(QUITS, [])).stop()
    before, tasks = descriptors(), asyncio.all_tasks()
    processes = await asyncio.gather(*(ready(code, []) for code in [QUITS] * 5 + [WANTS_TERM] * 3))
    await asyncio.gather(*(each.stop() if index < 5 else each.kill() for index, each in enumerate(processes)))
    await asyncio.sleep(0)  # transports close their pipes in the loop's next turn
    assert descriptors() == before
    assert asyncio.all_tasks() == tasks


_PARENT = """
import asyncio, sys
import uvloop
from hlscam.adapters.ffmpeg.process import FfmpegProcess
async def main():
    process = await FfmpegProcess.start(sys.argv[2:], on_line=lambda line: None)
    print(process.pid, flush=True)
    await process.wait()
(uvloop if sys.argv[1] == "uvloop" else asyncio).run(main())
"""


def _is_ffmpeg(pid: int) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return Path(f"/proc/{pid}/exe").resolve() == Path(ffmpeg_path()).resolve()
        except OSError:
            return False

    return ask


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV], ids=["KILL", "SEGV"])
async def test_no_orphan_survives_the_server_however_it_dies(loop: str, death: signal.Signals) -> None:
    endless = [ffmpeg_path(), "-v", "error", "-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"]
    server = await Child.start([sys.executable, "-c", _PARENT, loop, *endless], folder=REPOSITORY)
    pid = int(await server.line())
    runs = _is_ffmpeg(pid)

    async def is_running() -> bool:
        return runs()

    async def is_over() -> bool:
        return not runs()

    await until(is_running, "ffmpeg runs")
    server.signal(death)
    await until(is_over, "ffmpeg is gone")
    await server.kill()


async def test_a_parent_that_died_before_the_kernel_was_told() -> None:
    """The shim's own race: it was started by somebody who is not its parent any more."""
    shim = [sys.executable, "-I", "-S", module.__file__.replace("process.py", "pdeathsig.py")]
    process = await asyncio.create_subprocess_exec(*shim, "1", "/bin/echo", "hello", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    process = await asyncio.create_subprocess_exec(
        *shim, str(os.getpid()), "/bin/echo", "hello", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, out) == (0, b"hello\n")
