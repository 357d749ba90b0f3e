"""A real archive, recorded once a session by the product itself, and the application that serves it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.config import ArchiveConfig, CameraConfig, Config, HlsConfig
from hlscam.domain.recording import Recording
from hlscam.domain.source import parse_source
from hlscam.units import US_PER_S
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION, day
from tests.server.serving import Serve, Serving, make_config, record, record_long_gop

DAYS, DAY_US, SEGMENTS_A_DAY = 12, 86_400 * US_PER_S, 43_200


@pytest.fixture(scope="session")
def archive_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of camera `gate`, all recordings closed. Shared, so it is only read; `own_folder` is for the rest."""
    folder = tmp_path_factory.mktemp("served") / "archive"
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, whatever loop the first test that asks has
        thread.submit(asyncio.run, record(folder)).result()
    return folder


@pytest.fixture(scope="session")
def long_gop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Closed recordings of camera `gate`, of GOPs that are cut between segments. Shared, so it is only read."""
    folder = tmp_path_factory.mktemp("long_gop") / "archive"
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, record_long_gop(folder)).result()
    return folder


@pytest.fixture
def own_folder(archive_folder: Path, tmp_path: Path) -> Path:
    """A copy of the archive that a test may harm."""
    return shutil.copytree(archive_folder, tmp_path / "archive")


@pytest.fixture
async def serve(aiohttp_client: Any) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:
        yield Serve(aiohttp_client, stack)


@pytest.fixture
async def serving(serve: Serve, archive_folder: Path) -> Serving:
    """The archive, served."""
    return await serve(make_config(archive_folder))


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    """A page as a build leaves it: one document, and an asset whose name tells its content."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>hlscam</title>" + "<p>words</p>" * 200)
    (folder / "assets" / "index-1a2b.js").write_text("export const one = 1;\n" * 200)
    (folder / "assets" / "dot-3c4d.png").write_bytes(bytes(range(256)) * 8)
    return folder


def days() -> list[Recording]:
    """1728 recordings of 300 segments."""
    first = day()
    return [
        replace(
            each,
            name=f"{number}-{each.name}",
            first_media_sequence=each.first_media_sequence + number * SEGMENTS_A_DAY,
            start_wall_us=each.start_wall_us + number * DAY_US,
            starts_run=each.starts_run and number == 0,
        )
        for number in range(DAYS)
        for each in first
    ]


@pytest.fixture(scope="session")
def days_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A catalog of twelve days of camera `porch`, without the files: for all that asks the catalog alone."""
    folder = tmp_path_factory.mktemp("days")
    config = Config(
        archive=ArchiveConfig(path=folder),
        hls=HlsConfig(segment_duration_s=2),
        cameras={"porch": CameraConfig(source=parse_source("test:", folder))},
    )

    async def fill() -> None:
        catalog = await Catalog.open(config.catalog_url)
        await catalog.put_init_section(INIT_HASH, INIT_SECTION)
        await catalog.put_recordings(days())
        await catalog.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, fill()).result()
    return config
