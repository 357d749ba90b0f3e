"""Real media for the format tests, made by ffmpeg once a session, and ffmpeg's own opinion of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.reader import Event, RecordingReader

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

HYBRID = (
    "movflags=+hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof+skip_sidx+frag_discont"
    "+negative_cts_offsets:use_editlist=0:frag_duration=500000:write_prft=wallclock:flush_packets=1"
)
LABELS = ["-map_metadata", "-1", "-metadata", "title=Front porch", "-metadata", 'comment={"hlscam":1,"run":"é1"}']
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"]
SMALL_PICTURE = ["-f", "lavfi", "-i", "color=size=64x48:rate=10"]
SOUND = ["-f", "lavfi", "-i", "sine=sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]
AAC = ["-c:a", "aac", "-b:a", "48k"]


def _recording(*arguments: str) -> list[str]:
    """Output options of a recording as hlscam writes it: the segment muxer around a hybrid MP4."""
    segment = ["-f", "segment", "-segment_time", "600", "-reset_timestamps", "0", "-segment_format", "mp4"]
    return [*arguments, *LABELS, *segment, "-segment_format_options", HYBRID]


def _plain(movflags: str, *arguments: str) -> list[str]:
    return [*arguments, *LABELS, "-f", "mp4", "-movflags", movflags]


_MAIN = [*X264, "-profile:v", "main", "-bf", "2", "-g", "30"]
_BASE = [*X264, "-bf", "0", "-g", "30"]
_X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-g", "30"]
_X265 += ["-x265-params", "log-level=none:open-gop=0:pools=1:frame-threads=1"]
_AV1 = ["-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-svtav1-params", "lp=1"]
_TEN_BIT = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-pix_fmt", "yuv420p10le", *_X265[-2:]]
_HIGH = [*X264, "-profile:v", "high", "-level", "3.1", "-bf", "0", "-x264-params", "8x8dct=1:cabac=1"]

CLIPS: dict[str, list[str]] = {
    "h264_b_aac": [*PICTURE, *SOUND, "-t", "3.2", *_recording(*_MAIN, *AAC)],
    "h264_silent": [*PICTURE, "-t", "2.3", *_recording(*_BASE)],
    "h264_high_opus": [*PICTURE, *SOUND, "-t", "1", *_recording(*_HIGH, "-c:a", "libopus", "-ac", "2")],
    "hevc_opus": [*PICTURE, *SOUND, "-t", "2", *_recording(*_X265, "-c:a", "libopus")],
    "hevc10_silent": [*PICTURE, "-t", "0.5", *_recording(*_TEN_BIT)],
    "av1_aac": [*PICTURE, *SOUND, "-t", "1.5", *_recording(*_AV1, *AAC)],
    "ac3": [*SMALL_PICTURE, *SOUND, "-t", "0.5", *_plain("+faststart", *_BASE, "-c:a", "ac3", "-ac", "2")],
    "eac3": [*SMALL_PICTURE, *SOUND, "-t", "0.5", *_plain("+faststart", *_BASE, "-c:a", "eac3", "-ac", "2")],
    "h264_flac_96k": [*SMALL_PICTURE, *SOUND, "-t", "0.5", *_recording(*_BASE, "-c:a", "flac", "-ar", "96000")],
    "h264_mp3": [*SMALL_PICTURE, *SOUND, "-t", "0.5", *_recording(*_BASE, "-c:a", "libmp3lame", "-ac", "2")],
    "h264_aac_96k": [*SMALL_PICTURE, *SOUND, "-t", "0.5", *_recording(*_BASE, *AAC, "-ar", "96000", "-ac", "2")],
    "small": [*SMALL_PICTURE, *SOUND, "-t", "1.6", *_recording(*_BASE, "-c:a", "aac", "-ar", "8000", "-b:a", "8k")],
    "ordinary": [*PICTURE, *SOUND, "-t", "1", *_plain("+write_colr", *_MAIN, *AAC)],
    "faststart": [*PICTURE, *SOUND, "-t", "1", *_plain("+faststart", *_MAIN, *AAC)],
    "old_fragments": [*PICTURE, *SOUND, "-t", "2", *_plain("+frag_keyframe+empty_moov", *_MAIN, *AAC)],
    "cmaf": [*PICTURE, "-t", "2", *_plain("+frag_keyframe+empty_moov+dash+cmaf", *_BASE)],
    "sound_only": [*SOUND, "-t", "1", *_plain("+frag_keyframe+empty_moov", *AAC)],
}
RECORDINGS = [name for name in CLIPS if name.startswith(("h264", "hevc", "av1", "small"))]


def run_ffmpeg(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    """What ffmpeg writes to its output; anything that it complains about fails the test."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "error", *map(str, arguments)]
    if stdin is not None:
        command.remove("-nostdin")
    quiet = {**os.environ, "SVT_LOG": "1"}  # SVT-AV1 talks to stderr by itself, whatever -v says
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=quiet)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode(errors="replace")[-2000:]
    return done.stdout


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    return run_ffmpeg


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a clip named in `CLIPS`, made when first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def make(name: str) -> Path:
        numbered = HYBRID in CLIPS[name]  # the segment muxer wants a number in its names
        run_ffmpeg("-y", *CLIPS[name], folder / (f"{name}-%d.mp4" if numbered else f"{name}-0.mp4"))
        return folder / f"{name}-0.mp4"

    return make


@pytest.fixture(scope="session")
def clip(clip_path: Callable[[str], Path]) -> Callable[[str], bytes]:
    """The bytes of a clip."""
    return cache(lambda name: clip_path(name).read_bytes())


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording whose ffmpeg was killed in the middle of it."""
    folder = tmp_path_factory.mktemp("killed")
    command = [FFMPEG, "-v", "error", "-nostdin", "-progress", "pipe:1", "-stats_period", "0.05", "-readrate", "4"]
    command += [*PICTURE, "-readrate", "4", *SOUND, *_recording(*_MAIN, *AAC), str(folder / "killed-%d.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            key, _, value = line.strip().partition("=")
            if key == "out_time_us" and value.lstrip("-").isdigit() and int(value) > 2_700_000:
                break
        process.kill()
    assert process.returncode == -9
    return (folder / "killed-0.mp4").read_bytes()


def as_growing(closed: bytes, final_movie_offset: int) -> bytes:
    """The growing form that a closed recording had: its second `free` instead of the mdat header, and no final moov."""
    assert closed[32:36] == (final_movie_offset - 32).to_bytes(4, "big")
    return closed[:32] + b"\0\0\0\x20free" + closed[40:final_movie_offset]


@pytest.fixture(scope="session")
def growing() -> Callable[[bytes, int], bytes]:
    return as_growing


def read_in_pieces(data: bytes, piece_bytes: Iterable[int]) -> tuple[list[Event], str, int]:
    """Events, refusal ("" for none) and whole_end of a file that grows by these pieces, and at last to its end."""
    reader = RecordingReader()
    events: list[Event] = []
    known = 0
    for more in [*piece_bytes, len(data)]:
        known = min(known + more, len(data))
        try:
            events += reader.feed(data[reader.offset : known], known)
            if reader.refusal is not None:
                raise reader.refusal
        except MediaError as refusal:
            return events, str(refusal), reader.whole_end
    return events, "", reader.whole_end


@pytest.fixture(scope="session")
def pieces() -> Callable[[bytes, Iterable[int]], tuple[list[Event], str, int]]:
    return read_in_pieces
