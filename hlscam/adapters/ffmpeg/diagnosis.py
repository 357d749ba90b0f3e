"""What ffmpeg's stderr means, for people: pure text in, a reason and a sentence out.

ffmpeg's own words are kept in the log; this finds the one line that says why a source could not be recorded and what
its owner can do about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hlscam.domain.recording import EndReason


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a worker ended: `reason` for the gap, `message` for its owner, `hint` what to do."""

    reason: EndReason
    message: str
    hint: str = ""


DISK_FULL = Diagnosis(EndReason.DISK_FULL, "the disk is full", "free some space: recording goes on by itself")

_NOISE = (
    "Not writing any edit list",  # as we asked for
    "Unable to write PRFT, no entries in the track",  # a last fragment that holds only sound
    "Timestamps are unset in a packet",  # an RTSP camera's first; the muxer gives it one
)

_SIGNS: tuple[tuple[str, Diagnosis], ...] = (
    (
        r"401 Unauthorized|403 Forbidden|authorization failed",
        Diagnosis(EndReason.AUTHENTICATION, "the camera refuses the user name or password", "check them in its source"),
    ),
    (
        r"404 Not Found|454 Session|Stream not found",
        Diagnosis(EndReason.SOURCE_REFUSED, "the camera has no such stream", "check the path of its source URL"),
    ),
    (
        r"No space left on device|Disk quota exceeded",
        DISK_FULL,
    ),
    (
        r"Connection refused",
        Diagnosis(EndReason.UNREACHABLE, "the camera refuses the connection", "check its address, port and power"),
    ),
    (
        r"No route to host|Network is unreachable|Name or service not known|Failed to resolve hostname"
        r"|Temporary failure in name resolution",
        Diagnosis(EndReason.UNREACHABLE, "the camera cannot be found on the network", "check its address"),
    ),
    (
        r"Connection timed out|Operation timed out|Connection reset|Broken pipe|Input/output error",
        Diagnosis(EndReason.UNREACHABLE, "the camera stopped answering", "check its power and network"),
    ),
    (
        r"matches no streams|does not contain any stream",
        Diagnosis(EndReason.SOURCE_REFUSED, "the source has no video", "use the camera's video stream"),
    ),
    (
        r"Could not find tag for codec|codec not currently supported in container|Tag .* incompatible with",
        Diagnosis(EndReason.SOURCE_REFUSED, "its codec does not fit into MP4", "set the camera to H.264 or HEVC"),
    ),
    (
        r"Invalid data found when processing input|moov atom not found",
        Diagnosis(EndReason.SOURCE_REFUSED, "the source is not video that ffmpeg can read", "check what it sends"),
    ),
    (
        r"Permission denied",
        Diagnosis(EndReason.CRASHED, "a file may not be read or written", "check owner and mode of clip and archive"),
    ),
    (
        r"No such file or directory",
        Diagnosis(EndReason.CRASHED, "a file or folder is missing", "check that clip and archive are still there"),
    ),
    (
        r"Protocol not found|Option .* not found|Unrecognized option|Error parsing options",
        Diagnosis(
            EndReason.SOURCE_REFUSED, "ffmpeg does not know this source or option", "check source and input_options"
        ),
    ),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), diagnosis) for pattern, diagnosis in _SIGNS)


def is_noise(line: str) -> bool:
    """Whether a line of stderr is known to mean nothing here."""
    return any(words in line for words in _NOISE)


def diagnose(lines: Sequence[str], exit_code: int) -> Diagnosis:
    """Why ffmpeg ended, from its last lines and its exit code."""
    for pattern, diagnosis in _COMPILED:
        if any(pattern.search(line) for line in lines):
            return diagnosis
    if exit_code < 0:
        return Diagnosis(EndReason.CRASHED, f"ffmpeg was ended by signal {-exit_code}")
    if exit_code == 0:
        return Diagnosis(EndReason.SOURCE_ENDED, "the source ended")
    said = lines[-1] if lines else "it said nothing"
    return Diagnosis(EndReason.CRASHED, f"ffmpeg ended with code {exit_code}: {said}")
