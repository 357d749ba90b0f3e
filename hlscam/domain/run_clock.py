"""What UTC a sample was taken at, by the host's clock, and how well that is known.

A camera's own clock cannot be trusted, and a fragment reaches the disk some time after its last sample was taken: never
earlier. So of many fragments the *least delayed* one tells best where media time lies in wall time (Moonfire
NVR's insight). The first recording of a run starts where its first fragments say. After that wall time only runs
on: what a finished recording shows to be off is made up for in the next one, by at most 500 ppm, which no player
and no eye notices.

A camera whose clock runs fast or slow drifts away all the time, so making up for what is off already would always be
a recording or two too late. The least delayed fragments of recordings far enough apart show the drift itself, and the
slew follows it.

A run begins with a burst: ffmpeg looks at a stream for a while before it writes the first byte (**measured**: 0.9 s of
RTSP, 6 s of FLV), and many cameras send their last group of pictures again to whoever connects. Until media has
come at the pace of time once, the least delay is still falling, and nothing should be placed by it (`is_settled`).

**The error bound** (`facts`) is for the newest pictures, and has three parts:

* what players are told is off by, against the least delayed fragment of the last minute: what the slew has not made
  up for yet, and where the clock was set back, all of the time that wall time may not go back;
* by how much a usual fragment of that minute was later than its least delayed one. Where fragments are late by chance,
  some were late by little; where the usual one is hardly later than the least, there is not much chance about;
* by how much the least delayed ones moved within that minute, as they do while a drift is not followed yet.

ffmpeg writes a fragment when the packet after it comes. A picture was taken just when the fragment's pictures end, so
nothing has to be added; a packet of sound comes when it was recorded to its end, and fragments with sound wait for one
(`RecordingIndex` adds it; **measured**: it is 20 to 65 ms). What the bound covers is all that varies: network, ffmpeg's
interleaving, its writing, our noticing. What it cannot know is what no fragment was ever without: the time inside the
camera from the light to the first byte (usually 30 to 300 ms), and the least time of the way. A camera that begins to
send later, and does so for good, looks from here like one whose clock was set back: the bound then holds that too.

Media time here is microseconds of decode time; `arrival_wall_us` is when the host saw the whole fragment.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hlscam.domain.camera_notes import ClockFacts

LARGEST_SLEW_PPB = 500_000

_PER_BILLION = 1_000_000_000
_REMEMBERED = 8
_FAR_APART_US = 300_000_000
"""Arrival is known to a few milliseconds: over five minutes that is 10 ppm of drift, over a second it is nothing."""
_MADE_UP_OVER_US = 600_000_000
"""What is off is made up for over so much media at least: a run's first recording may be seconds long, the next not."""
_RECENT = 120
"""How many fragments show what is usual: about a minute."""
_PACED_OVER_US = 250_000
"""Over so much media the pace is judged: a fragment may be a single picture, and two of a burst a few ms apart."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A fragment: UTC of media time 0 as it tells it, and where in media time it ends."""

    offset_us: int
    media_us: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What players are told: `wall_us` is UTC of `media_us`, and time runs from there by the slew."""

    media_us: int
    wall_us: int
    slew_ppb: int

    def offset_us(self, media_us: int) -> int:
        """UTC of media time 0 as they would reckon it at `media_us`."""
        return self.wall_us - self.media_us + self.slew_ppb * (media_us - self.media_us) // _PER_BILLION


class RunClock:
    """The wall clock of one run."""

    def __init__(self) -> None:
        self.is_settled = False
        self._least: _Sighting | None = None
        self._recordings: deque[_Sighting] = deque(maxlen=_REMEMBERED)
        self._recent: deque[_Sighting] = deque(maxlen=_RECENT)
        self._paced_from: tuple[int, int] | None = None
        self._told: _Told | None = None

    def observe(self, media_end_us: int, arrival_wall_us: int) -> None:
        """A fragment whose last sample ends at `media_end_us` was whole at `arrival_wall_us`."""
        seen = _Sighting(arrival_wall_us - media_end_us, media_end_us)
        if self._least is None or seen.offset_us <= self._least.offset_us:
            self._least = seen
        if not self.is_settled:
            self._judge_pace(media_end_us, arrival_wall_us)
        self._recent.append(seen)

    def place(self, media_us: int, wall_us: int, slew_ppb: int) -> None:
        """From `media_us` on players are told so: the recording that is in progress now has its start."""
        self._told = _Told(media_us, wall_us, slew_ppb)

    def roll(self) -> None:
        """A recording has ended: judge the next one by its own fragments, or drift would never be seen."""
        if self._least is not None:
            self._recordings.append(self._least)
        self._least = None

    def facts(self) -> ClockFacts | None:
        """How well the newest program date time is known; None while none was told, or nobody saw a fragment come."""
        if self._told is None or not self._recent:
            return None
        off_us = [each.offset_us - self._told.offset_us(each.media_us) for each in self._recent]
        half = len(off_us) // 2
        least_us, usual_us = min(off_us), sorted(off_us)[half]
        moved_us = 2 * abs(min(off_us[half:]) - min(off_us[:half], default=least_us))
        drifted_us = LARGEST_SLEW_PPB * (self._recent[-1].media_us - self._recent[0].media_us) // _PER_BILLION
        error_us = abs(least_us) + usual_us - least_us + min(moved_us, drifted_us)
        return ClockFacts(error_us=error_us, drift_ppb=self.drift_ppb)

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

    def _judge_pace(self, media_end_us: int, arrival_wall_us: int) -> None:
        """Settled once a piece of media took half its duration, at least, to come; what came before was a burst."""
        if self._paced_from is None:
            self._paced_from = (media_end_us, arrival_wall_us)
            return
        media_us, wall_us = media_end_us - self._paced_from[0], arrival_wall_us - self._paced_from[1]
        if media_us >= _PACED_OVER_US:
            self.is_settled = 2 * wall_us >= media_us
            self._paced_from = (media_end_us, arrival_wall_us)
            if self.is_settled:
                self._recent.clear()


def _allowed(ppb: int) -> int:
    return max(-LARGEST_SLEW_PPB, min(LARGEST_SLEW_PPB, ppb))
