"""Judges a run while it lasts: by the progress of its fragments and by the clocks, never by whether ffmpeg lives.

A camera that is silent, a network that is frozen and an ffmpeg that is stopped all look the same from here, and need
the same: to be ended and tried anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlscam.adapters.ffmpeg.diagnosis import Diagnosis
from hlscam.clock import Clock
from hlscam.domain.recording import EndReason
from hlscam.services.run_follower import RunFollower

STALLED = Diagnosis(EndReason.STALLED, "the camera sends nothing any more", "check or restart it")
HOST_STEPPED = Diagnosis(EndReason.CLOCK_STEPPED, "this machine's clock was set", "recording goes on in a new run")
NOTHING_CAME = Diagnosis(EndReason.STALLED, "the camera takes the connection and sends no picture", "check it")

_LOOK_EVERY_S = 1.0
_SECOND_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class RunWatch:
    """The watch over one run."""

    follower: RunFollower
    clock: Clock
    stall_timeout_s: float

    async def wait_verdict(self) -> Diagnosis:
        """Until the run should be ended; why."""
        while True:
            if self.follower.host_clock_stepped():
                return HOST_STEPPED
            if self.follower.clock_fault is not None:
                return Diagnosis(
                    EndReason.CLOCK_STEPPED,
                    f"the camera's clock cannot be used: {self.follower.clock_fault}",
                    "its pictures are timed by their arrival from now on",
                )
            await self.clock.sleep(_LOOK_EVERY_S)
            if self._is_silent():
                self.follower.look()  # an event may have been lost
                await self.clock.sleep(_SECOND_LOOK_S)
                if self._is_silent():
                    return STALLED if self.follower.fragments_seen else NOTHING_CAME

    def _is_silent(self) -> bool:
        return self.clock.mono_s() - self.follower.last_fragment_mono_s >= self.stall_timeout_s
