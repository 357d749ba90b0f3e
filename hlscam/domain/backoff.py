"""How long to wait before trying a camera again: 1 s at first, doubling up to 5 s, and never in step with others.

A camera that is back should be recorded again within seconds, and an attempt on a dead one costs next to nothing: so
the longest pause is short, but where a person has to mend something. Jitter keeps a wall of cameras that lost power
together from coming back in one breath. Pure: randomness is given.
"""

from __future__ import annotations

from collections.abc import Callable

SHORTEST_S = 1.0
LONGEST_S = 5.0
_JITTER = 0.25


class Backoff:
    """The pauses of one camera. `unit_random` gives numbers in [0, 1)."""

    def __init__(self, unit_random: Callable[[], float]) -> None:
        self._unit_random = unit_random
        self._next_s = SHORTEST_S

    def next_s(self, longest_s: float | None = None) -> float:
        """The next pause: twice the base before, a quarter more or less, as far as that lies within 1 s to the longest.

        The longest is 5 s unless another is given.
        """
        longest_s = longest_s or LONGEST_S
        base_s, self._next_s = min(self._next_s, longest_s), min(self._next_s * 2, longest_s)
        least_s = max(base_s * (1 - _JITTER), SHORTEST_S)
        most_s = min(base_s * (1 + _JITTER), longest_s)
        return least_s + (most_s - least_s) * self._unit_random()

    def reset(self) -> None:
        """It worked: begin again at 1 s."""
        self._next_s = SHORTEST_S
