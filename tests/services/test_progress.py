"""Progress on terminals and elsewhere."""

from __future__ import annotations

import io
import logging

import pytest

from hlscam.services.progress import LoggedProgress, Progress
from tests.manual_clock import ManualClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_is_rewritten() -> None:
    out = Terminal()
    progress = Progress(out)
    for done in range(1, 4):
        progress.tell("check porch", done, 3)
    text = out.getvalue()
    assert text.startswith("\r\x1b[Kcheck porch: 1 of 3")
    assert text.endswith("\r\x1b[Kcheck porch: 3 of 3\n")
    assert text.count("\n") == 1


def test_elsewhere_it_is_a_line_now_and_then_and_always_the_last() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for done in range(1, 1001):
        progress.tell("reindex porch", done, 1000)
    assert out.getvalue() == "reindex porch: 1 of 1000\nreindex porch: 1000 of 1000\n"


def test_a_server_tells_only_what_takes_long(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = LoggedProgress(logging.getLogger("hlscam.test"), clock)
    for done in range(1, 26):
        progress.tell("reading", done, 25)
        clock.advance(1)
    assert [record.message for record in caplog.records] == ["reading: 11 of 25", "reading: 21 of 25"]
