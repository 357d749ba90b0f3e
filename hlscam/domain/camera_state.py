"""What a camera is doing, for its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CameraState(StrEnum):
    """`STARTING` until the first fragment; `STALLED` while a worker that brings nothing any more is being ended;
    `WAITING` between two attempts; `STOPPED` when the recorder does not run.
    """

    STARTING = "starting"
    RECORDING = "recording"
    STALLED = "stalled"
    WAITING = "waiting"
    DISABLED = "disabled"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A state, since when, and the last thing that went wrong ("" for nothing, or mended since)."""

    state: CameraState
    since_wall_us: int
    last_error: str = ""
