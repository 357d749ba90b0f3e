"""The file is deleted, replaced or cut while it is open; and readers in a process of their own, who make nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url

from hlscam.adapters.catalog import Catalog, migrate
from hlscam.adapters.catalog.engine import open_engine
from hlscam.adapters.catalog.health import discard, put_in_place
from hlscam.errors import CatalogError, CatalogLost, CatalogNewer, CatalogRefused
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, recording
from tests.manual_clock import NOON_WALL_US

INITS = {INIT_HASH: INIT_SECTION}
THREE = [recording(index) for index in range(3)]


async def made(path: Path, count: int) -> Path:
    """A finished catalog of so many recordings."""
    catalog = await Catalog.open(f"sqlite:///{path}")
    await catalog.put_recordings([recording(index) for index in range(count)], INITS)
    await catalog.close()
    return path


@pytest.fixture
async def beside(catalog: Catalog, url: str) -> AsyncIterator[Catalog]:
    """A reader of the catalog, as `hlscam serve` is one; three recordings are there."""
    await catalog.put_recordings(THREE)
    opened = await Catalog.open(url, read_only=True)
    yield opened
    await opened.close()


def _delete(path: Path) -> None:
    discard(path)


def _delete_file(path: Path) -> None:
    path.unlink()


def _delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _delete_log_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def _replace(path: Path) -> None:
    shutil.copyfile(path, f"{path}.copy")
    Path(f"{path}.copy").rename(path)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


LOSSES: list[Callable[[Path], None]] = [_delete, _delete_file, _delete_log, _delete_log_index, _replace, _cut]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_a_loss_is_noticed_before_anything_is_written(
    catalog: Catalog, path: Path, lose: Callable[[Path], None]
) -> None:
    told: list[CatalogLost] = []
    await catalog.put_recording(recording(0))
    await catalog.look()
    catalog.connections.on_lost = told.append
    lose(path)
    with pytest.raises(CatalogLost, match=r"is gone|was replaced|was cut"):
        await catalog.look()
    with pytest.raises(CatalogLost) as refused:
        await catalog.put_recording(recording(1))
    assert "no footage is lost" in refused.value.hint
    assert len(told) == 2


async def test_readers_go_on_with_what_was_deleted(catalog: Catalog, beside: Catalog, path: Path) -> None:
    discard(path)
    for each in (catalog, beside):
        # More at a time than there are connections.
        assert await asyncio.gather(*(each.recordings("porch") for _ in range(9))) == [THREE] * 9
    assert not exists(path)


async def test_everybody_goes_on_with_the_new_one(
    catalog: Catalog, beside: Catalog, path: Path, tmp_path: Path
) -> None:
    told: list[CatalogLost] = []
    catalog.connections.on_lost = told.append
    put_in_place(await made(tmp_path / "made.sqlite", 5), path, NOON_WALL_US)
    assert (await beside.totals("porch")).recordings == 5
    assert (await catalog.totals("porch")).recordings == 5
    with pytest.raises(CatalogLost, match="was replaced"):
        await catalog.put_recording(recording(5))
    await catalog.reopen()
    await catalog.put_recording(recording(5))
    await catalog.look()
    assert await asyncio.gather(*(beside.totals("porch") for _ in range(9))) == [await catalog.totals("porch")] * 9
    assert (await beside.totals("porch")).recordings == 6
    assert len(told) == 1
    assert {each.name for each in open_files(path)} == {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def open_files(path: Path) -> list[Path]:
    """What this process has open of the files beside `path`."""
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [each.readlink() for each in links if each.readlink().parent == path.parent]


async def test_reopening_makes_nothing(catalog: Catalog, path: Path) -> None:
    discard(path)
    with pytest.raises(CatalogLost, match="is gone"):
        await catalog.reopen()
    assert not exists(path)


def exists(path: Path) -> bool:
    return path.exists()


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_closing_a_lost_one_leaves_the_new_ones_log_alone(catalog: Catalog, path: Path, tmp_path: Path) -> None:
    """SQLite would remove the log of the last connection's file by its name."""
    await catalog.put_recording(recording(0))
    put_in_place(await made(tmp_path / "made.sqlite", 3), path, NOON_WALL_US)
    other = await Catalog.open(f"sqlite:///{path}")
    await other.put_recording(recording(3))
    await catalog.close()
    await other.look()
    assert exists(Path(f"{path}-wal"))
    assert (await other.totals("porch")).recordings == 4
    await other.close()


async def test_readers_never_see_two_files_as_one(catalog: Catalog, beside: Catalog, path: Path) -> None:
    """Two catalogs take turns, quickly; the readers never find rubbish, and never a piece of each."""
    one, two = await made(path.with_name("one.sqlite"), 40), await made(path.with_name("two.sqlite"), 90)
    put_in_place(Path(shutil.copyfile(one, f"{path}.new")), path, NOON_WALL_US)
    answers: set[int] = set()
    told: list[str] = []
    ended = False

    async def ask() -> None:
        while not ended:
            try:
                answers.add(len(await beside.recordings("porch")))
            except CatalogLost:
                raise
            except CatalogError as error:  # between the two of them there is none
                told.append(error.message)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    try:
        for turn in range(200):
            await asyncio.to_thread(shutil.copyfile, (one, two)[turn % 2], f"{path}.new")
            await asyncio.to_thread(put_in_place, Path(f"{path}.new"), path, NOON_WALL_US + turn * 1_000_000)
    finally:
        ended = True
    await asyncio.gather(*asking)
    assert {40, 90} <= answers <= {3, 40, 90}
    known = ("is not there yet", "is being replaced all the time", "This connection is closed")
    assert [each for each in told if not each.endswith(known)] == []


async def test_a_reader_makes_nothing_and_waits_for_the_recorder(url: str, path: Path) -> None:
    reader = await Catalog.open(url, read_only=True)
    for _ in range(2):
        with pytest.raises(CatalogError, match="is not there yet") as refused:
            await reader.cameras()
        assert "is `hlscam record` running?" in refused.value.hint
    assert await asyncio.to_thread(lambda: list(path.parent.iterdir())) == []
    await asyncio.to_thread(path.touch)  # it is being made
    with pytest.raises(CatalogError, match="has not been brought to this version yet"):
        await reader.cameras()
    catalog = await Catalog.open(url)
    assert await reader.cameras() == []
    await catalog.put_recordings(THREE, INITS)
    assert await reader.recordings("porch") == THREE
    await catalog.close()
    await reader.close()


async def test_a_reader_refuses_to_write(beside: Catalog) -> None:
    for writing in (beside.put_recordings(THREE), beside.remove_recording("porch", "x"), beside.reopen()):
        with pytest.raises(CatalogError, match="only read here"):
            await writing
    await beside.look()
    assert await beside.recordings("porch") == THREE


async def test_a_reader_waits_for_an_older_catalog_to_be_migrated(url: str, path: Path) -> None:
    writer, reading = open_engine(make_url(url), writes=True), open_engine(make_url(url), writes=False)
    migrate.upgrade(reading, writer)
    with writer.begin() as connection:
        command.downgrade(migrate.configuration(connection), "0001")
    writer.dispose()
    reading.dispose()
    reader = await Catalog.open(url, read_only=True)
    with pytest.raises(CatalogError, match="has not been brought to this version yet"):
        await reader.recordings("porch")
    catalog = await Catalog.open(url)
    assert await reader.recordings("porch") == []
    await catalog.close()
    await reader.close()


async def test_a_reader_refuses_a_newer_catalog_and_another_programs(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    reader = await Catalog.open(url, read_only=True)
    with pytest.raises(CatalogNewer, match=r"newer hlscam .*9999"):
        await reader.cameras()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE alembic_version")
    with pytest.raises(CatalogError, match="another program's"):
        await reader.cameras()
    await reader.close()


async def test_a_reader_that_outlives_the_recorder_reads_on(catalog: Catalog, beside: Catalog, url: str) -> None:
    await catalog.put_recording(recording(3))
    await catalog.close()
    assert (await beside.totals("porch")).recordings == 4
    again = await Catalog.open(url)
    await again.put_recording(recording(4))
    assert (await beside.totals("porch")).recordings == 5
    await again.close()


async def test_a_stop_in_order_leaves_an_empty_log_although_somebody_reads(
    catalog: Catalog, beside: Catalog, path: Path
) -> None:
    assert size_of(Path(f"{path}-wal")) > 0
    await catalog.close()
    assert size_of(Path(f"{path}-wal")) == 0
    assert await beside.recordings("porch") == THREE


def _text_that_is_none(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE recordings SET run = CAST(x'ff' AS TEXT)")


def _no_table(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE recordings")


def _no_segments(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE recordings SET segments = x'00'")


@pytest.mark.parametrize("spoil", [_text_that_is_none, _no_table, _no_segments], ids=lambda spoil: spoil.__name__)
async def test_damage_that_a_question_finds_is_a_loss(
    catalog: Catalog, path: Path, spoil: Callable[[sqlite3.Connection], None]
) -> None:
    told: list[CatalogLost] = []
    await catalog.put_recordings(THREE)
    catalog.connections.on_lost = told.append
    with closing(sqlite3.connect(path)) as connection, connection:
        spoil(connection)
    with pytest.raises(CatalogLost, match="damaged"):
        await catalog.recordings("porch")
    assert len(told) == 1


async def test_a_catalog_without_a_table_is_lost_when_opened(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        _no_table(connection)
    with pytest.raises(CatalogLost, match="has lost its table recordings"):
        await Catalog.open(url)


async def test_one_that_was_cut_is_lost_when_opened(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.close()
    _cut(path)
    with pytest.raises(CatalogLost, match="was cut"):
        await Catalog.open(url)


async def test_what_the_schema_refuses_is_no_loss(catalog: Catalog) -> None:
    told: list[CatalogLost] = []
    catalog.connections.on_lost = told.append
    with pytest.raises(CatalogRefused):
        await catalog.put_recording(recording(0, slew_ppb=10**6))
    assert told == []


async def test_rows_come_with_their_init_sections_or_not_at_all(url: str) -> None:
    catalog = await Catalog.open(url)
    with pytest.raises(CatalogRefused):
        await catalog.put_recordings([recording(0, slew_ppb=10**6)], INITS)
    assert await catalog.init_section(INIT_HASH) is None
    await catalog.put_recordings([recording(0)], INITS)
    assert await catalog.init_section(INIT_HASH) == INIT_SECTION
    await catalog.close()


async def test_a_uri_is_no_url_of_a_catalog() -> None:
    with pytest.raises(CatalogError, match="cannot be a SQLite URI"):
        await Catalog.open("sqlite:///file:catalog.sqlite?uri=true")


async def test_a_folder_that_cannot_be_looked_into_is_told(catalog: Catalog, path: Path) -> None:
    """A link that leads to itself, since root may look into any folder."""
    await asyncio.to_thread(_spin, path)
    with pytest.raises(CatalogError, match="cannot be looked up"):
        await catalog.look()
    with pytest.raises(CatalogError, match="cannot be looked up"):
        await catalog.recordings("porch")


def _spin(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)
