"""The database as a whole: opening, failing, locking, threads, all or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from hlscam.adapters.catalog import Catalog, migrate
from hlscam.domain.recording import Recording
from hlscam.errors import CatalogError
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, day, recording

INIT_SECTIONS = {INIT_HASH: INIT_SECTION}


async def test_wal_is_on_and_every_connection_is_set_up(catalog: Catalog, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for engine, query_only in ((catalog.connections.writer, 0), (catalog.connections.reader, 1)):
        assert engine is not None
        with engine.connect() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("foreign_keys", "synchronous", "busy_timeout", "query_only")
            }
        assert settings == {"foreign_keys": 1, "synchronous": 1, "busy_timeout": 100, "query_only": query_only}


async def test_opening_again_finds_what_was_there_and_needs_no_lock(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.put_recording(recording(0))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        again = await Catalog.open(url)
        assert await again.recordings("porch") == [recording(0)]
        await again.close()


async def test_many_may_open_an_empty_one_at_once(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    opened = await asyncio.gather(*(Catalog.open(f"sqlite:///{path}") for _ in range(4)))
    assert [await catalog.cameras() for catalog in opened] == [[]] * 4
    for catalog in opened:
        await catalog.close()


async def test_closing_twice_is_fine_and_then_nothing_works(catalog: Catalog) -> None:
    writing = asyncio.ensure_future(catalog.put_recording(recording(0)))
    await asyncio.sleep(0)
    await catalog.close()
    await writing
    await catalog.close()
    with pytest.raises(CatalogError, match="closed"):
        await catalog.cameras()


async def test_a_newer_catalog_is_refused_and_left_alone(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    content = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(CatalogError, match=r"newer hlscam .*9999") as refused:
        await Catalog.open(url)
    assert "hlscam reindex" in refused.value.hint
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_another_programs_database_is_refused_and_left_alone(url: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")
    content = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(CatalogError, match="another program's"):
        await Catalog.open(url)
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_what_is_no_database_is_refused_with_a_hint(url: str, path: Path) -> None:
    text = b"this is a text file, and longer than a header of SQLite has to be; " * 99
    await asyncio.to_thread(path.write_bytes, text)
    with pytest.raises(CatalogError, match="not a SQLite database") as refused:
        await Catalog.open(url)
    assert "hlscam reindex" in refused.value.hint
    assert "no footage is lost" in refused.value.hint


async def test_damage_inside_is_found_and_told(catalog: Catalog, url: str, path: Path) -> None:
    await catalog.put_recordings(day())
    assert await catalog.check_integrity() == []
    await catalog.close()
    content = await asyncio.to_thread(path.read_bytes)
    middle = len(content) // 2
    torn = content[:middle] + b"\xa5" * 65536 + content[middle + 65536 :]
    await asyncio.to_thread(path.write_bytes, torn)
    damaged = await Catalog.open(url)
    assert await damaged.check_integrity() != []
    with pytest.raises(CatalogError, match="damaged") as refused:
        await damaged.recordings("porch")
    assert "hlscam reindex" in refused.value.hint
    await damaged.close()


@pytest.mark.parametrize(
    "column", ["segments = x'0102030405060708'", "segment_count = segment_count + 1", "end_reason = 'boredom'"]
)
async def test_a_damaged_row_is_told(catalog: Catalog, path: Path, column: str) -> None:
    await catalog.put_recording(recording(0))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE recordings SET {column}")
    with pytest.raises(CatalogError, match=r"porch/00000\.mp4 is damaged") as refused:
        await catalog.recordings("porch")
    assert "hlscam reindex" in refused.value.hint


async def test_integrity_sees_rows_that_break_the_schema(catalog: Catalog, path: Path) -> None:
    await catalog.put_recording(recording(0))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE recordings SET timescale = 0")
        connection.execute("DELETE FROM cameras")
    found = await catalog.check_integrity()
    assert any("CHECK constraint failed" in line for line in found)
    assert any("not in cameras" in line for line in found)


@pytest.mark.parametrize("place", ["/proc/catalog.sqlite", "{tmp}/no such folder/catalog.sqlite", "{tmp}"])
async def test_a_place_that_cannot_be_written_is_told(place: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be opened") as refused:
        await Catalog.open(f"sqlite:///{place.format(tmp=tmp_path)}")
    assert "folder must exist" in refused.value.hint


async def test_a_locked_catalog_is_told(catalog: Catalog, url: str, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="locked by another program") as refused:
            await catalog.put_recording(recording(0))
    assert "stop the other program" in refused.value.hint
    await catalog.put_recording(recording(0))
    assert await catalog.recordings("porch") == [recording(0)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "no url at all", "nosuch://host/db"])
async def test_urls_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(CatalogError):
        await Catalog.open(url)


async def test_passwords_are_not_told() -> None:
    with pytest.raises(CatalogError) as refused:
        await Catalog.open("nosuch://user:secret@host/db")
    assert "secret" not in f"{refused.value} {refused.value.hint}"


async def test_what_the_schema_refuses_is_told_by_the_name_of_its_rule(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="recordings_slew_is_small"):
        await catalog.put_recording(recording(0, slew_ppb=10**6))
    with pytest.raises(CatalogError, match="FOREIGN KEY"):
        await catalog.put_recording(recording(0, init_hash="never put"))
    with pytest.raises(CatalogError, match="cannot hold"):
        await catalog.put_recording(recording(0, first_decode_ticks=2**64))
    assert await catalog.recordings("porch") == []


async def test_many_are_put_or_none(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"UNIQUE.*first_media_sequence"):
        await catalog.put_recordings([recording(0), recording(1), recording(2, first_media_sequence=0)])
    assert await catalog.recordings("porch") == []
    assert await catalog.cameras() == []


async def test_the_target_duration_is_for_ever(catalog: Catalog) -> None:
    assert await catalog.target_duration("porch") is None
    await catalog.put_recording(recording(0, target_duration_s=4))
    await catalog.put_recording(recording(1, target_duration_s=2))
    assert await catalog.target_duration("porch") == 4
    await catalog.put_recording(recording(0, camera="door", target_duration_s=6))
    assert await catalog.target_duration("door") == 6


async def test_a_reader_goes_on_while_the_writer_is_in_the_middle(catalog: Catalog) -> None:
    await catalog.put_recording(recording(0))
    half_way, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[Recording]:
        yield from (recording(index) for index in range(1, 1001))
        half_way.set()
        assert go_on.wait(30)
        yield recording(1001)

    rebuilding = asyncio.ensure_future(catalog.rebuild(slowly(), INIT_SECTIONS, {}))
    assert await asyncio.to_thread(half_way.wait, 30)
    # The writer holds its lock and has written 1000 rows; eight readers see the old catalog, at once.
    seen = await asyncio.gather(*(catalog.recordings("porch") for _ in range(8)))
    assert seen == [[recording(0)]] * 8
    go_on.set()
    await rebuilding
    assert (await catalog.totals("porch")).recordings == 1001


async def test_a_rebuild_that_fails_leaves_the_old_catalog(catalog: Catalog) -> None:
    await catalog.put_recordings([recording(index) for index in range(3)])
    before = await catalog.dump()

    def breaking() -> Iterator[Recording]:
        yield from (recording(index, camera="door") for index in range(700))
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError, match="the disk went away"):
        await catalog.rebuild(breaking(), {INIT_HASH: b"another"}, {"door": 9})
    assert await catalog.dump() == before
    assert await catalog.init_section(INIT_HASH) == INIT_SECTION


async def test_a_rebuilt_catalog_is_equal(catalog: Catalog, tmp_path: Path) -> None:
    """One grew day by day and lost some to retention; the other was made at once, in another order."""
    await catalog.put_recording(recording(0, target_duration_s=4))
    await catalog.put_init_section("used once", b"of a recording that retention removed")
    await catalog.put_recording(recording(0, camera="gone", init_hash="used once"))
    for index in range(6):
        await catalog.put_recording(recording(index, end_reason=None))
        await catalog.put_recording(recording(index))
    await catalog.remove_recording("porch", recording(0).name)
    await catalog.remove_recording("gone", recording(0).name)

    other = await Catalog.open(f"sqlite:///{tmp_path / 'other.sqlite'}")
    await other.rebuild([recording(index) for index in (5, 3, 1, 2, 4)], INIT_SECTIONS, {"porch": 4})
    assert await other.dump() == await catalog.dump()
    await other.put_recording(replace(recording(5), size_bytes=1))
    assert await other.dump() != await catalog.dump()
    await other.close()


@pytest.mark.parametrize("difference", ["segments", "target", "init section"])
async def test_a_dump_shows_each_difference(catalog: Catalog, tmp_path: Path, difference: str) -> None:
    facts = recording(0)
    await catalog.put_recording(facts)
    other = await Catalog.open(f"sqlite:///{tmp_path / 'other.sqlite'}")
    if difference == "segments":
        facts = replace(facts, segments=recording(7).segments)
    sections = {INIT_HASH: b"another"} if difference == "init section" else INIT_SECTIONS
    await other.rebuild([facts], sections, {"porch": 3} if difference == "target" else {})
    unlike = set(map(str, await other.dump())) ^ set(map(str, await catalog.dump()))
    assert len(unlike) == 2
    await other.close()


async def test_no_sql_runs_on_the_event_loop(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()

    def note(*_: object) -> None:
        threads.add(threading.current_thread().name.rsplit("_", 1)[0])

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "connect", note)
    event.listen(Engine, "close", note)
    try:
        catalog = await Catalog.open(url)
        await catalog.put_init_section(INIT_HASH, INIT_SECTION)
        await catalog.put_recording(recording(0))
        await catalog.recordings("porch", from_wall_us=0)
        await catalog.recordings_by_sequence("porch", 0, 9)
        await catalog.newest("porch", 3)
        await catalog.oldest_recordings(3)
        await catalog.totals("porch")
        await catalog.dump()
        await catalog.check_integrity()
        await catalog.rebuild([recording(0)], INIT_SECTIONS, {})
        await catalog.remove_recording("porch", recording(0).name)
        assert threads == {"catalog-read", "catalog-write"}
        await catalog.close()
        assert threading.current_thread().name not in threads
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "connect", note)
        event.remove(Engine, "close", note)


async def test_all_writes_run_in_one_thread_in_the_order_they_were_asked(catalog: Catalog) -> None:
    writers: set[int] = set()
    event.listen(catalog.connections.writer, "before_cursor_execute", lambda *_: writers.add(threading.get_ident()))
    versions = [recording(0, size_bytes=size) for size in range(20)]
    await asyncio.gather(*(catalog.put_recording(version) for version in versions))
    assert await catalog.recording("porch", versions[0].name) == versions[-1]
    assert len(writers) == 1


def test_the_head_is_the_last_script() -> None:
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    assert migrate.head() == max(script.name.split("_")[0] for script in folder.glob("0*.py"))
