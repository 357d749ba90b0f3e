"""A module imports only from lower floors, or from its own package. Nothing is run: the imports are read.

The floors are those that `hlscam/__init__.py` draws. The vocabulary is one package in three files. What composes the
others stands on the roof.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hlscam
from tests.rig.paths import REPOSITORY

PACKAGE = REPOSITORY / "hlscam"
ROOF = 6
FLOORS = {
    **dict.fromkeys(["errors", "clock", "units"], 0),
    **dict.fromkeys(["isobmff", "hls"], 1),
    "domain": 2,
    "adapters": 3,
    "services": 4,
    "server": 5,
    **dict.fromkeys(["app", "bench", "cli", "demo", "logs", "__main__"], ROOF),
}
MODULES = sorted(path.relative_to(REPOSITORY) for path in PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = frozenset(map(module_name, MODULES))


def imported(path: Path, tree: ast.AST) -> Iterator[str]:
    """The modules of hlscam that a module imports, anywhere in it, by their whole names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] == "hlscam")
        elif isinstance(node, ast.ImportFrom):
            package = module_name(path) if path.stem == "__init__" else module_name(path).rpartition(".")[0]
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, [above, node.module or ""]))
            if base.split(".")[0] == "hlscam":
                wholes = (f"{base}.{each.name}" for each in node.names)
                yield from (whole if whole in KNOWN else base for whole in wholes)


def neighbourhood(module: str) -> str:
    """The part of hlscam that a module belongs to; empty for hlscam itself, which holds the version."""
    return module.split(".")[1] if "." in module else ""


def upward(path: Path, source: str) -> list[str]:
    """The imports of a module that go where they must not."""
    here = neighbourhood(module_name(path))
    there = {each: neighbourhood(each) for each in imported(path, ast.parse(source))}
    floor = FLOORS[here] if here else -1
    if floor in (0, ROOF):  # one package in all but its folders
        floor += 1
    return [each for each, part in there.items() if part not in ("", here) and FLOORS[part] >= floor]


def test_every_part_has_a_floor() -> None:
    assert {neighbourhood(name) for name in KNOWN} - {""} == set(FLOORS)


def test_the_drawing_in_the_package_says_the_same() -> None:
    drawn = dict(line.split(maxsplit=1) for line in (hlscam.__doc__ or "").splitlines() if line.strip()[:1].isdigit())
    for part, floor in FLOORS.items():
        if floor < ROOF:
            assert part in drawn[str(floor)].replace("/", " ").replace(",", " ").split()


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down(path: Path) -> None:
    assert upward(path, (REPOSITORY / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("hlscam/domain/a.py", "from hlscam.isobmff.boxes import X\nimport hlscam.units", []),
        ("hlscam/domain/a.py", "from hlscam.domain.run import RunIdentity", []),
        ("hlscam/domain/a.py", "from hlscam import __version__", []),
        ("hlscam/domain/a.py", "from hlscam.services.live import LiveStream", ["hlscam.services.live"]),
        ("hlscam/domain/a.py", "def f():\n    import hlscam.server.api", ["hlscam.server.api"]),
        ("hlscam/domain/a.py", "from ..adapters import watch", ["hlscam.adapters.watch"]),
        ("hlscam/domain/a.py", "from hlscam import app", ["hlscam.app"]),
        ("hlscam/hls/a.py", "from hlscam.isobmff import boxes", ["hlscam.isobmff.boxes"]),
        ("hlscam/units.py", "from hlscam.errors import InvalidRequest", []),
        ("hlscam/units.py", "from hlscam.hls import multivariant", ["hlscam.hls.multivariant"]),
        ("hlscam/__init__.py", "import hlscam.errors", ["hlscam.errors"]),
        ("hlscam/server/a.py", "import hlscam.cli", ["hlscam.cli"]),
        ("hlscam/app.py", "import hlscam.cli, hlscam.server.api", []),
    ],
)
def test_an_import_that_goes_up_is_seen(path: str, source: str, wrong: list[str]) -> None:
    assert upward(Path(path), source) == wrong
