"""Pacing: how far ahead of real time past footage is sent. Pure: time is an argument.

A client that plays the past takes one second a second, whatever the network could carry. It is sent so much more that
it can do without the network for a while, and no more: what is sent and never shown is work for nothing.
"""

from __future__ import annotations


class Pacer:
    """Counts what a client has been sent and not played yet. A paused one plays nothing."""

    def __init__(self, ahead_s: float, *, mono_s: float) -> None:
        self.ahead_s = ahead_s
        self._unplayed_s = 0.0
        self._at_mono_s = mono_s

    def sent(self, duration_s: float, mono_s: float) -> None:
        """The client was sent so much more."""
        self._play(mono_s)
        self._unplayed_s += duration_s

    def wait_s(self, mono_s: float) -> float:
        """Seconds until more is to be sent; 0 for now."""
        self._play(mono_s)
        return max(0.0, self._unplayed_s - self.ahead_s)

    def stand(self, mono_s: float) -> None:
        """Time passes, and the picture stands."""
        self._at_mono_s = mono_s

    def _play(self, mono_s: float) -> None:
        """What it cannot have, it cannot play: after it ran dry it is not owed anything."""
        self._unplayed_s = max(0.0, self._unplayed_s - (mono_s - self._at_mono_s))
        self._at_mono_s = mono_s
