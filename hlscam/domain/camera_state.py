"""What a camera is doing, for its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CameraState(StrEnum):
    """`STARTING` until the first fragment; `WAITING` between two attempts; `STOPPED` when the server ends."""

    STARTING = "starting"
    RECORDING = "recording"
    WAITING = "waiting"
    DISABLED = "disabled"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A state, since when, and the last thing that went wrong ("" for nothing, or mended since)."""

    state: CameraState
    since_wall_us: int
    last_error: str = ""
