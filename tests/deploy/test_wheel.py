"""A real wheel, built from a copy of the tree, installed beside the locked packages, and run.

The environment it is installed into is fresh and sees this one's site-packages as a plain folder, so `hlscam` in it can
only be the wheel's: the editable install of the tree is a .pth file, which is not read there.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import aiohttp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hlscam
from tests.deploy.docker import only, stages
from tests.rig.child import Child
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.paths import REPOSITORY

_PAGE = "hlscam/server/page"


def copy_tree(to: Path) -> Path:
    """What a wheel is built from, and some of what must not get into it."""
    assert (REPOSITORY / _PAGE / "index.html").is_file(), "the page is not built: run `make page`"
    no_caches = shutil.ignore_patterns("__pycache__", "node_modules")
    for folder in ("hlscam", "tests/deploy", "web"):
        shutil.copytree(REPOSITORY / folder, to / folder, ignore=no_caches)
    for file in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "deploy/wheel_hook.py"):
        (to / file).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / file, to / file)
    return to


def build(tree: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the build backend as `make wheel` does."""
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    return subprocess.run(argv, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    done = build(tree, out)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.iterdir()
    return wheel


@pytest.fixture(scope="module")
def names(wheel: Path) -> frozenset[str]:
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return BytesParser().parsebytes(archive.read(f"hlscam-{hlscam.__version__}.dist-info/METADATA"))


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of an environment into which the wheel is installed."""
    root = tmp_path_factory.mktemp("installed")
    quiet = {"check": True, "capture_output": True}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], **quiet)  # type: ignore[call-overload]
    pip = [sys.executable, "-m", "pip", "--python", root / "bin" / "python", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], **quiet)  # type: ignore[call-overload]
    (site_packages,) = root.glob("lib/python*/site-packages")
    (site_packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return root / "bin"


def clean_environment() -> dict[str, str]:
    """Ours, but nothing in it can lead Python to the tree."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def files_below(folder: Path, base: Path) -> Iterator[str]:
    return (each.relative_to(base).as_posix() for each in folder.rglob("*") if each.is_file())


def test_it_holds_the_whole_package_and_nothing_else(tree: Path, names: frozenset[str]) -> None:
    package = {each for each in names if ".dist-info/" not in each}
    assert package == set(files_below(tree / "hlscam", tree))


@pytest.mark.parametrize(
    "name",
    [
        f"{_PAGE}/index.html",
        "hlscam/py.typed",
        "hlscam/adapters/catalog/migrations/env.py",
        "hlscam/adapters/catalog/migrations/versions/0001_recordings.py",
        "hlscam/adapters/ffmpeg/pdeathsig.py",
        "hlscam/bench/sampler.js",
        f"hlscam-{hlscam.__version__}.dist-info/licenses/LICENSE",
    ],
)
def test_it_holds(name: str, names: frozenset[str]) -> None:
    assert name in names


def test_the_page_in_it_has_all_that_it_asks_for(wheel: Path, names: frozenset[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assets = assets_of(archive.read(f"{_PAGE}/index.html").decode())
    assert {each.suffix for each in map(Path, assets)} >= {".js", ".css"}
    assert {f"{_PAGE}{each}" for each in assets} <= names


def assets_of(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)


def test_two_builds_are_the_same_bytes(tree: Path, wheel: Path, tmp_path: Path) -> None:
    assert build(tree, tmp_path).returncode == 0
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_without_the_page_no_wheel_is_built(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    shutil.rmtree(tree / _PAGE)
    done = build(tree, tmp_path / "out")
    assert done.returncode != 0
    assert "hlscam/server/page/index.html is missing: build the wheel with `make wheel`" in done.stderr
    assert not list(tmp_path.glob("out/*.whl"))


def test_an_editable_install_needs_no_page(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    shutil.rmtree(tree / _PAGE)
    backend = "import sys; from hatchling.build import build_editable; print(build_editable(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", backend, tmp_path], cwd=tree, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.whl"))


def locked() -> dict[str, str]:
    """requirements/run.txt: version by canonical name. Every entry must carry a hash."""
    text = (REPOSITORY / "requirements" / "run.txt").read_text().replace("\\\n", " ")
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)==(\S+)( *;[^-]+?)?(?: +--hash=sha256:[0-9a-f]{64})+", line)
        assert match, f"not a pinned requirement with hashes: {line[:80]}"
        found[canonicalize_name(match[1])] = match[2]
    return found


def needed(requires: Iterable[str]) -> Iterator[Requirement]:
    """What is always needed, extras left out."""
    every = map(Requirement, requires)
    return (each for each in every if each.marker is None or each.marker.evaluate({"extra": ""}))


def test_the_lock_holds_all_that_it_needs(metadata: Message) -> None:
    """The image installs the lock with --no-deps, so what is not in it would be missing."""
    versions = locked()
    wanted = list(needed(metadata.get_all("Requires-Dist", [])))
    assert len(wanted) >= 10
    seen = set()
    while wanted:
        need = wanted.pop()
        name = canonicalize_name(need.name)
        assert name in versions, f"{need} is not in requirements/run.txt"
        assert need.specifier.contains(versions[name]), f"{need}, but {versions[name]} is locked"
        if name not in seen:
            seen.add(name)
            wanted += needed(importlib.metadata.requires(name) or [])


def test_its_command_says_its_version(bin_folder: Path, tmp_path: Path) -> None:
    run = {"cwd": tmp_path, "env": clean_environment(), "text": True}
    said = subprocess.check_output([bin_folder / "hlscam", "--version"], **run)  # type: ignore[call-overload]
    assert said == f"hlscam {hlscam.__version__}\n"
    where = [bin_folder / "python", "-c", "import hlscam; print(hlscam.__file__)"]
    assert Path(subprocess.check_output(where, **run).strip()).is_relative_to(bin_folder.parent)  # type: ignore[call-overload]


async def test_its_demo_serves_the_page(bin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    await asyncio.to_thread(make_clip, tmp_path / "demo" / "garden.mp4")  # a demo's second start: its own takes longer
    argv = [str(bin_folder / "hlscam"), "run", "--demo", "--port", "0"]
    child = await Child.start(argv, folder=tmp_path, env=clean_environment())
    try:
        url = await announced_url(child)
        async with aiohttp.ClientSession(url, raise_for_status=True) as session:
            page = await (await session.get("/")).text()
            for asset in assets_of(page):
                response = await session.get(asset)
                assert await response.read() == (bin_folder.parent / installed(bin_folder, asset)).read_bytes()
            live = await (await session.get("/hls/pattern/live.m3u8")).text()
        assert "#EXTINF" in live
        assert await health_check(bin_folder, url) == 0
        child.signal(signal.SIGTERM)
        assert await child.ended() == 0
        assert await health_check(bin_folder, url) != 0
    finally:
        await child.kill()


def installed(bin_folder: Path, asset: str) -> Path:
    (path,) = bin_folder.parent.glob(f"lib/python*/site-packages/{_PAGE}{asset}")
    return path


async def announced_url(child: Child) -> str:
    """The URL that `hlscam run` prints once there is something to see."""
    while True:
        if found := re.search(r"http://127\.0\.0\.1:\d+", await child.line(timeout_s=60)):
            return found[0]


async def health_check(bin_folder: Path, url: str) -> int:
    """The exit code of the image's health check, asked of `url` in place of port 8080."""
    program, *arguments = only(stages()[-1], "HEALTHCHECK").words
    assert program == "python"
    assert sum(each.count("8080") for each in arguments) == 1
    argv = [each.replace("8080", url.rpartition(":")[2]) for each in arguments]
    process = await asyncio.create_subprocess_exec(bin_folder / "python", *argv, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()
