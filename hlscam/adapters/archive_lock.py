"""One recorder per archive: two would give the same numbers to different segments.

An advisory lock (flock(2)) on a file in the archive's folder. The kernel lets go of it however its holder dies, so
there is no stale lock to clean up.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from hlscam.errors import ArchiveError

_NAME = ".hlscam.lock"
_TRIES = 20
"""Whoever looks whether the archive is in use holds the lock for an instant, and one who ends may take a moment."""
_AGAIN_S = 0.05


@contextlib.asynccontextmanager
async def archive_lock(root: Path) -> AsyncIterator[None]:
    """Hold the archive. Raises ArchiveError when somebody else does, or when the folder cannot be written."""
    fd = await asyncio.to_thread(_open, root)
    try:
        for _ in range(_TRIES):
            if _take(fd, fcntl.LOCK_EX):
                break
            await asyncio.sleep(_AGAIN_S)
        else:
            raise ArchiveError(
                f"another hlscam is using the archive {root}", hint="stop it first, or set another archive.path"
            )
        yield
    finally:
        os.close(fd)


def _open(root: Path) -> int:
    try:
        return os.open(root / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ArchiveError(
            f"the archive folder {root} cannot be written: {error.strerror}",
            hint="check its owner and mode, or set archive.path",
        ) from None


def is_locked(root: Path) -> bool:
    """Whether somebody records into the archive now. Holds a shared lock for an instant at most. Blocks."""
    try:
        fd = os.open(root / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _take(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _take(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True
