"""A walk through a camera's footage, part by part: from any position on, out of the archive and on into live.

What is at the live edge is told by the live edge, all else by the archive, segment by segment. Both name the same
parts, so the walk knows no border between them: nor one between recordings, runs, or the sides of a hole. Where
segments are missing (retention, a power cut) it goes on with the next there is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import takewhile

from hlscam.domain.part import Part
from hlscam.domain.position import PartPosition
from hlscam.domain.recording import Recording
from hlscam.domain.timeline import spans_between
from hlscam.errors import FileMissing, Gone, MediaError, NotFound
from hlscam.server.pieces import where_decoding_begins
from hlscam.server.services import Services
from hlscam.services.live import SOON_SEGMENTS, LiveStream
from hlscam.units import US_PER_S


class Walk:
    """Where one client is. `after` is the position that it has; None before there is any footage."""

    def __init__(self, services: Services, camera: str) -> None:
        self.after: PartPosition | None = None
        self._footage = services.footage
        self._stream: LiveStream = services.live.stream(camera)
        self._camera = camera
        self._whole: tuple[int, Sequence[Part]] = (-1, ())

    def go_live(self) -> None:
        """Go to where a picture is shown soonest: the newest sync sample.

        Where the GOP is longer than what the live edge keeps of parts, that is at the begin of an older segment.
        """
        edge = newest_independent(self._stream.parts)
        if edge is not None:
            self.after = _before(edge)
        elif self._stream.newest is not None and self._stream.newest.segments:
            self.after = _last_independent(self._stream.newest, len(self._stream.newest.segments) - 1)

    def go_behind(self, position: PartPosition) -> None:
        """Go on behind a position. Raises NotFound for one that nobody can have seen."""
        newest = self._stream.newest
        if newest is not None and position.media_sequence >= newest.end_media_sequence + SOON_SEGMENTS:
            raise NotFound(f"camera {self._camera!r} has no segment {position.media_sequence} yet")
        self.after = position

    async def go_to(self, wall_us: int) -> None:
        """Go to the newest sync sample up to a moment; or to the first behind the hole that it lies in; or live."""
        live = self._stream.parts
        if live and wall_us >= live[0].wall_us:
            begin = _up_to(live, wall_us)
            if begin is not None:
                self.after = begin
                return
        found = await self._footage.recordings(self._camera, from_wall_us=wall_us, limit=2)
        spans = spans_between(found, wall_us, None)
        if not spans:
            self.go_live()
            return
        opening = _last_independent(spans[0].recording, spans[0].first)
        parts = await self._footage.parts(self._camera, opening.media_sequence)
        self.after = _up_to(parts, wall_us) or opening

    async def next(self) -> Part | None:
        """The part behind `after`; None where there is none yet. Raises ArchiveError or CatalogError."""
        if self.after is None:
            self.go_live()
        after = self.after
        if after is None:
            return None
        live = self._stream.parts
        if live and after >= _before(live[0]):
            index = bisect_right(live, after, key=lambda each: each.position)
            return live[index] if index < len(live) else None
        here = await self._parts(after.media_sequence)
        found = next((each for each in here if each.position > after), None)
        return found or await self._first_from(after.media_sequence + 1)

    def newest_independent_after(self, part: Part) -> Part | None:
        """The newest sync sample at the live edge, if that is behind `part`."""
        edge = newest_independent(self._stream.parts)
        return edge if edge is not None and edge.position > part.position else None

    async def _first_from(self, media_sequence: int) -> Part | None:
        """The first part of the first segment numbered so or higher."""
        parts = await self._parts(media_sequence)
        while not parts:
            number = await self._number_from(media_sequence)
            if number is None:
                return None
            parts = await self._parts(number)
            media_sequence = number + 1
        return parts[0]

    async def _number_from(self, media_sequence: int) -> int | None:
        """The number of the first segment from there on."""
        found = await self._footage.recordings(self._camera, from_media_sequence=media_sequence, limit=2)
        for recording in found:
            if recording.end_media_sequence > media_sequence:
                return max(recording.first_media_sequence, media_sequence)
        begun = next((each for each in self._stream.parts if each.media_sequence >= media_sequence), None)
        return begun.media_sequence if begun else None

    async def _parts(self, media_sequence: int) -> Sequence[Part]:
        """A segment's parts; none where it is not, or cannot be read."""
        if self._whole[0] == media_sequence:
            return self._whole[1]
        try:
            parts = await self._footage.parts(self._camera, media_sequence)
        except (Gone, NotFound, FileMissing, MediaError):
            return ()
        if self._footage.is_listed(self._camera, media_sequence):
            self._whole = media_sequence, parts
        return parts


def newest_independent(parts: Sequence[Part]) -> Part | None:
    """The last part that a decoder can begin with."""
    return next((each for each in reversed(parts) if each.independent), None)


def behind_s(part: Part, newest: Part) -> float:
    """How far a part's begin lies behind the end of the newest one."""
    return (newest.wall_us + newest.duration_us - part.wall_us) / US_PER_S


def _before(part: Part) -> PartPosition:
    return PartPosition(part.media_sequence, part.index - 1)


def _last_independent(recording: Recording, index: int) -> PartPosition:
    """In front of the last segment up to `index` that a decoder can begin with."""
    return PartPosition(recording.first_media_sequence + where_decoding_begins(recording, index), -1)


def _up_to(parts: Sequence[Part], wall_us: int) -> PartPosition | None:
    """In front of the last part with a sync sample up to a moment, or the first behind the hole that it lies in.

    None where these parts have none, or all end before.
    """
    before = len(list(takewhile(lambda each: each.wall_us + each.duration_us <= wall_us, parts)))
    if before == len(parts):
        return None
    shown = parts[before]
    begin = newest_independent([each for each in parts[: before + 1] if each.name == shown.name])
    return _before(begin) if begin else None
