"""README is true: its table is the models', its links lead somewhere, its example is a configuration."""

from __future__ import annotations

import re
from pathlib import Path

from hlscam.domain.config_reference import config_table
from hlscam.domain.config_text import parse_config

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_configuration_table_is_that_of_the_models() -> None:
    assert config_table().strip() in README


def test_the_two_commands_come_first() -> None:
    assert re.match(r"# hlscam\n\n    make run .*\n    make test ", README)


def test_the_first_camera_is_a_configuration() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    config = parse_config(example, environ={"PORCH_PASSWORD": "p@ss"}, base=ROOT, file_name="README.md")
    assert list(config.cameras) == ["porch"]


def test_files_that_it_names_are_there() -> None:
    named = re.findall(r"`((?:deploy|hlscam|web|tests)/[\w./-]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_make_targets_that_it_names_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    pairs = re.findall(r"`make (\w+)`|^    make (\w+)", README, re.MULTILINE)
    named = {name for pair in pairs for name in pair if name}
    assert named
    assert named <= set(targets)
