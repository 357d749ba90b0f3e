"""The command lines that record, built with ffmpeg-python.

The output options are the heart of the design: recordings whose fragments are the HLS segments. Each was measured;
drop any one of `frag_discont`, `negative_cts_offsets` and `use_editlist=0`, and decode time begins again at 0 in
every file, which would make a discontinuity of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from hlscam.adapters.ffmpeg.pattern import pattern_streams
from hlscam.domain.source import FileSource, Source, TestSource, UrlSource

_SOCKET_TIMEOUT_US = 10_000_000
_OPUS_PACKET_S = 0.02
_AAC_PACKET_SAMPLES = 1024
_AAC_RATE_HZ = 48_000
"""Of all sound that is made AAC, however slow its source. A packet holds 1024 samples and the encoder two packets, and
a fragment waits for the sound that belongs to its pictures: **measured** with G.711, at 16 kHz fragments come 120 to
145 ms later, and program date time is off by as much. It takes as many bytes, and 0.7 % of a core in place of 0.4 %."""

_FULL_BAND_HZ = 44_100


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """What a camera's configuration says about reading it."""

    rtsp_transport: str = "tcp"
    wallclock_timestamps: bool = False
    extra: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What becomes of the streams. `audio` is None, "copy" or "aac"; the rates are the source's, 0 if unknown."""

    video_codec: str
    audio: str | None
    audio_rate_hz: int = 0
    frame_rate: float = 0.0
    is_opus: bool = False

    @property
    def sound_s(self) -> float | None:
        """How long a packet of the recorded sound lasts; None without sound, or where nobody knows."""
        if self.audio == "aac":
            return _AAC_PACKET_SAMPLES / _AAC_RATE_HZ
        if self.audio is None or not self.audio_rate_hz:
            return None
        return _OPUS_PACKET_S if self.is_opus else _AAC_PACKET_SAMPLES / self.audio_rate_hz


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """Where recordings go and how they are cut. `name_pattern` is strftime's; `comment` names the run."""

    folder: Path
    name_pattern: str
    recording_s: float
    fragment_us: int
    hybrid: bool
    title: str
    comment: str


def record_command(
    binary: str, source: Source, reading: InputOptions, plan: StreamPlan, writing: RecordingOptions, fonts: Path
) -> list[str]:
    """The whole argv that records `source`. `fonts` is a folder that holds the test pattern's fonts."""
    if isinstance(source, TestSource):
        streams, encoding = pattern_streams(source, fonts)
    else:
        streams, encoding = _copied_streams(source, reading, plan)
    output = ffmpeg.output(
        *streams,
        f"{str(writing.folder).replace('%', '%%')}/{writing.name_pattern}",
        **encoding,
        **_segment_options(writing),
    )
    argv: list[str] = ffmpeg.compile(output, cmd=[binary, *_global_options()])
    return argv


def probe_command(binary: str, source: Source, reading: InputOptions) -> list[str]:
    """The argv that makes ffmpeg describe a source's streams on stderr and end (there is no ffprobe in the wheel)."""
    options = _input_options(source, reading)
    options.pop("re", None)
    options.pop("stream_loop", None)
    arguments = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    return [binary, "-hide_banner", "-nostdin", *arguments, "-i", _address(source)]


def _global_options() -> list[str]:
    return ["-hide_banner", "-nostats", "-loglevel", "repeat+level+warning"]


def _address(source: Source) -> str:
    assert not isinstance(source, TestSource)
    return source.url if isinstance(source, UrlSource) else f"file:{source.path}"


def _input_options(source: Source, reading: InputOptions) -> dict[str, Any]:
    if isinstance(source, FileSource):
        return {"re": None, "stream_loop": -1, **(reading.extra or {})}
    assert isinstance(source, UrlSource)
    options: dict[str, Any] = {}
    if source.scheme in ("rtsp", "rtsps"):
        options |= {"rtsp_transport": reading.rtsp_transport, "timeout": _SOCKET_TIMEOUT_US}
        # Nobody here needs a guess of the frame rate, for which ffmpeg would wait for 20 frames: measured at 10 frames
        # a second, the first fragment is there after 2 s in place of 6.
        options |= {"fpsprobesize": 0}
    elif source.scheme in ("http", "https", "tcp"):
        options |= {"rw_timeout": _SOCKET_TIMEOUT_US}
    if reading.wallclock_timestamps:
        options |= {"use_wallclock_as_timestamps": 1}
    return options | dict(reading.extra or {})


def _copied_streams(source: Source, reading: InputOptions, plan: StreamPlan) -> tuple[list[Any], dict[str, Any]]:
    node = ffmpeg.input(_address(source), **_input_options(source, reading))
    streams = [node["v:0"]]
    encoding: dict[str, Any] = {"c:v": "copy"}
    if plan.video_codec == "hevc":
        encoding["tag:v"] = "hvc1"  # browsers and VLC want parameter sets in the init section
    if plan.audio is not None:
        streams.append(node["a:0"])
        encoding |= {"c:a": "copy"} if plan.audio == "copy" else _aac(plan.audio_rate_hz)
    return streams, encoding


def _aac(source_rate_hz: int) -> dict[str, Any]:
    return {"c:a": "aac", "ar": _AAC_RATE_HZ, "b:a": "64k" if source_rate_hz < _FULL_BAND_HZ else "128k"}


def _segment_options(writing: RecordingOptions) -> dict[str, Any]:
    movflags = "+frag_keyframe+empty_moov+default_base_moof+skip_sidx+frag_discont+negative_cts_offsets"
    inner = {
        # Before 7.1 there is no hybrid MP4: the file stays fragmented, and its closing index (mfra) is of no use to us.
        "movflags": ("+hybrid_fragmented" if writing.hybrid else "+skip_trailer") + movflags,
        "use_editlist": 0,
        "movie_timescale": 1000,  # else ffmpeg derives it anew for each file, and one run's init sections differ
        "frag_duration": writing.fragment_us,
        "write_prft": "wallclock",
        "flush_packets": 1,
    }
    return {
        "map_metadata": -1,
        "metadata:g:0": f"title={writing.title}",
        "metadata:g:1": f"comment={writing.comment}",
        "max_interleave_delta": 1_000_000,
        "f": "segment",
        "segment_time": f"{writing.recording_s:g}",
        "segment_atclocktime": 1,
        "reset_timestamps": 0,
        "strftime": 1,
        "segment_format": "mp4",
        "segment_format_options": ":".join(f"{name}={value}" for name, value in inner.items()),
    }
