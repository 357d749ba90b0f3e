"""A camera's notes: what must outlive the process and stands in no recording.

One small JSON file in the camera's folder, written whole by the recorder whenever something in it changes (a few times
per recording), read by the next start and by servers in processes of their own. With it nothing depends on the
catalog: after a crash that takes the catalog along, the recording in progress gets the very numbers and times that
players have seen (its *anchor*), and counters cannot go back though recordings and catalog are both gone.

Notes that are lost too cost little: the numbers come back from the recordings, a torn one's start is reckoned from
when it was last written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.recording import EndReason, Recording

NOTES_NAME = ".camera.json"
_CLOSED_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What was settled about a recording when its first segment was listed, and can never be otherwise.

    `cut_for_s` is the target duration that its segments are cut for, None where its own fragments told it.
    """

    name: str
    first_media_sequence: int
    discontinuity_sequence: int
    starts_run: bool
    gap_reason: EndReason | None
    start_wall_us: int
    slew_ppb: int
    cut_for_s: int | None

    @classmethod
    def of(cls, recording: Recording, *, cut_for_s: int | None) -> Anchor:
        """The anchor of a recording that is in the catalog, or in the index."""
        return cls(
            name=recording.name,
            first_media_sequence=recording.first_media_sequence,
            discontinuity_sequence=recording.discontinuity_sequence,
            starts_run=recording.starts_run,
            gap_reason=recording.gap_reason,
            start_wall_us=recording.start_wall_us,
            slew_ppb=recording.slew_ppb,
            cut_for_s=cut_for_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a camera's next run begins with at least. None as target: not measured yet."""

    media_sequence: int = 0
    discontinuity_sequence: int = 0
    not_before_wall_us: int = 0
    target_duration_s: int | None = None

    def after(self, recording: Recording) -> Counters:
        """These counters, moved on behind a recording of the camera."""
        return Counters(
            media_sequence=max(self.media_sequence, recording.end_media_sequence),
            discontinuity_sequence=max(self.discontinuity_sequence, recording.discontinuity_sequence + 1),
            not_before_wall_us=max(self.not_before_wall_us, recording.end_wall_us),
            target_duration_s=self.target_duration_s or recording.target_duration_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts:
    """How well program date time is known: it is off by `error_us` at most; the camera's clock drifts `drift_ppb`."""

    error_us: int
    drift_ppb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraNotes:
    """The notes. `gap_reason` says why nothing is recorded now; None while something is, and before the first time.

    `open` are the anchors of recordings that nobody closed yet, the one in progress last; `closed` are the names of the
    last few that were closed: a short one may never have had an anchor. Media sequences below
    `listed_below` may have been listed during `boot` of the machine: after a power cut the footage of the newest may
    be gone, and must not be given again to other footage.
    """

    version: Literal[1] = 1
    status: CameraStatus = field(default_factory=lambda: CameraStatus(CameraState.STOPPED, 0))
    gap_reason: EndReason | None = None
    counters: Counters = Counters()
    clock: ClockFacts | None = None
    open: tuple[Anchor, ...] = ()
    closed: tuple[str, ...] = ()
    listed_below: int = 0
    boot: str = ""

    def anchor(self, name: str) -> Anchor | None:
        """The anchor of an open recording."""
        return next((each for each in self.open if each.name == name), None)

    def with_anchor(self, anchor: Anchor) -> tuple[Anchor, ...]:
        """`open` with one more."""
        return (*self.without_anchor(anchor.name), anchor)

    def without_anchor(self, name: str) -> tuple[Anchor, ...]:
        """`open` with one less."""
        return tuple(each for each in self.open if each.name != name)

    def with_closed(self, *names: str) -> tuple[str, ...]:
        """`closed` with these, as many as are worth keeping."""
        return (*self.closed, *names)[-_CLOSED_KEPT:]

    def may_miss_footage(self, boot: str) -> bool:
        """Whether the machine went down while it recorded, so that listed footage may never have reached the disk."""
        return bool(self.open) and self.boot != boot

    def to_json(self) -> bytes:
        """The file's content."""
        return _NOTES.dump_json(self, indent=1) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> CameraNotes | None:
        """What `to_json` wrote, or None for anything else."""
        try:
            return _NOTES.validate_json(data)
        except ValidationError:
            return None


_NOTES = TypeAdapter(CameraNotes)
