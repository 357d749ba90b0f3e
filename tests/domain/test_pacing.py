"""Pacing: a little ahead of real time, however the client came to be where it is."""

from __future__ import annotations

from hlscam.domain.pacing import Pacer


def test_so_much_ahead_is_sent_at_once_and_then_a_second_a_second() -> None:
    pacer = Pacer(2, mono_s=100)
    sent = 0
    while not pacer.wait_s(100):
        pacer.sent(1, 100)
        sent += 1
    assert sent == 3
    assert pacer.wait_s(100) == 1
    assert pacer.wait_s(100.5) == 0.5
    assert pacer.wait_s(101) == 0


def test_nothing_is_played_while_the_picture_stands() -> None:
    pacer = Pacer(1, mono_s=0)
    pacer.sent(3, 0)
    assert pacer.wait_s(1) == 1  # paused now
    pacer.stand(60)
    assert pacer.wait_s(60) == 1
    assert pacer.wait_s(61) == 0


def test_a_client_that_ran_dry_is_not_owed_anything() -> None:
    pacer = Pacer(1, mono_s=0)
    pacer.sent(2, 0)
    assert pacer.wait_s(30) == 0
    pacer.sent(2, 30)
    assert pacer.wait_s(30) == 1
