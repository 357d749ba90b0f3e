"""A file that was cut, at whatever byte, is told from a whole one; what is unusable is renamed and never lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hlscam.adapters.catalog import Catalog
from hlscam.adapters.catalog.health import damage_of, discard, is_finished, put_in_place, set_aside
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, recording
from tests.manual_clock import NOON_WALL_US

SOME = [recording(index, segments=300) for index in range(12)]


async def make(path: Path) -> None:
    """A catalog of some recordings, closed in order."""
    catalog = await Catalog.open(f"sqlite:///{path}")
    await catalog.put_recordings(SOME, {INIT_HASH: INIT_SECTION})
    await catalog.close()


@pytest.fixture
def whole(path: Path) -> Path:
    asyncio.run(make(path))
    return path


def copy(path: Path, name: str) -> Path:
    """The file as it is on the disk at this moment, with its log."""
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copyfile(f"{path}{suffix}", path.with_name(f"{name}{suffix}"))
    return path.with_name(name)


@pytest.fixture
async def killed(whole: Path, tmp_path: Path) -> Path:
    """What a kill leaves while all that was put last stands in the log alone."""
    catalog = await Catalog.open(f"sqlite:///{whole}")
    await catalog.put_recordings([recording(index, segments=300) for index in range(12, 40)])
    left = copy(whole, "killed.sqlite")
    await catalog.close()
    return left


def cuts(path: Path) -> Iterator[int]:
    """Cut a file shorter and shorter, by a byte each time."""
    for size_bytes in range(path.stat().st_size - 1, 0, -1):
        os.truncate(path, size_bytes)
        yield size_bytes


def test_a_cut_at_any_byte_is_noticed(whole: Path) -> None:
    assert damage_of(whole) == ""
    assert damage_of(whole, thoroughly=True) == ""
    assert {damage_of(whole) for _ in cuts(whole)} == {"was cut"}
    os.truncate(whole, 0)
    assert damage_of(whole) == ""  # as new
    whole.unlink()
    assert damage_of(whole) == ""


def test_what_a_kill_leaves_is_whole_and_noticed_when_cut(killed: Path) -> None:
    log = Path(f"{killed}-wal")
    assert log.stat().st_size > killed.stat().st_size / 2
    kept = copy(killed, "kept.sqlite")
    for size_bytes in range(killed.stat().st_size - 1, 0, -997):
        for name in (killed, log):
            shutil.copyfile(kept.with_name(name.name.replace("killed", "kept")), name)
        os.truncate(killed, size_bytes)
        assert damage_of(killed) != "", size_bytes
        discard(killed)


def test_pages_that_only_the_log_holds_are_not_missed(whole: Path) -> None:
    """As when a checkpoint was killed, or the disk was full, after it had written the first page."""
    with closing(sqlite3.connect(whole)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE more (a)")
        connection.executemany("INSERT INTO more VALUES (?)", [("x" * 3000,) for _ in range(40)])
        connection.commit()
        before_bytes = whole.stat().st_size
        left = copy(whole, "left.sqlite")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with whole.open("rb") as done, left.open("r+b") as cut:
        cut.write(done.read(4096))
    assert int.from_bytes(left.read_bytes()[28:32], "big") * 4096 > before_bytes
    assert damage_of(left) == ""
    with closing(sqlite3.connect(left)) as connection:
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (40,)


def test_a_log_that_does_not_fit_is_noticed(whole: Path) -> None:
    """All of it was in the file already, and then the log was cut: what is left of it undoes a part."""
    with closing(sqlite3.connect(whole)) as connection:
        for facts in SOME:
            move = "UPDATE recordings SET first_media_sequence = first_media_sequence + 9999 WHERE name = ?"
            connection.execute(move, (facts.name,))
            connection.commit()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        left = copy(whole, "left.sqlite")
    found = []
    frames = (Path(f"{left}-wal").stat().st_size - 32) // (4096 + 24)
    for frame in range(frames, -1, -1):
        again = copy(left, f"cut-{frame}.sqlite")
        os.truncate(f"{again}-wal", 32 + frame * (4096 + 24))
        found.append(damage_of(again).partition(" (")[0])
    assert found[0] == found[-1] == ""  # the whole log, and none of it
    assert "is damaged" in found


@pytest.mark.parametrize("content", [b"S", b"not a database", b"SQLite format 4\0" * 40, os.urandom(5000)])
def test_what_is_no_database_is_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert damage_of(path) == ("was cut" if content == b"S" else "is not a SQLite database")


def test_rot_is_found_by_a_thorough_look_alone(whole: Path) -> None:
    data = whole.read_bytes()
    middle = len(data) // 2
    whole.write_bytes(data[:middle] + bytes(4096) + data[middle + 4096 :])
    assert damage_of(whole) == ""
    assert damage_of(whole, thoroughly=True).startswith("is damaged (")


def test_a_page_size_that_none_can_have_is_told(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[16:18] = (1000).to_bytes(2, "big")
    whole.write_bytes(data)
    assert damage_of(whole) == "was cut"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_is_set_aside_can_still_be_read(killed: Path) -> None:
    folder = killed.parent / "apart"
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.move(f"{killed}{suffix}", folder / f"catalog.sqlite{suffix}")
    aside = set_aside(folder / "catalog.sqlite", NOON_WALL_US)
    stem = "catalog.sqlite.unusable-20261122T120000Z"
    assert aside == folder / stem
    assert names(folder) == [stem, f"{stem}-wal"]
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT count(*) FROM recordings").fetchone() == (40,)


def test_nothing_that_was_set_aside_is_overwritten(path: Path) -> None:
    for content in ("one", "two", "three"):
        path.write_text(content)
        set_aside(path, NOON_WALL_US)
    Path(f"{path}-shm").write_text("left alone without its database")
    set_aside(path, NOON_WALL_US)
    stem = "catalog.sqlite.unusable-20261122T120000Z"
    assert names(path.parent) == [stem, f"{stem}-2", f"{stem}-3", f"{stem}-4-shm"]
    assert [(path.parent / name).read_text() for name in (stem, f"{stem}-2", f"{stem}-3")] == ["one", "two", "three"]
    assert set_aside(path, NOON_WALL_US) is None


def test_a_finished_catalog_takes_the_place_of_another(path: Path) -> None:
    made = Path(f"{path}.new")
    asyncio.run(make(made))
    assert is_finished(made)
    path.write_text("the old one")
    Path(f"{path}-wal").write_text("whose log must not stay beside the new one")
    aside = put_in_place(made, path, NOON_WALL_US)
    assert aside is not None
    assert aside.read_text() == "the old one"
    assert names(path.parent) == [path.name, aside.name, f"{aside.name}-wal"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM recordings").fetchone() == (len(SOME),)
        connection.execute("DELETE FROM recordings")
        connection.commit()
        assert not is_finished(path)  # its log holds something: it was not closed
    discard(path)
    assert names(path.parent) == [aside.name, f"{aside.name}-wal"]
