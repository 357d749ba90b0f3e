"""The catalog in a process of its own: `python -m tests.services.catalog_process write|watch URL [ARCHIVE]`.

`write` takes an archive into the catalog, one recording at a time and the last camera without a stop in order, says
`done`, and waits to be killed. `watch` reads as `hlscam serve` does, without a pause, and tells on a line of its own
what it finds whenever that is something new.
"""

from __future__ import annotations

import asyncio
import sys
from hashlib import sha256
from pathlib import Path

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.errors import CatalogError
from hlscam.services.adoption import adopt
from tests.rig.child import Child
from tests.rig.paths import REPOSITORY


async def start(*arguments: object) -> Child:
    """This program, with a test as its parent."""
    argv = [sys.executable, "-m", "tests.services.catalog_process", *map(str, arguments)]
    return await Child.start(argv, folder=REPOSITORY)


def digest(dump: list[tuple[object, ...]]) -> str:
    """What `watch` tells of a catalog that dumps so."""
    return f"{len(dump)} {sha256(repr(dump).encode()).hexdigest()}"


async def _write(url: str, root: str) -> None:
    archive = Archive(Path(root))
    for camera in await archive.cameras():
        catalog = await Catalog.open(url)
        for name in await archive.names(camera):
            await adopt(archive, catalog, camera, [name])
        if camera != (await archive.cameras())[-1]:
            await catalog.close()
    print("done", flush=True)
    await asyncio.Event().wait()


async def _watch(url: str) -> None:
    catalog = await Catalog.open(url, read_only=True)
    told = ""
    while True:
        try:
            found = digest(await catalog.dump())
        except CatalogError as error:
            found = f"{type(error).__name__}: {error.message}"
            await asyncio.sleep(0.01)
        if found != told:
            print(found, flush=True)
        told = found


if __name__ == "__main__":
    match sys.argv[1:]:
        case "write", url, archive:
            asyncio.run(_write(url, archive))
        case "watch", url:
            asyncio.run(_watch(url))
