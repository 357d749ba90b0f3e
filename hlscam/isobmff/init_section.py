"""Init sections: `ftyp` and `moov`, what a decoder needs before the first fragment (RFC 8216bis 3.1.2).

An init section is served under a name made of its content, and players fetch it again when the name changes. So what
does not concern the media must not change its bytes. `parse_init_section` therefore *normalises*: `udta` goes (it
names the run that wrote the file; its title and comment are kept as attributes), and the movie timescale, which
ffmpeg derives anew for every file (unless told `movie_timescale`), becomes 1000 where no duration is counted in it.
Two recordings with equal media parameters then give equal bytes and an equal hash.

Of several video or audio tracks the first of each counts.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import BodyReader, BoxHeader, child_boxes, find_box, find_boxes, read_header
from hlscam.isobmff.codecs import parse_audio_entry, parse_video_entry

_MOVIE_TIMESCALE = 1000
_COMMENT, _TITLE = "©cmt", "©nam"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The video track: ticks are of `timescale` a second, the size is in pixels, `codec` is its RFC 6381 string.

    The defaults are `trex`'s, for samples of which a fragment does not say more (ISO/IEC 14496-12 8.8.3).
    """

    track_id: int
    timescale: int
    codec: str
    width: int
    height: int
    default_duration_ticks: int = 0
    default_size_bytes: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """The audio track; rate and channels are those after decoding."""

    track_id: int
    timescale: int
    codec: str
    sample_rate_hz: int
    channels: int
    default_duration_ticks: int = 0
    default_size_bytes: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True)
class InitSection:
    """What to serve in front of fragments (`data`), its name (`hash`), and what it says.

    `data` is normalised (see the module); `hash` is the first 16 hex digits of its SHA-256. `comment` and `title` are
    what the file's `udta` held, empty when it held none: `comment` tells which run an unfinished recording is of.
    """

    data: bytes
    hash: str
    video: VideoTrack
    audio: AudioTrack | None
    comment: str
    title: str


@dataclass(frozen=True, slots=True)
class Movie:
    """The moov at hand: its bytes, its offset in the file and where its children lie."""

    data: bytes
    base: int
    start: int
    end: int

    @classmethod
    def of(cls, moov: bytes, moov_offset: int) -> Movie:
        """The whole box `moov`. Raises MediaError when it is none."""
        header = read_header(moov, 0, base=moov_offset, limit=moov_offset + len(moov))
        if header is None or header.type != "moov":
            raise MediaError("these bytes are not a moov", box_type="moov", offset=moov_offset)
        return cls(moov, moov_offset, header.header_bytes, header.size_bytes)

    def find(self, path: str, inside: BoxHeader | None = None) -> BoxHeader | None:
        start, end = self._range(inside)
        return find_box(self.data, path, start, end, base=self.base)

    def need(self, path: str, inside: BoxHeader) -> BoxHeader:
        found = self.find(path, inside)
        if found is None:
            raise MediaError(f"there is no {path} in it", box_type=inside.type, offset=inside.offset)
        return found

    def body(self, box: BoxHeader) -> BodyReader:
        return BodyReader(self.data, box, base=self.base)

    def raw(self, box: BoxHeader) -> bytes:
        return self.data[box.offset - self.base : box.end - self.base]

    def children(self, inside: BoxHeader | None = None) -> list[BoxHeader]:
        start, end = self._range(inside)
        return list(child_boxes(self.data, start, end, base=self.base))

    def _range(self, inside: BoxHeader | None) -> tuple[int, int]:
        return (self.start, self.end) if inside is None else (inside.body - self.base, inside.end - self.base)


def parse_init_section(ftyp: bytes, moov: bytes, moov_offset: int) -> InitSection:
    """The init section that a whole `ftyp` (may be empty) and a whole `moov` make.

    `moov_offset` is the moov's place in the file, for errors. Works for a moov of any MP4 file, fragmented or not.
    Raises MediaError when a box is damaged or there is no video track.
    """
    movie = Movie.of(moov, moov_offset)
    video, audio = _tracks(movie)
    if video is None:
        raise MediaError("the file has no video track", box_type="moov", offset=moov_offset)
    data = ftyp + _normalised(movie)
    comment, title = _labels(movie)
    return InitSection(data, hashlib.sha256(data).hexdigest()[:16], video, audio, comment, title)


def read_init_section(data: bytes) -> InitSection:
    """An init section as it is served. Raises MediaError."""
    moov = find_box(data, "moov", 0, len(data))
    if moov is None:
        raise MediaError("there is no moov", box_type="moov", offset=len(data))
    return parse_init_section(data[: moov.offset], data[moov.offset : moov.end], moov.offset)


def _tracks(movie: Movie) -> tuple[VideoTrack | None, AudioTrack | None]:
    video: VideoTrack | None = None
    audio: AudioTrack | None = None
    defaults = _track_defaults(movie)
    for trak in movie.children():
        if trak.type != "trak":
            continue
        media = movie.need("mdia", trak)
        handler = movie.body(movie.need("hdlr", media)).take(12)[8:]
        if handler == b"vide" and video is None:
            video = _video_track(movie, trak, media, defaults)
        elif handler == b"soun" and audio is None:
            audio = _audio_track(movie, trak, media, defaults)
    return video, audio


def _track_defaults(movie: Movie) -> dict[int, tuple[int, int, int]]:
    """Default duration, size and flags by track (`trex`, ISO/IEC 14496-12 8.8.3)."""
    defaults = {}
    for box in find_boxes(movie.data, "mvex/trex", movie.start, movie.end, base=movie.base):
        track_id, _, *values = struct.unpack(">5I", movie.body(box).take(24)[4:])
        defaults[track_id] = (values[0], values[1], values[2])
    return defaults


def _video_track(
    movie: Movie, trak: BoxHeader, media: BoxHeader, defaults: dict[int, tuple[int, int, int]]
) -> VideoTrack:
    track_id, display_width, display_height = read_track_header(movie, movie.need("tkhd", trak))
    entry = parse_video_entry(movie.data, _sample_entry(movie, media), base=movie.base)
    duration_ticks, size_bytes, flags = defaults.get(track_id, (0, 0, 0))
    return VideoTrack(
        track_id=track_id,
        timescale=read_timescale(movie, media),
        codec=entry.codec,
        width=entry.width or display_width,
        height=entry.height or display_height,
        default_duration_ticks=duration_ticks,
        default_size_bytes=size_bytes,
        default_flags=flags,
    )


def _audio_track(
    movie: Movie, trak: BoxHeader, media: BoxHeader, defaults: dict[int, tuple[int, int, int]]
) -> AudioTrack:
    track_id, _, _ = read_track_header(movie, movie.need("tkhd", trak))
    timescale = read_timescale(movie, media)
    entry = parse_audio_entry(movie.data, _sample_entry(movie, media), base=movie.base)
    duration_ticks, size_bytes, flags = defaults.get(track_id, (0, 0, 0))
    return AudioTrack(
        track_id=track_id,
        timescale=timescale,
        codec=entry.codec,
        sample_rate_hz=entry.sample_rate_hz or timescale,
        channels=entry.channels,
        default_duration_ticks=duration_ticks,
        default_size_bytes=size_bytes,
        default_flags=flags,
    )


def read_track_header(movie: Movie, box: BoxHeader) -> tuple[int, int, int]:
    """track_ID, and width and height as displayed, in whole pixels (tkhd, ISO/IEC 14496-12 8.3.2)."""
    body = movie.body(box)
    version, _ = body.full_box()
    body.take(16 if version == 1 else 8)
    track_id = body.unsigned(4)
    body.take(4 + (8 if version == 1 else 4) + 52)
    return track_id, body.unsigned(4) >> 16, body.unsigned(4) >> 16


def read_timescale(movie: Movie, media: BoxHeader) -> int:
    """Ticks a second (mdhd, ISO/IEC 14496-12 8.4.2); 0 would make every time a division by zero."""
    box = movie.need("mdhd", media)
    body = movie.body(box)
    version, _ = body.full_box()
    body.take(16 if version == 1 else 8)
    timescale = body.unsigned(4)
    if timescale == 0:
        raise MediaError("a timescale of 0 measures nothing", box_type=box.type, offset=box.offset)
    return timescale


def _sample_entry(movie: Movie, media: BoxHeader) -> BoxHeader:
    """The first sample entry (stsd, ISO/IEC 14496-12 8.5.2)."""
    box = movie.need("minf/stbl/stsd", media)
    fields = movie.body(box)
    fields.take(8)
    entry = next(child_boxes(movie.data, fields.at, fields.end, base=movie.base), None)
    if entry is None:
        raise MediaError("it describes no sample", box_type=box.type, offset=box.offset)
    return entry


def _normalised(movie: Movie) -> bytes:
    children = [box for box in movie.children() if box.type != "udta"]
    timeless = not any(movie.find(path) for path in ("mvex/mehd", "trak/edts"))
    parts = [_untimed(movie.raw(box)) if timeless and box.type == "mvhd" else movie.raw(box) for box in children]
    size_bytes = 8 + sum(map(len, parts))
    return struct.pack(">I4s", size_bytes, b"moov") + b"".join(parts)


def _untimed(mvhd: bytes) -> bytes:
    """An mvhd whose timescale is 1000, unless it counts a duration (ISO/IEC 14496-12 8.2.2)."""
    wide = mvhd[8:9] == b"\1"
    timescale_at = 28 if wide else 20
    duration = mvhd[timescale_at + 4 : timescale_at + (12 if wide else 8)]
    if any(duration) or len(mvhd) < timescale_at + 8:
        return mvhd
    return mvhd[:timescale_at] + _MOVIE_TIMESCALE.to_bytes(4, "big") + mvhd[timescale_at + 4 :]


def _labels(movie: Movie) -> tuple[str, str]:
    """Comment and title of `udta/meta/ilst`, as iTunes and ffmpeg write them.

    Other writers put other things into `udta`, and none of it matters to the media: what cannot be read is no label.
    """
    try:
        meta = movie.find("udta/meta")
        if meta is None:
            return "", ""
        fields = movie.body(meta)
        fields.full_box()
        items = find_box(movie.data, "ilst", fields.at, fields.end, base=movie.base)
        labels = {box.type: _label(movie, box) for box in movie.children(items)} if items else {}
    except MediaError:
        return "", ""
    return labels.get(_COMMENT, ""), labels.get(_TITLE, "")


def _label(movie: Movie, item: BoxHeader) -> str:
    value = movie.find("data", item)
    if value is None:
        return ""
    return movie.body(value).rest()[8:].decode("utf-8", "replace")
