"""The segment cache: read once however many ask, bounded, and honest about failures."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.errors import ArchiveError
from hlscam.server.segment_cache import SegmentCache


class Disk:
    """Reads when told to: `release` lets all reads go on. Counts them."""

    def __init__(self) -> None:
        self.reads = 0
        self.release = asyncio.Event()
        self.broken = False

    async def read(self) -> bytes:
        self.reads += 1
        await self.release.wait()
        if self.broken:
            raise ArchiveError("the disk is gone")
        return b"x" * 10


async def once() -> bytes:
    return b"0123456789"


async def never() -> bytes:
    raise AssertionError("this is in the cache")


@pytest.mark.parametrize("limit_bytes", [0, 1000])
async def test_a_hundred_at_once_read_once(limit_bytes: int) -> None:
    cache, disk = SegmentCache(limit_bytes), Disk()
    asking = [asyncio.create_task(cache.get("newest", disk.read)) for _ in range(100)]
    await asyncio.sleep(0)
    disk.release.set()
    assert await asyncio.gather(*asking) == [b"x" * 10] * 100
    assert disk.reads == cache.misses == 1


async def test_what_was_read_is_kept() -> None:
    cache = SegmentCache(1000)
    first = await cache.get("a", once)
    assert await cache.get("a", never) is first
    assert (cache.hits, cache.misses, cache.held_bytes) == (1, 1, 10)


async def test_nothing_is_kept_without_memory() -> None:
    cache, disk = SegmentCache(0), Disk()
    disk.release.set()
    for _ in range(2):
        await cache.get("a", disk.read)
    assert (disk.reads, cache.held_bytes) == (2, 0)


async def test_least_recently_used_goes_first() -> None:
    cache = SegmentCache(30)
    for key in "abc":
        await cache.get(key, once)
    await cache.get("a", never)
    await cache.get("d", once)
    await cache.get("a", never)
    with pytest.raises(AssertionError, match="in the cache"):
        await cache.get("b", never)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60), st.integers(0, 100))
def test_never_more_than_its_limit(asked: list[tuple[int, int]], limit_bytes: int) -> None:
    async def ask_all() -> None:
        sizes: dict[int, int] = {}
        cache = SegmentCache(limit_bytes)
        for key, size_bytes in asked:
            sizes.setdefault(key, size_bytes)

            async def load(size_bytes: int = sizes[key]) -> bytes:
                return bytes(size_bytes)

            assert len(await cache.get(key, load)) == sizes[key]
            assert 0 <= cache.held_bytes <= limit_bytes

    asyncio.run(ask_all())


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    cache, disk = SegmentCache(1000), Disk()
    disk.broken = True
    asking = [asyncio.create_task(cache.get("a", disk.read)) for _ in range(5)]
    await asyncio.sleep(0)
    disk.release.set()
    assert [str(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == ["the disk is gone"] * 5
    disk.broken = False
    assert await cache.get("a", disk.read) == b"x" * 10
    assert disk.reads == 2


@pytest.mark.parametrize("gone", [0, 1])
async def test_one_who_goes_away_harms_no_other(gone: int) -> None:
    """The first asked for the read, the second only waits for it: either may go."""
    cache, disk = SegmentCache(1000), Disk()
    asking = [asyncio.create_task(cache.get("a", disk.read)) for _ in range(2)]
    await asyncio.sleep(0)
    asking[gone].cancel()
    await asyncio.gather(asking[gone], return_exceptions=True)
    disk.release.set()
    assert await asking[1 - gone] == b"x" * 10
    assert disk.reads == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_silent() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    cache, disk = SegmentCache(1000), Disk()
    disk.broken = True
    asking = asyncio.create_task(cache.get("a", disk.read))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    disk.release.set()
    await cache.close()
    del asking
    gc.collect()
    assert disk.reads == 1
    assert complaints == []


async def test_close_waits_for_what_is_being_read() -> None:
    cache, disk = SegmentCache(1000), Disk()
    asking = asyncio.create_task(cache.get("a", disk.read))
    await asyncio.sleep(0)
    closing = asyncio.create_task(cache.close())
    await asyncio.sleep(0)
    assert not closing.done()
    disk.release.set()
    await closing
    assert await asking == b"x" * 10
    assert cache.held_bytes == 10
