"""The recorder: keeps one ffmpeg per camera going, for ever.

`run` repeats attempts with a jittered pause between; the pause ends at once when the recorder is stopped. Each
attempt is a run of its own: its identity is fixed, ffmpeg is started, a follower reads what it writes, and when
ffmpeg ends the books of that run are closed before the next begins, so that counters only grow. An attempt that wrote
nothing uses up no number.

What a source sends is asked once (`probe`) and remembered; a run that ends without a picture forgets it, because
the camera may have been set to another codec.

A camera is judged by its fragments, never by whether its ffmpeg lives (`run_watch.py`). Sound that is announced and
never comes holds back the pictures too; a run that brought nothing is therefore followed by one without sound.

What it does, since when, and why nothing is recorded stands in the camera's notes: the API tells it, a server in
another process reads it, and the next start knows it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import secrets as system_random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hlscam.adapters.disk import LEAST_TO_RECORD_BYTES, read_room
from hlscam.adapters.ffmpeg.command import InputOptions, RecordingOptions, StreamPlan, record_command
from hlscam.adapters.ffmpeg.diagnosis import DISK_FULL, Diagnosis, diagnose, is_noise
from hlscam.adapters.ffmpeg.features import Ffmpeg
from hlscam.adapters.ffmpeg.pattern import write_fonts
from hlscam.adapters.ffmpeg.probe import probe
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.clock import Clock, first_of
from hlscam.domain.backoff import Backoff
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.config import CameraConfig
from hlscam.domain.low_latency import fragment_us
from hlscam.domain.recording import EndReason
from hlscam.domain.run import RunIdentity, recording_name_pattern
from hlscam.domain.secrets import redact
from hlscam.domain.segmenter import holds_several_gops
from hlscam.domain.source import TestSource
from hlscam.errors import HlscamError, SourceError
from hlscam.services.gop import measured_gop
from hlscam.services.indexer import Indexer
from hlscam.services.run_follower import RunFollower
from hlscam.services.run_watch import NOTHING_CAME, RunWatch

log = logging.getLogger(__name__)

_LINES_KEPT = 40
_HURRY_S = 1.0
"""How long a worker that has stalled may take to close its recording when asked: it has nothing left to write."""

_LONGEST_PAUSE_S = {EndReason.AUTHENTICATION: 60.0, EndReason.SOURCE_REFUSED: 30.0, EndReason.DISK_FULL: 2.0}
"""Cameras lock accounts after some wrong passwords; and what needs a person is not mended within seconds. A full disk
is no reason to spare the camera, and costs a look at the disk until there is room."""

_STOPPED = Diagnosis(EndReason.STOPPED, "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """What all cameras share. `scratch` is a folder for the test pattern's fonts.

    `on_disk_full` is called when a camera met a full disk: whoever makes room need not wait for the next look.
    """

    ffmpeg: Ffmpeg
    recording_s: float
    part_duration_s: float
    stall_timeout_s: float
    scratch: Path
    on_disk_full: Callable[[], None] = lambda: None


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
        self._clock_is_bad = False
        self._notebook = indexer.notebook(camera_id)

    @property
    def status(self) -> CameraStatus:
        return self._notebook.notes.status

    def stop(self) -> None:
        """Ask `run` to end: ffmpeg closes its recording and the books are closed. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Record until stopped. Only a cancellation makes it raise."""
        if not self._config.enabled:
            await self._become(CameraState.DISABLED, gap_reason=EndReason.DISABLED)
            return
        await self._become(CameraState.STARTING, gap_reason=self._notebook.notes.gap_reason)
        while not self._stopping.is_set():
            why = await self._attempt()
            if not self._stopping.is_set():
                await self._fail(why)
                await self._pause(self._backoff.next_s(_LONGEST_PAUSE_S.get(why.reason)))
        await self._become(CameraState.STOPPED, gap_reason=self._notebook.notes.gap_reason or EndReason.STOPPED)

    async def _attempt(self) -> Diagnosis:
        """One run; why it ended."""
        try:
            archive = self._indexer.archive
            await archive.prepare(self.camera)
            room = await archive.run(lambda: read_room(archive.root))
            return DISK_FULL if room.free_bytes < LEAST_TO_RECORD_BYTES else await self._run_once()
        except SourceError as error:
            return Diagnosis(EndReason(error.reason), error.message, error.hint)
        except HlscamError as error:
            return Diagnosis(EndReason.CRASHED, error.message, error.hint)
        except OSError as error:
            reason = EndReason.DISK_FULL if error.errno == errno.ENOSPC else EndReason.CRASHED
            return Diagnosis(reason, f"{error.filename or 'ffmpeg'}: {error.strerror}")
        except Exception as error:  # a bug: told, and no reason never to record again
            log.exception("camera %s: the recorder failed", self.camera)
            return Diagnosis(EndReason.CRASHED, f"hlscam failed: {type(error).__name__}", "its log says where")

    async def _fail(self, why: Diagnosis) -> None:
        """An attempt has ended: tell why, once. Until one brings a picture the state stays what it became here."""
        said = f"{why.message} ({why.hint})" if why.hint else why.message
        if said != self.status.last_error:
            log.warning("camera %s: %s", self.camera, said)
        if why.reason is EndReason.DISK_FULL:
            self._settings.on_disk_full()
        state = CameraState.STALLED if why.reason is EndReason.STALLED else CameraState.WAITING
        await self._become(state, said, gap_reason=why.reason)

    async def _run_once(self) -> Diagnosis:
        """Record until ffmpeg ends or we are stopped; why it ended."""
        plan = self._plan or await self._interruptible_probe()
        if plan is None:
            return _STOPPED
        self._plan = plan
        token = system_random.token_hex(4)
        begun = await self._indexer.begin_run(self.camera, token)
        identity = replace(begun, fragment_us=await self._fragment_us(plan, begun))
        lines: deque[str] = deque(maxlen=_LINES_KEPT)
        follower = RunFollower(
            self._indexer,
            identity,
            camera_clock=not self._times_by_arrival,
            recording_s=self._settings.recording_s,
        )
        follower.start()
        why = Diagnosis(EndReason.CRASHED, "hlscam failed")
        try:
            why = await self._record(await self._command(identity, plan), follower, lines)
        finally:
            await asyncio.shield(follower.finish(why.reason))
            if why is NOTHING_CAME and plan.audio:
                self._plan = replace(plan, audio=None)
            elif follower.fragments_seen == 0:
                self._plan = None
            self._clock_is_bad |= follower.clock_fault is not None
        return why

    async def _fragment_us(self, plan: StreamPlan, identity: RunIdentity) -> int:
        """What ffmpeg is asked for. Cameras lie about their frame rate: what was measured counts more."""
        source, stream = self._config.source, self._indexer.live.stream(self.camera)
        if isinstance(source, TestSource):
            rate = plan.frame_rate
            several = holds_several_gops(source.gop_s, identity.segment_duration_s, identity.target_duration_s)
            gop_pictures = source.gop_frames if several else None
        else:
            rate = stream.newest.media.frame_rate if stream.newest else plan.frame_rate
            gop_pictures = await measured_gop(self._indexer.archive, stream)
        return fragment_us(self._settings.part_duration_s, rate, plan.sound_s, gop_pictures)

    async def _command(self, identity: RunIdentity, plan: StreamPlan) -> list[str]:
        source, settings = self._config.source, self._settings
        if isinstance(source, TestSource):
            await asyncio.to_thread(write_fonts, settings.scratch, source)
        assert identity.fragment_us is not None
        writing = RecordingOptions(
            folder=self._indexer.archive.folder(self.camera),
            name_pattern=recording_name_pattern(identity.run),
            recording_s=settings.recording_s,
            fragment_us=identity.fragment_us,
            hybrid=settings.ffmpeg.hybrid,
            title=self._config.name,
            comment=identity.to_comment(),
        )
        return record_command(settings.ffmpeg.binary, source, self._reading(), plan, writing, settings.scratch)

    async def _record(self, argv: list[str], follower: RunFollower, lines: deque[str]) -> Diagnosis:
        """Run ffmpeg until it ends, stalls or is to stop; why it ended."""
        process = await FfmpegProcess.start(argv, on_line=lambda line: self._heard(line, lines))
        log.info("camera %s: ffmpeg %d records run %s", self.camera, process.pid, follower.run)
        watch = RunWatch(follower, self._clock, self._settings.stall_timeout_s)
        watching = asyncio.create_task(self._watch_progress(follower))
        ended = asyncio.create_task(process.wait())
        verdict = asyncio.create_task(watch.wait_verdict())
        ends = {ended, verdict, asyncio.create_task(self._stopping.wait()), asyncio.create_task(follower.wait_ended())}
        judged: Diagnosis | None = None
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            judged = verdict.result() if verdict.done() and not ended.done() else None
        finally:
            watching.cancel()
            has_stalled = judged is not None and judged.reason is EndReason.STALLED
            if judged is not None and has_stalled:
                await self._become(CameraState.STALLED, judged.message, gap_reason=judged.reason)
            exit_code = await process.stop(quit_grace_s=_HURRY_S if has_stalled else None)
            for task in ends - {ended}:
                task.cancel()
            await asyncio.gather(watching, *ends, return_exceptions=True)
        if judged is not None:
            return judged
        return _STOPPED if self._stopping.is_set() else diagnose(lines, exit_code)

    async def _watch_progress(self, follower: RunFollower) -> None:
        """The first fragment makes it `recording`, and a working camera starts its back-off anew."""
        await follower.wait_progress()
        self._backoff.reset()
        await self._become(CameraState.RECORDING, gap_reason=None)

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
        try:
            await first_of(asyncio.wait({asking}), self._stopping.wait())
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _pause(self, pause_s: float) -> None:
        log.info("camera %s: next attempt in %.1f s", self.camera, pause_s)
        await first_of(self._stopping.wait(), self._clock.sleep(pause_s))

    @property
    def _times_by_arrival(self) -> bool:
        """Whether pictures are timed by their arrival, because that was asked for or the camera's clock was bad."""
        return self._config.wallclock_timestamps or self._clock_is_bad

    def _reading(self) -> InputOptions:
        return InputOptions(
            rtsp_transport=self._config.rtsp_transport,
            wallclock_timestamps=self._times_by_arrival,
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

    async def _become(self, state: CameraState, last_error: str = "", *, gap_reason: EndReason | None) -> None:
        known = self.status
        since_wall_us = known.since_wall_us if state is known.state else self._clock.wall_us()
        if state is not known.state:
            log.info("camera %s: %s", self.camera, state)
        await self._notebook.change(status=CameraStatus(state, since_wall_us, last_error), gap_reason=gap_reason)


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
