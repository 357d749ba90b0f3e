"""Takes many closed recordings into a catalog by their own boxes, without a look at their fragments.

A start that finds no rows, `hlscam reindex` and a catalog that is made anew beside the recorder all do this. Files are
read in an archive's thread, a hundred at a time, so that viewers' reads come between; rows are written five hundred
at a time (measured: 17,000 recordings of 300 segments in 14 s on a busy machine, 160 s one by one).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.health import beside, discard, is_finished
from hlscam.adapters.catalog.store import Catalog
from hlscam.errors import CatalogError, CatalogRefused
from hlscam.services.keeper import Kept, read_sealed_file
from hlscam.services.progress import Tells

log = logging.getLogger(__name__)

_FILES_AT_ONCE = 100
_ROWS_AT_ONCE = 500


async def adopt(
    archive: Archive,
    catalog: Catalog,
    camera: str,
    names: Sequence[str],
    *,
    leave_out: Callable[[str], bool] = lambda _: False,
    progress: Tells | None = None,
) -> list[str]:
    """Write a row for every recording among `names` that has a box of its own; returns the names of the others.

    `leave_out` is asked after a recording was read; it is then in neither. One that contradicts another (a copy under
    a second name) is told and left out. Raises CatalogError.
    """
    others: list[str] = []
    waiting: list[Kept] = []
    done = 0
    async for asked, found in sealed_recordings(archive, camera, names):
        wanted = [name for name in asked if not leave_out(name)]
        waiting += [found[name] for name in wanted if name in found]
        others += [name for name in wanted if name not in found]
        done += len(asked)
        if len(waiting) >= _ROWS_AT_ONCE or done == len(names):
            await put_all(catalog, waiting)
            waiting = []
        if progress is not None:
            progress.tell(f"reading the recordings of camera {camera}", done, len(names))
    return others


async def sealed_recordings(
    archive: Archive, camera: str, names: Sequence[str]
) -> AsyncIterator[tuple[Sequence[str], dict[str, Kept]]]:
    """(names, those of them that have a box of their own), some at a time."""
    for at in range(0, len(names), _FILES_AT_ONCE):
        asked = names[at : at + _FILES_AT_ONCE]
        yield asked, await archive.run(partial(_read_all, archive, camera, asked))


def _read_all(archive: Archive, camera: str, names: Sequence[str]) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for name in names:
        with contextlib.suppress(OSError):  # gone, or not to be read: whoever looks closer will say so
            kept = read_sealed_file(archive, camera, name)
            if kept is not None:
                found[name] = kept
    return found


async def put_all(catalog: Catalog, kept: Sequence[Kept]) -> None:
    """Put rows in one go; where they cannot all be right, one by one, and tell those that are refused."""
    try:
        await put(catalog, kept)
    except CatalogRefused:
        for each in kept:
            try:
                await put(catalog, [each])
            except CatalogRefused as error:
                name = f"{each.recording.camera}/{each.recording.name}"
                log.error("%s is left out of the catalog: %s", name, error.message)


async def put(catalog: Catalog, kept: Sequence[Kept]) -> None:
    """Rows, and the init sections that they need, in one transaction."""
    await catalog.put_recordings([each.recording for each in kept], {each.init.hash: each.init.data for each in kept})


class Told(Protocol):
    """What somebody knows of recordings that are in progress, or were until a moment ago: better than their files."""

    def knows(self, camera: str, name: str) -> bool:
        """Whether something is known of a recording, if only that it is gone."""
        ...

    def kept(self) -> list[Kept]:
        """The recordings that are known, as they are now."""
        ...


async def rebuild_beside(
    archive: Archive, path: Path, progress: Tells, *, old: Catalog | None = None, told: Told | None = None
) -> Path:
    """Make a catalog of all recordings in a file beside `path`, while others go on with both; where it is.

    A recording without a box that can be believed keeps the row it has in the `old` catalog, where that can be read.
    Footage is only read. Raises HlscamError and OSError, and leaves no file then.
    """
    made = beside(path)
    await asyncio.to_thread(discard, made)  # what a crash left
    try:
        await _fill(made, archive, old, told, progress)
    except BaseException:
        await asyncio.to_thread(discard, made)
        raise
    return made


async def _fill(made: Path, archive: Archive, old: Catalog | None, told: Told | None, progress: Tells) -> None:
    new = await Catalog.open(f"sqlite:///{made}")
    try:
        for camera in await archive.cameras():
            known = partial(told.knows, camera) if told else lambda _: False
            names = await archive.names(camera)
            others = await adopt(archive, new, camera, names, leave_out=known, progress=progress)
            for name in others if old else []:
                assert old is not None
                if not await _carry_over(old, new, camera, name) and name != names[-1]:  # that one has just begun
                    log.warning("%s/%s has no box of its own, and no row any more", camera, name)
        await put_all(new, told.kept() if told else [])
    finally:
        await new.close()
    if not await asyncio.to_thread(is_finished, made):
        raise CatalogError(f"the catalog {made} could not be finished")


async def _carry_over(old: Catalog, new: Catalog, camera: str, name: str) -> bool:
    """Bring the row of a recording from one catalog to the other; whether there was one to be had."""
    try:
        row = await old.recording(camera, name)
        init = None if row is None else await old.init_section(row.init_hash)
    except CatalogError:
        return False
    if row is None or init is None:
        return False
    try:
        await new.put_recordings([row], {row.init_hash: init})
    except CatalogRefused as error:
        log.error("%s/%s is left out of the catalog: %s", camera, name, error.message)
    return True
