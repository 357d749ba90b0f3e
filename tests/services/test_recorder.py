"""Recordings as ffmpeg writes them and the indexer keeps them, and cameras that do not work."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.ffmpeg import process
from hlscam.domain.camera_state import CameraState
from hlscam.domain.config import CameraConfig
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.source import UrlSource, parse_source
from hlscam.services.keeper import read_sealed
from tests.manual_clock import ManualClock
from tests.rig.ffmpeg_tools import decode, make_clip, probe
from tests.rig.leaping import BRIEF_LOOK, LeapingCamera
from tests.rig.rtsp import RtspCamera, refusing_camera
from tests.services.conftest import Life
from tests.services.studio import (
    CLOSED_BY_FFMPEG,
    FINISHED_BY_US,
    PATTERN,
    RECORDING_S,
    Studio,
    box_types,
    ffmpegs,
    fragments_of,
    lines_of,
)

CAMERAS = ("porch", "loop")
STALL_S = 10.0


async def rows_of(root: Path, camera: str) -> list[Recording]:
    catalog = await Catalog.open(f"sqlite:///{root / 'catalog.sqlite3'}")
    try:
        return await catalog.recordings(camera)
    finally:
        await catalog.close()


@pytest.mark.parametrize("camera", CAMERAS)
async def test_recordings_roll_at_multiples_of_utc(life: Life, camera: str) -> None:
    """One in each slot of 2 s; the clock that ffmpeg names by is some ms behind the one it cuts by."""
    rows = await rows_of(life.root, camera)
    assert len(rows) > len({row.run for row in rows})
    for _, run in groupby(rows, key=lambda row: row.run):
        names = [row.name for row in run]
        seconds = [int(name[9:11]) * 3600 + int(name[11:13]) * 60 + int(name[13:15]) for name in names]
        firsts = [{(each + behind_s) // RECORDING_S - at for behind_s in (0, 1)} for at, each in enumerate(seconds)]
        assert set.intersection(*firsts), names


@pytest.mark.parametrize("camera", CAMERAS)
async def test_numbers_run_on_over_rolls_and_runs(life: Life, camera: str) -> None:
    rows = await rows_of(life.root, camera)
    assert len(rows) >= 3
    for before, after in pairwise(rows):
        assert after.first_media_sequence == before.end_media_sequence
        same_run = after.run == before.run
        assert after.discontinuity_sequence == before.discontinuity_sequence + (not same_run)
        assert after.starts_run is not same_run
        assert after.start_wall_us >= before.end_wall_us
    assert sorted(life.seen[camera]) == [
        row.first_media_sequence + index for row in rows for index in range(len(row.segments))
    ]


@pytest.mark.parametrize("camera", CAMERAS)
async def test_every_closed_file_has_its_box_and_an_equal_row(life: Life, camera: str) -> None:
    archive = Archive(life.root)
    rows = await rows_of(life.root, camera)
    assert [row.name for row in rows] == await archive.names(camera)
    for row in rows:
        kept = await read_sealed(archive, camera, row.name)
        assert kept is not None
        assert kept.recording == row
        assert row.size_bytes == archive.path(camera, row.name).stat().st_size
        assert row.end_reason is not None
    archive.close()


@pytest.mark.parametrize("camera", CAMERAS)
async def test_every_fragment_is_listed_exactly_once(life: Life, camera: str) -> None:
    for row in await rows_of(life.root, camera):
        fragments = fragments_of(life.root / camera / row.name)
        edges = [line.offset for line in lines_of(row)]
        starts = {fragment.offset for fragment in fragments}
        assert edges[0] == fragments[0].offset
        assert set(edges) <= starts
        assert edges[-1] + row.segments.sizes_bytes[-1] == fragments[-1].end
        assert sum(row.segments.sizes_bytes) == sum(fragment.size_bytes for fragment in fragments)


@pytest.mark.parametrize("camera", CAMERAS)
async def test_what_a_viewer_got_live_is_what_the_archive_keeps(life: Life, camera: str) -> None:
    lines = {line.media_sequence: line for row in await rows_of(life.root, camera) for line in lines_of(row)}
    assert len(lines) >= 10
    for number, segment in life.seen[camera].items():
        kept = (life.root / camera / segment.recording).read_bytes()
        assert kept[segment.offset : segment.offset + len(segment.data)] == segment.data
        assert {**segment.__dict__, "data": b""} == lines[number].__dict__


async def test_a_killed_ffmpeg_costs_its_last_fragment_and_a_discontinuity(life: Life) -> None:
    rows = await rows_of(life.root, "porch")
    killed, following = next((a, b) for a, b in pairwise(rows) if a.run != b.run)
    assert killed.end_reason is EndReason.CRASHED
    assert following.starts_run
    assert (rows[0].gap_reason, following.gap_reason) == (None, EndReason.CRASHED)
    assert box_types(life.root / "porch" / killed.name) == FINISHED_BY_US
    for number, segment in life.seen_at_kill.items():
        assert life.seen["porch"][number] == segment
    assert (await decode(life.root / "porch" / killed.name)).errors == []


async def test_stopping_closes_recordings_properly(life: Life) -> None:
    for camera in CAMERAS:
        rows = await rows_of(life.root, camera)
        assert rows[-1].end_reason is EndReason.STOPPED
        for row in rows:
            if row.end_reason is not EndReason.CRASHED:
                assert box_types(life.root / camera / row.name) == CLOSED_BY_FFMPEG
    path = life.root / "loop" / (await rows_of(life.root, "loop"))[-1].name
    assert (await probe(path)).duration_s is not None
    assert (await decode(path)).errors == []


async def test_rolled_recordings_of_one_run_say_so(life: Life) -> None:
    rows = await rows_of(life.root, "loop")
    assert {row.run for row in rows} == {rows[0].run}
    assert [row.end_reason for row in rows[:-1]] == [EndReason.ROLLED] * (len(rows) - 1)


async def test_a_looped_clip_runs_on_over_loops_and_rolls(life: Life) -> None:
    rows = await rows_of(life.root, "loop")
    fragments = [each for row in rows for each in fragments_of(life.root / "loop" / row.name)]
    timescale = rows[0].timescale
    frame_ticks = timescale // 10
    assert fragments[-1].end_decode_ticks - fragments[0].decode_ticks > 4 * timescale  # two loops at least
    for before, after in pairwise(fragments):
        assert abs(after.decode_ticks - before.end_decode_ticks) <= frame_ticks
    with_sound = [each for each in fragments if each.audio_duration_ticks]
    assert len(with_sound) > 10
    assert len({row.init_hash for row in rows}) == 1


async def test_a_run_decodes_as_one_stream(life: Life, tmp_path: Path) -> None:
    row = (await rows_of(life.root, "loop"))[0]
    archive = Archive(life.root)
    kept = await read_sealed(archive, "loop", row.name)
    archive.close()
    assert kept is not None
    segments = [segment.data for _, segment in sorted(life.seen["loop"].items())]
    stream = tmp_path / "run.mp4"
    stream.write_bytes(kept.init.data + b"".join(segments))
    decoded = await decode(stream)
    assert decoded.errors == []
    rows = await rows_of(life.root, "loop")
    fragments = (each for row in rows for each in fragments_of(life.root / "loop" / row.name))
    assert decoded.frames == sum(each.sample_count for each in fragments)


async def test_cameras_that_do_not_work_say_why_and_harm_no_other(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video at all\n" * 50)
    sound = make_clip(tmp_path / "sound.mp4", codec="none", audio="aac", seconds=1)
    mjpeg = make_clip(tmp_path / "mjpeg.avi", seconds=1, options=["-c:v", "mjpeg"])
    async with (
        RtspCamera(user="viewer", password="not-this-1") as locked,
        RtspCamera(video="none", audio="alaw") as blind,
    ):
        with refusing_camera() as refusing:
            cameras = {
                "good": PATTERN,
                "refusing": refusing,
                "locked": locked.url_as("viewer", "hunter22"),
                "blind": blind.url,
                "sound": f"file:{sound}",
                "mjpeg": f"file:{mjpeg}",
                "text": f"file:{text}",
                "missing": f"file:{tmp_path / 'missing.mp4'}",
            }
            async with Studio(tmp_path / "archive", cameras) as studio:
                said = {each: (await studio.status(each, CameraState.WAITING)).last_error for each in list(cameras)[1:]}
                await studio.segments("good", 2)
                assert studio.recorders["good"].status.state is CameraState.RECORDING
    assert said == {
        "refusing": "the camera refuses the connection (check its address, port and power)",
        "locked": "the camera refuses the user name or password (check them in its source)",
        "blind": "the source has no video (use the camera's video stream)",
        "sound": "the source has no video (use the camera's video stream)",
        "mjpeg": "its video is mjpeg, which players of HLS do not take (set the camera to H.264 (or HEVC))",
        "text": "the source is not video that ffmpeg can read (check what it sends)",
        "missing": "a file or folder is missing (check that clip and archive are still there)",
    }


async def test_pauses_grow_and_end_at_once_when_stopped(tmp_path: Path, clock: ManualClock) -> None:
    with refusing_camera() as refusing:
        async with Studio(tmp_path, {"porch": refusing}, clock=clock) as studio:
            pauses = []
            for _ in range(6):
                await clock.wait_sleeping()
                assert studio.recorders["porch"].status.state is CameraState.WAITING
                assert clock.next_wake_s is not None
                pauses.append(clock.next_wake_s)
                clock.advance(clock.next_wake_s)
            await clock.wait_sleeping()
        assert studio.recorders["porch"].status.state is CameraState.STOPPED  # though its pause never passed
    assert all(1 <= pause <= 5 for pause in pauses)
    assert pauses[0] < 2 < pauses[2]


async def test_a_camera_whose_folder_cannot_be_written_waits_and_others_record(tmp_path: Path) -> None:
    (tmp_path / "porch").write_text("somebody put a file here")
    async with Studio(tmp_path, {"porch": PATTERN, "yard": PATTERN}) as studio:
        status = await studio.status("porch", CameraState.WAITING)
        assert f"the archive folder {tmp_path / 'porch'} cannot be written" in status.last_error
        await studio.segments("yard", 2)
        (tmp_path / "porch").unlink()
        await studio.segments("porch", 1)  # mended by itself


async def test_a_camera_that_brings_nothing_is_tried_anew(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "QUIT_GRACE_S", 0.1)
    monkeypatch.setattr(process, "TERM_GRACE_S", 0.1)
    async with Studio(tmp_path, {"porch": PATTERN}, clock=clock, recording_s=3600) as studio:
        await studio.segments("porch", 1)
        frozen = ffmpegs(tmp_path / "porch")[0]
        os.kill(frozen, signal.SIGSTOP)  # it lives, and does nothing
        recorder = studio.recorders["porch"]
        while recorder.status.state is CameraState.RECORDING:
            await clock.wait_sleeping()
            clock.advance(STALL_S)
            await asyncio.sleep(0)
        assert recorder.status.state is CameraState.STALLED
        said = "the camera sends nothing any more (check or restart it)"
        await studio.changes("porch", lambda: recorder.status.last_error == said, "ended the worker")
        clock.advance(30)
        await studio.changes("porch", lambda: studio.newest("porch").discontinuity_sequence == 1, "recorded again")
        rows = await studio.catalog.recordings("porch")
    assert rows[0].end_reason is EndReason.STALLED


async def test_a_source_that_brings_nothing_with_its_sound_is_tried_without(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "QUIT_GRACE_S", 0.1)
    monkeypatch.setattr(process, "TERM_GRACE_S", 0.1)
    clip = make_clip(tmp_path / "clip.mp4", size="128x96", rate=10, gop=5, audio="aac")
    async with Studio(tmp_path / "archive", {"porch": f"file:{clip}"}, clock=clock) as studio:
        recorder = studio.recorders["porch"]
        while recorder.status.state in (CameraState.STOPPED, CameraState.STARTING):  # ffmpeg has only just been started
            await clock.wait_sleeping()
            clock.advance(STALL_S)
            await asyncio.sleep(0)
        assert recorder.status.state is CameraState.STALLED
        said = "the camera takes the connection and sends no picture (check it)"
        await studio.changes("porch", lambda: recorder.status.last_error == said, "ended the worker")
        clock.advance(30)

        def is_silent() -> bool:
            newest = studio.live.stream("porch").newest
            return newest is not None and newest.media.audio_codec == ""

        await studio.changes("porch", is_silent, "recorded without sound")


async def test_sound_of_real_cameras(tmp_path: Path) -> None:
    """PCM becomes AAC; and sound that was announced, and then stops, does not hold back the picture."""
    async with (
        RtspCamera(audio="alaw", gop=12) as camera,
        RtspCamera(audio="mute", gop=12) as mute,
        Studio(tmp_path, {"porch": camera.url, "yard": mute.url}) as studio,
    ):
        await studio.segments("yard", 1)
        await studio.segments("porch", 1)
        media = studio.newest("porch").media
    assert (media.audio_codec, media.audio_sample_rate_hz) == ("mp4a.40.2", 48000)
    assert media.video_codec.startswith("avc1.")
    assert (media.width, media.height) == (320, 180)


async def test_parts_fit_into_the_groups_that_earlier_footage_shows(tmp_path: Path) -> None:
    """A pattern says itself how its groups are; of a camera the first run is not known. Six pictures would leave four.

    Segments hold two groups of ten pictures.
    """
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, size="128x96", rate=25, gop=10)
    cameras = {"porch": "test:?size=128x96&rate=25&gop_s=0.4&audio=0", "loop": f"file:{clip}"}
    for _ in range(2):
        async with Studio(tmp_path / "archive", cameras, recording_s=30) as studio:
            await studio.segments("loop", 3)
            await studio.segments("porch", 1)
    found: dict[str, list[list[int]]] = {}
    for camera in cameras:
        rows = await rows_of(studio.root, camera)
        paths = [studio.root / camera / next(run).name for _, run in groupby(rows, key=lambda row: row.run)]
        found[camera] = [[each.sample_count for each in fragments_of(path)[:4]] for path in paths]
    assert found == {"porch": [[5, 5, 5, 5], [5, 5, 5, 5]], "loop": [[6, 4, 6, 4], [5, 5, 5, 5]]}


async def test_passwords_are_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="hlscam")
    async with RtspCamera(user="viewer", password="right-one-9") as camera:
        source = UrlSource(camera.url_as("viewer", "wrong-one-9"))
        cameras = {"porch": CameraConfig(name="porch", source=source)}
        async with Studio(tmp_path, cameras) as studio:
            await studio.status("porch", CameraState.WAITING)
    assert "401" in caplog.text
    assert "wrong-one-9" not in caplog.text


async def test_a_disabled_camera_is_left_alone(tmp_path: Path) -> None:
    camera = CameraConfig(name="porch", source=parse_source(PATTERN, tmp_path), enabled=False)
    async with Studio(tmp_path, {"porch": camera}) as studio:
        await studio.status("porch", CameraState.DISABLED)
    assert not (tmp_path / "porch").exists()


@pytest.fixture
def blocking_calls(tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """The file system calls that the event loop's own thread made below `tmp_path`; they belong into other threads."""
    calls: list[str] = []
    loop_thread = threading.get_ident()
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in _BLOCKING and threading.get_ident() == loop_thread and str(tmp_path) in str(arguments):
            calls.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    yield lambda: calls
    watching = False


_BLOCKING = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.truncate", "sqlite3.connect")


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_blocks_the_loop_and_nothing_is_left_behind(
    tmp_path: Path, blocking_calls: Callable[[], list[str]]
) -> None:
    open_before = _open_descriptors()
    tasks_before = asyncio.all_tasks()
    root = tmp_path / "archive"
    root.mkdir()
    studio = Studio(root, {"porch": PATTERN}, recording_s=1)
    made_by_test = len(blocking_calls())
    async with studio:
        await studio.changes("porch", lambda: len(studio.live.stream("porch").recordings) > 1, "rolled")
        children = ffmpegs(root / "porch")
    assert len(children) == 1
    assert [each for each in blocking_calls()[made_by_test:] if "archive" in each] == [f"os.mkdir {root}"]  # Studio's
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)  # not even a zombie is left
    assert asyncio.all_tasks() == tasks_before
    assert _open_descriptors() == open_before


@pytest.mark.parametrize("step_s", [3600, -3600])
async def test_a_step_of_the_hosts_clock_is_one_new_run(tmp_path: Path, clock: ManualClock, step_s: float) -> None:
    async with Studio(tmp_path, {"porch": PATTERN}, clock=clock) as studio:
        await studio.segments("porch", 2)
        before = studio.newest("porch")
        clock.step_wall(step_s)
        while studio.newest("porch").run == before.run:  # its look once a second, then its pause
            await clock.wait_sleeping()
            clock.advance(1)
            await asyncio.sleep(0.05)
        await studio.segments("porch", 2)
        rows = await studio.catalog.recordings("porch")
    runs = [run for run, _ in groupby(rows, key=lambda row: row.run)]
    assert len(runs) == 2
    first = next(row for row in rows if row.run == runs[1])
    assert first.gap_reason is EndReason.CLOCK_STEPPED
    for earlier, later in pairwise(rows):
        assert later.start_wall_us >= earlier.end_wall_us


async def test_a_camera_whose_clock_cannot_be_used_is_one_new_run_and_no_storm(tmp_path: Path) -> None:
    async with LeapingCamera(gop=10) as camera:
        source = parse_source(camera.url, tmp_path)
        config = CameraConfig(name="porch", source=source, input_options=BRIEF_LOOK)
        async with Studio(tmp_path / "archive", {"porch": config}, recording_s=3600) as studio:
            await studio.segments("porch", 3)
            camera.leap_every(1)
            await studio.changes("porch", lambda: studio.newest("porch").discontinuity_sequence == 1, "began a new run")
            await studio.segments("porch", 6)
            rows = await studio.catalog.recordings("porch")
            newest = studio.newest("porch")
    assert newest.discontinuity_sequence == 1
    assert newest.gap_reason is EndReason.CLOCK_STEPPED
    assert len(rows) <= 3
    for row in [*rows, newest]:
        assert max(row.segments.durations_ticks) <= 3 * row.timescale
        assert row.end_wall_us - row.start_wall_us < 60_000_000
