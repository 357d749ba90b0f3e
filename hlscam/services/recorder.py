"""The recorder: keeps one ffmpeg per camera going, for ever.

`run` repeats `_run_once` with a jittered pause between; the pause ends at once when the recorder is stopped. Each
attempt is a run of its own: its identity is fixed, ffmpeg is started, the indexer follows what it writes, and when
ffmpeg ends the books of that run are closed before the next begins, so that counters only grow. An attempt that wrote
nothing uses up no number.

What a source sends is asked once (`probe`) and remembered; a run that ends without a picture forgets it, because
the camera may have been set to another codec.

A camera is judged by its fragments, never by whether its ffmpeg lives: when none comes for a while, ffmpeg is ended and
the camera is tried anew. Sound that is announced and never comes holds back the pictures too; a run that stalled
before its first fragment is therefore followed by one without sound.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets as system_random
from collections import deque
from dataclasses import dataclass, replace
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
STALL_S = 15.0
"""A camera that brings no fragment for this long, or up to twice as long, has stalled."""

_SECOND_LOOK_S = 1.0
_STALLED = Diagnosis(EndReason.STALLED, "the camera sends nothing any more", "check or restart it")
_NOTHING_CAME = Diagnosis(EndReason.STALLED, "the camera takes the connection and sends no picture", "check it")
_STOPPED = Diagnosis(EndReason.STOPPED, "stopped")


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
        """Record until stopped. Only a cancellation makes it raise."""
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
        except Exception as error:  # a bug: told, and no reason never to record again
            log.exception("camera %s: the recorder failed", self.camera)
            why = Diagnosis(EndReason.CRASHED, f"hlscam failed: {type(error).__name__}", "its log says where")
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
            return _STOPPED
        self._plan = plan
        identity = await self._indexer.begin_run(self.camera, system_random.token_hex(4))
        lines: deque[str] = deque(maxlen=_LINES_KEPT)
        follower = RunFollower(self._indexer, identity)
        follower.start()
        why = Diagnosis(EndReason.CRASHED, "hlscam failed")
        try:
            why = await self._record(await self._command(identity, plan), follower, lines)
        finally:
            await asyncio.shield(follower.finish(why.reason))
            if why is _NOTHING_CAME and plan.audio:
                self._plan = replace(plan, audio=None)
            elif follower.fragments_seen == 0:
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

    async def _record(self, argv: list[str], follower: RunFollower, lines: deque[str]) -> Diagnosis:
        """Run ffmpeg until it ends, stalls or is to stop; why it ended."""
        process = await FfmpegProcess.start(argv, on_line=lambda line: self._heard(line, lines))
        log.info("camera %s: ffmpeg %d records run %s", self.camera, process.pid, follower.run)
        watching = asyncio.create_task(self._watch_progress(follower))
        ended = asyncio.create_task(process.wait())
        stalled = asyncio.create_task(self._wait_stalled(follower))
        ends = {ended, stalled, asyncio.create_task(self._stopping.wait()), asyncio.create_task(follower.wait_ended())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            has_ended, has_stalled, fragments = ended.done(), stalled.done(), follower.fragments_seen
        finally:
            for task in (watching, *(ends - {ended})):
                task.cancel()
            exit_code = await process.stop()
            await asyncio.gather(watching, *ends, return_exceptions=True)
        if has_stalled and not has_ended:
            return _STALLED if fragments else _NOTHING_CAME
        return _STOPPED if self._stopping.is_set() else diagnose(lines, exit_code)

    async def _watch_progress(self, follower: RunFollower) -> None:
        """The first fragment makes it `recording`, and a working camera starts its back-off anew."""
        await follower.wait_progress()
        self._become(CameraState.RECORDING)
        self._backoff.reset()

    async def _wait_stalled(self, follower: RunFollower) -> None:
        """Until fragments have stopped to come."""
        while True:
            seen = follower.fragments_seen
            await self._clock.sleep(STALL_S)
            if follower.fragments_seen == seen:
                follower.look()
                await self._clock.sleep(_SECOND_LOOK_S)
                if follower.fragments_seen == seen:
                    return

    async def _interruptible_probe(self) -> StreamPlan | None:
        """What the source sends, or None when we were stopped before it said so. Raises SourceError."""
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

    @property
    def started(self) -> bool:
        """Whether every camera's recorder has been started."""
        return len(self._tasks) == len(self.cameras)

    def start(self) -> None:
        for camera, recorder in self.cameras.items():
            self._tasks.append(asyncio.create_task(recorder.run(), name=f"record {camera}"))

    async def stop(self) -> None:
        """Close every recording properly. Idempotent."""
        for recorder in self.cameras.values():
            recorder.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
