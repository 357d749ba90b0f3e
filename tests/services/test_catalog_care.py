"""Whatever happens to the catalog while footage is recorded: what was told is in it in the end, and questions go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.health import damage_of, discard
from hlscam.adapters.catalog.sqlite_file import FileId, file_id
from hlscam.adapters.catalog.store import Catalog
from hlscam.clock import SystemClock
from hlscam.domain.recording import Recording
from hlscam.domain.recording_facts import to_box
from hlscam.domain.segment_table import SegmentTable
from hlscam.errors import CatalogError, CatalogLost, CatalogNewer
from hlscam.isobmff.recording_box import encode_recording_box
from hlscam.services.adoption import adopt, rebuild_beside
from hlscam.services.catalog_care import CatalogCare, open_catalog
from tests.manual_clock import ManualClock
from tests.rig.waiting import until
from tests.services import catalog_process
from tests.services.conftest import Life
from tests.services.shelf import fill, make_catalog, nth, read_model
from tests.services.test_books import unusable

COUNT = 30


class Desk:
    """An archive of one camera with its catalog, and somebody who takes care of it.

    `model` is what all its recordings are copies of; `next_one` makes facts about recordings that have no file.
    """

    def __init__(self, root: Path, model: Path) -> None:
        self.root = root
        self.path = root / "catalog.sqlite3"
        self.url = f"sqlite:///{self.path}?timeout=0.05"
        self.model = read_model(model)
        self.recordings = fill(model, root, "porch", COUNT)
        self.archive: Archive
        self.catalog: Catalog
        self.care: CatalogCare

    async def begin(self) -> None:
        self.archive = Archive(self.root)
        self.catalog = await Catalog.open(self.url)
        self.watch_over()

    def watch_over(self) -> None:
        self.care = CatalogCare(self.archive, self.catalog, SystemClock(), look_every_s=0.02)
        self.care.start()

    async def close(self) -> None:
        await self.care.stop()
        await self.catalog.close()
        await asyncio.to_thread(self.archive.close)

    def next_one(self, index: int, *, open_with: int | None = None) -> Recording:
        """The `index`-th recording; while it is open, with so many segments."""
        facts = nth(self.model.recording, index)
        if open_with is None:
            return facts
        table = SegmentTable.of(list(facts.segments)[:open_with])
        return replace(facts, segments=table, duration_ticks=sum(table.durations_ticks), end_reason=None)

    async def keep(self, *recordings: Recording) -> None:
        for each in recordings:
            await self.care.keep(each, self.model.init)

    async def rows(self) -> list[Recording]:
        return await self.catalog.recordings("porch")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Another program writes, and takes its time."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


@pytest.fixture(autouse=True)
def all_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "hlscam")


@pytest.fixture
async def desk(life: Life, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "archive", sorted((life.root / "porch").glob("*.mp4"))[1])
    await make_catalog(desk.root, desk.path)
    await desk.begin()
    yield desk
    await desk.close()


async def settled(care: CatalogCare) -> None:
    async with asyncio.timeout(30):
        await care.wait_settled()


async def test_what_is_told_stands_in_the_catalog_at_once(desk: Desk) -> None:
    growing, closed = desk.next_one(COUNT, open_with=1), desk.next_one(COUNT)
    await desk.keep(growing)
    assert await desk.rows() == [*desk.recordings, growing]
    await desk.keep(closed)
    assert await desk.rows() == [*desk.recordings, closed]
    await desk.care.remove("porch", closed.name)
    assert await desk.rows() == desk.recordings
    assert desk.care.unwritten("porch") == []


async def test_a_first_recording_brings_its_init_section(desk: Desk) -> None:
    init = replace(desk.model.init, hash="another", data=b"another")
    await desk.care.keep(replace(desk.next_one(0), camera="door", init_hash="another"), init)
    assert await desk.catalog.init_section("another") == b"another"
    assert await desk.catalog.target_duration("door") == desk.model.recording.target_duration_s


async def test_rows_wait_for_a_lock_and_the_newest_facts_win(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    growing, closed = desk.next_one(COUNT, open_with=1), desk.next_one(COUNT)
    with desk.locked():
        await desk.keep(growing)
        assert desk.care.unwritten("porch") == [growing]
        await desk.keep(desk.next_one(COUNT + 1, open_with=1), closed)
        await desk.care.remove("porch", desk.recordings[0].name)
        assert desk.care.unwritten("porch") == [closed, desk.next_one(COUNT + 1, open_with=1)]
        assert await desk.rows() == desk.recordings
    await settled(desk.care)
    assert desk.care.unwritten("porch") == []
    assert await desk.rows() == [*desk.recordings[1:], closed, desk.next_one(COUNT + 1, open_with=1)]
    assert caplog.text.count("what it should say waits in memory") == 1
    assert caplog.text.count("the catalog is written again") == 1


@contextlib.contextmanager
def _full(desk: Desk) -> Iterator[None]:
    """SQLite's own word for a disk without space, which every file system has."""
    writer = desk.catalog.connections.writer
    assert writer is not None
    with contextlib.closing(writer.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA max_page_count = 1")  # it is never less than what is there already
    yield
    with contextlib.closing(writer.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA max_page_count = 1073741823")


@contextlib.contextmanager
def _no_longer_files(desk: Desk) -> Iterator[None]:
    """The kernel lets no file grow beyond where the catalog's log ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{desk.path}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("full", "said"),
    [(_full, "cannot grow: the disk is full"), (_no_longer_files, "cannot be read or written (disk I/O error)")],
    ids=["full", "file too large"],
)
async def test_a_full_disk_costs_nothing(
    desk: Desk,
    full: Callable[[Desk], contextlib.AbstractContextManager[None]],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = [replace(desk.next_one(index), run="a" * 4000) for index in range(COUNT, 2 * COUNT)]
    await desk.keep(*more[:3])
    with full(desk):
        await desk.keep(*more[3:])
        waiting = desk.care.unwritten("porch")
        assert waiting != []
        assert waiting == more[-len(waiting) :]
        written = await desk.rows()
        assert written == [*desk.recordings, *more[: len(more) - len(waiting)]]
    await settled(desk.care)
    assert await desk.rows() == [*desk.recordings, *more]
    assert caplog.text.count(said) == 1
    assert unusable(desk.root) == []
    await desk.catalog.look()


def _delete(path: Path) -> None:
    discard(path)


def _delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _replace_by_another(path: Path) -> None:
    other = path.with_name("other.sqlite3")
    shutil.copyfile(path, other)
    other.replace(path)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("lose", [_delete, _delete_log, _replace_by_another, _cut], ids=lambda lose: lose.__name__)
async def test_a_lost_catalog_comes_back_equal(
    desk: Desk, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody writes: it is noticed all the same. The recording that is open comes from memory."""
    growing = desk.next_one(COUNT, open_with=1)
    await desk.keep(growing)
    before = await desk.catalog.dump()
    first = file_id(desk.path)
    lose(desk.path)
    await replaced(desk, file_id(desk.path) or first)
    assert await desk.catalog.dump() == before
    assert await desk.rows() == [*desk.recordings, growing]
    assert caplog.text.count("it is made anew from the recordings, and all else goes on") == 1
    assert caplog.text.count("the catalog is made anew") == 1
    await desk.keep(desk.next_one(COUNT))
    assert await desk.rows() == [*desk.recordings, desk.next_one(COUNT)]
    assert leftovers(desk) == []
    assert len(unusable(desk.root)) == (lose is not _delete)


async def replaced(desk: Desk, before: FileId | None) -> None:
    """Until there is another file, and all is well."""

    async def is_another() -> bool:
        return file_id(desk.path) not in (None, before)

    await until(is_another, "another file in the place of the catalog", every_s=0.005)
    await settled(desk.care)


async def test_readers_in_other_processes_go_on_and_find_the_new_one(desk: Desk) -> None:
    reader = await catalog_process.start("watch", desk.url)
    try:
        assert (await reader.line()).strip() == catalog_process.digest(await desk.catalog.dump())
        for round_ in range(3):
            discard(desk.path)
            await desk.keep(desk.next_one(COUNT + round_, open_with=1))  # noticed by who writes
            await settled(desk.care)
            # It tells nothing else in between: no error, and no catalog that lacks something.
            assert (await reader.line()).strip() == catalog_process.digest(await desk.catalog.dump())
    finally:
        said = await reader.kill()
    assert said == ""
    assert len(await desk.rows()) == COUNT + 3


async def test_a_start_without_a_catalog_never_shows_a_part_of_it(desk: Desk) -> None:
    """The recorder is killed, the catalog deleted, and the recorder started again, while somebody serves."""
    before = catalog_process.digest(await desk.catalog.dump())
    reader = await catalog_process.start("watch", desk.url)
    try:
        assert (await reader.line()).strip() == before
        await desk.close()
        discard(desk.path)
        desk.archive = Archive(desk.root)
        desk.catalog = await open_catalog(desk.url, SystemClock(), desk.archive)
        assert catalog_process.digest(await desk.catalog.dump()) == before
        desk.watch_over()
        await desk.keep(desk.next_one(COUNT))
        assert (await reader.line()).strip() == catalog_process.digest(await desk.catalog.dump())
    finally:
        await reader.kill()


def _rot(path: Path, name: str) -> None:
    """A page of rows becomes zeros, the one with this recording. Name and size of the file stay: it looks well."""
    data = bytearray(path.read_bytes())
    pages = (at for at in range(4096, len(data), 4096) if data[at] == 0x0D and name.encode() in data[at : at + 4096])
    at = next(pages)
    data[at : at + 4096] = bytes(4096)
    path.write_bytes(data)


async def test_a_question_that_meets_damage_has_it_made_anew(desk: Desk) -> None:
    await desk.close()
    _rot(desk.path, desk.recordings[9].name)
    await desk.begin()
    first = file_id(desk.path)
    with pytest.raises(CatalogLost, match="is damaged"):
        await desk.rows()
    await replaced(desk, first)
    assert await desk.rows() == desk.recordings
    assert len(unusable(desk.root)) == 1


async def test_a_recording_without_a_box_keeps_its_row(desk: Desk) -> None:
    """It is damaged, so it never got one; its row can still be read in what was deleted."""
    damage(desk.archive.path("porch", desk.recordings[4].name))
    before, first = await desk.catalog.dump(), file_id(desk.path)
    discard(desk.path)
    await replaced(desk, first)
    assert await desk.catalog.dump() == before


def damage(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"uuid") - 4] + b"\xff" * 100)


async def test_what_cannot_be_made_anew_now_is_made_later(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    made = desk.path.with_name("catalog.sqlite3.new")
    made.mkdir()  # in the way
    discard(desk.path)
    await desk.keep(desk.next_one(COUNT))

    async def has_failed() -> bool:
        return "cannot be made anew now" in caplog.text

    await until(has_failed, "a rebuild that fails", every_s=0.005)
    assert await desk.rows() == desk.recordings
    assert desk.care.unwritten("porch") == [desk.next_one(COUNT)]
    made.rmdir()
    made.with_name(f"{made.name}-wal").write_text("a leftover of a crash")
    await settled(desk.care)
    assert await desk.rows() == [*desk.recordings, desk.next_one(COUNT)]
    assert damage_of(desk.path, thoroughly=True) == ""
    assert leftovers(desk) == []


def leftovers(desk: Desk) -> list[Path]:
    return list(desk.root.glob("*.new*"))


class GivesUp:
    """Cancels the task that tells it of its progress, as a stop of the server does."""

    def tell(self, what: str, done: int, of: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


async def test_a_rebuild_that_is_given_up_leaves_nothing(desk: Desk) -> None:
    rebuilding = rebuild_beside(desk.archive, desk.path, GivesUp(), old=desk.catalog, told=desk.care)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(rebuilding)
    assert leftovers(desk) == []


async def test_what_memory_knows_better_is_not_taken_from_files(desk: Desk) -> None:
    """One is open although its file is there, and one is gone although its file is there."""
    growing = replace(desk.recordings[-1], end_reason=None)
    await desk.keep(growing)
    with desk.locked():
        await desk.care.remove("porch", desk.recordings[7].name)
        discard(desk.path)
    await settled(desk.care)
    assert await desk.rows() == [*desk.recordings[:7], *desk.recordings[8:-1], growing]


async def test_a_refused_row_is_told_once_and_holds_back_no_other(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    wrong, right = replace(desk.next_one(COUNT), first_media_sequence=0), desk.next_one(COUNT + 1)
    with desk.locked():
        await desk.keep(wrong, right)
    await settled(desk.care)
    assert await desk.rows() == [*desk.recordings, right]
    assert desk.care.unwritten("porch") == [wrong]
    await desk.keep(desk.next_one(COUNT + 2))
    assert caplog.text.count(f"porch/{wrong.name} has no row") == 1
    await desk.keep(desk.next_one(COUNT))  # put right
    assert desk.care.unwritten("porch") == []


async def test_stopping_writes_what_waits_or_tells_what_is_missing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with desk.locked():
        await desk.keep(desk.next_one(COUNT))
    await desk.care.stop()
    assert await desk.rows() == [*desk.recordings, desk.next_one(COUNT)]
    assert "misses" not in caplog.text
    desk.care.start()
    with desk.locked():
        await desk.keep(desk.next_one(COUNT + 1))
        await desk.care.stop()
        await desk.care.stop()
    assert "the catalog misses 1 rows" in caplog.text


Steps = list[tuple[str, int]]
_steps = st.lists(st.tuples(st.sampled_from(["open", "close", "remove", "lock", "unlock"]), st.integers(0, 2)))


def test_an_older_fact_never_overwrites_a_newer_one(life: Life, tmp_path: Path) -> None:
    """Any order of telling, with and without a lock, ends in what was told last of each."""
    desk = Desk(tmp_path / "archive", sorted((life.root / "porch").glob("*.mp4"))[1])

    async def act(steps: Steps) -> None:
        told: dict[int, Recording] = {}
        tellings: list[asyncio.Task[None]] = []
        with contextlib.ExitStack() as locks:
            for what, which in steps:
                if what == "lock":
                    locks.close()
                    locks.enter_context(desk.locked())
                elif what == "unlock":
                    locks.close()
                elif what == "remove":
                    told.pop(which, None)
                    tellings.append(asyncio.create_task(desk.care.remove("porch", desk.next_one(COUNT + which).name)))
                else:
                    told[which] = desk.next_one(COUNT + which, open_with=1 if what == "open" else None)
                    tellings.append(asyncio.create_task(desk.keep(told[which])))
                await asyncio.sleep(0)
        await asyncio.gather(*tellings)
        await settled(desk.care)
        assert (await desk.rows())[COUNT:] == [told[which] for which in sorted(told)]
        for which in range(3):
            await desk.care.remove("porch", desk.next_one(COUNT + which).name)

    with asyncio.Runner() as runner:
        runner.run(make_catalog(desk.root, desk.path))
        runner.run(desk.begin())

        @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
        @given(_steps)
        def check(steps: Steps) -> None:
            runner.run(act(steps))

        check()
        runner.run(desk.close())


async def test_a_recording_that_contradicts_another_is_left_out(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    name = "20300101T000000Z-aaaa.mp4"
    put_again(desk.archive, desk.recordings[3], name)
    catalog = await Catalog.open(f"sqlite:///{desk.root / 'other.sqlite3'}")
    assert await adopt(desk.archive, catalog, "porch", await desk.archive.names("porch")) == []
    assert await catalog.recordings("porch") == desk.recordings
    assert caplog.text.count(f"porch/{name} is left out of the catalog: ") == 1
    await catalog.close()


def put_again(archive: Archive, facts: Recording, name: str) -> None:
    """The same recording under another name, with the same numbers in its box."""
    data = archive.path(facts.camera, facts.name).read_bytes()
    box = encode_recording_box(*to_box(replace(facts, name=name)))
    archive.path(facts.camera, name).write_bytes(data[: data.rindex(b"uuid") - 4] + box)


def test_a_catalog_that_is_not_ours_is_refused_at_a_start_and_left_as_it_is(tmp_path: Path, clock: ManualClock) -> None:
    theirs, newer = tmp_path / "theirs.sqlite3", tmp_path / "newer.sqlite3"
    asyncio.run(make_catalog(tmp_path, newer))
    for path, change in (
        (theirs, "CREATE TABLE theirs (a)"),
        (newer, "UPDATE alembic_version SET version_num = '9999'"),
    ):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(change)
    left = theirs.read_bytes(), newer.read_bytes()
    with pytest.raises(CatalogError, match="another program's"):
        asyncio.run(open_catalog(f"sqlite:///{theirs}", clock))
    with pytest.raises(CatalogNewer):
        asyncio.run(open_catalog(f"sqlite:///{newer}", clock))
    assert (theirs.read_bytes(), newer.read_bytes()) == left
    catalog = asyncio.run(open_catalog(f"sqlite:///{newer}", clock, to_rebuild=True))
    asyncio.run(catalog.close())
    assert newer.with_name("newer.sqlite3.unusable-20261122T120000Z").exists()
