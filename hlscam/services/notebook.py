"""A camera's notebook: its notes (`domain/camera_notes.py`) in memory, and on disk whenever they change.

The recorder writes what it does, the indexer which numbers are given. What cannot be written (a full disk) is kept in
memory and goes with the next change: notes help after a crash, and no crash follows from them.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from hlscam.adapters.archive import Archive
from hlscam.adapters.notes_file import read_notes, write_notes
from hlscam.domain.camera_notes import CameraNotes

log = logging.getLogger(__name__)


class Notebook:
    """One camera's notes. `load` before the first change, or what an earlier process knew is lost."""

    def __init__(self, archive: Archive, camera: str) -> None:
        self.camera = camera
        self.notes = CameraNotes()
        self._archive = archive
        self._on_disk: CameraNotes | None = None
        self._writing = asyncio.Lock()
        self._failed = False

    async def load(self) -> CameraNotes | None:
        """Begin with what is on disk; None, and nothing is changed, when there are no notes that can be read."""
        folder = self._archive.folder(self.camera)
        try:
            data = await self._archive.run(lambda: read_notes(folder))
        except OSError as error:
            log.error("camera %s: its notes cannot be read: %s", self.camera, error.strerror)
            return None
        if data is None:
            return None
        notes = CameraNotes.from_json(data)
        if notes is None:
            log.warning(
                "camera %s: its notes are damaged; its recordings tell the same, if not as exactly", self.camera
            )
            return None
        self.notes = self._on_disk = notes
        return notes

    async def change(self, **facts: Any) -> None:
        """Change some of the notes' fields, and write if anything is different now."""
        self.notes = replace(self.notes, **facts)
        await self.write()

    async def write(self) -> None:
        """Bring to disk what is not there yet. Never raises for the disk."""
        async with self._writing:  # whoever waited here finds the newest written by another, or writes it
            notes = self.notes
            if notes == self._on_disk:
                return
            folder = self._archive.folder(self.camera)
            try:
                if await self._archive.run(lambda: write_notes(folder, notes.to_json())):
                    self._on_disk = notes
            except OSError as error:
                if not self._failed:
                    log.error("camera %s: its notes cannot be written: %s", self.camera, error.strerror or error)
                self._failed = True
            else:
                self._failed = False
