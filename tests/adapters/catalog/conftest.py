"""A catalog in a file of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hlscam.adapters.catalog import Catalog
from tests.adapters.catalog.samples import INIT_HASH, INIT_SECTION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def url(path: Path) -> str:
    """Waits a tenth of a second for locks, so that tests of locks are quick."""
    return f"sqlite:///{path}?timeout=0.1"


@pytest.fixture
async def catalog(url: str) -> AsyncIterator[Catalog]:
    """Empty but for the init section that the samples name."""
    opened = await Catalog.open(url)
    await opened.put_init_section(INIT_HASH, INIT_SECTION)
    yield opened
    await opened.close()
