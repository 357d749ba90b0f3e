"""Notes in memory and on disk: what one process noted, the next one knows; a disk that fails stops nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.adapters.archive import Archive
from hlscam.adapters.notes_file import read_notes
from hlscam.domain.camera_notes import NOTES_NAME, CameraNotes, Counters
from hlscam.domain.recording import EndReason
from hlscam.services.notebook import Notebook


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = Archive(tmp_path)
    yield archive
    await asyncio.to_thread(archive.close)


async def test_the_next_process_goes_on_with_the_notes(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "porch").mkdir()
    notebook = Notebook(archive, "porch")
    assert await notebook.load() is None
    await notebook.change(gap_reason=EndReason.STALLED)
    await notebook.change(counters=Counters(media_sequence=7))
    again = Notebook(archive, "porch")
    assert await again.load() == notebook.notes
    assert again.notes == CameraNotes(gap_reason=EndReason.STALLED, counters=Counters(media_sequence=7))


async def test_nothing_is_written_when_nothing_is_different(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "porch").mkdir()
    notebook = Notebook(archive, "porch")
    await notebook.change(gap_reason=EndReason.STALLED)
    written = (tmp_path / "porch" / NOTES_NAME).stat().st_ino
    await notebook.change(gap_reason=EndReason.STALLED)
    assert (tmp_path / "porch" / NOTES_NAME).stat().st_ino == written


async def test_changes_at_the_same_time_end_with_the_last(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "porch").mkdir()
    notebook = Notebook(archive, "porch")
    await asyncio.gather(*(notebook.change(counters=Counters(media_sequence=number)) for number in range(50)))
    data = read_notes(tmp_path / "porch")
    assert data is not None
    assert CameraNotes.from_json(data) == replace(CameraNotes(), counters=Counters(media_sequence=49))


async def test_notes_wait_in_memory_for_a_folder(archive: Archive, tmp_path: Path) -> None:
    notebook = Notebook(archive, "porch")
    await notebook.change(gap_reason=EndReason.DISABLED)
    assert not (tmp_path / "porch").exists()
    (tmp_path / "porch").mkdir()
    await notebook.write()
    assert await Notebook(archive, "porch").load() == notebook.notes


async def test_a_disk_that_cannot_be_written_is_told_once_and_made_up_for(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "porch").mkdir()
    in_the_way = tmp_path / "porch" / f"{NOTES_NAME}.new"
    in_the_way.mkdir()
    notebook = Notebook(archive, "porch")
    for number in range(3):
        await notebook.change(counters=Counters(media_sequence=number + 1))
    assert caplog.text.count("its notes cannot be written: Is a directory") == 1
    in_the_way.rmdir()
    await notebook.write()
    assert await Notebook(archive, "porch").load() == notebook.notes


async def test_damaged_notes_are_told_and_passed_over(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "porch").mkdir()
    (tmp_path / "porch" / NOTES_NAME).write_text('{"version": 1, "open": [')
    notebook = Notebook(archive, "porch")
    assert await notebook.load() is None
    assert notebook.notes == CameraNotes()
    assert "camera porch: its notes are damaged" in caplog.text
