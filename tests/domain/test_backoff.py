"""Pauses double from 1 s to 5 s, or to another longest, with jitter that keeps cameras out of step at both ends too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.backoff import LONGEST_S, SHORTEST_S, Backoff


@pytest.mark.parametrize(
    ("unit_random", "pauses_s"),
    [
        (0.0, [1, 1.5, 3, 3.75, 3.75]),
        (0.5, [1.125, 2, 4, 4.375, 4.375]),
        (1 - 1e-12, [1.25, 2.5, 5, 5, 5]),
    ],
)
def test_pauses(unit_random: float, pauses_s: list[float]) -> None:
    backoff = Backoff(lambda: unit_random)
    assert [backoff.next_s() for _ in pauses_s] == pytest.approx(pauses_s)


def test_another_longest_holds_as_long_as_it_is_asked_for() -> None:
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_s(30) for _ in range(7)] == pytest.approx([1.125, 2, 4, 8, 16, 26.25, 26.25])
    assert [backoff.next_s() for _ in range(2)] == pytest.approx([4.375, 4.375])


def test_it_begins_again_once_it_worked() -> None:
    backoff = Backoff(lambda: 0.5)
    first_s = backoff.next_s()
    for _ in range(9):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == first_s


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_every_pause_is_within_bounds(numbers: list[float]) -> None:
    given_numbers = iter(numbers)
    backoff = Backoff(lambda: next(given_numbers))
    assert all(SHORTEST_S <= backoff.next_s() <= LONGEST_S for _ in numbers)


@pytest.mark.parametrize("attempts", [1, 2, 5, 6, 20])
def test_no_two_cameras_come_back_in_one_breath(attempts: int) -> None:
    backoffs = [Backoff(lambda at=at: at / 100) for at in range(100)]  # type: ignore[misc]
    pauses_s = [[backoff.next_s() for _ in range(attempts)][-1] for backoff in backoffs]
    assert len({round(pause_s, 6) for pause_s in pauses_s}) == 100
