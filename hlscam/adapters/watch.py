"""watchdog to asyncio: "something changed in this camera's folder".

inotify tells *that* a file grew; what it holds now is always read from the file, so an event says no more than
"look again", any number of them melt into one, and a lost one (inotify's queue overflows) costs a delay
until the next rescan and nothing else.

Each camera's folder is watched by itself, once it is there: what else happens in the archive (the catalog is written
all the time) wakes nobody.

Where inotify cannot see (network mounts) watchdog's polling observer looks instead, only at the newest names of each
folder: older recordings are closed and never change.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from watchdog.events import (
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.polling import PollingObserverVFS

from hlscam.domain.camera_notes import NOTES_NAME

POLL_INTERVAL_S = 0.25
_NEWEST_NAMES = 4
_BLIND_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "glusterfs", "vboxsf", "virtiofs", "drvfs")


class ArchiveWatch:
    """Wakes whoever follows a camera's folder. `observer` is "inotify", "polling" or "auto"."""

    def __init__(self, root: Path, observer: str = "auto") -> None:
        self._root = root
        self._loop = asyncio.get_running_loop()
        self._changed: dict[str, asyncio.Event] = {}
        self._noted: dict[str, set[str]] = {}
        self._woken: set[str] = set()
        self._lock = threading.Lock()
        self._adding = threading.Lock()
        self._watches: dict[str, ObservedWatch] = {}
        self._watched: dict[str, tuple[int, int]] = {}
        self.polling = observer == "polling" or (observer == "auto" and not sees_changes(root))
        self._observer: BaseObserver = _polling_observer() if self.polling else Observer()

    def start(self) -> None:
        """Begin to watch. Blocks: call it off the loop."""
        self._observer.start()

    def add(self, camera: str) -> bool:
        """Watch a camera's folder from now on, also when it is another one than before; False without a folder.

        What happened in it before is not told. Blocks: call it off the loop.
        """
        folder = self._root / camera
        try:
            status = folder.stat()
        except OSError:
            return False
        identity = status.st_dev, status.st_ino
        with self._adding:
            if self._watched.get(camera) == identity:
                return True
            if camera in self._watches:
                self._observer.unschedule(self._watches[camera])
            kinds: list[type[FileSystemEvent]] = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
            try:
                self._watches[camera] = self._observer.schedule(_Handler(self), str(folder), event_filter=kinds)
            except OSError:  # removed meanwhile, or the system's inotify watches are used up: rescans still look
                return False
            self._watched[camera] = identity
            return True

    def close(self) -> None:
        """Stop watching. Blocks for a moment: call it off the loop."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def changed(self, camera: str) -> asyncio.Event:
        """The event that is set whenever something in the camera's folder changed; whoever waits clears it."""
        return self._changed.setdefault(camera, asyncio.Event())

    def take_names(self, camera: str) -> set[str]:
        """The names of the files that changed in the camera's folder since the last call."""
        with self._lock:
            return self._noted.pop(camera, set())

    def note(self, path: str) -> None:
        """A change at `path`, told by watchdog's thread."""
        folder, name = os.path.split(path)
        camera = Path(folder).name
        with self._lock:
            self._noted.setdefault(camera, set()).add(name)
            if camera in self._woken:
                return
            self._woken.add(camera)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, camera)

    def _wake(self, camera: str) -> None:
        with self._lock:
            self._woken.discard(camera)
        self.changed(camera).set()


class _Handler(FileSystemEventHandler):
    def __init__(self, watch: ArchiveWatch) -> None:
        self._watch = watch

    def dispatch(self, event: FileSystemEvent) -> None:
        self._watch.note(os.fsdecode(event.dest_path or event.src_path))


def sees_changes(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether inotify sees what happens in `folder`: not on network and other foreign file systems."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    target = folder.resolve()
    fitting = [
        (len(fields[1]), order, fields[2])
        for order, fields in enumerate(line.split() for line in lines)
        if len(fields) > 2 and target.is_relative_to(_unescaped(fields[1]))
    ]
    return not max(fitting, default=(0, 0, ""))[2].startswith(_BLIND_FILE_SYSTEMS)


def _unescaped(mount_point: str) -> str:
    r"""A path as getmntent(3) reads it: blanks stand as `\040`. Of two mounts on one folder, the later one counts."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), mount_point)


def _polling_observer() -> BaseObserver:
    return PollingObserverVFS(stat=os.stat, listdir=_newest_entries, polling_interval=POLL_INTERVAL_S)


def _newest_entries(folder: str | None) -> Iterator[os.DirEntry[str]]:
    """The notes, and the newest files by name: recordings are named by time."""
    with os.scandir(folder or ".") as entries:
        files = sorted((each for each in entries if each.is_file()), key=lambda each: each.name)
    yield from (each for each in files if each.name == NOTES_NAME)
    yield from files[-_NEWEST_NAMES:]
