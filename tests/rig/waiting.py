"""Waiting for another process to get somewhere: ask again until it has, and say what was awaited when it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")


async def until(
    ask: Callable[[], Awaitable[Value | None]], what: str, *, timeout_s: float = 20, every_s: float = 0.05
) -> Value:
    """The first truthy answer of `ask`. Raises AssertionError with `what` and the last answer after `timeout_s`."""
    answer: Value | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while not (answer := await ask()):  # noqa: ASYNC110
                await asyncio.sleep(every_s)  # another process cannot set an Event of ours
            return answer
    except TimeoutError:
        raise AssertionError(f"{what}: not within {timeout_s} s; the last answer was {answer!r}") from None
