"""What the handlers share, found by one `AppKey`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.clock import Clock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.config import Config
from hlscam.server.footage import Footage
from hlscam.server.segment_cache import SegmentCache
from hlscam.services.live import LiveStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server. `notes` are a camera's, `ready` what is not up yet ("" for nothing)."""

    config: Config
    archive: Archive
    catalog: Catalog
    live: LiveStreams
    footage: Footage
    cache: SegmentCache
    clock: Clock
    notes: Callable[[str], CameraNotes | None]
    ready: Callable[[], str]

    @classmethod
    def over(
        cls,
        config: Config,
        archive: Archive,
        catalog: Catalog,
        live: LiveStreams,
        *,
        clock: Clock,
        notes: Callable[[str], CameraNotes | None],
        ready: Callable[[], str],
    ) -> Self:
        """The services of an archive and its books: what serves from them is made here."""
        return cls(
            config=config,
            archive=archive,
            catalog=catalog,
            live=live,
            footage=Footage(config, archive, catalog, live),
            cache=SegmentCache(config.server.cache_mb * 1024 * 1024),
            clock=clock,
            notes=notes,
            ready=ready,
        )


SERVICES = web.AppKey("services", Services)
