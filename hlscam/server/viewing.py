"""One client of `/ws/{camera}`: what it wishes, where it is, and what it is sent next.

Nothing is queued. The client's place is a position in the footage (`walk.py`), and the next part is looked up when the
one before has left: a client that takes nothing costs what the network's own buffers hold, however long. Who follows
live and falls behind goes on at the newest sync sample, and is told. Who plays the past is sent it a little ahead of
real time (`domain/pacing.py`), misses nothing, and follows live from where the past has become that.

One task sends (`run`), another one hears (`hear`): wishes and answers wait for the sender, so that nothing comes
between a message and the bytes that belong to it. Of wishes the newest counts; a client that asks and does not read is
not answered for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web

from hlscam.clock import first_of
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.gaps import gap_between, gap_now
from hlscam.domain.pacing import Pacer
from hlscam.domain.part import Part
from hlscam.domain.position import PartPosition
from hlscam.domain.recording import Recording
from hlscam.errors import FileMissing, Gone, HlscamError, InvalidRequest, MediaError, NotFound
from hlscam.server import ws_messages as messages
from hlscam.server.queries import not_in_future
from hlscam.server.services import Services
from hlscam.server.walk import Walk, behind_s
from hlscam.server.ws_messages import Id, Pause, Ping, Resume, Seek, Wish

_LONGEST_LAG_S = 3.0
"""A live client that is so far behind, and not for want of a sync sample, goes on at the newest one."""
_AHEAD_AFTER_PAUSE_S = 5.0
_MOST_ANSWERS = 16


class Viewing:
    """A client's side of the conversation. `wake` is set when there may be something to send."""

    def __init__(
        self, services: Services, camera: str, socket: web.WebSocketResponse, wake: asyncio.Event, wish: Wish
    ) -> None:
        self._services = services
        self._camera = camera
        self._socket = socket
        self._wake = wake
        self._stream = services.live.stream(camera)
        self._walk = Walk(services, camera)
        self._wish: Wish | None = wish
        self._answers: deque[str] = deque(maxlen=_MOST_ANSWERS)
        self._paused = False
        self._pacer: Pacer | None = None
        self._recording: Recording | None = None
        self._row_id: Id = None
        self._begins_row = True
        self._skips = False
        self._told_state: object = None
        self._told_gap_us: int | None = None

    def hear(self, text: str) -> None:
        """Take what the client says; it is answered by `run`."""
        try:
            said = messages.read_message(text)
        except InvalidRequest as error:
            self._answers.append(messages.error(error.message))
            said = None
        if isinstance(said, Ping):
            self._answers.append(messages.pong(said.id, self._services.clock.wall_us()))
        elif isinstance(said, Pause):
            self._stand(not said.ends)
        elif said is not None:
            self._wish = said
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. Raises ConnectionError when the client is gone, and what the footage raises."""
        await self._greet()
        while True:
            self._wake.clear()
            await self._answer()
            if not await self._send_next():
                await self._rest()

    async def _greet(self) -> None:
        notes = self._services.notes_of(self._camera)
        self._told_state = _state_of(notes)
        parts = self._stream.parts
        text = messages.hello(
            self._camera,
            self._stream.newest,
            parts[-1] if parts else None,
            notes,
            server_us=self._services.clock.wall_us(),
            part_duration_s=self._services.config.hls.part_duration_s,
        )
        await self._socket.send_str(text)

    async def _answer(self) -> None:
        """What the client has asked for, and what became of the camera."""
        while self._answers:
            await self._socket.send_str(self._answers.popleft())
        wish, self._wish = self._wish, None
        if wish is not None:
            await self._grant(wish)
        notes = self._services.notes_of(self._camera)
        if _state_of(notes) != self._told_state:
            self._told_state = _state_of(notes)
            await self._socket.send_str(messages.state(notes))

    async def _grant(self, wish: Wish) -> None:
        try:
            await self._go(wish)
        except (InvalidRequest, NotFound, Gone, FileMissing, MediaError) as error:
            await self._socket.send_str(messages.error(error.message, wish.id))
            return
        self._row_id, self._begins_row = wish.id, True
        self._told_gap_us = None
        is_live = isinstance(wish, Seek) and wish.wall_us is None
        self._pacer = None if is_live else Pacer(wish.ahead_s, mono_s=self._services.clock.mono_s())

    async def _go(self, wish: Wish) -> None:
        if isinstance(wish, Resume):
            self._walk.go_behind(wish.after)
            self._recording = await self._recording_at(wish.after)
            return
        if wish.wall_us is None:
            self._walk.go_live()
        else:
            await self._walk.go_to(not_in_future(wish.wall_us, self._services.latest_wall_us(self._camera)))
        self._recording = None

    def _stand(self, paused: bool) -> None:
        """After a pause live is the past."""
        if paused == self._paused:
            return
        now_s = self._services.clock.mono_s()
        self._pacer = self._pacer or Pacer(_AHEAD_AFTER_PAUSE_S, mono_s=now_s)
        self._pacer.wait_s(now_s) if paused else self._pacer.stand(now_s)
        self._paused = paused

    async def _send_next(self) -> bool:
        """Send one part, if there is one, the client wants it, and it is time."""
        if self._paused or self._wait_s():
            return False
        part = await self._walk.next()
        if part is None:
            self._pacer = None  # what comes now is live
            await self._tell_lasting_gap()
            return False
        part = self._newer_for_live(part) or part
        try:
            recording = await self._recording_of(part)
            if recording is None:
                return False
            data = await self._services.footage.part(self._camera, part, media_only=True)
        except (Gone, NotFound, FileMissing):
            self._walk.after = part.position  # retention, or somebody, was faster: on to what there is
            return True
        await self._send(part, recording, data)
        return True

    async def _send(self, part: Part, recording: Recording, data: bytes) -> None:
        if self._skips:
            self._skips = False
            await self._socket.send_str(messages.skipped(self._walk.after, part.position))
        await self._enter(part, recording)
        await self._socket.send_str(messages.fragment(part))
        await self._socket.send_bytes(data)
        self._walk.after = part.position
        if self._pacer is not None:
            self._pacer.sent(part.duration_ticks / part.timescale, self._services.clock.mono_s())

    def _wait_s(self) -> float:
        return self._pacer.wait_s(self._services.clock.mono_s()) if self._pacer else 0.0

    def _newer_for_live(self, part: Part) -> Part | None:
        """The sync sample to go on with when `part` is due: a client that follows live has no use for the past."""
        self._skips = False
        if self._pacer is not None or not self._stream.parts:
            return None
        if behind_s(part, self._stream.parts[-1]) <= _LONGEST_LAG_S:
            return None
        edge = self._walk.newest_independent_after(part)
        self._skips = edge is not None
        return edge

    async def _enter(self, part: Part, recording: Recording) -> None:
        """Tell of a new row of fragments, and of the hole before it, where one begins."""
        before = self._recording
        if before is not None and before.name != recording.name:
            await self._tell_gap(before, recording)
        if self._begins_row or before is None or _is_border(before, recording):
            data = await self._services.footage.init_section(part.init_hash)
            await self._socket.send_str(messages.init(recording, self._row_id))
            await self._socket.send_bytes(data)
        self._recording, self._row_id, self._begins_row = recording, None, False

    async def _tell_gap(self, before: Recording, after: Recording) -> None:
        """`before` may have grown since it was looked at."""
        try:
            before = await self._services.footage.recording(self._camera, before.name)
        except HlscamError:
            return  # removed meanwhile: how long the hole is, nobody knows
        gap = gap_between(before, after)
        if gap is not None:
            await self._socket.send_str(messages.gap(gap))
        self._told_gap_us = None

    async def _tell_lasting_gap(self) -> None:
        gap = gap_now(self._stream.newest, self._services.notes_of(self._camera))
        if gap is not None and gap.start_wall_us != self._told_gap_us:
            self._told_gap_us = gap.start_wall_us
            await self._socket.send_str(messages.gap(gap))

    async def _recording_of(self, part: Part) -> Recording | None:
        """The recording that a part is in. What has no whole segment yet is told by the recording before it, where it
        goes on with that one's row; else nothing is known of it until then, and None.
        """
        if self._recording is not None and self._recording.name == part.name:
            return self._recording
        listed = next((each for each in self._stream.recordings if each.name == part.name), None)
        begun = next((each for each in self._stream.parts if each.name == part.name), None)
        if listed is not None or begun is None:
            return listed or await self._services.footage.recording(self._camera, part.name)
        before = self._stream.newest
        runs_on = before is not None and before.init_hash == begun.init_hash and not begun.opens_run
        return before if runs_on else None

    async def _recording_at(self, position: PartPosition) -> Recording | None:
        """The recording that a position is in, if that is still there."""
        try:
            for each in self._stream.parts:
                if each.media_sequence == position.media_sequence:
                    return await self._recording_of(each)
            return (await self._services.footage.locate(self._camera, position.media_sequence))[0]
        except (Gone, NotFound):
            return None

    async def _rest(self) -> None:
        """Until something happens, or more of the past is to be sent."""
        wait_s = 0.0 if self._paused else self._wait_s()
        if wait_s:
            await first_of(self._wake.wait(), self._services.clock.sleep(wait_s))
        else:
            await self._wake.wait()


def _state_of(notes: CameraNotes | None) -> object:
    return notes and notes.status


def _is_border(before: Recording, after: Recording) -> bool:
    """Whether media time or the kind of media changes between two recordings."""
    return before.discontinuity_sequence != after.discontinuity_sequence or before.init_hash != after.init_hash
