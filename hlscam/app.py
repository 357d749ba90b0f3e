"""The composition root: load, recover, record, serve, stop in order. It reads as a script.

Started in this order, stopped in the reverse: the archive and the catalog; the watch; the books of every camera put
in order; the listening socket, so that a port in use is told before anything is recorded; the recorders. A first
SIGINT or SIGTERM stops in order (recordings are closed properly, which takes a moment); a second one ends at once,
and costs no more than a crash would.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from hlscam.adapters.archive import Archive
from hlscam.adapters.archive_lock import archive_lock
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.ffmpeg.features import Ffmpeg, find_ffmpeg
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock, SystemClock
from hlscam.domain.camera_state import CameraStatus
from hlscam.domain.config import Config
from hlscam.errors import ArchiveError, ConfigError
from hlscam.server.application import make_application
from hlscam.server.page_files import PageFiles
from hlscam.server.services import Services
from hlscam.services.indexer import Indexer
from hlscam.services.live import LiveStreams
from hlscam.services.recorder import CameraRecorder, Recorder, RecorderSettings

log = logging.getLogger(__name__)

_LONGEST_DRAIN_S = 3.0
_ONE_SIGNAL_S = 0.5
"""Signals that follow each other faster than a person presses a key are one."""


class Server:
    """A running hlscam: where it listens, and the parts that tests and the command line look at."""

    def __init__(self, url: str, services: Services, recorder: Recorder) -> None:
        self.url = url
        self.services = services
        self.recorder = recorder


async def serve_until_stopped(config: Config, *, announce: Callable[[Server], None]) -> None:
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
    async with running_server(config) as server:
        announcing = asyncio.create_task(_announce_when_watchable(server, announce))
        await stopping.wait()
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
    log.info("stopped")


@contextlib.asynccontextmanager
async def running_server(config: Config, *, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Everything, started; stopped in order at the end. Raises HlscamError when it cannot start."""
    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        ffmpeg = await find_ffmpeg(config.ffmpeg.path)
        indexer = await _open_books(stack, config, clock)
        await _recover_all(indexer, config)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hlscam-")))
        recorder = _make_recorder(config, ffmpeg, scratch, indexer, clock)
        services = _make_services(config, indexer, recorder, clock)
        stack.push_async_callback(services.cache.close)
        url = await stack.enter_async_context(_listening(config, services))
        recorder.start()
        stack.push_async_callback(recorder.stop)
        yield Server(url, services, recorder)


async def _open_books(stack: contextlib.AsyncExitStack, config: Config, clock: Clock) -> Indexer:
    """The archive, locked for us; the catalog; the watch; and the indexer, which keeps them in step."""
    root = config.archive.path
    await asyncio.to_thread(_make_folder, root)
    await stack.enter_async_context(archive_lock(root))
    archive = Archive(root)
    stack.push_async_callback(asyncio.to_thread, archive.close)
    catalog = await Catalog.open(config.catalog_url)
    stack.push_async_callback(catalog.close)
    watch = ArchiveWatch(root, config.archive.observer)
    await asyncio.to_thread(watch.start)
    stack.push_async_callback(asyncio.to_thread, watch.close)
    return Indexer(
        archive=archive,
        catalog=catalog,
        watch=watch,
        live=LiveStreams(config.hls.live_window_s),
        clock=clock,
        segment_duration_s=config.hls.segment_duration_s,
        live_window_s=config.hls.live_window_s,
        rescan_interval_s=config.archive.rescan_interval_s,
    )


async def _recover_all(indexer: Indexer, config: Config) -> None:
    """Put the books of every camera in order, also of those that are no longer configured."""
    for camera in sorted({*config.cameras, *await indexer.archive.cameras()}):
        try:
            await indexer.recover(camera)
        except ArchiveError as error:  # the others are unharmed; this one's recorder tries again
            log.error("camera %s: %s", camera, error.message)


def _make_recorder(config: Config, ffmpeg: Ffmpeg, scratch: Path, indexer: Indexer, clock: Clock) -> Recorder:
    settings = RecorderSettings(
        ffmpeg=ffmpeg,
        recording_s=config.archive.recording_minutes * 60,
        part_duration_s=config.hls.part_duration_s,
        scratch=scratch,
    )
    return Recorder(
        {each: CameraRecorder(each, camera, settings, indexer, clock) for each, camera in config.cameras.items()}
    )


def _make_services(config: Config, indexer: Indexer, recorder: Recorder, clock: Clock) -> Services:
    return Services.over(
        config,
        indexer.archive,
        indexer.catalog,
        indexer.live,
        clock=clock,
        status=_status_of(recorder),
        ready=lambda: "" if recorder.started else "the cameras are being started",
    )


@contextlib.asynccontextmanager
async def _listening(config: Config, services: Services) -> AsyncIterator[str]:
    page = await asyncio.to_thread(PageFiles)
    runner = web.AppRunner(
        make_application(services, page), access_log=None, shutdown_timeout=_LONGEST_DRAIN_S, handler_cancellation=True
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.server.host, config.server.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {config.server.host}:{config.server.port}: {error.strerror}",
                hint="another program (another hlscam?) may use the port: set server.port or --port",
            ) from None
        host, port = runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{port}/"
    finally:
        await runner.cleanup()


def _status_of(recorder: Recorder) -> Callable[[str], CameraStatus | None]:
    def status(camera: str) -> CameraStatus | None:
        known = recorder.cameras.get(camera)
        return known.status if known else None

    return status


async def _announce_when_watchable(server: Server, announce: Callable[[Server], None]) -> None:
    """Wait for the first segment of every enabled camera, but not for those that fail."""
    config = server.services.config
    waits = [_watchable(server, each) for each, camera in config.cameras.items() if camera.enabled]
    await asyncio.gather(*waits)
    announce(server)


async def _watchable(server: Server, camera: str) -> None:
    stream = server.services.live.stream(camera)
    before = stream.newest
    seen = before.end_media_sequence if before else -1
    while True:
        newest = stream.newest
        status = server.recorder.cameras[camera].status
        if (newest is not None and newest.end_media_sequence > seen) or status.last_error:
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
