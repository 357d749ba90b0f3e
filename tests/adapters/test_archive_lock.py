"""One recorder per archive, told by the kernel."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from hlscam.adapters.archive_lock import archive_lock
from hlscam.errors import ArchiveError
from tests.rig.child import Child
from tests.rig.paths import REPOSITORY

_HOLD = """
import asyncio, sys
from pathlib import Path
from hlscam.adapters.archive_lock import archive_lock
async def main():
    async with archive_lock(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def hold(root: Path) -> Child:
    child = await Child.start([sys.executable, "-c", _HOLD, str(root)], folder=REPOSITORY)
    assert await child.line() == "held\n"
    return child


async def test_the_second_one_is_refused_and_let_in_later(tmp_path: Path) -> None:
    async with archive_lock(tmp_path):
        with pytest.raises(ArchiveError, match=f"another hlscam is using the archive {tmp_path}") as caught:
            await archive_lock(tmp_path).__aenter__()
        assert caught.value.hint == "stop it first, or set another archive.path"
    async with archive_lock(tmp_path):
        pass


async def test_it_holds_between_processes_and_dies_with_its_holder(tmp_path: Path) -> None:
    child = await hold(tmp_path)
    with pytest.raises(ArchiveError, match="another hlscam"):
        await archive_lock(tmp_path).__aenter__()
    await child.kill()
    async with archive_lock(tmp_path):
        pass


async def test_children_do_not_inherit_it(tmp_path: Path) -> None:
    async with archive_lock(tmp_path):
        process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        async with archive_lock(tmp_path):
            pass
    finally:
        process.kill()
        await process.wait()


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="cannot be written: No such file or directory"):
        await archive_lock(tmp_path / "missing").__aenter__()
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="cannot be written: Not a directory"):
        await archive_lock(tmp_path / "file").__aenter__()
