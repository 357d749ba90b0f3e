"""`hlscam reindex` and `hlscam check` on a real archive, whole and spoilt in every way that they must name."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.archive_lock import archive_lock
from hlscam.adapters.catalog.store import Catalog
from hlscam.cli import main
from hlscam.domain.recording import Recording
from hlscam.errors import ArchiveError
from hlscam.services.books import check_archive, reindex_archive
from hlscam.services.progress import Progress
from tests.rig.ffmpeg_tools import make_clip
from tests.services.studio import Studio, box_types, config_of, fragments_of
from tests.services.test_indexer import IDLE, contents
from tests.test_logs import put_back


async def check(root: Path) -> list[str]:
    return await check_archive(config_of(root), Progress(io.StringIO()))


async def reindex(root: Path) -> list[str]:
    return await reindex_archive(config_of(root), Progress(io.StringIO()))


async def dump(root: Path) -> list[tuple[object, ...]]:
    catalog = await Catalog.open(config_of(root).catalog_url)
    try:
        return await catalog.dump()
    finally:
        await catalog.close()


async def rows_of(root: Path) -> list[Recording]:
    catalog = await Catalog.open(config_of(root).catalog_url)
    try:
        return await catalog.recordings("porch")
    finally:
        await catalog.close()


def unusable(root: Path) -> list[Path]:
    """The catalogs that were set aside, without their logs."""
    return sorted(each for each in root.glob("catalog.sqlite3.unusable-*") if not each.name.endswith(("-wal", "-shm")))


def _keep(_path: Path) -> None: ...


def _overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5000:9000] = bytes(4000)
    path.write_bytes(data)


def _drop_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE recordings")
        connection.commit()


LOSSES = [_keep, Path.unlink, _overwrite, _flip, _drop_table]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_reindex_brings_an_equal_catalog_back(archive_copy: Path, lose: Callable[[Path], None]) -> None:
    before = await dump(archive_copy)
    files = contents(archive_copy)
    assert len(before) > 5
    lose(archive_copy / "catalog.sqlite3")
    assert await reindex(archive_copy) == []
    assert await dump(archive_copy) == before
    assert contents(archive_copy) == files
    assert await check(archive_copy) == []


async def test_reindex_after_a_crash_equals_what_a_start_makes_of_it(crashed_copy: Path, tmp_path: Path) -> None:
    """Torn files and all, with the old catalog still there."""
    assert await reindex(crashed_copy) == []
    reindexed = await dump(crashed_copy)
    assert await check(crashed_copy) == []
    async with Studio(crashed_copy, IDLE) as studio:
        assert await studio.catalog.dump() == reindexed
    (crashed_copy / "catalog.sqlite3").unlink()
    assert await reindex(crashed_copy) == []
    assert await dump(crashed_copy) == reindexed


async def test_reindex_equals_a_start_when_both_find_a_crash(crashed_copy: Path, crashed_again: Path) -> None:
    async with Studio(crashed_copy, IDLE) as studio:
        started = await studio.catalog.dump()
    assert await reindex(crashed_again) == []
    assert await dump(crashed_again) == started


async def test_reindex_names_what_it_cannot_take_in(archive_copy: Path) -> None:
    before = await dump(archive_copy)
    make_clip(archive_copy / "porch" / "20200101T000000Z-holiday.mp4", seconds=1, size="128x96")
    assert await reindex(archive_copy) == [
        "porch/20200101T000000Z-holiday.mp4: is left as it is: hlscam did not write it for this camera"
    ]
    assert await dump(archive_copy) == before


async def test_reindex_keeps_an_unusable_catalog_aside(archive_copy: Path) -> None:
    _overwrite(archive_copy / "catalog.sqlite3")
    await reindex(archive_copy)
    (aside,) = unusable(archive_copy)
    assert aside.read_bytes().startswith(b"this is no database")


async def test_reindex_wants_the_archive_for_itself(archive_copy: Path) -> None:
    async with archive_lock(archive_copy):
        with pytest.raises(ArchiveError, match="another hlscam is using the archive"):
            await reindex(archive_copy)


async def test_a_good_archive_has_no_faults(archive_copy: Path) -> None:
    files = contents(archive_copy)
    assert await check(archive_copy) == []
    assert contents(archive_copy) == files


async def test_check_beside_a_running_recorder_does_not_mind_open_recordings(crashed_copy: Path) -> None:
    async with archive_lock(crashed_copy):
        assert await check(crashed_copy) == []
    assert any("was never closed: start the server, or run reindex" in each for each in await check(crashed_copy))


async def test_check_does_not_mind_what_retention_removes_meanwhile(archive_copy: Path) -> None:
    """The rows were read, and then one goes and its file with it."""
    rows = await rows_of(archive_copy)

    class Meanwhile(Progress):
        def tell(self, what: str, done: int, of: int) -> None:
            if (what, done) == ("check porch", 2):
                with closing(sqlite3.connect(archive_copy / "catalog.sqlite3")) as catalog:
                    catalog.execute("DELETE FROM recordings WHERE name = ?", [rows[1].name])
                    catalog.commit()
                (archive_copy / "porch" / rows[1].name).unlink()

    assert await check_archive(config_of(archive_copy), Meanwhile(io.StringIO())) == []
    assert await check(archive_copy) == [], "nor the hole that it leaves"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _flip_moof_type(path: Path) -> None:
    _change(path, b"moof", 0, 0xFF)


def _flip_tfdt(path: Path) -> None:
    _change(path, b"tfdt", 15, 0x80)


def _change(path: Path, kind: bytes, at: int, bits: int) -> None:
    data = bytearray(path.read_bytes())
    second = [each for each in fragments_of(path) if each.starts_with_sync][1]
    data[data.index(kind, second.offset) + at] ^= bits
    path.write_bytes(data)


def _cut_box(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"uuid") - 4])


SPOILERS: list[tuple[Callable[[Path], None], str]] = [
    (_truncate, r"has \d+ bytes, its row says \d+"),
    (_flip_moof_type, r"this is not a box, the file is damaged here \(box '.+oof' at byte \d+\)"),
    (_flip_tfdt, r"(segment \d+ does not start when its row says|its fragments go back in time)"),
    (_cut_box, r"has no box of its own: run reindex"),
    (Path.unlink, r"cannot be read: No such file or directory"),
]


@pytest.mark.parametrize(("spoil", "sentence"), SPOILERS, ids=[spoil.__name__ for spoil, _ in SPOILERS])
async def test_check_names_a_spoilt_file(archive_copy: Path, spoil: Callable[[Path], None], sentence: str) -> None:
    path = sorted((archive_copy / "porch").glob("*.mp4"))[1]
    assert box_types(path)[-1] == "uuid"
    spoil(path)
    faults = await check(archive_copy)
    assert [each for each in faults if re.fullmatch(f"porch/{path.name}: {sentence}.*", each)], faults
    assert all(each.startswith("porch") for each in faults), faults


async def test_check_names_a_file_that_the_catalog_does_not_know(archive_copy: Path) -> None:
    path = sorted((archive_copy / "porch").glob("*.mp4"))[0]
    path.with_name("20200101T000000Z-cafe.mp4").write_bytes(path.read_bytes())
    assert await check(archive_copy) == [
        "porch/20200101T000000Z-cafe.mp4: is not in the catalog: start the server, or run reindex"
    ]


CHANGES: list[tuple[dict[str, int], str]] = [
    ({"first_media_sequence": 1}, "media_sequence"),
    ({"start_wall_us": 700_000}, "its own box and its catalog row differ: run reindex"),
    ({"duration_ticks": 512}, r"lasts \d+ ticks, its row says \d+"),
    ({"first_offset": 8}, "does not begin at a fragment"),
    ({"discontinuity_sequence": 5}, "discontinuity_sequence"),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES, ids=[next(iter(change)) for change, _ in CHANGES])
async def test_check_names_a_row_with_wrong_numbers(archive_copy: Path, change: dict[str, int], sentence: str) -> None:
    row = (await rows_of(archive_copy))[0]
    changes: dict[str, int] = {name: getattr(row, name) + by for name, by in change.items()}
    catalog = await Catalog.open(config_of(archive_copy).catalog_url)
    await catalog.put_recording(replace(row, **changes))  # type: ignore[arg-type]  # only numbers are changed
    await catalog.close()
    faults = await check(archive_copy)
    assert any(re.search(sentence, each) for each in faults), faults
    assert f"porch/{row.name}: its own box and its catalog row differ: run reindex" in faults
    assert await reindex(archive_copy) == []
    assert await check(archive_copy) == []


async def test_both_show_progress(archive_copy: Path) -> None:
    told = io.StringIO()
    count = len(list((archive_copy / "porch").glob("*.mp4")))
    await check_archive(config_of(archive_copy), Progress(told))
    await reindex_archive(config_of(archive_copy), Progress(told))
    assert f"check porch: {count} of {count}\n" in told.getvalue()
    assert f"reindex porch: {count} of {count}\n" in told.getvalue()


async def test_a_camera_folder_that_cannot_be_read_is_a_fault_and_not_the_end(archive_copy: Path) -> None:
    (archive_copy / "porch").rename(archive_copy / "aside")
    (archive_copy / "porch").write_text("a file stands in its place")
    faults = await check(archive_copy)
    assert any(each.startswith(f"porch: the archive folder {archive_copy / 'porch'} cannot be read") for each in faults)
    assert not any(each.startswith("loop") for each in faults)


def command(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with put_back(), pytest.raises(SystemExit) as ended:
        main(argv)
    told = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, told.out, told.err


def test_the_commands(capsys: pytest.CaptureFixture[str], archive_copy: Path) -> None:
    """`hlscam check` and `hlscam reindex`: what is wrong on stdout and in the exit code, progress on stderr."""
    config = archive_copy.parent / "hlscam.yaml"
    config.write_text("archive: {path: archive}\ncameras: {porch: {source: 'test:'}}\n")
    code, out, err = command(capsys, "check", "-c", str(config))
    assert (code, out) == (0, "nothing is wrong\n")
    assert re.search(r"^check porch: (\d+) of \1$", err, re.MULTILINE)
    with closing(sqlite3.connect(archive_copy / "catalog.sqlite3")) as catalog:
        catalog.execute("DELETE FROM recordings WHERE camera = 'loop'")
        catalog.commit()
    code, out, _ = command(capsys, "check", "-c", str(config))
    assert code == 1
    assert len(out.splitlines()) == len(list((archive_copy / "loop").glob("*.mp4")))
    assert all(line.endswith(": is not in the catalog: start the server, or run reindex") for line in out.splitlines())
    code, out, err = command(capsys, "reindex", "-c", str(config))
    assert (code, out) == (0, "the catalog is made anew\n")
    assert re.search(r"^reindex loop: (\d+) of \1$", err, re.MULTILINE)
    assert command(capsys, "check", "-c", str(config))[:2] == (0, "nothing is wrong\n")
