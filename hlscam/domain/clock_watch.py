"""When a clock cannot be gone by any more: the host's has stepped, or a camera's does not tell time.

Both end a run, because within a run wall time only runs on, by at most 500 ppm beside media time (`run_clock.py`). Each
watch is for one run and gives one verdict at most, so that it can start one new run, and never a storm of them.
A camera whose clock was found unusable is recorded by the host's from then on (`-use_wallclock_as_timestamps`), and a
run that is recorded so has no camera's clock to watch.

A watch says when to end a run, never what is listed: that depends on the fragments alone, or other readers of the
same file would list something else (`recording_index.py`). Pure; both clocks' readings are arguments.
"""

from __future__ import annotations

from enum import StrEnum

from hlscam.domain.run_clock import LARGEST_SLEW_PPB
from hlscam.units import US_PER_S

LARGEST_STEP_US = 2 * US_PER_S
"""More than this is a step, of either clock: a picture whose time is off by more is of no use as evidence."""

LARGEST_DELAY_US = 5 * US_PER_S
"""A network may hold back this much for good. What a stall of 9 s held back comes in a burst, or is caught up with."""

LARGEST_REPLAY_US = 30 * US_PER_S
"""So much media a camera may bring faster than time passes: what it kept from before we came."""

LONGEST_PICTURE_US = 15 * US_PER_S
"""No picture is shown for longer in a run that is going on: a camera that sends nothing for 10 s has stalled."""

_PER_BILLION = 1_000_000_000
_COUNTED_GAP_US = US_PER_S
"""Time counts while something comes: of a longer pause between two fragments no more than this."""
_NEW_US = 10 * US_PER_S
"""For so long media may still catch up: a group of pictures that is sent again, a burst."""
_ROUND_US = 15 * US_PER_S
"""Over so much time the least delay is taken, to see whether it is more than it was."""
_CATCHING_UP_US = US_PER_S // 5
"""A delay that shrinks by so much in a round is being made up for (ffmpeg -re catches up by 5 %: 0.75 s)."""
_SQUEEZED_US = 1_000
"""No camera takes a thousand pictures per second; but ffmpeg writes them a tick apart where time does not run on."""
_SQUEEZED_PICTURES = 10


class HostClockWatch:
    """Whether the host's wall clock has stepped against its monotonic one since the run began.

    `observe` is for about once a second, and again before anything is timed by the wall clock. NTP that slews moves it
    by up to 500 ppm (on Linux it moves both clocks alike, and the difference not at all), so that much is followed;
    what is beyond adds up, and over 2 s of it is a step: in one leap, or in several.

    The monotonic clock stands still while the machine sleeps, and the wall clock is further when it wakes: that is a
    step too, and a new run is right, since nothing was recorded in between.
    """

    def __init__(self) -> None:
        self.step_us: int | None = None
        self._followed_us = 0
        self._before_us: int | None = None

    def observe(self, wall_us: int, mono_s: float) -> bool:
        """Two readings taken at the same moment; True once, when the clock has stepped. `step_us` says how far."""
        mono_us = round(mono_s * US_PER_S)
        offset_us = wall_us - mono_us
        if self._before_us is None:
            self._followed_us, self._before_us = offset_us, mono_us
        allowed_us = LARGEST_SLEW_PPB * (mono_us - self._before_us) // _PER_BILLION
        self._before_us = mono_us
        moved_us = offset_us - self._followed_us
        self._followed_us += max(-allowed_us, min(allowed_us, moved_us))
        if self.step_us is not None or abs(offset_us - self._followed_us) <= LARGEST_STEP_US:
            return False
        self.step_us = offset_us - self._followed_us
        return True


class ClockFault(StrEnum):
    """What is wrong with a camera's clock."""

    AHEAD = "its clock leapt ahead"
    STILL = "its clock stands still, or was set back"
    BEHIND = "its clock runs slow"
    FAST = "its clock runs fast"


class MediaClockWatch:
    """Whether a camera's timestamps can be gone by, told by when its fragments come.

    A fragment's *delay* is its arrival less its media end, up to a constant that nobody knows. It goes up and down with
    the network, but never below its least, and the least moves by no more than the clocks drift. So:

    * `AHEAD`: a delay that is at once more than 2 s below the least so far. In the first 10 s, while media may still
      be catching up, only a fragment that brings more than any picture lasts. ffmpeg gives the time of a leap to the
      last picture before it (**measured**), so the fragment that shows the leap is the one that holds it. Where sound
      leaps first, it is told by the sound: its fragment is then in front of the picture's.
    * `STILL`: ten pictures in a row that are less than 1 ms apart, more than 2 s late. So ffmpeg writes what comes
      while a clock stands still, or until it is again where it was before it was set back.
    * `BEHIND`: the least delay of 15 s, and that of 15 s more, over 5 s above what it was, and not shrinking. That the
      network is late by so much, for good, cannot be told from it; a new run helps against either.
    * `FAST`: the least delay has fallen, little by little, by more than a camera could have kept from before.

    Nothing of that is a network that stalls for 9 s, before a burst or not; a group of pictures that is sent again; a
    picture that lasts for seconds because nothing moves; another frame rate; B-frames; 500 ppm for days.
    """

    def __init__(self) -> None:
        self.fault: ClockFault | None = None
        self._video = _Line()
        self._audio = _Line()
        self._squeezed = 0
        self._round_us = 0
        self._least_us: int | None = None
        self._least_before_us: int | None = None

    def observe(
        self, *, arrival_us: int, video_end_us: int, pictures: int, audio_end_us: int | None = None
    ) -> ClockFault | None:
        """A fragment, seen at `arrival_us` of a monotonic clock; the fault that it shows, once.

        `video_end_us` is where its last picture ends, `audio_end_us` where its sound does, if it has any; `pictures`
        says how many pictures it holds, and 0 that only its sound counts.
        """
        if self.fault is None:
            fault = self._audio.leap(arrival_us, audio_end_us) if audio_end_us is not None else None
            if pictures:
                fault = fault or self._judge(arrival_us, video_end_us, pictures)
            self.fault = fault
            return fault
        return None

    def _judge(self, arrival_us: int, end_us: int, pictures: int) -> ClockFault | None:
        line = self._video
        before_us, counted_before_us = line.media_us, line.counted_us
        fault = line.leap(arrival_us, end_us)
        if fault is not None or before_us is None:
            return fault
        late_us = arrival_us - end_us - line.least_us
        is_squeezed = end_us - before_us < pictures * _SQUEEZED_US and late_us > LARGEST_STEP_US
        self._squeezed = self._squeezed + pictures if is_squeezed else 0
        if self._squeezed >= _SQUEEZED_PICTURES:
            return ClockFault.STILL
        return self._judge_round(late_us, line.counted_us - counted_before_us)

    def _judge_round(self, late_us: int, counted_us: int) -> ClockFault | None:
        self._round_us += counted_us
        self._least_us = late_us if self._least_us is None else min(self._least_us, late_us)
        if self._round_us < _ROUND_US:
            return None
        least_us, before_us = self._least_us, self._least_before_us
        followed_us = self._video.follow(least_us)
        self._round_us, self._least_us, self._least_before_us = 0, None, least_us - followed_us
        if before_us is None or min(least_us, before_us) <= LARGEST_DELAY_US:
            return None
        return ClockFault.BEHIND if least_us > before_us - _CATCHING_UP_US else None


class _Line:
    """The least delay of one track, moved along with the drift that a run can follow."""

    def __init__(self) -> None:
        self.media_us: int | None = None
        self.least_us = 0
        self.counted_us = 0
        self._first_arrival_us = 0
        self._arrival_us = 0
        self._delay_us = 0
        self._settled_us = 0
        self._followed_us = 0

    def leap(self, arrival_us: int, end_us: int) -> ClockFault | None:
        """Take in a fragment of the track; the fault if it is further than it can be."""
        delay_us = arrival_us - end_us
        if self.media_us is None:
            self._first_arrival_us = self._followed_us = self._arrival_us = arrival_us
            self.least_us = self._delay_us = delay_us
        self.counted_us += min(arrival_us - self._arrival_us, _COUNTED_GAP_US)
        is_new = self.counted_us < _NEW_US
        before_us, most_us = (self._delay_us, LONGEST_PICTURE_US) if is_new else (self.least_us, LARGEST_STEP_US)
        self.media_us, self._arrival_us, self._delay_us = end_us, arrival_us, delay_us
        self.least_us = min(self.least_us, delay_us)
        if before_us - delay_us > most_us:
            return ClockFault.AHEAD
        if is_new:
            self._settled_us = self.least_us
        drifted_us = LARGEST_SLEW_PPB * (arrival_us - self._first_arrival_us) // _PER_BILLION
        return ClockFault.FAST if self._settled_us - self.least_us > LARGEST_REPLAY_US + drifted_us else None

    def follow(self, late_us: int) -> int:
        """The least delay of a round was `late_us` above the line: move it, as far as a drift would; by how much."""
        allowed_us = LARGEST_SLEW_PPB * (self._arrival_us - self._followed_us) // _PER_BILLION
        self._followed_us = self._arrival_us
        moved_us = min(late_us, allowed_us)
        self.least_us += moved_us
        return moved_us
