"""A disk that is soon full: a file system of its own in memory, and another program that takes all its room.

    with SmallDisk(folder, size_mb=64) as disk:
        disk.fill()       # not a byte is left
        disk.leave(4096)  # or this much is, where more was free
        disk.relieve()    # the other program has gone

Only root may mount one, and only where it may mount at all: a container needs `--cap-add SYS_ADMIN`.
"""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

MB = 1024 * 1024
_BLOCK_BYTES = 4096
_LARGEST_STEP_BYTES = 64 * MB


class SmallDisk:
    """A tmpfs of `size_mb` over `folder`, which is made, for the length of a `with`."""

    def __init__(self, folder: Path, *, size_mb: int) -> None:
        self.folder = folder
        self._size_mb = size_mb

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size_mb}m,mode=755", "hlscam-tests", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (
            f"a disk of its own cannot be mounted for this test: {done.stderr.strip()}; "
            "run it as root (in a container: with --cap-add SYS_ADMIN)"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    @property
    def free_bytes(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    @property
    def filler_bytes(self) -> int:
        """What the other program holds."""
        return self._filler.stat().st_size if self._filler.exists() else 0

    @property
    def _filler(self) -> Path:
        return self.folder / "another-program.bin"

    def fill(self) -> None:
        """Take all the room that is left; again, what has become free since."""
        fd = os.open(self._filler, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        step_bytes, end = _LARGEST_STEP_BYTES, os.fstat(fd).st_size
        try:
            while step_bytes >= _BLOCK_BYTES:
                try:
                    os.posix_fallocate(fd, end, step_bytes)
                    end += step_bytes
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step_bytes //= 2
        finally:
            os.close(fd)

    def leave(self, free_bytes: int) -> None:
        """Take all the room but so much, to the block."""
        fd = os.open(self._filler, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            if (over_bytes := self.free_bytes - free_bytes) > 0:
                blocks = -(-over_bytes // _BLOCK_BYTES)
                os.posix_fallocate(fd, os.fstat(fd).st_size, blocks * _BLOCK_BYTES)
        finally:
            os.close(fd)

    def relieve(self) -> None:
        """Give back all that was taken."""
        self._filler.unlink(missing_ok=True)
