"""What may be removed, oldest first: as the catalog tells it or, without one, as the files tell it themselves.

Pages, not lists: an archive may hold a million recordings, of which a few have to go. Every candidate is looked at on
the disk before anything is decided about it; what its owner has protected, or the live playlist may list, says so.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.disk import FileFacts, FileState, read_file_facts
from hlscam.domain.retention import Candidate, Keep
from hlscam.errors import CatalogError
from hlscam.services.keeper import read_sealed
from hlscam.services.live import LiveStreams

log = logging.getLogger(__name__)

_PAGE = 32
_NEWEST_NAMES = 2
"""By its names alone, a camera's last recording may be open, and the one before may be about to get its box."""


async def candidates(archive: Archive, catalog: Catalog, *, by_name: bool) -> AsyncGenerator[list[Candidate], None]:
    """Pages of all recordings, oldest first.

    A catalog that cannot be read (on a full disk, say), or that is being made anew and does not know all yet, is no
    reason not to make room: `by_name`, the files speak for themselves then. Raises CatalogError otherwise.
    """
    try:
        async for page in candidates_of_catalog(catalog):
            yield page
    except CatalogError as error:
        if not by_name:
            raise
        log.info("retention goes by the names of the files: %s", error.message)
    if by_name:
        async for page in candidates_by_name(archive):
            yield page


async def candidates_of_catalog(catalog: Catalog) -> AsyncGenerator[list[Candidate], None]:
    """All that the catalog knows."""
    after: dict[str, int] = {}
    while page := await catalog.oldest_recordings(_PAGE, after):
        yield page
        after |= {each.camera: each.first_media_sequence for each in page}


async def candidates_by_name(archive: Archive) -> AsyncGenerator[list[Candidate], None]:
    """All closed recordings but each camera's newest, by the time in their names, as their own boxes tell them.

    A file without such a box is left alone: it may be anything.
    """
    named: list[tuple[str, str]] = []
    for camera in await archive.cameras():
        named += [(name, camera) for name in (await archive.names(camera))[:-_NEWEST_NAMES]]
    named.sort()
    for at in range(0, len(named), _PAGE):
        found = [await _candidate_of(archive, camera, name) for name, camera in named[at : at + _PAGE]]
        yield [each for each in found if each is not None]


async def _candidate_of(archive: Archive, camera: str, name: str) -> Candidate | None:
    try:
        sealed = await read_sealed(archive, camera, name)
    except OSError:
        return None
    if sealed is None:
        return None
    recording = sealed.recording
    return Candidate(
        camera=camera,
        name=name,
        first_media_sequence=recording.first_media_sequence,
        start_wall_us=recording.start_wall_us,
        end_wall_us=recording.end_wall_us,
        size_bytes=recording.size_bytes,
    )


async def looked_at(archive: Archive, live: LiveStreams | None, page: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with what the disk and the live edge say for them, and with the sizes that files really have."""

    def work() -> list[FileFacts]:
        return [read_file_facts(archive.root, each.camera, each.name) for each in page]

    facts = await archive.run(work)
    listed = {(each.camera, each.name) for each in live.recordings()} if live else set()
    return [_judged(each, fact, listed) for each, fact in zip(page, facts, strict=True)]


def _judged(candidate: Candidate, fact: FileFacts, listed: set[tuple[str, str]]) -> Candidate:
    keep = candidate.keep
    if keep is None and (candidate.camera, candidate.name) in listed:
        keep = Keep.LIVE
    if fact.state is FileState.PROTECTED:
        keep = Keep.PROTECTED
    elif fact.state is FileState.AWAY:
        keep = keep or Keep.AWAY
    return replace(candidate, size_bytes=fact.size_bytes, keep=keep)
