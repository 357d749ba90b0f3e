"""Progress of long work, for people: one line that is rewritten on a terminal, or a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from typing import Protocol, TextIO

from hlscam.clock import Clock

_TERMINAL_EVERY_S = 0.1
_LOG_EVERY_S = 10.0


class Tells(Protocol):
    """Whoever wants to know how far it is."""

    def tell(self, what: str, done: int, of: int) -> None:
        """`done` of `of` are done; `what` names the work and the thing it is at."""
        ...


class Progress:
    """Counts things done of how many there are."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._on_terminal = out.isatty()
        self._next_mono_s = 0.0

    def tell(self, what: str, done: int, of: int) -> None:
        """`done` of `of` are done; `what` names the work and the thing it is at."""
        now_mono_s = time.monotonic()
        if now_mono_s < self._next_mono_s and done < of:
            return
        self._next_mono_s = now_mono_s + (_TERMINAL_EVERY_S if self._on_terminal else _LOG_EVERY_S)
        line = f"{what}: {done} of {of}"
        if self._on_terminal:
            self._out.write(f"\r\x1b[K{line}" + ("\n" if done >= of else ""))
        else:
            self._out.write(line + "\n")
        self._out.flush()


class LoggedProgress:
    """The same for what a server does beside its work: silent where it does not take long."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._next_mono_s = clock.mono_s() + _LOG_EVERY_S

    def tell(self, what: str, done: int, of: int) -> None:
        """`done` of `of` are done; `what` names the work and the thing it is at."""
        if self._clock.mono_s() >= self._next_mono_s:
            self._next_mono_s = self._clock.mono_s() + _LOG_EVERY_S
            self._log.info("%s: %d of %d", what, done, of)
