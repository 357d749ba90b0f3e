"""The recorder: keeps one ffmpeg per camera going, for ever.

`run` repeats `_run_once` with a jittered pause between; the pause ends at once when the recorder is stopped. Each
attempt is a run of its own: its identity is fixed, ffmpeg is started, the indexer follows what it writes, and when
ffmpeg ends the books of that run are closed before the next begins, so that counters only grow. An attempt that wrote
nothing uses up no number.

What a source sends is asked once (`probe`) and remembered; a run that ends without a picture forgets it, because
the camera may have been set to another codec.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets as system_random
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from hlscam.adapters.ffmpeg.command import InputOptions, RecordingOptions, StreamPlan, record_command
from hlscam.adapters.ffmpeg.diagnosis import Diagnosis, diagnose, is_noise
from hlscam.adapters.ffmpeg.features import Ffmpeg
from hlscam.adapters.ffmpeg.pattern import write_fonts
from hlscam.adapters.ffmpeg.probe import probe
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.clock import Clock
from hlscam.domain.backoff import Backoff
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.config import CameraConfig
from hlscam.domain.recording import EndReason
from hlscam.domain.run import RunIdentity, recording_name_pattern
from hlscam.domain.secrets import redact
from hlscam.domain.source import TestSource
from hlscam.errors import HlscamError, SourceError
from hlscam.services.indexer import Indexer, RunFollower

log = logging.getLogger(__name__)

_LINES_KEPT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """What all cameras share. `scratch` is a folder for the test pattern's fonts."""

    ffmpeg: Ffmpeg
    recording_s: float
    part_duration_s: float
    scratch: Path


class CameraRecorder:
    """Records one camera."""

    def __init__(
        self, camera_id: str, config: CameraConfig, settings: RecorderSettings, indexer: Indexer, clock: Clock
    ) -> None:
        self.camera = camera_id
        self._config = config
        self._settings = settings
        self._indexer = indexer
        self._clock = clock
        self._backoff = Backoff(random.random)
        self._plan: StreamPlan | None = None
        self._stopping = asyncio.Event()
        self._status = CameraStatus(CameraState.STARTING, clock.wall_us())

    @property
    def status(self) -> CameraStatus:
        return self._status

    def stop(self) -> None:
        """Ask `run` to end: ffmpeg closes its recording and the books are closed. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Record until stopped. Only a cancellation or a bug makes it raise."""
        if not self._config.enabled:
            self._become(CameraState.DISABLED)
            return
        while not self._stopping.is_set():
            self._become(CameraState.STARTING, self._status.last_error)
            await self._attempt()
            if not self._stopping.is_set():
                await self._pause(self._backoff.next_s())
        self._become(CameraState.STOPPED)

    async def _attempt(self) -> None:
        """One run, its error told."""
        try:
            await self._indexer.archive.prepare(self.camera)
            why = await self._run_once()
        except SourceError as error:
            why = Diagnosis(EndReason(error.reason), error.message, error.hint)
        except HlscamError as error:
            why = Diagnosis(EndReason.CRASHED, error.message, error.hint)
        except OSError as error:
            why = Diagnosis(EndReason.CRASHED, f"{error.filename or 'ffmpeg'}: {error.strerror}")
        if self._stopping.is_set():
            return
        said = f"{why.message} ({why.hint})" if why.hint else why.message
        if said != self._status.last_error:
            log.warning("camera %s: %s", self.camera, said)
        self._become(CameraState.WAITING, said)

    async def _run_once(self) -> Diagnosis:
        """Record until ffmpeg ends or we are stopped; why it ended."""
        plan = self._plan or await self._interruptible_probe()
        if plan is None:
            return Diagnosis(EndReason.STOPPED, "stopped")
        self._plan = plan
        identity = await self._indexer.begin_run(self.camera, system_random.token_hex(4))
        lines: deque[str] = deque(maxlen=_LINES_KEPT)
        follower = RunFollower(self._indexer, identity)
        follower.start()
        reason = EndReason.CRASHED
        try:
            exit_code = await self._record(await self._command(identity, plan), follower, lines)
            why = Diagnosis(EndReason.STOPPED, "stopped") if self._stopping.is_set() else diagnose(lines, exit_code)
            reason = why.reason
        finally:
            await asyncio.shield(follower.finish(reason))
            if follower.fragments_seen == 0:
                self._plan = None
        return why

    async def _command(self, identity: RunIdentity, plan: StreamPlan) -> list[str]:
        source, settings = self._config.source, self._settings
        if isinstance(source, TestSource):
            await asyncio.to_thread(write_fonts, settings.scratch, source)
        writing = RecordingOptions(
            folder=self._indexer.archive.folder(self.camera),
            name_pattern=recording_name_pattern(identity.run),
            recording_s=settings.recording_s,
            part_duration_s=settings.part_duration_s,
            hybrid=settings.ffmpeg.hybrid,
            title=self._config.name,
            comment=identity.to_comment(),
        )
        return record_command(settings.ffmpeg.binary, source, self._reading(), plan, writing, settings.scratch)

    async def _record(self, argv: list[str], follower: RunFollower, lines: deque[str]) -> int:
        """Run ffmpeg to its end; its exit code."""
        process = await FfmpegProcess.start(argv, on_line=lambda line: self._heard(line, lines))
        log.info("camera %s: ffmpeg %d records run %s", self.camera, process.pid, follower.run)
        watching = asyncio.create_task(self._watch_progress(follower))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watching, stopping):
                task.cancel()
            code = await process.stop()
            await asyncio.gather(watching, stopping, ended, return_exceptions=True)
        return code

    async def _watch_progress(self, follower: RunFollower) -> None:
        """The first fragment makes it `recording`, and a working camera starts its back-off anew."""
        await follower.wait_progress()
        self._become(CameraState.RECORDING)
        self._backoff.reset()

    async def _interruptible_probe(self) -> StreamPlan | None:
        """What the source sends, or None when we were stopped before it said so. Raises SourceError."""
        lines: deque[str] = deque(maxlen=_LINES_KEPT)
        asking = asyncio.create_task(
            probe(
                self._settings.ffmpeg.binary,
                self._config.source,
                self._reading(),
                audio=self._config.audio,
                on_line=lambda line: log.debug("camera %s: %s", self.camera, self._redacted(line)),
            )
        )
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            return None
        finally:
            for task in (asking, stopping):
                task.cancel()
            await asyncio.gather(asking, stopping, return_exceptions=True)
            lines.clear()

    async def _pause(self, pause_s: float) -> None:
        log.info("camera %s: next attempt in %.1f s", self.camera, pause_s)
        stopping = asyncio.create_task(self._stopping.wait())
        waiting = asyncio.create_task(self._clock.sleep(pause_s))
        await asyncio.wait({stopping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, waiting):
            task.cancel()
        await asyncio.gather(stopping, waiting, return_exceptions=True)

    def _reading(self) -> InputOptions:
        return InputOptions(
            rtsp_transport=self._config.rtsp_transport,
            wallclock_timestamps=self._config.wallclock_timestamps,
            extra={name: str(value) for name, value in self._config.input_options.items()},
        )

    def _heard(self, line: str, lines: deque[str]) -> None:
        if is_noise(line):
            return
        text = self._redacted(line)
        lines.append(text)
        log.info("camera %s: ffmpeg: %s", self.camera, text)

    def _redacted(self, text: str) -> str:
        return redact(text, self._config.secrets)

    def _become(self, state: CameraState, last_error: str = "") -> None:
        if (state, last_error) != (self._status.state, self._status.last_error):
            self._status = CameraStatus(state, self._clock.wall_us(), last_error)


class Recorder:
    """All cameras' recorders, each a task that is owned here."""

    def __init__(self, cameras: dict[str, CameraRecorder]) -> None:
        self.cameras = cameras
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for camera, recorder in self.cameras.items():
            self._tasks.append(asyncio.create_task(self._keep(recorder), name=f"record {camera}"))

    async def stop(self) -> None:
        """Close every recording properly. Idempotent."""
        for recorder in self.cameras.values():
            recorder.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @staticmethod
    async def _keep(recorder: CameraRecorder) -> None:
        """A bug in one camera's recorder is told, and harms no other camera."""
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await recorder.run()
            except Exception:
                log.exception("camera %s: the recorder failed", recorder.camera)
