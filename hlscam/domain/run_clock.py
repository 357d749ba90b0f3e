"""What UTC a sample was taken at, by the host's clock.

A camera's own clock cannot be trusted, and a fragment reaches the disk some time after its last sample was taken: never
earlier. So of many fragments the *least delayed* one tells best where media time lies in wall time (Moonfire
NVR's insight). The first recording of a run starts where its first fragments say. After that wall time only runs
on: what a finished recording shows to be off is made up for in the next one, by at most 500 ppm, which no player
and no eye notices.

A camera whose clock runs fast or slow drifts away all the time, so making up for what is off already would always be
a recording or two too late. The least delayed fragments of recordings far enough apart show the drift itself, and the
slew follows it.

Media time here is microseconds of decode time; `arrival_wall_us` is when the host saw the whole fragment.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

LARGEST_SLEW_PPB = 500_000

_PER_BILLION = 1_000_000_000
_REMEMBERED = 8
_FAR_APART_US = 300_000_000
"""Arrival is known to a few milliseconds: over five minutes that is 10 ppm of drift, over a second it is nothing."""
_MADE_UP_OVER_US = 600_000_000
"""What is off is made up for over so much media at least: a run's first recording may be seconds long, the next not."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """The least delayed fragment of a recording: UTC of media time 0 as it tells it, and when that was."""

    offset_us: int
    media_us: int


class RunClock:
    """The wall clock of one run."""

    def __init__(self) -> None:
        self._least: _Sighting | None = None
        self._recordings: deque[_Sighting] = deque(maxlen=_REMEMBERED)

    def observe(self, media_end_us: int, arrival_wall_us: int) -> None:
        """A fragment whose last sample ends at `media_end_us` was whole at `arrival_wall_us`."""
        offset_us = arrival_wall_us - media_end_us
        if self._least is None or offset_us <= self._least.offset_us:
            self._least = _Sighting(offset_us, media_end_us)

    def roll(self) -> None:
        """A recording has ended: judge the next one by its own fragments, or drift would never be seen."""
        if self._least is not None:
            self._recordings.append(self._least)
        self._least = None

    @property
    def offset_us(self) -> int | None:
        """UTC of media time 0, from the whole recording before, or else from what was seen so far."""
        known = self._recordings[-1] if self._recordings else self._least
        return known.offset_us if known else None

    @property
    def drift_ppb(self) -> int:
        """By how much wall time outruns media time, as far as it can be told yet."""
        if not self._recordings:
            return 0
        oldest, newest = self._recordings[0], self._recordings[-1]
        apart_us = newest.media_us - oldest.media_us
        if apart_us < _FAR_APART_US:
            return 0
        return _allowed((newest.offset_us - oldest.offset_us) * _PER_BILLION // apart_us)

    def slew_ppb(self, media_us: int, wall_us: int, before_us: int) -> int:
        """The slew of a recording that begins at `media_us`, and at `wall_us` by what was said so far.

        It follows the drift, and makes up for what `wall_us` is off within a recording like the one before, which
        took `before_us`; as far as allowed. 0 when nothing is known.
        """
        if not self._recordings:
            return 0
        known, drift_ppb = self._recordings[-1], self.drift_ppb
        drifted_us = drift_ppb * (media_us - known.media_us) // _PER_BILLION
        error_us = known.offset_us + drifted_us + media_us - wall_us
        return _allowed(drift_ppb + error_us * _PER_BILLION // max(before_us, _MADE_UP_OVER_US))


def _allowed(ppb: int) -> int:
    return max(-LARGEST_SLEW_PPB, min(LARGEST_SLEW_PPB, ppb))
