"""One recorder per archive: two would give the same numbers to different segments.

An advisory lock (flock(2)) on a file in the archive's folder. The kernel lets go of it however its holder dies, so
there is no stale lock to clean up.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from hlscam.errors import ArchiveError

_NAME = ".hlscam.lock"


@contextlib.asynccontextmanager
async def archive_lock(root: Path) -> AsyncIterator[None]:
    """Hold the archive. Raises ArchiveError when somebody else does, or when the folder cannot be written."""
    fd = await asyncio.to_thread(_lock, root)
    try:
        yield
    finally:
        os.close(fd)


def _lock(root: Path) -> int:
    try:
        fd = os.open(root / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ArchiveError(
            f"the archive folder {root} cannot be written: {error.strerror}",
            hint="check its owner and mode, or set archive.path",
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise ArchiveError(
            f"another hlscam is using the archive {root}", hint="stop it first, or set another archive.path"
        ) from None
    return fd
