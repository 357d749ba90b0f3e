"""A camera's notes on disk: read whole, written whole, never torn.

    archive/porch/.camera.json

Written beside and renamed over, and synced before that: whoever reads, after whatever crash, finds the notes before
or the notes after. The name is none of a recording's, so whoever lists recordings passes it over.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hlscam.domain.camera_notes import NOTES_NAME

_LARGEST_BYTES = 1 << 20


def read_notes(folder: Path) -> bytes | None:
    """The file's content, None when there is none. Raises OSError. Blocks."""
    try:
        with (folder / NOTES_NAME).open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_notes(folder: Path, data: bytes) -> bool:
    """Replace the file's content; False where the camera has no folder yet. Raises OSError. Blocks."""
    beside = folder / f"{NOTES_NAME}.new"
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        os.write(fd, data)
        os.fsync(fd)
        complete = os.fstat(fd).st_size == len(data)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    finally:
        os.close(fd)
    if not complete:  # the disk is full: what stands there already is better than half of the new
        beside.unlink()
        raise OSError("the disk is full")
    beside.replace(folder / NOTES_NAME)
    _sync_folder(folder)
    return True


def _sync_folder(folder: Path) -> None:
    """The new name is durable only with the folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
