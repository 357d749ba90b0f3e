"""Reads a configuration file and looks whether what it names is there.

Parsing is `hlscam.domain.config_text`; this is the thin shell around it that touches the file system: it reads the
file, and then asks of clips whether they can be read, of the archive folder whether it can be written or made, and of
the ffmpeg program whether it can be run. It makes nothing: `--check-config` must leave no trace.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from hlscam.domain.config import Config
from hlscam.domain.config_text import parse_document
from hlscam.domain.located_yaml import KeyPath
from hlscam.domain.source import FileSource
from hlscam.errors import ConfigError

_EXAMPLE = "deploy/hlscam.example.yaml shows every setting, and `hlscam run --demo` needs no file"
_EFFECTIVE_IDS = os.access in os.supports_effective_ids


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the file `path`, its relative paths taken from its folder.

    Raises ConfigError: one line per problem, with file, line, column and key.
    """
    document = parse_document(_read(path), environ=environ, base=path.absolute().parent, file_name=str(path))
    if complaints := list(unusable_paths(document.config)):
        raise document.error(complaints)
    return document.config


def unusable_paths(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """The keys whose paths cannot be used, each with why and what to do. Disabled cameras are left alone."""
    if why := _why_not_writable_folder(config.archive.path):
        yield ("archive", "path"), why
    if config.ffmpeg.path and shutil.which(config.ffmpeg.path) is None:
        yield ("ffmpeg", "path"), f"{config.ffmpeg.path} is not a program that can be run; give its whole path"
    for camera_id, camera in config.cameras.items():
        if camera.enabled and isinstance(camera.source, FileSource) and (why := _why_not_readable(camera.source.path)):
            yield ("cameras", camera_id, "source"), why


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file", hint=_EXAMPLE) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=_EXAMPLE) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}:1: is not UTF-8 text: {error.reason}; save it as UTF-8") from None


def _why_not_readable(clip: Path) -> str:
    try:
        if not clip.exists():
            return f"there is no file {clip}; relative paths start at the configuration file's folder"
        if not clip.is_file():
            return f"{clip} is not a file; name a video file"
    except OSError as error:
        return f"{clip} cannot be looked at: {error.strerror}"
    return "" if _may(clip, os.R_OK) else f"{clip} cannot be read by this user; allow it with chmod or chown"


def _why_not_writable_folder(folder: Path) -> str:
    """Of a folder that is not there yet, the nearest one above that is must allow making it."""
    try:
        existing = next(above for above in (folder, *folder.parents) if above.exists())
    except OSError as error:
        return f"{folder} cannot be looked at: {error.strerror}"
    if not existing.is_dir():
        return f"{existing} is not a folder; name a folder for the recordings"
    if _may(existing, os.R_OK | os.W_OK | os.X_OK):
        return ""
    what = "cannot be written" if existing == folder else f"cannot be made, since {existing} cannot be written"
    return f"{folder} {what} by this user; allow it with chmod or chown, or name another folder"


def _may(path: Path, mode: int) -> bool:
    """As the kernel would decide for this process now (the effective user), mount options included."""
    return os.access(path, mode, effective_ids=_EFFECTIVE_IDS)
