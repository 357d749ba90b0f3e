"""Takes care of the catalog while footage is recorded, so that nothing of that ever depends on it.

Whoever keeps books tells `CatalogCare` what is to stand in the catalog, and that never fails. What cannot be written
now (a full disk, somebody's lock) waits in memory and is tried again every few seconds; of each recording only the
newest fact waits, so that an older one never comes after it. Servers show what waits as if it were rows.

A catalog that is lost (deleted or replaced under us, cut, damaged) is made anew from the boxes of the recordings, in a
file beside it, while questions go on being answered from the old one as far as that goes. The new one is then put in
its place, and what was there set aside. Recordings that are still open have no box: their rows come from memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.engine import parse_url
from hlscam.adapters.catalog.health import beside, damage_of, discard, put_in_place, set_aside
from hlscam.adapters.catalog.sqlite_file import path_of
from hlscam.adapters.catalog.store import Catalog
from hlscam.clock import Clock, first_of
from hlscam.domain.backoff import Backoff
from hlscam.domain.recording import Recording
from hlscam.errors import CatalogError, CatalogLost, CatalogNewer, CatalogRefused, HlscamError
from hlscam.isobmff.init_section import InitSection
from hlscam.services.adoption import put, rebuild_beside
from hlscam.services.keeper import Kept
from hlscam.services.progress import LoggedProgress

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0
_PATIENCE_S = 1.0
"""How long whoever keeps books waits for a row to be written; it is written all the same."""

_QUIET_S = 10.0
"""A catalog that was made anew and is well for so long is a matter of the past."""

_Key: TypeAlias = tuple[str, str]


async def open_catalog(url: str, clock: Clock, archive: Archive | None = None, *, to_rebuild: bool = False) -> Catalog:
    """The catalog for whoever records: one that is lost is set aside, and made anew.

    With an `archive`, of which nothing is recorded yet, the new one holds its recordings from its first moment, as far
    as they have boxes of their own. `to_rebuild` is for whoever fills it in any case: it is looked at to the last byte,
    and one from a newer hlscam is set aside too, which is refused otherwise. Raises CatalogError.
    """
    path = path_of(parse_url(url))
    if path is None:
        return await Catalog.open(url)
    with contextlib.suppress(OSError):
        await asyncio.to_thread(discard, beside(path))  # what a crash left of one that was being made
    if await asyncio.to_thread(path.exists):
        try:
            return await (_open_looked_through(url, path) if to_rebuild else Catalog.open(url))
        except (CatalogLost, CatalogNewer) as error:
            if isinstance(error, CatalogNewer) and not to_rebuild:
                raise
            await _set_aside(path, clock, error.message)
    if archive is not None:
        await _prepare(path, clock, archive)
    return await Catalog.open(url)


async def _set_aside(path: Path, clock: Clock, why: str) -> None:
    try:
        aside = await asyncio.to_thread(set_aside, path, clock.wall_us())
    except OSError as error:
        raise CatalogError(f"{why}, and it cannot be renamed: {error.strerror}") from None
    log.error("%s; it is kept as %s, and a new one is made from the recordings", why, aside)


async def _prepare(path: Path, clock: Clock, archive: Archive) -> None:
    """Put a catalog of all recordings in the place of none: a server beside us never sees a part of it."""
    try:
        if await archive.cameras():
            made = await rebuild_beside(archive, path, LoggedProgress(log, clock))
            await asyncio.to_thread(put_in_place, made, path, clock.wall_us())
    except (HlscamError, OSError) as error:
        log.error("the catalog cannot be made from the recordings in one go: %s", error)


async def _open_looked_through(url: str, path: Path) -> Catalog:
    damage = await asyncio.to_thread(damage_of, path, thoroughly=True)
    if damage:
        raise CatalogLost(f"the catalog {path} {damage}")
    return await Catalog.open(url)


@dataclass(slots=True, eq=False)
class _Fact:
    """What is to stand in the catalog about a recording: a row, or with `kept` None nothing. Each one is itself."""

    key: _Key
    kept: Kept | None
    refused: bool = False


class CatalogCare:
    """Keeps the catalog as it should be. `start`, then `keep` and `remove` at any time, and `stop`."""

    def __init__(self, archive: Archive, catalog: Catalog, clock: Clock, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._archive = archive
        self._catalog = catalog
        self._clock = clock
        self._look_every_s = look_every_s
        self._waiting: dict[_Key, _Fact] = {}
        self._open: dict[_Key, _Fact] = {}
        self._writing: set[asyncio.Task[bool]] = set()
        self._why_lost = ""
        self._told_lost = ""
        self._trouble = ""
        self._backoff = Backoff(random.random)
        self._made_anew_mono_s = 0.0
        self._next_attempt_mono_s = 0.0
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look after the catalog."""
        self._catalog.connections.on_lost = self.tell
        self._task = asyncio.create_task(self._run(), name="catalog care")

    async def stop(self) -> None:
        """Write what waits, if it can be written, and end. May be called again."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._catalog.connections.on_lost = lambda _: None
        task.cancel()
        await asyncio.gather(task, *self._writing, return_exceptions=True)
        if not self._why_lost:
            await self._write_waiting()
        if self._waiting:
            log.warning("the catalog misses %d rows: the next start takes them from the recordings", len(self._waiting))

    # For whoever keeps books

    async def keep(self, recording: Recording, init: InitSection) -> None:
        """Have a row stand for this recording as it is now, instead of all that was told of it before."""
        fact = _Fact((recording.camera, recording.name), Kept(recording, init))
        if recording.is_open:
            self._open[fact.key] = fact
        else:
            self._open.pop(fact.key, None)
        await self._take(fact)

    async def remove(self, camera: str, name: str) -> None:
        """Have no row stand for a recording."""
        self._open.pop((camera, name), None)
        await self._take(_Fact((camera, name), None))

    def unwritten(self, camera: str) -> list[Recording]:
        """The recordings of a camera that have no row yet, or an older one, in order."""
        facts = (each.kept for each in self._waiting.values() if each.key[0] == camera)
        found = [each.recording for each in facts if each is not None]
        return sorted(found, key=lambda each: each.first_media_sequence)

    # For whoever finds that something is wrong

    def tell(self, error: CatalogError) -> None:
        """Somebody could not read or write it, because of `error`. The catalog itself tells those of its own."""
        if isinstance(error, CatalogLost):
            self.lost(error.message)

    def lost(self, why: str) -> None:
        """The catalog must be made anew; `why` is a sentence for the log."""
        if self._why_lost:
            return
        if self._catalog.path is None:
            if why != self._told_lost:
                log.error("%s: stop hlscam and run `hlscam reindex`; no footage is lost", why)
            self._told_lost = why
            return
        log.error("%s; it is made anew from the recordings, and all else goes on", why)
        self._why_lost = why
        self._settled.clear()
        for key, fact in self._open.items():
            self._waiting.setdefault(key, fact)
        self._woken.set()

    async def wait_settled(self) -> None:
        """Until all that was told stands in a catalog that is well."""
        await self._settled.wait()

    # For the catalog that is made anew

    def knows(self, camera: str, name: str) -> bool:
        """Whether something was told of a recording that is not in its file, or not in the catalog yet."""
        return (camera, name) in self._open or (camera, name) in self._waiting

    def kept(self) -> list[Kept]:
        """What was told of these recordings last."""
        facts = {**self._open, **self._waiting}
        return [fact.kept for fact in facts.values() if fact.kept is not None]

    # The task

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._look_after()
            except Exception:  # a bug: told, and no reason not to look again
                log.exception("the catalog could not be looked after")
            await first_of(self._woken.wait(), self._clock.sleep(self._look_every_s))

    async def _look_after(self) -> None:
        if not self._why_lost:
            with contextlib.suppress(CatalogError):  # a loss was told by the catalog, all else shows when writing
                await self._catalog.look()
        now_mono_s = self._clock.mono_s()
        if self._why_lost and now_mono_s >= self._next_attempt_mono_s:
            await self._make_anew()
        elif not self._why_lost and now_mono_s >= self._made_anew_mono_s + _QUIET_S:
            self._backoff.reset()
        if not self._why_lost:
            await self._write_waiting()

    async def _make_anew(self) -> None:
        path = self._catalog.path
        assert path is not None
        progress = LoggedProgress(log, self._clock)
        try:
            made = await rebuild_beside(self._archive, path, progress, old=self._catalog, told=self)
            aside = await asyncio.to_thread(put_in_place, made, path, self._clock.wall_us())
            await self._catalog.reopen()
        except (HlscamError, OSError) as error:
            self._next_attempt_mono_s = self._clock.mono_s() + self._backoff.next_s()
            self._tell_trouble(f"the catalog cannot be made anew now: {error}")
            return
        self._why_lost = ""
        self._made_anew_mono_s = self._clock.mono_s()
        self._next_attempt_mono_s = self._made_anew_mono_s + self._backoff.next_s()
        log.info("the catalog is made anew%s", f"; what was left of the old one is kept as {aside}" if aside else "")

    async def _take(self, fact: _Fact) -> None:
        """Let a fact wait, and where nothing is wrong try at once to write it."""
        self._waiting.pop(fact.key, None)
        self._waiting[fact.key] = fact  # at the end: what is gone goes before what takes its number
        self._settled.clear()
        if self._why_lost or self._trouble:
            return
        writing = asyncio.create_task(self._write(fact))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await first_of(asyncio.wait({writing}), self._clock.sleep(_PATIENCE_S))
        if not writing.done():
            self._tell_trouble("the catalog takes long to write")
        self._settle()

    async def _write_waiting(self) -> None:
        for fact in list(self._waiting.values()):
            if not await self._write(fact):
                return
        if self._trouble:
            log.info("the catalog is written again")
            self._trouble = ""
        self._settle()

    async def _write(self, fact: _Fact) -> bool:
        """Write a fact, unless there is a newer one by now; False when the catalog cannot be written.

        From that look to the writer's queue nothing is awaited, so facts are written in the order they were told.
        """
        if self._waiting.get(fact.key) is not fact:
            return True
        try:
            if fact.kept is None:
                await self._catalog.remove_recording(*fact.key)
            else:
                await put(self._catalog, [fact.kept])
        except CatalogRefused as error:
            if not fact.refused:
                log.error("%s/%s has no row: %s", *fact.key, error.message)
            fact.refused = True
            return True
        except CatalogLost as error:
            self.tell(error)
            return False
        except CatalogError as error:
            self._tell_trouble(error.message)
            return False
        if self._waiting.get(fact.key) is fact:
            del self._waiting[fact.key]
        return True

    def _tell_trouble(self, what: str) -> None:
        if what != self._trouble:
            log.error("%s; what it should say waits in memory", what)
        self._trouble = what

    def _settle(self) -> None:
        if not self._why_lost and all(fact.refused for fact in self._waiting.values()):
            self._settled.set()
