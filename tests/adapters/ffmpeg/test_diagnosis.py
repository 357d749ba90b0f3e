"""What ffmpeg says when sources fail, in people's words. The real ffmpeg says it in `test_probe.py`."""

from __future__ import annotations

import pytest

from hlscam.adapters.ffmpeg.diagnosis import diagnose, is_noise
from hlscam.domain.recording import EndReason

SAID: list[tuple[str, EndReason, str]] = [
    (
        "Error opening input: Server returned 401 Unauthorized (authorization failed)",
        EndReason.AUTHENTICATION,
        "password",
    ),
    ("Server returned 403 Forbidden (access denied)", EndReason.AUTHENTICATION, "password"),
    ("method DESCRIBE failed: 404 Not Found", EndReason.SOURCE_REFUSED, "no such stream"),
    ("method SETUP failed: 454 Session Not Found", EndReason.SOURCE_REFUSED, "no such stream"),
    ("[vost#0:0] Error writing: No space left on device", EndReason.DISK_FULL, "the disk is full"),
    ("[out#0] Error muxing a packet: Disk quota exceeded", EndReason.DISK_FULL, "the disk is full"),
    (
        "Connection to tcp://192.168.1.20:554 failed: Connection refused",
        EndReason.UNREACHABLE,
        "refuses the connection",
    ),
    ("Connection to tcp://192.168.1.20:554 failed: No route to host", EndReason.UNREACHABLE, "cannot be found"),
    ("Failed to resolve hostname porch: Name or service not known", EndReason.UNREACHABLE, "cannot be found"),
    ("Error opening input: Connection timed out", EndReason.UNREACHABLE, "stopped answering"),
    ("Error during demuxing: Connection reset by peer", EndReason.UNREACHABLE, "stopped answering"),
    ("Error during demuxing: Input/output error", EndReason.UNREACHABLE, "stopped answering"),
    ("Stream map '0:v:0' matches no streams.", EndReason.SOURCE_REFUSED, "no video"),
    ("Could not find tag for codec pcm_alaw in stream #1", EndReason.SOURCE_REFUSED, "does not fit into MP4"),
    ("moov atom not found", EndReason.SOURCE_REFUSED, "not video that ffmpeg can read"),
    ("/archive/porch/x.mp4: Permission denied", EndReason.CRASHED, "may not be read or written"),
    ("file:/clips/garden.mp4: No such file or directory", EndReason.CRASHED, "is missing"),
    ("Unrecognized option 'stimeout'.", EndReason.SOURCE_REFUSED, "does not know this source or option"),
]


@pytest.mark.parametrize(("line", "reason", "words"), SAID, ids=[words for _, _, words in SAID])
def test_one_line_says_why(line: str, reason: EndReason, words: str) -> None:
    for lines in ([line], ["[h264 @ 0x1] warning", line, "Conversion failed!"], [line.upper()]):
        why = diagnose(lines, 1)
        assert why.reason is reason
        assert words in why.message
        assert why.hint


def test_the_cause_is_told_and_not_its_consequence() -> None:
    lines = [
        "Connection to tcp://127.0.0.1:554 failed: Connection refused",
        "Error opening input: Input/output error",
        "Error opening input files: Input/output error",
    ]
    assert diagnose(lines, 1).message == "the camera refuses the connection"


ENDS: list[tuple[list[str], int, EndReason, str]] = [
    ([], 0, EndReason.SOURCE_ENDED, "the source ended"),
    (["a warning"], 0, EndReason.SOURCE_ENDED, "the source ended"),
    (["a warning"], -9, EndReason.CRASHED, "ffmpeg was ended by signal 9"),
    (["one", "two"], 69, EndReason.CRASHED, "ffmpeg ended with code 69: two"),
    ([], 1, EndReason.CRASHED, "ffmpeg ended with code 1: it said nothing"),
]


@pytest.mark.parametrize(("lines", "code", "reason", "message"), ENDS)
def test_without_a_sign_the_exit_code_speaks(lines: list[str], code: int, reason: EndReason, message: str) -> None:
    why = diagnose(lines, code)
    assert (why.reason, why.message) == (reason, message)


def test_noise() -> None:
    assert is_noise("[mp4 @ 0x55] Not writing any edit list even though one would have been required")
    assert not is_noise("[mp4 @ 0x55] Non-monotonic DTS")
