"""The JSON messages of `/ws/{camera}`: made from what the server knows, read from what clients say.

Times are Unix seconds with microseconds, durations seconds. From the server:

    hello     first of all: camera, codecs (a MIME type for Media Source, null without footage), position and time of
              the newest picture (null), server_time, part_duration_s, target_duration_s (null), state, since, error
    init      a row of fragments begins: codecs, hash, discontinuity_sequence, and the `id` of the wish that it answers.
              One binary message follows, the init section
    fragment  position, time (of its first picture), start_s (its place in media time), duration_s, independent.
              One binary message follows, the fragment
    gap       nothing was recorded: start, end (null while it lasts), reason (null), message
    skipped   a slow client goes on further ahead: after (the position that it had, null), position
    state     the camera does something else now: state, since, error (null)
    pong      server_time and the `id` of the ping
    error     a wish cannot be granted, and all stays as it was: message, id

Within one discontinuity_sequence media time runs on, over all recordings and holes, so that what a client has buffered
keeps its place when it comes back. From the client, each with an `id` of its own if it likes:

    resume    {"after": "4711.3", "ahead_s": 60}: go on with the fragment behind this position
    seek      {"time": …, "ahead_s": 5} (Unix seconds or RFC 3339): the newest sync sample up to that moment; or the
              first behind the hole that it lies in. {"live": true}: now
    pause     send nothing; {"type": "play"} goes on from there, which is the past by then
    ping      asks for a pong

The first wish may stand in the URL: `?after=4711.3`, `?from=…`; without either it is live.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.camera_state import CameraState
from hlscam.domain.gaps import Gap
from hlscam.domain.part import Part
from hlscam.domain.position import PartPosition
from hlscam.domain.recording import Recording
from hlscam.errors import InvalidRequest
from hlscam.units import US_PER_S, parse_time

Id: TypeAlias = str | int | float | None

_DEFAULT_AHEAD_S = 5.0
_RESUME_AHEAD_S = 60.0
"""What was missed in a minute comes at once."""
_MOST_AHEAD_S = 300.0
_LONGEST_ID = 100
_LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on behind this position."""

    after: PartPosition
    ahead_s: float = _RESUME_AHEAD_S
    id: Id = None


@dataclass(frozen=True, slots=True)
class Seek:
    """Play from this moment on; None is live."""

    wall_us: int | None
    ahead_s: float = _DEFAULT_AHEAD_S
    id: Id = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing; or, with `ends`, go on."""

    ends: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there, and what time is it?"""

    id: Id


Wish: TypeAlias = Resume | Seek
Said: TypeAlias = Wish | Pause | Ping


def read_message(text: str) -> Said:
    """What a client says. Raises InvalidRequest."""
    try:
        fields = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidRequest("a message is a JSON object") from None
    if not isinstance(fields, dict):
        raise InvalidRequest("a message is a JSON object")
    match fields.get("type"):
        case "resume":
            return Resume(_position(fields.get("after")), _ahead_s(fields, _RESUME_AHEAD_S), id_of(fields))
        case "seek":
            return Seek(_moment(fields), _ahead_s(fields, _DEFAULT_AHEAD_S), id_of(fields))
        case "pause" | "play" as word:
            return Pause(ends=word == "play")
        case "ping":
            return Ping(id_of(fields))
    raise InvalidRequest("`type` is one of resume, seek, pause, play and ping")


def id_of(fields: dict[str, Any]) -> Id:
    """The client's own mark of a message, which the answer carries. Raises InvalidRequest."""
    given = fields.get("id")
    if given is None or _is_number(given) or (isinstance(given, str) and len(given) <= _LONGEST_ID):
        return given
    raise InvalidRequest(f"`id` is a number or a text of {_LONGEST_ID} characters at most")


def _is_number(given: object) -> TypeGuard[int | float]:
    """Whether it is one that a double can be; JSON has others, and Python reads some that JSON has not."""
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) <= _LARGEST_NUMBER


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _position(given: object) -> PartPosition:
    if not isinstance(given, str):
        raise InvalidRequest("`after` is a position such as '4711.3'")
    return PartPosition.parse(given)


def _moment(fields: dict[str, Any]) -> int | None:
    given = fields.get("time")
    if given is None and fields.get("live") is True:
        return None
    if _is_number(given):
        return parse_time(f"{given:.6f}")
    if isinstance(given, str):
        return parse_time(given)
    raise InvalidRequest('a seek says {"time": Unix seconds or RFC 3339} or {"live": true}')


def _ahead_s(fields: dict[str, Any], default_s: float) -> float:
    given = fields.get("ahead_s", default_s)
    if not _is_number(given) or not 0 < given <= _MOST_AHEAD_S:
        raise InvalidRequest(f"`ahead_s` is more than 0 and at most {_MOST_AHEAD_S:g} seconds")
    return float(given)


def hello(
    camera: str, newest: Recording | None, edge: Part | None, notes: CameraNotes | None, *, server_us: int,
    part_duration_s: float,
) -> str:  # fmt: skip
    """What a client has to know before anything else. `edge` is the newest part."""
    end_us = edge.wall_us + edge.duration_us if edge else newest.end_wall_us if newest else None
    return _text(
        "hello",
        camera=camera,
        codecs=mime_type(newest) if newest else None,
        position=str(edge.position) if edge else None,
        time=None if end_us is None else _seconds(end_us),
        server_time=_seconds(server_us),
        part_duration_s=part_duration_s,
        target_duration_s=newest.target_duration_s if newest else None,
        **state_facts(notes),
    )


def state(notes: CameraNotes | None) -> str:
    """The camera does something else now."""
    return _text("state", **state_facts(notes))


def state_facts(notes: CameraNotes | None) -> dict[str, Any]:
    """What a camera does; without notes nobody records it."""
    if notes is None:
        return {"state": str(CameraState.DISABLED), "since": None, "error": None}
    status = notes.status
    return {"state": str(status.state), "since": _seconds(status.since_wall_us), "error": status.last_error or None}


def init(recording: Recording, wish_id: Id) -> str:
    """A row of fragments begins, of this recording's kind."""
    return _text(
        "init",
        codecs=mime_type(recording),
        hash=recording.init_hash,
        discontinuity_sequence=recording.discontinuity_sequence,
        id=wish_id,
    )


def fragment(part: Part) -> str:
    """A fragment follows."""
    return _text(
        "fragment",
        position=str(part.position),
        time=_seconds(part.wall_us),
        start_s=round(part.start_ticks / part.timescale, 6),
        duration_s=round(part.duration_ticks / part.timescale, 6),
        independent=part.independent,
    )


def gap(hole: Gap) -> str:
    """Nothing was recorded, or is."""
    return _text(
        "gap",
        start=_seconds(hole.start_wall_us),
        end=None if hole.end_wall_us is None else _seconds(hole.end_wall_us),
        reason=str(hole.reason) if hole.reason else None,
        message=hole.message,
    )


def skipped(after: PartPosition | None, to: PartPosition) -> str:
    """What lies between is not sent."""
    return _text("skipped", after=None if after is None else str(after), position=str(to))


def pong(ping_id: Id, server_us: int) -> str:
    """Somebody is there."""
    return _text("pong", id=ping_id, server_time=_seconds(server_us))


def error(message: str, wish_id: Id = None) -> str:
    """A wish that cannot be granted."""
    return _text("error", message=message, id=wish_id)


def mime_type(recording: Recording) -> str:
    """The type that MediaSource wants (RFC 6381)."""
    return f'video/mp4; codecs="{recording.media.codecs}"'


def _text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def _seconds(wall_us: int) -> float:
    """Unix seconds: a double holds a microsecond of these for the next two hundred years."""
    return wall_us / US_PER_S
