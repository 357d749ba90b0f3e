"""Archives of many recordings, made of one real one: copies, each with a name and numbers of its own in its box."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.recording import Recording
from hlscam.domain.recording_facts import to_box
from hlscam.isobmff.recording_box import encode_recording_box
from hlscam.services.adoption import adopt
from hlscam.services.keeper import Kept, read_sealed_file

_FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def fill(model: Path, root: Path, camera: str, count: int) -> list[Recording]:
    """Make so many recordings of a camera in the archive at `root`; `model` is a closed recording of that camera."""
    kept = read_model(model)
    media = model.read_bytes()[: -len(encode_recording_box(*to_box(kept.recording)))]
    (root / camera).mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(count):
        facts = nth(kept.recording, index)
        box = encode_recording_box(*to_box(facts))
        (root / camera / facts.name).write_bytes(media + box)
        made.append(replace(facts, size_bytes=len(media) + len(box)))
    return made


def read_model(model: Path) -> Kept:
    """A closed recording, with what its segments need."""
    archive = Archive(model.parent.parent)
    try:
        kept = read_sealed_file(archive, model.parent.name, model.name)
    finally:
        archive.close()
    assert kept is not None
    return kept


def nth(model: Recording, index: int) -> Recording:
    """The `index`-th recording of a gapless camera, ten minutes of names apart."""
    duration_us = model.end_wall_us - model.start_wall_us
    return replace(
        model,
        name=f"{_FIRST + timedelta(minutes=10 * index):%Y%m%dT%H%M%SZ}-aaaa.mp4",
        run="aaaa",
        first_media_sequence=index * len(model.segments),
        discontinuity_sequence=0,
        starts_run=index == 0,
        gap_reason=None,
        start_wall_us=model.start_wall_us + index * duration_us,
    )


async def make_catalog(root: Path, path: Path) -> list[tuple[object, ...]]:
    """A catalog of all recordings of an archive, closed in order; what it dumps."""
    archive, catalog = Archive(root), await Catalog.open(f"sqlite:///{path}")
    try:
        for camera in await archive.cameras():
            assert await adopt(archive, catalog, camera, await archive.names(camera)) == []
        return await catalog.dump()
    finally:
        await catalog.close()
        await asyncio.to_thread(archive.close)
