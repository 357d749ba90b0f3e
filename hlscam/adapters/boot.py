"""Which boot of the machine this is.

What was written and never synced survives the death of a process, but not of the machine: then numbers that players
have seen may be of footage that is gone.
"""

from __future__ import annotations

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id(path: Path = _BOOT_ID) -> str:
    """The same text until the machine starts anew; "" where the system does not tell. Blocks for an instant."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
