"""How long to wait before trying a camera again: 1 s at first, doubling up to 30 s, and never in step with others.

Jitter keeps a wall of cameras that lost power together from coming back in one breath. Pure: randomness is given.
"""

from __future__ import annotations

from collections.abc import Callable

SHORTEST_S = 1.0
LONGEST_S = 30.0
_JITTER = 0.25


class Backoff:
    """The pauses of one camera. `unit_random` gives numbers in [0, 1)."""

    def __init__(self, unit_random: Callable[[], float]) -> None:
        self._unit_random = unit_random
        self._next_s = SHORTEST_S

    def next_s(self) -> float:
        """The next pause: twice the base before, a quarter more or less, as far as that lies within 1 s to 30 s."""
        base_s, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_S)
        least_s = max(base_s * (1 - _JITTER), SHORTEST_S)
        most_s = min(base_s * (1 + _JITTER), LONGEST_S)
        return least_s + (most_s - least_s) * self._unit_random()

    def reset(self) -> None:
        """It worked: begin again at 1 s."""
        self._next_s = SHORTEST_S
