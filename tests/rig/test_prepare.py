"""`prepare.sh` says what is missing, exactly, and does nothing when nothing is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.child import NOBODY
from tests.rig.paths import RIG


@pytest.fixture
def copy() -> Iterator[Path]:
    """The script and its lists in a folder that everyone may read."""
    folder = Path(tempfile.mkdtemp(prefix="prepare-"))
    folder.chmod(0o755)
    for name in ("prepare.sh", "apt-packages.txt", "package.json", "package-lock.json"):
        shutil.copy(RIG / name, folder)
    yield folder
    shutil.rmtree(folder)


def prepare(folder: Path, *, as_nobody: bool = False) -> subprocess.CompletedProcess[str]:
    """Run it; `as_nobody` as somebody who may not install packages."""
    drops_root = as_nobody and os.geteuid() == 0
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if drops_root else []
    return subprocess.run([*drop, "sh", folder / "prepare.sh"], capture_output=True, text=True, check=False)


def test_what_is_missing_is_named_with_the_command_that_mends_it(copy: Path) -> None:
    with (copy / "apt-packages.txt").open("a") as packages:
        packages.write("no-such-package-a   # for nothing\n\nno-such-package-b\n")
    done = prepare(copy, as_nobody=True)
    assert done.returncode == 1
    assert "apt-get install --yes --no-install-recommends no-such-package-a no-such-package-b\n" in done.stderr
    assert not (copy / "node_modules").exists()


def test_nothing_is_done_when_nothing_is_missing() -> None:
    before = (RIG / "node_modules/.package-lock.json").stat().st_mtime_ns
    done = prepare(RIG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (RIG / "node_modules/.package-lock.json").stat().st_mtime_ns == before


def test_the_linter_is_pinned_and_the_lock_names_no_registry() -> None:
    lock = (RIG / "package-lock.json").read_text()
    assert '"hls-parser": "0.16.1"' in (RIG / "package.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock
