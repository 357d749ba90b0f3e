"""Following recordings that the test itself lets grow, and making the books agree with the folder."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hlscam.domain.camera_state import CameraState
from hlscam.domain.config import CameraConfig
from hlscam.domain.part import Part, parts_of_segment
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.source import parse_source
from hlscam.errors import ArchiveError
from hlscam.services.books import check_archive, reindex_archive
from hlscam.services.keeper import read_sealed
from hlscam.services.open_recording import OpenRecording
from hlscam.services.progress import Progress
from hlscam.services.run_follower import RunFollower
from tests.manual_clock import ManualClock
from tests.rig.hybrid import growing_form
from tests.rig.rtsp import refusing_camera
from tests.rig.waiting import until
from tests.services.conftest import Life
from tests.services.studio import (
    FINISHED_BY_US,
    PATTERN,
    Segment,
    Studio,
    box_types,
    config_of,
    ffmpegs,
    fragments_in,
    fragments_of,
    lines_of,
)
from tests.services.test_keeper import no_space_beyond


def not_recorded(camera: str) -> CameraConfig:
    """A camera whose books are kept while nothing is recorded."""
    return CameraConfig(name=camera, source=parse_source(PATTERN, Path("/")), enabled=False)


IDLE = {"porch": not_recorded("porch"), "loop": not_recorded("loop")}


@pytest.fixture
def growing(life: Life) -> bytes:
    """A recording as it is while ffmpeg writes it: of the run that was killed."""
    path = next(path for path in sorted((life.root / "porch").glob("*.mp4")) if box_types(path) == FINISHED_BY_US)
    return growing_form(path.read_bytes())


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    async with Studio(tmp_path, {"porch": not_recorded("porch")}, rescan_interval_s=0.1) as studio:
        (tmp_path / "porch").mkdir()
        yield studio


async def begin(studio: Studio, run: str) -> RunFollower:
    follower = RunFollower(studio.indexer, await studio.indexer.begin_run("porch", run))
    follower.start()
    return follower


async def record_into(path: Path, growing: bytes) -> None:
    """Let a file grow at a camera's pace, or a bit faster: until pictures come as time passes, nothing is listed."""
    ends = [each.end for each in fragments_in(growing)]
    with path.open("wb", buffering=0) as file:
        for start, end in zip([0, *ends], [*ends, len(growing)], strict=True):
            file.write(growing[start:end])
            await asyncio.sleep(0.15)


async def listed(studio: Studio, count: int) -> Recording:
    """The newest recording, once it lists so many segments."""
    stream = studio.live.stream("porch")
    await studio.changes(
        "porch", lambda: stream.newest is not None and len(stream.newest.segments) >= count, f"listed {count} segments"
    )
    return studio.newest("porch")


async def test_a_file_that_grows_byte_by_byte_is_listed_segment_by_segment(studio: Studio, growing: bytes) -> None:
    path = studio.root / "porch" / "20261122T120000Z-aaaa.mp4"
    follower = await begin(studio, "aaaa")
    counts = []
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(growing), 1500):
            file.write(growing[at : at + 1500])
            counts.append(follower.fragments_seen)
            await asyncio.sleep(0.002)
    await follower.finish(EndReason.STOPPED)
    assert sorted(counts) == counts
    row = studio.newest("porch")
    fragments = fragments_of(path)
    assert follower.fragments_seen == len(fragments)
    assert sum(row.segments.sizes_bytes) == sum(each.size_bytes for each in fragments)
    assert await studio.catalog.recording("porch", path.name) == row
    assert growing_form(path.read_bytes()) == growing


async def test_parts_are_the_same_live_and_from_the_archive(studio: Studio, growing: bytes) -> None:
    path = studio.root / "porch" / "20261122T120000Z-aaaa.mp4"
    stream = studio.live.stream("porch")
    follower = await begin(studio, "aaaa")
    await record_into(path, growing)
    await studio.changes("porch", lambda: len(stream.parts) > 1, "listed parts")
    assert {each.media_sequence for each in stream.parts} - {studio.newest("porch").end_media_sequence}, "and segments'"
    await follower.finish(EndReason.STOPPED)
    row, init = studio.newest("porch"), stream.inits[studio.newest("porch").init_hash]
    end = row.first_offset
    found: list[Part] = []
    for index, size_bytes in enumerate(row.segments.sizes_bytes):
        data = path.read_bytes()[end : end + size_bytes]
        found += parts_of_segment(row, index, data, init)
        end += size_bytes
        assert found[-1].offset + found[-1].size_bytes == end
    assert list(stream.parts) == found[-len(stream.parts) :]
    assert [each.opens_run for each in found] == [each.position == (row.first_media_sequence, 0) for each in found]


@pytest.mark.parametrize(("first", "moved"), [("20261122T120003Z", "20261122T120002Z"), ("20261122T120002Z", "")])
async def test_a_first_recording_is_not_written_over_by_the_second(
    studio: Studio, growing: bytes, first: str, moved: str
) -> None:
    """Cut every four seconds; ffmpeg's clock for names is behind, so that both may be named by the same second."""
    folder = studio.root / "porch"
    named = folder / f"{first}-aaaa.mp4"
    follower = RunFollower(studio.indexer, await studio.indexer.begin_run("porch", "aaaa"), recording_s=4)
    follower.start()
    await record_into(named, growing)
    row = await listed(studio, 1)
    assert row.name == f"{moved or first}-aaaa.mp4"
    second = named if moved else folder / "20261122T120004Z-aaaa.mp4"
    second.write_bytes(growing)
    await studio.changes("porch", lambda: studio.newest("porch").name == second.name, "went on")
    await follower.finish(EndReason.STOPPED)
    rows = await studio.catalog.recordings("porch")
    assert [each.name for each in rows] == [row.name, second.name]
    assert rows[1].first_media_sequence == rows[0].end_media_sequence
    assert sorted(path.name for path in folder.glob("*.mp4")) == [row.name, second.name]


async def test_damage_ends_a_recording_and_not_the_run(
    studio: Studio, growing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = studio.root / "porch"
    first, second = folder / "20261122T120000Z-aaaa.mp4", folder / "20261122T120002Z-aaaa.mp4"
    moof_at = [at for at in range(len(growing)) if growing[at : at + 4] == b"moof"][4]
    spoilt = growing[:moof_at] + b"\xffoof" + growing[moof_at + 4 :]
    follower = await begin(studio, "aaaa")
    await record_into(first, growing[:moof_at])
    await listed(studio, 1)
    first.write_bytes(spoilt)
    second.write_bytes(growing)
    await studio.changes("porch", lambda: studio.newest("porch").name == second.name, "went on")
    await follower.finish(EndReason.STOPPED)
    assert first.read_bytes() == spoilt
    assert f"porch/{first.name} is damaged, and kept up to there" in caplog.text
    rows = await studio.catalog.recordings("porch")
    assert [row.name for row in rows] == [first.name, second.name]
    assert rows[1].first_media_sequence == rows[0].end_media_sequence
    prft_at = growing.rindex(b"prft", 0, moof_at) - 4
    assert rows[0].first_offset + sum(rows[0].segments.sizes_bytes) == prft_at
    await studio.indexer.recover("porch")
    assert await studio.catalog.recordings("porch") == rows


async def test_what_a_full_disk_left_unsealed_is_sealed_when_there_is_room(
    studio: Studio, growing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = studio.root / "porch"
    first, second = folder / "20261122T120000Z-aaaa.mp4", folder / "20261122T120100Z-bbbb.mp4"
    follower = await begin(studio, "aaaa")
    await record_into(first, growing)
    with no_space_beyond(len(growing)):
        await follower.finish(EndReason.DISK_FULL)
    assert "could not be sealed: File too large; it is tried again" in caplog.text
    unsealed = studio.newest("porch")
    assert unsealed.is_open
    assert [each.name for each in studio.indexer.notebook("porch").notes.open] == [first.name]
    follower = await begin(studio, "bbbb")
    await studio.indexer.care.wait_settled()
    sealed = await studio.catalog.recording("porch", first.name)
    assert sealed == replace(unsealed, end_reason=EndReason.DISK_FULL, size_bytes=first.stat().st_size)
    assert await read_sealed(studio.archive, "porch", first.name) is not None
    assert studio.indexer.notebook("porch").notes.open == ()
    await record_into(second, growing)
    await follower.finish(EndReason.STOPPED)
    assert [each.name for each in studio.live.stream("porch").recordings] == [first.name, second.name]


@pytest.mark.parametrize("then", ["it is taken in", "it has no row", "it cannot be read"])
async def test_the_live_edge_does_not_go_back_after_a_follower_that_failed(
    studio: Studio, growing: bytes, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """A recording's row is as old as its first segment, and may have to wait; what players were told is more."""

    end = await _listed_until_it_failed(studio, growing, monkeypatch, has_row=then != "it has no row")
    if then == "it cannot be read":
        monkeypatch.setattr("hlscam.services.indexer.take_in", _fail)
    ends: list[int] = []
    watching = asyncio.create_task(_watch_ends(studio, ends))
    assert (await studio.indexer.begin_run("porch", "bbbb")).media_sequence >= end
    await asyncio.sleep(0)
    watching.cancel()
    assert min(ends) >= end


async def test_numbers_of_a_file_that_cannot_be_read_after_a_restart_are_not_given_again(
    studio: Studio, growing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is as old as its first segment."""
    end = await _listed_until_it_failed(studio, growing, monkeypatch)
    monkeypatch.setattr("hlscam.services.indexer.take_in", _fail)
    async with Studio(studio.root, {"porch": not_recorded("porch")}) as restarted:
        assert (await restarted.indexer.begin_run("porch", "bbbb")).media_sequence >= end


async def _fail(*_: object, **__: object) -> None:
    raise OSError("broken")


async def _listed_until_it_failed(
    studio: Studio, growing: bytes, monkeypatch: pytest.MonkeyPatch, *, has_row: bool = True
) -> int:
    """Follow a recording until it cannot be read any more; the number behind the last that was listed of it."""

    async def nothing(*_: object) -> None: ...

    with monkeypatch.context() as broken:
        if not has_row:
            broken.setattr(studio.indexer.care, "keep", nothing)
        follower = await begin(studio, "aaaa")
        await record_into(studio.root / "porch" / "20261122T120000Z-aaaa.mp4", growing)
        end = (await listed(studio, 2)).end_media_sequence
        broken.setattr(OpenRecording, "read", _fail)
        with pytest.raises(OSError, match="broken"):
            await follower.finish(EndReason.CRASHED)
    assert all(row.end_media_sequence < end for row in await studio.catalog.recordings("porch"))
    return end


async def _watch_ends(studio: Studio, ends: list[int]) -> None:
    stream = studio.live.stream("porch")
    while True:
        await stream.wait_changed()
        ends.append(stream.newest.end_media_sequence if stream.newest else 0)


async def test_what_is_removed_before_it_could_be_sealed_is_forgotten(studio: Studio, growing: bytes) -> None:
    path = studio.root / "porch" / "20261122T120000Z-aaaa.mp4"
    follower = await begin(studio, "aaaa")
    await record_into(path, growing)
    with no_space_beyond(len(growing)):
        await follower.finish(EndReason.DISK_FULL)
        await studio.indexer.seal_what_is_left("porch")
    path.unlink()
    await studio.indexer.seal_what_is_left("porch")
    assert studio.indexer.notebook("porch").notes.open == ()


async def test_a_file_that_is_removed_is_told_and_its_numbers_are_not_given_again(
    studio: Studio, growing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kept, gone = (studio.root / "porch" / f"20261122T12000{n}Z-aaaa.mp4" for n in (0, 2))
    studio.viewers["porch"].may_miss = True
    follower = await begin(studio, "aaaa")
    await record_into(kept, growing)
    await listed(studio, 1)
    gone.write_bytes(growing)
    await studio.changes("porch", lambda: studio.newest("porch").name == gone.name, "went on")
    numbers = [line.media_sequence for line in lines_of(studio.newest("porch"))]
    gone.unlink()
    await follower.finish(EndReason.STOPPED)
    assert f"porch/{gone.name} was removed while it was being recorded" in caplog.text
    assert await studio.catalog.recording("porch", gone.name) is None
    assert studio.newest("porch").name == kept.name
    identity = await studio.indexer.begin_run("porch", "bbbb")
    assert identity.media_sequence > max(numbers)
    assert identity.discontinuity_sequence == 1


async def test_numbers_of_files_removed_while_we_were_away_are_not_given_again(archive_copy: Path) -> None:
    newest = sorted((archive_copy / "porch").glob("*.mp4"))[-1]
    async with Studio(archive_copy, IDLE) as studio:
        before = await studio.catalog.recording("porch", newest.name)
    newest.unlink()
    async with Studio(archive_copy, IDLE) as studio:
        assert await studio.catalog.recording("porch", newest.name) is None
        identity = await studio.indexer.begin_run("porch", "bbbb")
    assert before is not None
    assert identity.media_sequence == before.end_media_sequence
    assert identity.discontinuity_sequence == before.discontinuity_sequence + 1


async def test_a_catalog_that_cannot_be_written_stops_nothing(tmp_path: Path, growing: bytes) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.sqlite3'}?timeout=0.05"
    async with Studio(tmp_path, {"porch": not_recorded("porch")}, catalog_url=url) as studio:
        (tmp_path / "porch").mkdir()
        follower = await begin(studio, "aaaa")
        path = tmp_path / "porch" / "20261122T120000Z-aaaa.mp4"
        with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite3", isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            await record_into(path, growing)
            await listed(studio, 1)
            await follower.finish(EndReason.STOPPED)
            closed = studio.newest("porch")
            assert closed.end_reason is EndReason.STOPPED
            assert await studio.catalog.recording("porch", path.name) is None
            identity = await studio.indexer.begin_run("porch", "bbbb")
            assert identity.media_sequence == closed.end_media_sequence

        async def has_its_row() -> bool:
            return await studio.catalog.recording("porch", path.name) == closed

        await until(has_its_row, "its row is written")
    assert growing_form(path.read_bytes()) == growing


async def test_a_recording_without_a_fragment_uses_up_no_number(studio: Studio, growing: bytes) -> None:
    follower = await begin(studio, "aaaa")
    (studio.root / "porch" / "20261122T120000Z-aaaa.mp4").write_bytes(growing[: growing.index(b"prft") - 4])
    await follower.finish(EndReason.UNREACHABLE)
    assert follower.fragments_seen == 0
    assert await studio.catalog.recordings("porch") == []


async def test_the_first_number_of_all_is_the_second_of_the_clock(tmp_path: Path, clock: ManualClock) -> None:
    async with Studio(tmp_path, {"porch": not_recorded("porch")}, clock=clock) as studio:
        identity = await studio.indexer.begin_run("porch", "aaaa")
    assert identity.media_sequence == clock.wall_us() // 1_000_000
    assert (identity.discontinuity_sequence, identity.not_before_wall_us) == (0, 0)
    assert identity.target_duration_s is None


async def rolled(studio: Studio) -> None:
    await studio.changes("porch", lambda: len(studio.live.stream("porch").recordings) > 1, "rolled")


async def test_other_ways_to_follow_a_camera(tmp_path: Path) -> None:
    """By polling; and by the rescan alone, as when every event is lost."""
    polling = Studio(tmp_path / "a", {"porch": PATTERN}, observer="polling", recording_s=1)
    blind = Studio(tmp_path / "b", {"porch": PATTERN}, watching=False, rescan_interval_s=0.2, recording_s=1)
    async with polling, blind:
        assert polling.watch.polling
        for studio in (polling, blind):
            await rolled(studio)


async def test_a_file_removed_under_a_real_camera_does_not_stop_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Studio(tmp_path, {"porch": PATTERN}) as studio:
        await studio.segments("porch", 1)
        studio.viewers["porch"].may_miss = True
        await studio.changes("porch", lambda: len(studio.newest("porch").segments) == 1, "has just begun a recording")
        gone = studio.newest("porch")
        studio.archive.path("porch", gone.name).unlink()
        stream = studio.live.stream("porch")
        await studio.changes(
            "porch", lambda: {each.name for each in stream.recordings} - {gone.name} != set(), "went on"
        )
        following = studio.newest("porch")
        assert studio.recorders["porch"].status.state is CameraState.RECORDING
        assert following.run == gone.run
        assert following.first_media_sequence >= gone.end_media_sequence
        rows = await studio.catalog.recordings("porch")
    assert f"porch/{gone.name} was removed while it was being recorded" in caplog.text
    assert gone.name not in {row.name for row in rows}


def of(segments: dict[int, Segment]) -> list[Segment]:
    return [Segment(**{**each.__dict__, "data": b""}) for _, each in sorted(segments.items())]


@pytest.mark.parametrize("then", ["start", "lose the catalog and start", "lose the catalog, reindex and start"])
async def test_after_a_crash_all_that_was_listed_stays(crashed_copy: Path, life: Life, then: str) -> None:
    """To the last bit, with the catalog or without it."""
    if "lose" in then:
        (crashed_copy / "catalog.sqlite3").unlink()
    if "reindex" in then:
        assert await reindex_archive(config_of(crashed_copy), Progress(io.StringIO())) == []
    async with Studio(crashed_copy, IDLE) as studio:
        for camera in IDLE:
            rows = await studio.catalog.recordings(camera)
            assert all(row.end_reason is not None for row in rows)
            assert rows[-1].end_reason is EndReason.SERVER_CRASHED
            for before, after in pairwise(rows):
                assert after.first_media_sequence == before.end_media_sequence
            lines = {line.media_sequence: line for row in rows for line in lines_of(row)}
            for listed_then in of(life.listed_at_crash[camera]):
                now = lines[listed_then.media_sequence]
                assert now == listed_then
                data = (crashed_copy / camera / now.recording).read_bytes()
                segment = life.listed_at_crash[camera][now.media_sequence].data
                assert data[now.offset : now.offset + len(segment)] == segment
            identity = await studio.indexer.begin_run(camera, "dddd")
            assert identity.media_sequence == rows[-1].end_media_sequence
            assert identity.discontinuity_sequence == rows[-1].discontinuity_sequence + 1
            assert identity.not_before_wall_us == rows[-1].end_wall_us
            assert studio.newest(camera) == rows[-1]


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*.mp4")}


async def test_taking_in_happens_once(crashed_copy: Path) -> None:
    async with Studio(crashed_copy, IDLE) as studio:
        first = await studio.catalog.dump()
    bytes_after = contents(crashed_copy)
    async with Studio(crashed_copy, IDLE) as studio:
        assert await studio.catalog.dump() == first
    assert contents(crashed_copy) == bytes_after


async def test_strange_files_do_not_keep_a_camera_from_recording(
    archive_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = archive_copy / "porch"
    (folder / "20200101T000000Z-text.mp4").write_text("not a recording")
    (folder / "20200101T000001Z-folder.mp4").mkdir()
    os.mkfifo(folder / "20200101T000002Z-pipe.mp4")
    (folder / "holiday.mp4").write_text("somebody's own")
    (folder / "notes.txt").write_text("somebody's own")
    async with Studio(archive_copy, {"porch": PATTERN}) as studio:
        await studio.segments("porch", len(studio.viewers["porch"].seen) + 1)
        names = {row.name for row in await studio.catalog.recordings("porch")}
    assert "porch/20200101T000000Z-text.mp4 is no recording (" in caplog.text
    assert not any(name.startswith("2020") for name in names)
    assert (folder / "holiday.mp4").read_text() == "somebody's own"
    assert (archive_copy / "quarantine" / "porch" / "20200101T000000Z-text.mp4").read_text() == "not a recording"


async def test_a_folder_that_cannot_be_read_keeps_its_rows(archive_copy: Path) -> None:
    (archive_copy / "porch").rename(archive_copy / "aside")
    (archive_copy / "porch").write_text("a file stands in its place")
    async with Studio(archive_copy, {"loop": not_recorded("loop")}) as studio:
        rows = await studio.catalog.recordings("porch")
        assert len(rows) > 2
        with pytest.raises(ArchiveError, match="cannot be read: Not a directory"):
            await studio.indexer.recover("porch")
        assert await studio.catalog.recordings("porch") == rows
        assert studio.newest("porch") == rows[-1]
        with pytest.raises(ArchiveError):  # what it holds is not known, so no number can be given
            await studio.indexer.begin_run("porch", "bbbb")


async def test_a_second_start_goes_on_with_the_numbers(archive_copy: Path, life: Life) -> None:
    async with Studio(archive_copy, {"porch": PATTERN}) as studio:
        known = studio.newest("porch").end_media_sequence
        await studio.changes("porch", lambda: studio.newest("porch").end_media_sequence > known, "went on")
        newest = studio.newest("porch")
        assert ffmpegs(archive_copy / "porch")
    assert newest.first_media_sequence == max(life.seen["porch"]) + 1
    assert newest.discontinuity_sequence == 2
    assert newest.starts_run


async def first_of_next_run(root: Path, boot: str = "") -> Recording:
    """What the camera records after another start, up to its first segment."""
    async with Studio(root, {"porch": PATTERN}, boot=boot) as studio:
        known = studio.newest("porch")
        await studio.changes("porch", lambda: studio.newest("porch").run != known.run, "recorded again")
        return next(each for each in studio.live.stream("porch").recordings if each.run == studio.newest("porch").run)


async def test_the_next_run_says_why_there_was_a_hole(archive_copy: Path, crashed_copy: Path) -> None:
    assert (await first_of_next_run(archive_copy)).gap_reason is EndReason.STOPPED
    assert (await first_of_next_run(crashed_copy)).gap_reason is EndReason.SERVER_CRASHED
    async with Studio(archive_copy, IDLE) as studio:
        await studio.status("porch", CameraState.DISABLED)
    assert (await first_of_next_run(archive_copy)).gap_reason is EndReason.DISABLED


async def test_reasons_survive_a_restart(archive_copy: Path) -> None:
    with refusing_camera() as refusing:
        for _ in range(2):
            async with Studio(archive_copy, {"porch": refusing}) as studio:
                await studio.status("porch", CameraState.WAITING)
    assert (await first_of_next_run(archive_copy)).gap_reason is EndReason.UNREACHABLE


@pytest.mark.parametrize("catalog_is_lost", [False, True])
async def test_after_a_power_cut_no_listed_number_comes_again(
    crashed_copy: Path, life: Life, catalog_is_lost: bool
) -> None:
    """The newest footage had not reached the disk: the file ends in the middle of a segment that players have seen."""
    listed_then = life.listed_at_crash["porch"]
    newest = listed_then[max(listed_then)]
    path = crashed_copy / "porch" / newest.recording
    fragments = fragments_of(path)
    os.truncate(path, next(each for each in fragments if each.offset == newest.offset).end)
    if catalog_is_lost:
        (crashed_copy / "catalog.sqlite3").unlink()
    async with Studio(crashed_copy, IDLE, boot="second") as studio:
        rows = await studio.catalog.recordings("porch")
        kept = {line.media_sequence: line for row in rows for line in lines_of(row)}
        assert max(kept) == newest.media_sequence - 1
        assert {number: kept[number] for number in listed_then if number in kept} == {
            each.media_sequence: each for each in of(listed_then) if each.media_sequence in kept
        }
    assert await check_archive(config_of(crashed_copy), Progress(io.StringIO())) == []
    following = await first_of_next_run(crashed_copy, boot="second")
    assert following.first_media_sequence > newest.media_sequence
    assert following.discontinuity_sequence == newest.discontinuity_sequence + 1


async def test_numbers_of_a_recording_that_vanished_with_the_catalog_do_not_come_again(
    crashed_copy: Path, life: Life
) -> None:
    listed_then = life.listed_at_crash["porch"]
    (crashed_copy / "porch" / listed_then[max(listed_then)].recording).unlink()
    (crashed_copy / "catalog.sqlite3").unlink()
    following = await first_of_next_run(crashed_copy)
    assert following.first_media_sequence > max(listed_then)
