"""What UTC a sample was taken at, by the host's clock.

A camera's own clock cannot be trusted, and a fragment reaches the disk some time after its last sample was taken: never
earlier. So of many fragments the *least delayed* one tells best where media time lies in wall time (Moonfire
NVR's insight). The first recording of a run starts where its first fragments say. After that wall time only runs
on: what a finished recording shows to be off is made up for in the next one, by at most 500 ppm, which no player
and no eye notices.

Media time here is microseconds of decode time; `arrival_wall_us` is when the host saw the whole fragment.
"""

from __future__ import annotations

LARGEST_SLEW_PPB = 500_000


class RunClock:
    """The wall clock of one run."""

    def __init__(self) -> None:
        self._least_us: int | None = None
        self._last_recording_us: int | None = None

    def observe(self, media_end_us: int, arrival_wall_us: int) -> None:
        """A fragment whose last sample ends at `media_end_us` was whole at `arrival_wall_us`."""
        offset_us = arrival_wall_us - media_end_us
        self._least_us = offset_us if self._least_us is None else min(self._least_us, offset_us)

    def roll(self) -> None:
        """A recording has ended: judge the next one by its own fragments, or drift would never be seen."""
        self._last_recording_us, self._least_us = self._least_us, None

    @property
    def offset_us(self) -> int | None:
        """UTC of media time 0, from the whole recording before, or else from what was seen so far."""
        return self._least_us if self._last_recording_us is None else self._last_recording_us


def slew_ppb(error_us: int, over_us: int) -> int:
    """The slew that makes up for `error_us` (positive: our time is behind) within `over_us`, as far as allowed."""
    if over_us <= 0:
        return 0
    return max(-LARGEST_SLEW_PPB, min(LARGEST_SLEW_PPB, error_us * 1_000_000_000 // over_us))
