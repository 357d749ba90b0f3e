"""Stills: single pictures as JPEGs, each decoded once for all who ask at the same time, and kept while it is hot.

So many are decoded at once as the machine has cores; who comes later waits. A still that nobody waits for any more is
not decoded to its end: a hand that drags along a timeline asks for many and stays for few.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from hlscam.adapters.ffmpeg.still import decode_still, still_command
from hlscam.clock import to_the_end
from hlscam.domain.picture import Picture, Piece


@dataclass(slots=True)
class _Making:
    """A still that is being made, and how many wait for it."""

    task: asyncio.Task[bytes]
    waiting: int = 0


class Stills:
    """JPEGs by key, of which `limit_bytes` are kept. `ffmpeg` tells where the program is."""

    def __init__(self, ffmpeg: Callable[[], Awaitable[str]], limit_bytes: int, *, at_once: int | None = None) -> None:
        self._ffmpeg = ffmpeg
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._slots = asyncio.Semaphore(at_once or os.cpu_count() or 1)
        self.held_bytes = 0
        self.decoded = 0

    async def jpeg(self, piece: Piece, picture: Picture, *, alone: bool, width: int | None, key: Hashable) -> bytes:
        """A picture of a piece as JPEG, as wide as the source or `width` if that is less.

        `alone`: it decodes alone, and that is all that is decoded. Raises DecodingError when it cannot be decoded.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        making = self._making.get(key)
        if making is None:
            task = asyncio.create_task(self._make(piece, picture, alone, width, key), name=f"still {picture.position}")
            making = self._making[key] = _Making(task)
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting and self._making.get(key) is making:
                del self._making[key]  # who asks from now on begins anew
                making.task.cancel()
                await to_the_end(asyncio.gather(making.task, return_exceptions=True))

    async def _make(self, piece: Piece, picture: Picture, alone: bool, width: int | None, key: Hashable) -> bytes:
        async with self._slots:
            media, at_ticks = piece.needed_for(picture)
            argv = still_command(await self._ffmpeg(), width=width, at_ticks=None if alone else at_ticks)
            jpeg = await decode_still(argv, media)
        self.decoded += 1
        self._keep(key, jpeg)
        return jpeg

    def _keep(self, key: Hashable, jpeg: bytes) -> None:
        if len(jpeg) > self._limit_bytes or key in self._kept:
            return
        self._kept[key] = jpeg
        self.held_bytes += len(jpeg)
        while self.held_bytes > self._limit_bytes:
            _, dropped = self._kept.popitem(last=False)
            self.held_bytes -= len(dropped)
