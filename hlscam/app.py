"""The composition root: load, recover, record, serve, stop in order. It reads as a script.

Two roles over one archive: the *recorder* supervises ffmpeg, follows recordings and keeps the books; a *server* reads.
`hlscam run` is both in one process, `hlscam record` and `hlscam serve` are one each, so that a server can restart, or
run several times, while recording goes on.

Started in this order, stopped in the reverse: the listening sockets, so that a port in use is told before anything is
done, and nobody is refused who asks meanwhile; the archive and the catalog; the watch; the books of every camera put
in order; the cleaner, which keeps room on the disk as long as anything is recorded; the recorders. A first SIGINT or
SIGTERM stops in order (recordings are closed properly, which takes a moment); a second one ends at once, and costs no
more than a crash would.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from hlscam.adapters.archive import Archive
from hlscam.adapters.archive_lock import archive_lock
from hlscam.adapters.boot import boot_id
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.listener import open_listeners
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock, SystemClock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.camera_state import CameraState
from hlscam.domain.clock_watch import LONGEST_PICTURE_US
from hlscam.domain.config import Config
from hlscam.errors import ArchiveError, CatalogError
from hlscam.server.application import make_application
from hlscam.server.page_files import PageFiles
from hlscam.server.services import Services
from hlscam.services.catalog_care import CatalogCare, open_catalog
from hlscam.services.cleaner import Cleaner, make_room_to_start
from hlscam.services.indexer import Indexer
from hlscam.services.live import FEWEST_SEGMENTS, LiveStreams
from hlscam.services.mirror import ArchiveMirror
from hlscam.services.recorder import CameraRecorder, Recorder, RecorderSettings
from hlscam.units import US_PER_S

log = logging.getLogger(__name__)

_LONGEST_DRAIN_S = 3.0
_LONGEST_SILENCE_MORE_S = 5.0
"""A camera that was silent for `stall_timeout_s` is looked at once more before it is given up."""
_ONE_SIGNAL_S = 0.5
"""Signals that follow each other faster than a person presses a key are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs, as the command line looks at it. `url` is where it listens; a recorder alone listens nowhere."""

    config: Config
    live: LiveStreams
    notes: Callable[[str], CameraNotes | None]
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Running):
    """Recorder and server in one."""

    url: str
    services: Services
    recorder: Recorder


async def run_until_stopped(
    running: contextlib.AbstractAsyncContextManager[Running], *, announce: Callable[[Running], None]
) -> None:
    """Run until SIGINT or SIGTERM; `announce` is called when every camera that can be watched can be."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    at_once_from_mono_s = 0.0

    def stop() -> None:
        nonlocal at_once_from_mono_s
        if stopping.is_set() and loop.time() < at_once_from_mono_s:
            return  # `timeout`, `make` and others pass on what the whole group got already: that is one signal
        at_once_from_mono_s = loop.time() + _ONE_SIGNAL_S
        if stopping.is_set():
            log.warning("stopped at once: recordings in progress are closed at the next start")
            os._exit(130)  # unwinding would wait for every ffmpeg; the kernel ends them with us
        log.info("stopping: recordings are being closed; once more to stop at once")
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    async with running as what:
        announcing = asyncio.create_task(_announce_when_watchable(what, announce))
        await stopping.wait()
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
    log.info("stopped")


@contextlib.asynccontextmanager
async def running_server(
    config: Config, listeners: Sequence[socket.socket] | None = None, *, clock: Clock | None = None
) -> AsyncIterator[Server]:
    """`hlscam run`: recorder and server in one. Raises HlscamError when it cannot start.

    `listeners` are sockets that listen already; without, they are opened here.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        listeners = await _opened(stack, config, listeners)
        indexer, recorder = await _prepare_recorder(stack, config, clock)
        ready = lambda: "" if recorder.started else "the cameras are being started"  # noqa: E731
        notes = _noted(indexer)
        services = _services(config, indexer.archive, indexer.catalog, indexer.live, clock, notes, ready)
        stack.push_async_callback(services.close)
        url = await stack.enter_async_context(_answering(listeners, services))
        _start(stack, recorder)
        yield Server(config=config, live=indexer.live, notes=notes, url=url, services=services, recorder=recorder)


@contextlib.asynccontextmanager
async def running_recorder(config: Config, *, clock: Clock | None = None) -> AsyncIterator[Running]:
    """`hlscam record`: the recorder alone. Raises HlscamError when it cannot start."""
    async with AsyncExitStack() as stack:
        indexer, recorder = await _prepare_recorder(stack, config, clock or SystemClock())
        _start(stack, recorder)
        yield Running(config=config, live=indexer.live, notes=_noted(indexer))


@contextlib.asynccontextmanager
async def running_reader(
    config: Config, listeners: Sequence[socket.socket] | None = None, *, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """`hlscam serve`: a server beside a recorder. Raises HlscamError when it cannot start."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        listeners = await _opened(stack, config, listeners)
        archive, watch = await _open_archive(stack, config)
        catalog = await Catalog.open(config.catalog_url, read_only=True)
        stack.push_async_callback(catalog.close)
        live = LiveStreams(config.hls.live_window_s, config.hls.part_duration_s)
        mirror = ArchiveMirror(archive, catalog, watch, live, clock, _live_segments(config))
        mirror.start(sorted({*config.cameras, *await archive.cameras()}))
        stack.push_async_callback(mirror.stop)
        await mirror.wait_looked()  # players of the server before us were told more than the catalog knows
        services = _services(config, archive, catalog, live, clock, mirror.notes, lambda: "")
        stack.push_async_callback(services.close)
        url = await stack.enter_async_context(_answering(listeners, services))
        yield Running(config=config, live=live, notes=mirror.notes, url=url)


async def _prepare_recorder(stack: AsyncExitStack, config: Config, clock: Clock) -> tuple[Indexer, Recorder]:
    """The archive, locked for us, and its books in order; the recorders, not started yet."""
    ffmpeg = await find_ffmpeg(config.ffmpeg.path)
    archive, watch = await _open_archive(stack, config)
    await stack.enter_async_context(archive_lock(config.archive.path))
    await make_room_to_start(archive, config.retention)
    catalog = await open_catalog(config.catalog_url, clock, archive)
    stack.push_async_callback(catalog.close)
    care = CatalogCare(archive, catalog, clock)
    care.start()
    stack.push_async_callback(care.stop)
    indexer = Indexer(
        archive=archive,
        catalog=catalog,
        care=care,
        watch=watch,
        live=LiveStreams(config.hls.live_window_s, config.hls.part_duration_s),
        clock=clock,
        segment_duration_s=config.hls.segment_duration_s,
        live_segments=_live_segments(config),
        rescan_interval_s=config.archive.rescan_interval_s,
        fsync_interval_s=config.archive.fsync_interval_s,
        longest_picture_s=max(config.recorder.stall_timeout_s + _LONGEST_SILENCE_MORE_S, LONGEST_PICTURE_US / US_PER_S),
        boot=await asyncio.to_thread(boot_id),
    )
    await _recover_all(indexer, config)
    cleaner = Cleaner(archive, catalog, indexer.live, care=care, clock=clock, retention=config.retention)
    cleaner.start()
    stack.push_async_callback(cleaner.stop)
    settings = RecorderSettings(
        ffmpeg=ffmpeg,
        recording_s=config.archive.recording_minutes * 60,
        part_duration_s=config.hls.part_duration_s,
        stall_timeout_s=config.recorder.stall_timeout_s,
        scratch=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hlscam-"))),
        on_disk_full=cleaner.wake,
    )
    cameras = {each: CameraRecorder(each, camera, settings, indexer, clock) for each, camera in config.cameras.items()}
    return indexer, Recorder(cameras)


async def _open_archive(stack: AsyncExitStack, config: Config) -> tuple[Archive, ArchiveWatch]:
    await asyncio.to_thread(_make_folder, config.archive.path)  # whichever role is first
    archive = Archive(config.archive.path)
    stack.push_async_callback(asyncio.to_thread, archive.close)
    watch = ArchiveWatch(config.archive.path, config.archive.observer)
    await asyncio.to_thread(watch.start)
    stack.push_async_callback(asyncio.to_thread, watch.close)
    return archive, watch


async def _recover_all(indexer: Indexer, config: Config) -> None:
    """Put the books of every camera in order, also of those that are no longer configured."""
    for camera in sorted({*config.cameras, *await indexer.archive.cameras()}):
        try:
            await indexer.recover(camera)
        except (ArchiveError, CatalogError) as error:  # the others are unharmed; this one's recorder tries again
            log.error("camera %s: %s", camera, error.message)


def _start(stack: AsyncExitStack, recorder: Recorder) -> None:
    recorder.start()
    stack.push_async_callback(recorder.stop)


def _noted(indexer: Indexer) -> Callable[[str], CameraNotes | None]:
    return lambda camera: indexer.notebook(camera).notes


def _live_segments(config: Config) -> int:
    """How many segments of the past the live window may need."""
    return FEWEST_SEGMENTS + int(config.hls.live_window_s / config.hls.segment_duration_s)


def _services(
    config: Config,
    archive: Archive,
    catalog: Catalog,
    live: LiveStreams,
    clock: Clock,
    notes: Callable[[str], CameraNotes | None],
    ready: Callable[[], str],
) -> Services:
    return Services.over(config, archive, catalog, live, clock=clock, notes=notes, ready=ready)


async def _opened(
    stack: AsyncExitStack, config: Config, listeners: Sequence[socket.socket] | None
) -> Sequence[socket.socket]:
    if listeners is None:
        host, port = config.server.host, config.server.port
        listeners = await asyncio.to_thread(open_listeners, host, port, os.environ)
    for each in listeners:
        stack.callback(each.close)
    return listeners


@contextlib.asynccontextmanager
async def _answering(listeners: Sequence[socket.socket], services: Services) -> AsyncIterator[str]:
    page = await asyncio.to_thread(PageFiles)
    runner = web.AppRunner(
        make_application(services, page), access_log=None, shutdown_timeout=_LONGEST_DRAIN_S, handler_cancellation=True
    )
    await runner.setup()
    try:
        for each in listeners:
            await web.SockSite(runner, each).start()
        host, port = listeners[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{port}/"
    finally:
        await runner.cleanup()


async def _announce_when_watchable(running: Running, announce: Callable[[Running], None]) -> None:
    """Wait for the first segment of every enabled camera, but not for those that fail."""
    await asyncio.gather(
        *(_watchable(running, each) for each, camera in running.config.cameras.items() if camera.enabled)
    )
    announce(running)


async def _watchable(running: Running, camera: str) -> None:
    stream = running.live.stream(camera)
    before = stream.newest
    seen = before.end_media_sequence if before else -1
    while True:
        newest = stream.newest
        notes = running.notes(camera)
        is_idle = notes is not None and (notes.status.last_error or notes.status.state is CameraState.STOPPED)
        if (newest is not None and newest.end_media_sequence > seen) or is_idle:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stream.wait_changed(), 0.5)


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"the archive folder {root} cannot be made: {error.strerror}", hint="set archive.path"
        ) from None
