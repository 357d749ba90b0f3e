"""What the handlers share, found by one `AppKey`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.ffmpeg.features import locate_ffmpeg
from hlscam.clock import Clock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.config import Config
from hlscam.server.footage import Footage
from hlscam.server.holding import Holding
from hlscam.server.segment_cache import SegmentCache
from hlscam.services.live import LiveStreams
from hlscam.services.live_pictures import LiveMotion
from hlscam.services.motion import Motion
from hlscam.services.stills import Stills

_MB = 1024 * 1024
_MOST_STILLS_MB = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server.

    `notes` tells a camera's state (None for one that nobody records), `ready` what is not up yet ("" for nothing).
    `live_texts` are the newest live playlists, by (camera, with gaps, as a delta update), each with its version.
    """

    config: Config
    archive: Archive
    catalog: Catalog
    live: LiveStreams
    footage: Footage
    cache: SegmentCache
    holding: Holding
    stills: Stills
    motion: Motion
    live_motion: LiveMotion
    clock: Clock
    notes: Callable[[str], CameraNotes | None]
    ready: Callable[[], str]
    live_texts: dict[tuple[str, bool, bool], tuple[int, str]] = field(default_factory=dict)

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
        cache = SegmentCache(config.server.cache_mb * _MB)
        ffmpeg = lambda: locate_ffmpeg(config.ffmpeg.path)  # noqa: E731
        motion = Motion(ffmpeg)
        stills_bytes = min(config.server.cache_mb, _MOST_STILLS_MB) * _MB
        return cls(
            config=config,
            archive=archive,
            catalog=catalog,
            live=live,
            footage=Footage(config, archive, catalog, live, cache),
            cache=cache,
            holding=Holding(live, clock),
            stills=Stills(ffmpeg, stills_bytes),
            motion=motion,
            live_motion=LiveMotion(motion, clock),
            clock=clock,
            notes=notes,
            ready=ready,
        )

    async def close(self) -> None:
        """Wait for what is being read, and end what is of the server alone."""
        await self.holding.close()
        await self.cache.close()

    def notes_of(self, camera: str) -> CameraNotes | None:
        """A camera's notes; None for one that is configured no more, whatever was noted of it last."""
        return self.notes(camera) if camera in self.config.cameras else None

    def latest_wall_us(self, camera: str) -> int:
        """Now; or the end of the camera's footage, where the host's clock has been set back behind it."""
        newest = self.live.stream(camera).newest
        now_wall_us = self.clock.wall_us()
        return now_wall_us if newest is None else max(now_wall_us, newest.end_wall_us)


SERVICES = web.AppKey("services", Services)
