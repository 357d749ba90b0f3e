"""Where the rig's own files and the repository stand."""

from __future__ import annotations

from pathlib import Path

RIG = Path(__file__).parent
REPOSITORY = RIG.parent.parent
