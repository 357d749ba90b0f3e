"""A start of the server with a catalog that was cut anywhere, or is no catalog at all, comes to an equal one."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services import catalog_process
from tests.services.conftest import Life
from tests.services.shelf import fill, make_catalog
from tests.services.studio import Studio
from tests.services.test_books import unusable
from tests.services.test_indexer import IDLE

PAGE_BYTES = 4096
Dump = list[tuple[object, ...]]


class Shelf:
    """An archive of two cameras, and files of its catalog as a stop in order and as a kill left them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "catalog.sqlite3"
        self.dump: Dump = []

    def put(self, kind: str) -> None:
        """Bring the catalog back as it was left."""
        self.clear()
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self.root}/../{kind}{suffix}", f"{self.path}{suffix}")

    def clear(self) -> None:
        for each in self.root.glob("catalog.sqlite3*"):
            each.unlink()

    def start(self) -> Dump:
        """What the catalog dumps after a start of the server."""

        async def start() -> Dump:
            async with Studio(self.root, IDLE) as studio:
                return await studio.catalog.dump()

        return asyncio.run(start())


@pytest.fixture(scope="module")
def shelf(life: Life, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("shelf")
    shelf = Shelf(folder / "archive")
    for camera in IDLE:
        fill(sorted((life.root / camera).glob("*.mp4"))[1], shelf.root, camera, 20)
    shelf.dump = asyncio.run(make_catalog(shelf.root, folder / "closed"))
    asyncio.run(kill_a_writer(shelf.root, folder / "killed"))
    return shelf


async def kill_a_writer(root: Path, path: Path) -> None:
    writer = await catalog_process.start("write", f"sqlite:///{path}", root)
    assert await writer.line() == "done\n"
    await writer.kill()


def positions(size_bytes: int, count: int) -> list[int]:
    """The head, both sides of all page boundaries in turn, and some places by chance."""
    chance = random.Random(size_bytes)
    boundaries = [at + (-1, 0, 1)[at // PAGE_BYTES % 3] for at in range(PAGE_BYTES, size_bytes, PAGE_BYTES)]
    found = [0, 1, 31, 99, 100, 511, *boundaries, size_bytes - 1, *chance.sample(range(size_bytes), count)]
    return sorted({min(at, size_bytes - 1) for at in found})


def test_a_catalog_that_was_closed_may_be_cut_anywhere(shelf: Shelf) -> None:
    shelf.put("closed")
    for at in positions(shelf.path.stat().st_size, 6):
        shelf.put("closed")
        os.truncate(shelf.path, at)
        assert shelf.start() == shelf.dump, at
        assert [each.stat().st_size for each in unusable(shelf.root)] == ([at] if at else [])


def test_what_a_kill_leaves_may_be_cut_anywhere(shelf: Shelf) -> None:
    """The database and its log; the rest of the one must not spoil the other."""
    shelf.put("killed")
    assert shelf.start() == shelf.dump
    assert unusable(shelf.root) == []
    for suffix in ("", "-wal"):
        shelf.put("killed")
        size_bytes = Path(f"{shelf.path}{suffix}").stat().st_size
        assert size_bytes > 5 * PAGE_BYTES
        for at in positions(size_bytes, 0)[:: 1 if suffix == "" else size_bytes // PAGE_BYTES // 15]:
            shelf.put("killed")
            os.truncate(f"{shelf.path}{suffix}", at)
            assert shelf.start() == shelf.dump, (suffix, at)


def _garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _text(path: Path) -> None:
    path.write_text("a note that somebody saved under the wrong name\n" * 100)


def _lost_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _lost_database(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "spoil", [_garbage, _zeros, _text, _lost_log, _lost_database], ids=lambda spoil: spoil.__name__
)
def test_a_catalog_that_is_none_is_set_aside(shelf: Shelf, spoil: Callable[[Path], None]) -> None:
    shelf.put("killed")
    spoil(shelf.path)
    left = shelf.path.read_bytes() if shelf.path.exists() else b""
    assert shelf.start() == shelf.dump
    if spoil in (_garbage, _zeros, _text):
        (aside,) = unusable(shelf.root)
        assert aside.read_bytes() == left
