"""The archive's disk: how much room it has, and THE ONE PLACE IN HLSCAM THAT REMOVES FOOTAGE.

`remove_recording` is called by retention (`services/cleaner.py`) and by nobody else: never because something could not
be read, written or understood. It removes regular files with a recording's name in a camera's folder; what lies in
quarantine, and any other file, is out of its reach.

A recording is protected while its owner may not write it: `chmod a-w FILE` keeps it for ever, `chmod u+w FILE`
lets it go. Everybody who can see the archive has that, and it moves with the file.

Blocking; `Archive.run` it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hlscam.domain.config import RESERVED_CAMERA_IDS
from hlscam.domain.run import run_of_name
from hlscam.errors import ArchiveError

_libc = ctypes.CDLL(None)
LEAST_TO_RECORD_BYTES = 1024 * 1024
"""With less room than this a recording is not worth to be begun: ffmpeg would leave an empty file at each attempt."""


@dataclass(frozen=True, slots=True)
class Room:
    """A file system as its users have it: what root alone may use is not free."""

    free_bytes: int
    total_bytes: int


def read_room(folder: Path) -> Room:
    """The room of the file system that `folder` is on. Raises ArchiveError."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise ArchiveError(f"the room on the disk of {folder} cannot be told: {error.strerror}") from None
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class FileState(StrEnum):
    """A recording's file, before it is removed."""

    PLAIN = "plain"
    PROTECTED = "protected"
    MISSING = "missing"
    """Somebody has removed it: its folder is there."""
    AWAY = "away"
    """Its folder is not there either, or cannot be read, or is on another disk, where removing makes no room here."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file system says of a recording."""

    state: FileState
    size_bytes: int = 0


def read_file_facts(root: Path, camera: str, name: str) -> FileFacts:
    """A recording's state and size. Never raises."""
    path = root / camera / name
    try:
        disk = root.stat().st_dev
        if path.parent.stat().st_dev != disk:
            return FileFacts(FileState.AWAY)
        found = path.lstat()
    except FileNotFoundError:
        return FileFacts(FileState.MISSING if path.parent.is_dir() else FileState.AWAY)
    except OSError:
        return FileFacts(FileState.AWAY)
    return FileFacts(FileState.PROTECTED if _is_protected(found) else FileState.PLAIN, found.st_size)


@dataclass(frozen=True, slots=True)
class Removed:
    """The room before a removal and right after it: the difference is what the file system has freed at once."""

    free_bytes_before: int
    free_bytes_after: int


def remove_recording(root: Path, camera: str, name: str) -> Removed:
    """REMOVE A RECORDING FOR EVER.

    That little is freed at once is no fault: btrfs and XFS free later, and a file that somebody reads stays until it is
    closed. Raises FileNotFoundError, PermissionError for one that is protected, and OSError.
    """
    if run_of_name(name) is None or camera in RESERVED_CAMERA_IDS or "/" in camera or camera in ("", ".", ".."):
        raise ValueError(f"{camera}/{name} is not a recording's file")
    path = root / camera / name
    if _is_protected(path.lstat()):
        raise PermissionError(errno.EPERM, "it is protected", str(path))
    before = read_room(root).free_bytes
    path.unlink()
    return Removed(before, read_room(root).free_bytes)


def free_now(folder: Path) -> None:
    """Have the file system that `folder` is on free what was removed: btrfs would take up to 30 s (measured: 31)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _libc.syncfs(fd)  # of one file system; os.sync would wait for all of them
    finally:
        os.close(fd)


def _is_protected(found: os.stat_result) -> bool:
    """By its owner's write bit. What is not a file at all (a link to one elsewhere) is somebody's arrangement."""
    return not stat.S_ISREG(found.st_mode) or not found.st_mode & stat.S_IWUSR
