"""What is to be measured."""

from __future__ import annotations

from dataclasses import dataclass

from hlscam.bench.own_server import CAMERA
from hlscam.bench.ways import WAYS, Way

SOURCE = "test:?size=640x360&rate=25&gop_s=2&audio=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Of each way `starts` times `samples` pictures, one each `every_ms` from `settle_s` after the first one on.

    `url` (with a slash at its end) and `camera` name a running server's test pattern. Without, a server of our own
    records `source`; with `full_window` it is left alone until its live playlist is as long as it gets, since a short
    one makes players begin nearer to the live edge.
    """

    ways: tuple[Way, ...] = tuple(WAYS.values())
    starts: int = 5
    samples: int = 100
    every_ms: int = 100
    settle_s: float = 3
    first_picture_within_s: float = 30
    source: str = SOURCE
    part_duration_s: float | None = None
    full_window: bool = True
    url: str | None = None
    camera: str = CAMERA
    chromium: str | None = None

    @property
    def sampling_s(self) -> float:
        """How long a start takes from its first picture on, when pictures keep coming."""
        return self.settle_s + self.samples * self.every_ms / 1000
