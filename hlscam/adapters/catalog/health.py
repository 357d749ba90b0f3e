"""Is this file a whole catalog, and out of the way with it when it is not.

A file that was cut is shorter than its header says (https://www.sqlite.org/fileformat2.html, 1.3), wherever the cut
is; pages that a killed process had only written to the log are there as well. After a stop in order the log is empty
or gone, and that is all that is asked, so that the catalog of a year opens at once. After any other, SQLite reads all
of it through and compares tables with their indexes (measured: half a second for a camera's year): a log that was cut
may fit the file no more.

What cannot be used is renamed, never removed: `catalog.sqlite3.unusable-20261122T120000Z`, the log and its index with
it under names that SQLite finds again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from hlscam.adapters.catalog.sqlite_file import SUFFIXES
from hlscam.units import US_PER_S

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_PAGE_BYTES = {*(2**power for power in range(9, 16)), 1}
"""What the header may say, where 1 stands for 65536."""

_ALL_SUFFIXES = (*SUFFIXES, "-journal")
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24


def damage_of(path: Path, *, thoroughly: bool = False) -> str:
    """What is wrong with the catalog's file; empty for a good one, and for one that is missing or empty.

    All of it is read after a stop that was not in order, and when asked to look `thoroughly`. Nobody in this process
    may have it open (`sqlite_file` says why). Whether it *is* a catalog is not asked.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            size_bytes = path.stat().st_size
    except OSError:
        return ""  # whoever opens it will say more
    if not header.startswith(_MAGIC[: len(header)]):
        return "is not a SQLite database"
    if not header:
        return ""
    was_undoing = _holds_something(f"{path}-journal")  # where there is no log; what was half done is undone first
    if not was_undoing and _is_cut(path, header, size_bytes):
        return "was cut"
    return _broken(path) if thoroughly or was_undoing or _holds_something(f"{path}-wal") else ""


def _is_cut(path: Path, header: bytes, size_bytes: int) -> bool:
    if len(header) < _HEADER_BYTES:
        return True
    stated = int.from_bytes(header[16:18], "big")
    if stated not in _PAGE_BYTES:
        return True
    page_bytes = 65536 if stated == 1 else stated
    pages, whole_pages = int.from_bytes(header[28:32], "big"), size_bytes // page_bytes
    if header[24:28] != header[92:96] or whole_pages >= pages:  # a SQLite before 3.7 does not say how many there are
        return False
    return not set(range(whole_pages + 1, pages + 1)) <= set(_pages_in_log(path, page_bytes))


def _holds_something(path: str) -> bool:
    return Path(path).exists() and Path(path).stat().st_size > 0


def _pages_in_log(path: Path, page_bytes: int) -> Iterator[int]:
    """The numbers of the pages in the write-ahead log's current round (fileformat2.html, 4.1)."""
    if not _holds_something(f"{path}-wal"):
        return
    with Path(f"{path}-wal").open("rb") as log:
        salts = log.read(_LOG_HEADER_BYTES)[16:24]
        while len(frame := log.read(_FRAME_HEADER_BYTES)) == _FRAME_HEADER_BYTES and frame[8:16] == salts:
            if len(log.read(page_bytes)) == page_bytes:
                yield int.from_bytes(frame[:4], "big")


def _broken(path: Path) -> str:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return "" if found == "ok" else f"is damaged ({found})"
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        is_damage = name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ"))
        return f"is damaged ({error})" if is_damage else ""  # such as a full disk: whoever opens it will say more


def set_aside(path: Path, wall_us: int) -> Path | None:
    """Rename what there is of a catalog; where to, or None when there is nothing.

    `wall_us` is the time now, for the name. Nothing that was set aside earlier is overwritten. Raises OSError.
    """
    aside, found = _free_name(path, wall_us), False
    for suffix in _ALL_SUFFIXES:  # the database first: without its log it would look as if it had been closed in order
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
            found = True
    return aside if found else None


def _free_name(path: Path, wall_us: int) -> Path:
    stamp = f"{datetime.fromtimestamp(wall_us // US_PER_S, UTC):%Y%m%dT%H%M%SZ}"
    names = (Path(f"{path}.unusable-{stamp}{f'-{number}' if number > 1 else ''}") for number in count(1))
    return next(each for each in names if not any(Path(f"{each}{suffix}").exists() for suffix in _ALL_SUFFIXES))


def beside(path: Path) -> Path:
    """Where a catalog is made that is to take the place of this one."""
    return Path(f"{path}.new")


def put_in_place(made: Path, path: Path, wall_us: int) -> Path | None:
    """Make the finished catalog in the file `made` the one at `path`, what was there set aside; where that is now.

    Whoever has the old one open goes on with it until they look again. Raises OSError.
    """
    aside = set_aside(path, wall_us)
    made.replace(path)
    return aside


def discard(made: Path) -> None:
    """Remove a catalog that was never finished."""
    for suffix in _ALL_SUFFIXES:
        Path(f"{made}{suffix}").unlink(missing_ok=True)


def is_finished(made: Path) -> bool:
    """Whether all of a catalog that was closed is in its file, and nothing in its log."""
    return made.exists() and not any(_holds_something(f"{made}{suffix}") for suffix in _ALL_SUFFIXES[1:])
