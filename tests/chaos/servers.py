"""hlscam's processes over one archive, which can be killed one by one and are started again, as systemd would.

    async with Servers(folder, settings) as servers:                        # hlscam run
    async with Servers(folder, settings, roles=TWO) as servers:             # hlscam record, hlscam serve
        await servers.kill(servers.answering)
        await servers.start(servers.answering)       # returns when it answers

They listen on one port for ever. `was_down` tells whether nobody could answer, which excuses a refused connection and
nothing else.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hlscam.domain.config import Config
from hlscam.domain.config_text import parse_config
from tests.rig.child import Child
from tests.rig.paths import REPOSITORY
from tests.rig.waiting import until

START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Role:
    """A command of hlscam that runs until it is stopped, and what it is for."""

    command: str
    records: bool
    answers: bool


RUN = Role("run", records=True, answers=True)
RECORD = Role("record", records=True, answers=False)
SERVE = Role("serve", records=False, answers=True)
ONE, TWO = (RUN,), (RECORD, SERVE)


class Servers:
    """A process per role; `settings` is YAML, to which the port is added."""

    def __init__(self, folder: Path, settings: str, *, roles: Sequence[Role] = ONE) -> None:
        self.folder = folder
        self.roles = tuple(roles)
        self._port = _free_port()
        self._config = folder / "hlscam.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(f"server: {{port: {self._port}, cache_mb: 1}}\n{settings}\n", encoding="utf-8")
        self._children: dict[Role, Child] = {}
        self._down_since_mono_s: float | None = time.monotonic()
        self._downtimes: list[tuple[float, float]] = []
        self.log = ""

    async def __aenter__(self) -> Self:
        try:
            for role in self.roles:
                await self.start(role)
        except BaseException:
            await self._end_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_all()
        if error is not None:
            error.add_note(f"hlscam's log ends:\n{self.log[-5000:]}")

    async def _end_all(self) -> None:
        for role in list(self._children):
            await self.kill(role)

    @property
    def answering(self) -> Role:
        return next(role for role in self.roles if role.answers)

    @property
    def recording(self) -> Role:
        return next(role for role in self.roles if role.records)

    @property
    def config(self) -> Config:
        """The configuration as hlscam reads it."""
        text = self._config.read_text(encoding="utf-8")
        return parse_config(text, environ={}, base=self.folder, file_name=self._config.name)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}/{path}"

    def pid(self, role: Role) -> int:
        return self._children[role].pid

    def log_text(self) -> str:
        """All that every process said so far."""
        return self.log + "".join(child.log_text() for child in self._children.values())

    async def start(self, role: Role) -> None:
        """Start it; one that answers is waited for until it does."""
        assert role not in self._children, f"hlscam {role.command} runs already"
        argv = [sys.executable, "-m", "hlscam", role.command, "-c", str(self._config)]
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        child = self._children[role] = await Child.start(argv, folder=self.folder, env=env)
        if role.answers:
            await until(lambda: self._answers(child), "hlscam listening", timeout_s=START_TIMEOUT_S, every_s=0.02)
            assert self._down_since_mono_s is not None
            self._downtimes.append((self._down_since_mono_s, time.monotonic()))
            self._down_since_mono_s = None

    async def _answers(self, child: Child) -> bool:
        assert child.is_alive, f"hlscam ended at its start; it said {child.log_text()[-3000:]}"
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.close()
            return True
        return False

    async def stop(self, role: Role) -> None:
        """Stop it in order, as systemd does, and wait for its end. Raises AssertionError when it does not end well."""
        self._goes_down(role)
        child = self._children[role]
        child.signal(signal.SIGTERM)
        code = await child.ended(30)
        self._forget(role, await child.kill())
        assert code == 0, f"hlscam {role.command} ended with {code}; its log ends {self.log[-3000:]}"

    async def kill(self, role: Role) -> None:
        """`kill -9`."""
        self._goes_down(role)
        self._forget(role, await self._children[role].kill())

    def assert_alive(self) -> None:
        """Raise AssertionError when a process has ended that nobody ended."""
        dead = [role.command for role, child in self._children.items() if not child.is_alive]
        assert not dead, f"hlscam {dead} ended by itself; it said {self.log_text()[-3000:]}"

    def was_down(self, from_mono_s: float, to_mono_s: float) -> bool:
        """Whether nobody listened in some part of that time."""
        if self._down_since_mono_s is not None and self._down_since_mono_s <= to_mono_s:
            return True
        return any(began <= to_mono_s and from_mono_s <= ended for began, ended in self._downtimes)

    @property
    def last_downtime_s(self) -> float:
        """How long nobody listened, last time."""
        began_mono_s, ended_mono_s = self._downtimes[-1]
        return ended_mono_s - began_mono_s

    def _goes_down(self, role: Role) -> None:
        if role.answers and self._down_since_mono_s is None:
            self._down_since_mono_s = time.monotonic()

    def _forget(self, role: Role, said: str) -> None:
        del self._children[role]
        self.log += said

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run another command of hlscam on this configuration to its end: its exit code, and what it said on stdout."""
        argv = [sys.executable, "-m", "hlscam", *arguments, "-c", str(self._config)]
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=self.folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    def ffmpegs(self, camera: str) -> list[int]:
        """The processes that write into a camera's folder now."""
        folder = f"{self.config.archive.path / camera}/%".encode()
        found = []
        for each in Path("/proc").iterdir():
            with suppress(OSError):
                if each.name.isdigit() and folder in (each / "cmdline").read_bytes():
                    found.append(int(each.name))
        return found


def _free_port() -> int:
    """A port that nobody uses, and that the kernel does not give to outgoing connections while the server is down."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_000, first_given), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
