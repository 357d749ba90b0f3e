"""The final `moov` of a recording, made from its first `moov` and its fragments' `moof` boxes.

It is what ffmpeg appends when it closes a hybrid MP4, so that a recording whose ffmpeg was killed opens like any
other: the tracks of the first `moov` with durations and full sample tables (`sample_table`), in which each run of a
fragment (`trun`) is a chunk at the place where it lies; no `mvex`; all else as it was. A track without a sample goes.

In two things it does not do as ffmpeg 9.0 does (**measured**), because fragments carry the decode times of their run:

- ffmpeg counts durations from the run's start, and VLC shows nine hours for ten minutes. Here they are the recording's.
- ffmpeg begins every track at 0, and sound that began three seconds before the first picture comes three seconds late.
  Here a track that begins later than another has an edit list with an empty edit in front (8.6.6): tracks are in step,
  and the file begins at 0.

Clauses are of ISO/IEC 14496-12. What the boxes say is held against the fragment they lie in, and refused with
`MediaError` where it cannot be.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import BodyReader, BoxHeader, child_boxes, find_boxes, make_box, make_full_box, read_header
from hlscam.isobmff.init_section import Movie, read_timescale, read_track_header
from hlscam.isobmff.sample_table import MOST_SAMPLES, SampleRun, SampleTable

_TABLES = frozenset({"stts", "ctts", "cslg", "stss", "stsh", "sdtp", "sbgp", "stsc", "stsz", "stz2", "stco", "co64"})
"""What a `stbl` says of samples, one way or another (ISO/IEC 14496-12 8.6, 8.7, 8.9)."""

_ALL_BITS_32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class WholeFragment:
    """A fragment that is whole: its `moof`, where in the file that begins, and where the fragment ends."""

    moof: bytes
    moof_offset: int
    end: int


def final_movie(moov: bytes, moov_offset: int, fragments: Iterable[WholeFragment]) -> bytes:
    """The final `moov` of a recording that has this `moov` at `moov_offset`, and all of these fragments.

    Raises MediaError, naming box and offset, for boxes that cannot be right or that say what a `moov` cannot.
    """
    movie = Movie.of(moov, moov_offset)
    tracks = _tracks(movie)
    by_id = {track.track_id: track for track in tracks}
    if len(by_id) != len(tracks):
        raise MediaError("two tracks have one number", box_type="moov", offset=moov_offset)
    for fragment in fragments:
        _add_fragment(by_id, fragment)
    filled = {track.trak.offset: track for track in tracks if track.table.count}
    if not filled:
        raise MediaError("the recording has no sample", box_type="moov", offset=moov_offset)
    return _written(movie, filled)


class _Defaults(NamedTuple):
    """What holds for samples of which a fragment does not say more (`trex` and `tfhd`, 8.8.3 and 8.8.7)."""

    description_index: int
    duration_ticks: int
    size_bytes: int
    flags: int


@dataclass(frozen=True, slots=True)
class _Track:
    trak: BoxHeader
    track_id: int
    timescale: int
    defaults: _Defaults
    table: SampleTable = field(default_factory=SampleTable)

    @property
    def first_shown_s(self) -> Fraction:
        return Fraction(self.table.first_shown_ticks, self.timescale)

    @property
    def duration_s(self) -> Fraction:
        return Fraction(self.table.duration_ticks, self.timescale)


def _tracks(movie: Movie) -> list[_Track]:
    defaults = {}
    for box in find_boxes(movie.data, "mvex/trex", movie.start, movie.end, base=movie.base):
        track_id, *values = struct.unpack(">5I", movie.body(box).take(24)[4:])
        defaults[track_id] = _Defaults(*values)
    tracks = []
    for trak in movie.children():
        if trak.type == "trak":
            track_id, _, _ = read_track_header(movie, movie.need("tkhd", trak))
            timescale = read_timescale(movie, movie.need("mdia", trak))
            tracks.append(_Track(trak, track_id, timescale, defaults.get(track_id, _Defaults(1, 0, 0, 0))))
    return tracks


def _add_fragment(tracks: dict[int, _Track], fragment: WholeFragment) -> None:
    """Add all samples of a `moof` (8.8.4)."""
    moof, base = fragment.moof, fragment.moof_offset
    header = read_header(moof, 0, base=base, limit=base + len(moof))
    if header is None or header.type != "moof" or header.size_bytes != len(moof):
        raise MediaError("these bytes are not a moof", box_type="moof", offset=base)
    data_offset = base
    for box in child_boxes(moof, header.header_bytes, len(moof), base=base):
        if box.type == "traf":
            data_offset = _add_track_fragment(tracks, fragment, box, data_offset)


def _add_track_fragment(tracks: dict[int, _Track], fragment: WholeFragment, traf: BoxHeader, data_offset: int) -> int:
    """Add the samples of one `traf` (8.8.6). `data_offset` is where the data of the one before ends, and so is ours."""
    adding = _Adding(tracks, fragment, data_offset)
    base = fragment.moof_offset
    for box in child_boxes(fragment.moof, traf.body - base, traf.end - base, base=base):
        try:
            adding.take(box)
        except ValueError as refusal:
            raise MediaError(str(refusal), box_type=box.type, offset=box.offset) from None
    return adding.data_offset


class _Adding:
    """The boxes of one `traf`, one after the other; ValueError says what is wrong with one."""

    def __init__(self, tracks: dict[int, _Track], fragment: WholeFragment, data_offset: int) -> None:
        self.data_offset = data_offset
        self._run_base = data_offset  # what a `trun` counts its offset from
        self._tracks = tracks
        self._fragment = fragment
        self._table: SampleTable | None = None
        self._defaults = _Defaults(1, 0, 0, 0)

    def take(self, box: BoxHeader) -> None:
        """The next box."""
        body = BodyReader(self._fragment.moof, box, base=self._fragment.moof_offset)
        if box.type == "tfhd":
            self._on_header(body)
        elif box.type in ("tfdt", "trun") and self._table is None:
            raise ValueError("it comes before the tfhd")
        elif box.type == "tfdt":
            version, _ = body.full_box()
            # Unsigned (8.8.12); but where an encoder's priming begins before 0, ffmpeg writes just that.
            self._samples.begin(int.from_bytes(body.take(8), "big", signed=True) if version == 1 else body.unsigned(4))
        elif box.type == "trun":
            self._on_run(_track_run(body, self._defaults, self._run_base, self.data_offset))

    @property
    def _samples(self) -> SampleTable:
        assert self._table is not None
        return self._table

    def _on_header(self, body: BodyReader) -> None:
        """`tfhd` (8.8.7): which track, what holds for its samples, and where its data begins."""
        _, flags = body.full_box()
        track_id = body.unsigned(4)
        track = self._tracks.get(track_id)
        if track is None:
            raise ValueError(f"there is no track {track_id}")
        if flags & 0x01:
            self.data_offset = body.unsigned(8)
        elif flags & 0x020000:  # default-base-is-moof
            self.data_offset = self._fragment.moof_offset
        self._run_base = self.data_offset
        self._table = track.table
        fields = zip((0x02, 0x08, 0x10, 0x20), track.defaults, strict=True)
        self._defaults = _Defaults(*[body.unsigned(4) if flags & bit else usual for bit, usual in fields])

    def _on_run(self, run: SampleRun) -> None:
        moof_end = self._fragment.moof_offset + len(self._fragment.moof)
        self.data_offset = run.offset + run.size_bytes
        if run.count and not moof_end <= run.offset <= self.data_offset <= self._fragment.end:
            raise ValueError("its samples lie outside of the fragment")
        self._samples.add(run)


def _track_run(body: BodyReader, defaults: _Defaults, run_base: int, data_offset: int) -> SampleRun:
    """A `trun` (8.8.8); its data is at `data_offset` unless it says how far from `run_base`."""
    _, flags = body.full_box()
    count = body.unsigned(4)
    if count > MOST_SAMPLES:
        raise ValueError(f"{count} samples are more than a fragment can have")
    if flags & 0x01:
        data_offset = run_base + int.from_bytes(body.take(4), "big", signed=True)
    first_flags = body.unsigned(4) if flags & 0x04 else None
    width = (flags >> 8 & 0xF).bit_count()
    rows = array("I", body.take(4 * width * count))
    if sys.byteorder == "little":
        rows.byteswap()
    columns = iter(range(width))

    def column(bit: int, value: int) -> int | array[int]:
        return rows[next(columns) :: width] if flags & bit else value

    durations = column(0x100, defaults.duration_ticks)
    sizes = column(0x200, defaults.size_bytes)
    sample_flags = column(0x400, defaults.flags)
    # Signed in version 1. Version 0 is unsigned, but no offset needs its top bit, and some writers mean a sign.
    composition = array("i", rows[next(columns) :: width].tobytes()) if flags & 0x800 else None
    return SampleRun(
        data_offset, count, defaults.description_index, durations, sizes, sample_flags, first_flags, composition
    )


def _written(movie: Movie, tracks: dict[int, _Track]) -> bytes:
    """The whole box, of the tracks by their `trak`'s offset."""
    mvhd = next((box for box in movie.children() if box.type == "mvhd"), None)
    if mvhd is None:
        raise MediaError("there is no mvhd in it", box_type="moov", offset=movie.base)
    timescale = _movie_timescale(movie, mvhd)
    start_s = min(track.first_shown_s for track in tracks.values())
    parts, longest = [], 0
    for box in movie.children():
        if box.type == "trak" and box.offset in tracks:
            track = tracks[box.offset]
            delay = round((track.first_shown_s - start_s) * timescale)
            # Rounded up, since ffmpeg's reader drops what lies behind an edit's end.
            length = ceil(track.duration_s * timescale)
            longest = max(longest, delay + length)
            parts.append(_written_track(movie, track, delay, length))
        elif box.type not in ("trak", "mvex", "mvhd"):
            parts.append(movie.raw(box))
    return make_box(b"moov", _with_duration(movie, mvhd, longest), *parts)


def _written_track(movie: Movie, track: _Track, delay: int, length: int) -> bytes:
    """A `trak`; `delay` and `length` are in the movie's timescale."""
    trak, table = track.trak, track.table
    if movie.find("edts", trak) is not None:
        raise MediaError("a recording's first moov has no edit list", box_type="trak", offset=trak.offset)
    media = movie.need("mdia", trak)
    tables = movie.need("minf/stbl", media)
    kept = [movie.raw(box) for box in movie.children(tables) if box.type not in _TABLES]
    try:
        stbl = make_box(b"stbl", *kept, *table.boxes())
    except ValueError as refusal:
        raise MediaError(str(refusal), box_type="trak", offset=trak.offset) from None
    edits = {
        "tkhd": _with_duration(movie, movie.need("tkhd", trak), delay + length) + _edit_list(delay, length),
        "mdia/mdhd": _with_duration(movie, movie.need("mdhd", media), table.duration_ticks),
        "mdia/minf/stbl": stbl,
    }
    return _edited(movie, trak, edits)


def _edited(movie: Movie, container: BoxHeader, edits: dict[str, bytes]) -> bytes:
    """A container in which the boxes at some paths are replaced."""
    parts = []
    for child in movie.children(container):
        step = f"{child.type}/"
        inside = {path.removeprefix(step): new for path, new in edits.items() if path.startswith(step)}
        if child.type in edits:
            parts.append(edits[child.type])
        elif inside:
            parts.append(_edited(movie, child, inside))
        else:
            parts.append(movie.raw(child))
    return make_box(container.type.encode("latin-1"), *parts)


def _edit_list(delay: int, length: int) -> bytes:
    """An `edts` (8.6.5) that begins a track `delay` later; nothing for a track that needs none."""
    if not delay:
        return b""
    empty, media = struct.pack(">IiI", delay, -1, 0x10000), struct.pack(">IiI", length, 0, 0x10000)
    return make_box(b"edts", make_full_box(b"elst", 0, struct.pack(">I", 2), empty, media))


def _movie_timescale(movie: Movie, mvhd: BoxHeader) -> int:
    body = movie.body(mvhd)
    version, _ = body.full_box()
    body.take(16 if version == 1 else 8)
    timescale = body.unsigned(4)
    if timescale == 0:
        raise MediaError("a timescale of 0 measures nothing", box_type=mvhd.type, offset=mvhd.offset)
    return timescale


def _with_duration(movie: Movie, box: BoxHeader, duration: int) -> bytes:
    """A `mvhd`, `tkhd` or `mdhd` (8.2.2, 8.3.2, 8.4.2) that says this duration."""
    body = movie.body(box)
    version, _ = body.full_box()
    body.take((16 if version == 1 else 8) + (8 if box.type == "tkhd" else 4))
    at = body.at - (box.offset - movie.base)
    width = len(body.take(8 if version == 1 else 4))
    if duration >= _ALL_BITS_32:
        raise MediaError("the recording is too long for it", box_type=box.type, offset=box.offset)
    raw = movie.raw(box)
    return raw[:at] + duration.to_bytes(width, "big") + raw[at + width :]
