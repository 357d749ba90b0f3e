"""The hottest segments in memory, shared by all viewers, bounded in bytes.

A thousand viewers of one camera ask for the same newest segment within a second: it is read once (a second request
waits for the first one's read), kept while it is hot, and forgotten least recently used first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable


class SegmentCache:
    """Bytes by key. `limit_bytes` 0 keeps nothing, but still reads once for requests at the same time."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()
        self._loading: dict[Hashable, asyncio.Task[bytes]] = {}
        self.held_bytes = 0
        self.hits = 0
        self.misses = 0

    async def get(self, key: Hashable, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """The bytes of `key`, loaded if need be. What `load` raises is raised to all who wait, and not kept."""
        data = self._held.get(key)
        if data is not None:
            self.hits += 1
            self._held.move_to_end(key)
            return data
        task = self._loading.get(key)
        if task is None:
            self.misses += 1
            task = self._loading[key] = asyncio.ensure_future(self._load(key, load))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what is being read."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _load(self, key: Hashable, load: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            data = await load()
        finally:
            del self._loading[key]
        self._keep(key, data)
        return data

    def _keep(self, key: Hashable, data: bytes) -> None:
        if len(data) > self._limit_bytes:
            return
        self._held[key] = data
        self.held_bytes += len(data)
        while self.held_bytes > self._limit_bytes:
            _, dropped = self._held.popitem(last=False)
            self.held_bytes -= len(dropped)
