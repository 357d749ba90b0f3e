"""House rules that a reader would otherwise have to watch over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.rig.paths import REPOSITORY

PACKAGE = REPOSITORY / "hlscam"
MODULES = sorted(path.relative_to(REPOSITORY) for path in PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
LONGEST_FUNCTION_LINES = 60
USUAL_FUNCTION_LINES = 40
TELLERS_OF_TIME = {Path("hlscam/clock.py"), Path("hlscam/units.py"), Path("hlscam/services/progress.py")}
MODULES_WITHOUT_README = 3
README_LINES = 50
"""One screen."""


def tree_of(path: Path) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines without the decorators) of every function. A step of the schema is a list, and as long as it is."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def clock_readings(tree: ast.AST) -> Iterator[str]:
    """Where a module helps itself to the time: `import time`, or a date's now, utcnow and today."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name == "time")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield "time"
        elif isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            yield node.attr


def test_no_function_is_long() -> None:
    lengths = dict(chain.from_iterable(functions(path) for path in MODULES if "versions" not in path.parts))
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION_LINES} == {}
    usual = [name for name, lines in lengths.items() if lines <= USUAL_FUNCTION_LINES]
    assert len(usual) >= 0.95 * len(lengths) > 100


@pytest.mark.parametrize("path", [path for path in MODULES if path not in TELLERS_OF_TIME], ids=str)
def test_time_is_injected(path: Path) -> None:
    assert list(clock_readings(tree_of(path))) == []


@pytest.mark.parametrize(
    "source",
    ["import time", "import os, time", "from time import monotonic", "datetime.now(UTC)", "datetime.date.today()"],
)
def test_a_reading_of_the_clock_is_seen(source: str) -> None:
    assert len(list(clock_readings(ast.parse(source)))) == 1


def test_those_that_tell_the_time_exist() -> None:
    assert set(MODULES) >= TELLERS_OF_TIME


@pytest.mark.parametrize("path", [path for path in MODULES if (REPOSITORY / path).read_text().strip()], ids=str)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """An empty `__init__.py` has nothing to say; the README of its folder speaks for it."""
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_a_folder_worth_a_visit_has_a_readme_of_one_screen(folder: Path) -> None:
    modules = [path for path in MODULES if path.parent == folder and path.stem != "__init__"]
    readme = REPOSITORY / ("README.md" if folder == Path("hlscam") else folder / "README.md")
    if len(modules) > MODULES_WITHOUT_README:
        assert readme.is_file(), f"{folder} has {len(modules)} modules and no README.md"
    if readme.is_file() and folder != Path("hlscam"):
        text = readme.read_text()
        assert text.startswith("# ")
        assert len(text.splitlines()) <= README_LINES
        assert [path.stem for path in modules if path.stem not in text] == [], "modules that it does not name"
