"""The quarantine: where files go that are named like recordings and are none.

    archive/quarantine/porch/20261122T221000Z-3fa94c1e.mp4

Moved, not deleted: what looks like rubbish to us may be somebody's only evidence, and another tool may read it. Nothing
here is ever removed by hlscam.

The one exception needs no quarantine: a worker that ends before its first packet leaves a shell, headers without one
byte of media. A camera that takes connections and sends nothing would leave thousands of them.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

FOLDER = "quarantine"


def move_to_quarantine(root: Path, camera: str, name: str) -> Path:
    """Move a file out of a camera's folder; where it is now. Raises OSError. Blocks."""
    folder = root / FOLDER / camera
    folder.mkdir(parents=True, exist_ok=True)
    source = root / camera / name
    for number in count(1):
        target = folder / (name if number == 1 else f"{source.stem}.{number}{source.suffix}")
        if not target.exists():
            return source.rename(target)
    raise AssertionError("numbers do not end")


def remove_shell(path: Path, *, size_bytes: int) -> bool:
    """Remove a file that was read to its end and holds no media, unless it has grown since. Raises OSError. Blocks."""
    if path.stat().st_size != size_bytes:
        return False
    path.unlink()
    return True
