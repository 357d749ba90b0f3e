"""Retention: which recordings go so that the disk never becomes full, and which never do. Pure.

The *headroom* is what stays free on the archive's disk. It is not there to be used: it is the time that another
program's download or a slow removal takes, so that ffmpeg is never told that the disk is full. When there is less, the
oldest recordings of all cameras go, as many as it takes and no more; likewise when they are too old or too many for
limits that somebody has set. A camera that records much therefore keeps as many days as one that records little.

Some never go, however short the room is: the newest recording of a camera (its numbers go on from there, and no other
is being written), one that the live playlist lists or listed just now, and one that its owner has protected. Such a
one stays where it is while its neighbours go, and leaves a hole in the numbers on either side.

Candidates come oldest first, page by page, since an archive may have a million of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from hlscam.units import US_PER_S

MB = 1024 * 1024
GB = 1024 * MB

_PART_OF_DISK = 20
_MOST_AUTOMATIC_BYTES = 5 * GB
_WRITING_S = 120
_MOST_FOR_WRITING = 4
_MOST_OF_DISK = 2
_US_PER_DAY = 86_400 * US_PER_S


class Keep(StrEnum):
    """Why a recording may not go."""

    NEWEST = "newest"
    """Or being written. Whichever else was never closed is written by nobody any more: it is footage like the rest."""
    LIVE = "live"
    PROTECTED = "protected"
    AWAY = "away"
    """Its folder is not there: a disk that is not mounted is no reason to forget what it holds."""


class Why(StrEnum):
    """Why a recording goes."""

    AGE = "age"
    ROOM = "room"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A recording as retention looks at it. `keep` is None where nothing is known that speaks for it."""

    camera: str
    name: str
    first_media_sequence: int
    start_wall_us: int
    end_wall_us: int
    size_bytes: int
    keep: Keep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What has been set: None is no limit."""

    max_bytes: int | None = None
    max_age_us: int | None = None

    @classmethod
    def of(cls, *, max_days: float | None, max_gb: float | None) -> Limits:
        """The limits as the configuration writes them."""
        return cls(
            max_bytes=None if max_gb is None else round(max_gb * GB),
            max_age_us=None if max_days is None else round(max_days * _US_PER_DAY),
        )

    @property
    def any(self) -> bool:
        return self.max_bytes is not None or self.max_age_us is not None

    def demand(self, *, held_bytes: int, now_wall_us: int) -> Demand:
        """What the limits ask of recordings that come to `held_bytes` now."""
        return Demand(
            over_bytes=0 if self.max_bytes is None else held_bytes - self.max_bytes,
            ended_before_wall_us=None if self.max_age_us is None else now_wall_us - self.max_age_us,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for: so many bytes of room, so many bytes fewer, none that ended before a time.

    0 bytes or less are there already.
    """

    short_bytes: int = 0
    over_bytes: int = 0
    ended_before_wall_us: int | None = None

    @property
    def missing_bytes(self) -> int:
        """How much has still to go, whatever its age."""
        return max(self.short_bytes, self.over_bytes, 0)

    @property
    def is_something(self) -> bool:
        """Whether anything may have to go."""
        return self.missing_bytes > 0 or self.ended_before_wall_us is not None

    def why(self, candidate: Candidate) -> Why | None:
        """Why this one would have to go, being the oldest that is left; None when it may stay."""
        if self.ended_before_wall_us is not None and candidate.end_wall_us < self.ended_before_wall_us:
            return Why.AGE
        if self.short_bytes > 0:
            return Why.ROOM
        return Why.SIZE if self.over_bytes > 0 else None

    def without(self, size_bytes: int) -> Demand:
        """What is asked for after so many bytes have gone."""
        return replace(self, short_bytes=self.short_bytes - size_bytes, over_bytes=self.over_bytes - size_bytes)


@dataclass(frozen=True, slots=True)
class Removal:
    """A recording that goes, and why."""

    candidate: Candidate
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What goes of a page of candidates; `left` is what is asked for after that.

    `goes_on`: the candidates that follow this page may have to go as well.
    """

    removals: tuple[Removal, ...]
    left: Demand
    goes_on: bool


def choose(candidates: Iterable[Candidate], demand: Demand) -> Choice:
    """Which of `candidates`, which are the oldest that there are and stand oldest first, go to meet `demand`."""
    removals: list[Removal] = []
    last: Why | None = None
    for candidate in candidates:
        last = demand.why(candidate)
        if last is not None and candidate.keep is None:
            removals.append(Removal(candidate, last))
            demand = demand.without(candidate.size_bytes)
    return Choice(removals=tuple(removals), left=demand, goes_on=demand.missing_bytes > 0 or last is Why.AGE)


def headroom_bytes(*, total_bytes: int, configured_mb: int | None, written_bytes_per_s: float) -> int:
    """What is to stay free on a disk of `total_bytes`, onto which the cameras write so much.

    Of a disk that is small beside what is asked for, retention would leave nothing: what is configured counts up to a
    half of the disk, and what the cameras write up to a quarter.
    """
    if configured_mb is not None:
        return min(configured_mb * MB, total_bytes // _MOST_OF_DISK)
    usual_bytes = min(total_bytes // _PART_OF_DISK, _MOST_AUTOMATIC_BYTES)
    written_bytes = min(round(written_bytes_per_s * _WRITING_S), total_bytes // _MOST_FOR_WRITING)
    return max(usual_bytes, written_bytes)
