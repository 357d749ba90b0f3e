"""A run: one ffmpeg process, one decode timeline, one pair of counters.

`RunIdentity` is fixed before the process starts. ffmpeg is told to write it as the `comment` of every recording, so
it stands in the first kilobyte of the file from its first moment: a recording that was never closed still says which
camera and run it belongs to and where the run's numbers began, and a lost catalog can be made again.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hlscam.domain.recording import EndReason

_MARK = "hlscam"
_VERSION = 1
_NAME = re.compile(r"([0-9]{8}T[0-9]{6})Z-([0-9A-Za-z]+)\.mp4")
_TIME = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Who writes, and where its counters begin.

    `target_duration_s` is None in a camera's very first run, which measures it, for ever: a camera whose
    `segment_duration_s` is set higher later goes on with segments of the duration that its players know.
    `not_before_wall_us` is where the run before ended: wall time never overlaps. `gap_reason` says why there is a hole
    between the two; None for a camera's first run, and for those of a time when it was not told. No picture lasts for
    longer than `longest_picture_s`, or the camera would have been given up: what does is a clock that leapt, and
    listing ends there. Fragments are cut as soon as they last for `fragment_us`. Both are None where that was not told.
    """

    camera: str
    run: str
    media_sequence: int
    discontinuity_sequence: int
    segment_duration_s: float
    target_duration_s: int | None
    not_before_wall_us: int
    gap_reason: EndReason | None = None
    longest_picture_s: float | None = None
    fragment_us: int | None = None

    def to_comment(self) -> str:
        """The identity as the text of the MP4 `comment` (©cmt) metadata item."""
        return json.dumps({_MARK: _VERSION, **asdict(self)}, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_comment(cls, comment: str) -> RunIdentity | None:
        """The identity that a recording's comment carries, or None when it is not one of ours."""
        try:
            facts = json.loads(comment)
        except (ValueError, RecursionError):
            return None
        if not isinstance(facts, dict) or facts.pop(_MARK, None) != _VERSION:
            return None
        return _checked(facts)


def _checked(facts: dict[str, Any]) -> RunIdentity | None:
    reason = facts.pop("gap_reason", None)
    try:
        identity = RunIdentity(**facts, gap_reason=None if reason is None else EndReason(reason))
    except (TypeError, ValueError):
        return None
    texts = (identity.camera, identity.run)
    numbers = (identity.media_sequence, identity.discontinuity_sequence, identity.not_before_wall_us)
    target_s, seconds = identity.target_duration_s, [identity.segment_duration_s]
    if identity.longest_picture_s is not None:
        seconds.append(identity.longest_picture_s)
    fragment_us = identity.fragment_us
    sound = (
        all(type(text) is str and text for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(each is None or (type(each) is int and each > 0) for each in (target_s, fragment_us))
        and all(type(each) in (int, float) and math.isfinite(each) and each > 0 for each in seconds)
    )
    return identity if sound else None


def recording_name_pattern(run: str) -> str:
    """The strftime pattern that ffmpeg names recordings by: UTC of the first packet, then the run.

    The run's own suffix keeps two processes from ever naming a file twice. Within a run ffmpeg itself would, when the
    host's clock is set back, and write over its own recording.
    """
    return f"%Y%m%dT%H%M%SZ-{run}.mp4"


def run_of_name(name: str) -> str | None:
    """The run that a recording's file name tells, or None when it is not a recording's name."""
    match = _NAME.fullmatch(name)
    return match.group(2) if match else None


def name_out_of_the_way(name: str, recording_s: float) -> str | None:
    """Another name for a run's first recording, a second earlier, where its second one may get the same; else None.

    ffmpeg cuts at multiples of `recording_s` of the day. It takes names from a clock of the kernel that is some
    milliseconds behind the one it cuts by, so a cut at the full second may be named by the second before; and a file of
    the same name is truncated (**measured**: one run in some hundreds that began in that second, cut every 4 s).
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    began = datetime.strptime(match.group(1), _TIME).replace(tzinfo=UTC)
    second = began.hour * 3600 + began.minute * 60 + began.second
    if (second + 1) // recording_s == second // recording_s:
        return None
    return f"{began - timedelta(seconds=1):{_TIME}}Z-{match.group(2)}.mp4"
