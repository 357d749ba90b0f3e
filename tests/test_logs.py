"""Log lines: secrets in none, one line for machines, nothing that moves a terminal's cursor."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hlscam.logs import RedactingFormatter, set_up_logging

SECRET = "s3cret/pass word"
LEAKS = [
    f"opening rtsp://viewer:{SECRET}@cam/1",
    "opening rtsp://viewer:s3cret%2Fpass%20word@cam/1",
    f"the password {SECRET} is wrong",
    "GET http://cam/snap?user=x&password=unknown1",
]


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("hlscam.services.recorder", logging.WARNING, "x.py", 1, message, arguments, info)
    made.created = 1_795_348_800.125
    return made


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("leak", LEAKS)
def test_secrets_are_in_no_line(leak: str, as_json: bool) -> None:
    line = RedactingFormatter([SECRET], as_json=as_json).format(record("camera %s: %s", "porch", leak))
    assert "s3cret" not in line
    assert "unknown1" not in line
    assert "***" in line


def test_secrets_are_in_no_traceback() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the traceback is what counts
        int(f"rtsp://viewer:{SECRET}@cam/1")
    line = RedactingFormatter([SECRET], as_json=False).format(record("failed", error=caught.value))
    assert "s3cret" not in line
    assert line.count("\n") >= 3
    assert all(each.startswith("    ") for each in line.split("\n")[1:])


def test_text_for_people() -> None:
    line = RedactingFormatter([], as_json=False).format(record("camera %s: %d segments, Küche 🐈", "porch", 3))
    assert line == "2026-11-22T12:00:00.125Z warning camera porch: 3 segments, Küche 🐈"


def test_json_for_machines() -> None:
    line = RedactingFormatter([], as_json=True).format(record('two\nlines \x1b[2J and "quotes"'))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-22T12:00:00.125Z",
        "level": "warning",
        "logger": "hlscam.services.recorder",
        "message": 'two\nlines \x1b[2J and "quotes"',
    }


def test_what_a_camera_sends_moves_no_cursor_and_forges_no_line() -> None:
    evil = "title \x1b[2J\x07\r\x9b1m\n2026-11-22T12:00:01.000Z error   forged"
    line = RedactingFormatter([], as_json=False).format(record("ffmpeg: %s", evil))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", line)
    assert r"\x1b[2J\x07\x0d\x9b1m" in line
    assert line.split("\n")[1].startswith("    2026")


@contextmanager
def put_back() -> Iterator[None]:
    """What is set up inside does not outlive it: handlers would hold a stream that pytest has closed."""
    root, ours = logging.getLogger(), logging.getLogger("hlscam")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(our_level)


@pytest.fixture
def _root_logger() -> Iterator[None]:
    with put_back():
        yield


@pytest.mark.usefixtures("_root_logger")
def test_our_words_at_our_level_and_others_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # set up again, it does not say everything twice
        set_up_logging("info", as_json=False, secrets=[SECRET])
    logging.getLogger("hlscam.app").info("ours")
    logging.getLogger("hlscam.app").debug("too much")
    logging.getLogger("aiohttp.access").info("theirs")
    logging.getLogger("sqlalchemy").warning("their warning about %s", SECRET)
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(None, 2)[2] for line in told.err.splitlines()] == ["ours", "their warning about ***"]
