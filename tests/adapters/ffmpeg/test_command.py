"""Command lines: golden for each kind of source, and what the real ffmpeg makes of the awkward parts."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg.command import (
    InputOptions,
    RecordingOptions,
    StreamPlan,
    probe_command,
    record_command,
)
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.domain.run import RunIdentity, recording_name_pattern
from hlscam.domain.source import FileSource, Source, UrlSource
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import FinalMovie, read_events
from tests.rig.ffmpeg_tools import ffmpeg_path, make_clip, probe, run_ffmpeg
from tests.rig.waiting import until

WRITING = RecordingOptions(
    folder=Path("/archive/porch"),
    name_pattern=recording_name_pattern("cafe"),
    recording_s=600,
    fragment_us=490_000,
    hybrid=True,
    title="Front porch",
    comment='{"hlscam":1}',
)
INNER = (
    "movflags={}+frag_keyframe+empty_moov+default_base_moof+skip_sidx+frag_discont+negative_cts_offsets"
    ":use_editlist=0:movie_timescale=1000:frag_duration=490000:write_prft=wallclock:flush_packets=1"
)
FRONT = "/ff -hide_banner -nostats -loglevel repeat+level+warning"
LABELS = "-map_metadata -1 -max_interleave_delta 1000000"
LABELS += """ -metadata:g:0 'title=Front porch' -metadata:g:1 'comment={"hlscam":1}'"""
CUT = "-reset_timestamps 0 -segment_atclocktime 1"
CUT += f" -segment_format mp4 -segment_format_options {INNER.format('+hybrid_fragmented')}"
CUT += " -segment_time 600 -strftime 1"
TARGET = "/archive/porch/%Y%m%dT%H%M%SZ-cafe.mp4"
SILENT = StreamPlan(video_codec="h264", audio=None)

GOLDEN: dict[str, tuple[Source, InputOptions, StreamPlan, str]] = {
    "rtsp, sound made AAC": (
        UrlSource("rtsp://viewer:pass@cam/1"),
        InputOptions(),
        StreamPlan(video_codec="h264", audio="aac", audio_rate_hz=8_000),
        f"{FRONT} -fpsprobesize 0 -rtsp_transport tcp -timeout 10000000 -i rtsp://viewer:pass@cam/1"
        f" -map 0:v:0 -map 0:a:0 -f segment -ar 48000 -b:a 64k -c:a aac -c:v copy {LABELS} {CUT} {TARGET}",
    ),
    "http, sound copied, own options": (
        UrlSource("http://cam/live.flv"),
        InputOptions(wallclock_timestamps=True, extra={"user_agent": "two words"}),
        StreamPlan(video_codec="h264", audio="copy", audio_rate_hz=48_000),
        f"{FRONT} -rw_timeout 10000000 -use_wallclock_as_timestamps 1 -user_agent 'two words' -i http://cam/live.flv"
        f" -map 0:v:0 -map 0:a:0 -f segment -c:a copy -c:v copy {LABELS} {CUT} {TARGET}",
    ),
    "udp, no sound": (
        UrlSource("udp://@239.0.0.1:5000"),
        InputOptions(),
        SILENT,
        f"{FRONT} -i udp://@239.0.0.1:5000 -map 0:v:0 -f segment -c:v copy {LABELS} {CUT} {TARGET}",
    ),
    "looped clip, HEVC": (
        FileSource(Path("/clips/garden one.mp4")),
        InputOptions(),
        StreamPlan(video_codec="hevc", audio=None),
        f"{FRONT} -re -stream_loop -1 -i 'file:/clips/garden one.mp4' -map 0:v:0 -f segment -c:v copy"
        f" {LABELS} {CUT} -tag:v hvc1 {TARGET}",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_commands(name: str) -> None:
    source, reading, plan, expected = GOLDEN[name]
    assert record_command("/ff", source, reading, plan, WRITING, Path("/fonts")) == shlex.split(expected)


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_an_old_ffmpeg_writes_fragmented_mp4() -> None:
    source = FileSource(Path("/clips/a.mp4"))
    argv = record_command("/ff", source, InputOptions(), SILENT, replace(WRITING, hybrid=False), Path("/fonts"))
    assert option(argv, "-segment_format_options") == INNER.format("+skip_trailer")


@pytest.mark.parametrize(
    ("source_hz", "bits"), [(0, "64k"), (8_000, "64k"), (22_050, "64k"), (44_100, "128k"), (96_000, "128k")]
)
def test_aac_has_short_packets_and_the_bits_that_its_source_is_worth(source_hz: int, bits: str) -> None:
    plan = StreamPlan(video_codec="h264", audio="aac", audio_rate_hz=source_hz)
    argv = record_command("/ff", UrlSource("rtsp://cam/1"), InputOptions(), plan, WRITING, Path("/fonts"))
    assert (option(argv, "-ar"), option(argv, "-b:a")) == ("48000", bits)
    assert plan.sound_s == 1024 / 48_000


def test_per_cent_signs_in_the_folder_are_no_dates() -> None:
    writing = replace(WRITING, folder=Path("/archive/100%Y/porch"), recording_s=7.5)
    argv = record_command("/ff", FileSource(Path("/a%d.mp4")), InputOptions(), SILENT, writing, Path("/fonts"))
    assert argv[-1] == "/archive/100%%Y/porch/%Y%m%dT%H%M%SZ-cafe.mp4"
    assert option(argv, "-i") == "file:/a%d.mp4"
    assert option(argv, "-segment_time") == "7.5"


def test_transport_and_own_options_of_rtsp() -> None:
    reading = InputOptions(rtsp_transport="udp", extra={"timeout": "5", "rtsp_flags": "prefer_tcp"})
    argv = probe_command("/ff", UrlSource("rtsps://cam/1"), reading)
    wanted = "/ff -hide_banner -nostdin -rtsp_transport udp -timeout 5 -fpsprobesize 0 -rtsp_flags prefer_tcp -i rtsps://cam/1"
    assert argv == wanted.split()


def test_asking_a_clip_needs_no_real_time() -> None:
    argv = probe_command("/ff", FileSource(Path("/a.mp4")), InputOptions(extra={"f": "mp4"}))
    assert argv == ["/ff", "-hide_banner", "-nostdin", "-f", "mp4", "-i", "file:/a.mp4"]


def with_two_fragments(folder: Path) -> Path | None:
    """The recording in a folder, once it has that many."""
    for path in folder.glob("*.mp4"):
        if len([each for each in read_events(path.read_bytes()) if isinstance(each, Fragment)]) > 1:
            return path
    return None


async def record(folder: Path, source: Source, plan: StreamPlan, writing: RecordingOptions) -> Path:
    """Let the real ffmpeg record until it has written two fragments, and end it by `q`; the file."""
    await asyncio.to_thread(folder.mkdir)
    argv = record_command(ffmpeg_path(), source, InputOptions(), plan, replace(writing, folder=folder), folder)
    lines: list[str] = []
    process = await FfmpegProcess.start(argv, on_line=lines.append)

    async def written() -> Path | None:
        return with_two_fragments(folder)

    try:
        path = await until(written, "two fragments are on disk")
    finally:
        code = await process.stop()
    assert code == 0, lines
    assert path is not None
    return path


async def labels(path: Path) -> dict[str, str]:
    """A file's metadata as ffmpeg reads it."""
    text = (await run_ffmpeg(["-v", "error", "-i", path, "-f", "ffmetadata", "-"])).stdout.decode()
    pairs = re.findall(r"^(\w+)=((?:[^\\\n]|\\.)*)$", text, re.MULTILINE | re.DOTALL)
    return {name: re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for name, value in pairs}


TITLES = [
    "Front porch",
    'it\'s "quoted": 50% off; a=b, [c] \\ back\\slash',
    "two\nlines",
    "Küche 🐈 猫",
    "title=-comment %Y%m%d",
    "- ",
]


async def test_titles_and_comments_survive_into_the_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip one's 100%.mp4", seconds=2, size="128x96", rate=10, gop=5)
    identity = RunIdentity(
        camera="porch",
        run="cafe",
        media_sequence=1_795_348_800,
        discontinuity_sequence=3,
        segment_duration_s=2.0,
        target_duration_s=None,
        not_before_wall_us=0,
    )

    async def one(index: int, title: str) -> tuple[str, RunIdentity | None, str]:
        writing = replace(WRITING, title=title, comment=identity.to_comment())
        path = await record(tmp_path / f"50% {index} it's: [x]", FileSource(clip), SILENT, writing)
        init = next(each for each in read_events(path.read_bytes()) if isinstance(each, InitSection))
        found = await labels(path)
        return found["title"], RunIdentity.from_comment(init.comment), found["comment"]

    found = await asyncio.gather(*(one(index, title) for index, title in enumerate(TITLES)))
    assert [title for title, _, _ in found] == TITLES
    assert all(read == identity and comment == identity.to_comment() for _, read, comment in found)


async def test_hevc_gets_hvc1_and_closes_as_an_ordinary_file(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv", seconds=2, size="128x96", rate=10, gop=5, codec="hevc", options=["-tag:v", "0"]
    )
    plan = StreamPlan(video_codec="hevc", audio=None)
    path = await record(tmp_path / "porch", FileSource(clip), plan, WRITING)
    stream = (await probe(path)).of("Video")[0]
    assert (stream.codec, stream.tag) == ("hevc", "hvc1")
    assert isinstance(list(read_events(path.read_bytes()))[-1], FinalMovie)


async def test_without_hybrid_the_file_stays_fragmented_and_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, size="128x96", rate=10, gop=5)
    path = await record(tmp_path / "porch", FileSource(clip), SILENT, replace(WRITING, hybrid=False))
    events = list(read_events(path.read_bytes()))
    assert isinstance(events[-1], Fragment)
    assert events[-1].end == path.stat().st_size
