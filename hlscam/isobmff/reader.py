"""Reads a recording while it grows, or after it was closed, without any input or output of its own.

The caller owns the file. It gives the bytes from `reader.offset` on, as many as it likes, together with how long the
file is now, and gets the events that they complete:

    reader = RecordingReader()
    while reader.offset < file_bytes:
        for event in reader.feed(pread(fd, 65536, reader.offset), file_bytes):
            ...

Media payload is never asked for: behind an mdat's header, `offset` jumps to its end. Held in memory is at most one
box, and that only when its bytes are needed (`ftyp`, `moov`, `moof`, `prft`, our own `uuid`).

A growing recording is `ftyp free free moov (prft moof mdat)*`. To close it, ffmpeg, or hlscam, appends a final moov and
writes one mdat header over the second `free`; the fragments stay where they were. So in a closed recording that first
mdat is *entered*: what it holds is the growing form, and both forms give the same events. A file that turns from one
to the other under the reader is no event at all, since the reader is past the header by then. An mdat that does not
begin with `ftyp` is that of an ordinary MP4 file, and is skipped.

Nothing of a torn tail is told: a fragment is an event once the file reaches its end, not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import FILE_END, BoxHeader, is_open_ended, read_header
from hlscam.isobmff.fragment import Fragment, parse_fragment, parse_prft
from hlscam.isobmff.init_section import InitSection, parse_init_section
from hlscam.isobmff.recording_box import RECORDING_BOX_UUID, JsonValue, decode_recording_box

LARGEST_HELD_BOX_BYTES: Final = 64 * 1024 * 1024
"""A moov, moof or other box that must be read whole and is larger than this is refused."""

_USERTYPE_BYTES = 16
_FEED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FinalMovie:
    """The closing moov, whole: the recording's media is complete, and any player opens the file."""

    offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class RecordingBox:
    """The recording's own `uuid` box, whole. `body` is all behind its size and type."""

    offset: int
    size_bytes: int
    body: bytes

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes

    def decode(self) -> tuple[dict[str, JsonValue], bytes]:
        """(facts, table). Raises MediaError when the box is damaged."""
        return decode_recording_box(self.body, offset=self.offset)


Event: TypeAlias = InitSection | Fragment | FinalMovie | RecordingBox


class RecordingReader:
    """Turns a recording's bytes into events; see the module for how to feed it."""

    def __init__(self) -> None:
        self._at = 0  # offset of the box to read next
        self._held = bytearray()  # the file's bytes from there on, as far as given
        self._need = 0  # how many of them the next step takes
        self._parent_end = FILE_END
        self._ftyp = b""
        self._lead: int | None = None  # where the fragment's styp or prft began
        self._prft_wall_us: int | None = None
        self._moof: tuple[int, bytes] | None = None
        self._pending: Fragment | FinalMovie | None = None
        self._expected_ticks: int | None = None
        self._init: InitSection | None = None
        self._whole_end = 0
        self._closed = False
        self._refusal: MediaError | None = None

    @property
    def offset(self) -> int:
        """The offset in the file from which the next bytes must come. It may lie past the file's present end."""
        return self._at + len(self._held)

    @property
    def whole_end(self) -> int:
        """The end of the last whole fragment, or of the first moov, or 0: from here on a tail may be torn."""
        return self._whole_end

    @property
    def init(self) -> InitSection | None:
        """The init section, once it was met."""
        return self._init

    @property
    def closed(self) -> bool:
        """Whether the final moov is whole. ffmpeg rewrites the head *after* it: wait for its close all the same."""
        return self._closed

    @property
    def refusal(self) -> MediaError | None:
        """Why reading stopped for good, if it did."""
        return self._refusal

    def feed(self, data: bytes, file_bytes: int) -> list[Event]:
        """The events that `data`, the file's bytes from `offset` on, and the file's length `file_bytes` complete.

        `data` may be empty: a longer file alone can complete a fragment. Raises MediaError at the first box that
        cannot be read. When the same call had events to give, it gives those, and the next call raises; every call
        after raises again, and `offset` rests at the refused box.
        """
        if self._refusal is not None:
            raise self._refusal
        events: list[Event] = []
        # Bytes in hand prove a length, but `offset` alone does not: it may have jumped past the file's end.
        known_bytes = max(file_bytes, self.offset + len(data)) if data else file_bytes
        try:
            self._complete(known_bytes, events)
            self._consume(data, known_bytes, events)
        except MediaError as refusal:
            self._refusal = refusal
            self._held = bytearray()
            self._at = refusal.offset
            if not events:
                raise
        return events

    def _consume(self, data: bytes, known_bytes: int, events: list[Event]) -> None:
        if len(self._held) + len(data) < self._need:
            self._held += data  # grows in place, so a large box fed in small pieces costs its size and no more
            return
        window = bytes(self._held + data) if self._held else data
        base = self._at
        self._need = 0
        while self._at - base < len(window):
            self._need = self._step(window, self._at - base, base, events)
            if self._need:
                break
            self._complete(known_bytes, events)
        self._held = bytearray(window[self._at - base :])

    def _complete(self, known_bytes: int, events: list[Event]) -> None:
        """Tell what waited for the file to reach its end."""
        pending = self._pending
        if pending is None or pending.end > known_bytes:
            return
        self._pending = None
        if isinstance(pending, Fragment):
            self._whole_end = pending.end
        else:
            self._closed = True
        events.append(pending)

    def _step(self, window: bytes, index: int, base: int, events: list[Event]) -> int:
        """Handle the box at `index` and return 0, or return how many bytes from there it takes to do so."""
        if self._at >= self._parent_end:
            self._parent_end = FILE_END
        header = read_header(window, index, base=base, limit=self._parent_end)
        if header is None:
            return 16 if len(window) - index >= 8 else 8
        self._check(header, window, index)
        wanted_bytes = self._wanted_bytes(header, window, index)
        if len(window) - index < wanted_bytes:
            return wanted_bytes
        self._handle(header, window[index : index + wanted_bytes], events)
        return 0

    def _check(self, header: BoxHeader, window: bytes, index: int) -> None:
        """Refuse what only looks like a box: zeros after a power cut, or the middle of a payload."""
        if not all(" " <= letter <= "~" or letter == "©" for letter in header.type):
            raise MediaError("this is not a box, the file is damaged here", box_type=header.type, offset=header.offset)
        if self._parent_end != FILE_END and is_open_ended(window, index):
            raise MediaError("size 0 is only allowed at the end of a file", box_type=header.type, offset=header.offset)

    def _wanted_bytes(self, header: BoxHeader, window: bytes, index: int) -> int:
        """How many of a box's bytes its handling looks at."""
        kind = header.type
        whole = kind in ("moof", "prft") or (kind in ("ftyp", "moov") and self._init is None)
        if kind == "uuid":
            usertype_end = min(header.header_bytes + _USERTYPE_BYTES, header.size_bytes)
            usertype = window[index + header.header_bytes : index + usertype_end]
            whole = usertype == RECORDING_BOX_UUID.bytes
            if not whole:
                return usertype_end
        if whole:
            if header.size_bytes > LARGEST_HELD_BOX_BYTES:
                raise MediaError(
                    f"{header.size_bytes} bytes are too many for this box", box_type=kind, offset=header.offset
                )
            return header.size_bytes
        if kind == "mdat" and self._init is None:
            return min(header.header_bytes + 8, header.size_bytes)
        return header.header_bytes

    def _handle(self, header: BoxHeader, raw: bytes, events: list[Event]) -> None:
        """Take in one box, of which `raw` is what `_wanted_bytes` asked for, and move to the next."""
        self._at = header.end
        if header.type == "moof":
            self._on_moof(header, raw)
        elif header.type == "mdat":
            self._on_mdat(header, raw)
        elif header.type == "prft":
            self._lead = header.offset if self._lead is None else self._lead
            self._prft_wall_us = parse_prft(raw, header.offset)
        elif header.type == "styp":
            self._lead = header.offset if self._lead is None else self._lead
        elif header.type == "moov":
            self._on_moov(header, raw, events)
        elif header.type == "ftyp" and self._init is None:
            self._ftyp = raw
        elif header.type == "uuid" and raw[header.header_bytes :].startswith(RECORDING_BOX_UUID.bytes):
            events.append(RecordingBox(header.offset, header.size_bytes, raw[header.header_bytes :]))

    def _on_moov(self, header: BoxHeader, raw: bytes, events: list[Event]) -> None:
        if self._init is not None:
            self._pending = FinalMovie(header.offset, header.size_bytes)
            return
        self._init = parse_init_section(self._ftyp, raw, header.offset)
        self._whole_end = header.end
        events.append(self._init)

    def _on_moof(self, header: BoxHeader, raw: bytes) -> None:
        if self._init is None:
            raise MediaError("a fragment comes before the moov", box_type="moof", offset=header.offset)
        if self._moof is not None:
            raise MediaError("the fragment before has no mdat", box_type="moof", offset=header.offset)
        self._moof = (header.offset, raw)

    def _on_mdat(self, header: BoxHeader, raw: bytes) -> None:
        if self._moof is None or self._init is None:
            enters = self._init is None and self._parent_end == FILE_END and raw[header.header_bytes + 4 :] == b"ftyp"
            if enters:
                self._at = header.body
                self._parent_end = header.end
            self._lead = self._prft_wall_us = None
            return
        moof_offset, moof = self._moof
        fragment = parse_fragment(
            moof,
            moof_offset,
            self._init,
            start=self._lead,
            end=header.end,
            prft_wall_us=self._prft_wall_us,
            expected_decode_ticks=self._expected_ticks,
        )
        self._expected_ticks = fragment.end_decode_ticks
        self._pending = fragment
        self._moof = self._lead = self._prft_wall_us = None


def read_events(data: bytes) -> Iterator[Event]:
    """The events of a whole recording in memory, in file order. Raises MediaError after those before the damage."""
    reader = RecordingReader()
    while reader.offset < len(data):
        yield from reader.feed(data[reader.offset : reader.offset + _FEED_BYTES], len(data))
