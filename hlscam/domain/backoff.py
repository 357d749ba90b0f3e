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
        """The next pause; each is up to twice the one before, within 1 s to 30 s."""
        base_s, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_S)
        return min(max(base_s * (1 + _JITTER * (2 * self._unit_random() - 1)), SHORTEST_S), LONGEST_S)

    def reset(self) -> None:
        """It worked: begin again at 1 s."""
        self._next_s = SHORTEST_S
