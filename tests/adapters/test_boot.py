"""The boot id: the same all the time, and nothing to fail on."""

from __future__ import annotations

from pathlib import Path

from hlscam.adapters.boot import boot_id


def test_it_is_the_same_until_the_next_boot() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert boot_id(tmp_path / "missing") == ""
    (tmp_path / "strange").write_bytes(b"\xff\xfe")
    assert boot_id(tmp_path / "strange") == ""
