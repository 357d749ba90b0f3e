"""Reads the Dockerfile and .dockerignore as far as this repository uses their syntax. Anything else fails loudly.

It exists because the tests have no Docker engine: what an engine would do with the files is worked out here.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from tests.rig.paths import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
_INSTRUCTION = re.compile(
    r"(ARG|FROM|ENV|WORKDIR|COPY|RUN|USER|VOLUME|EXPOSE|HEALTHCHECK|STOPSIGNAL|ENTRYPOINT|CMD) +(.+)"
)


class Instruction(NamedTuple):
    """One instruction, its continued lines joined."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """A JSON array (the exec form) after any options."""
        found: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return found


def stages() -> list[list[Instruction]]:
    """The Dockerfile's build stages in order, each from its FROM on; what stands before the first is left out."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[list[Instruction]] = []
    for line in re.sub(r" *\\\n *", " ", text).splitlines():
        if not line:
            continue
        match = _INSTRUCTION.fullmatch(line)
        assert match, f"not an instruction that this test knows: {line}"
        if match[1] == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(match[1], match[2]))
    return found


def only(stage: list[Instruction], word: str) -> Instruction:
    """The one instruction of that name."""
    (instruction,) = (each for each in stage if each.word == word)
    return instruction


def in_build_context(path: str) -> bool:
    """Whether `path` (relative to the repository) is sent to the engine; the last matching line decides."""
    sent = True
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and _matches(path, line.removeprefix("!")):
            sent = line.startswith("!")
    return sent


def _matches(path: str, pattern: str) -> bool:
    """A pattern that matches a folder matches what is in it; `**/` stands for any folders above, also none."""
    parents = [path, *(str(each) for each in Path(path).parents if str(each) != ".")]
    if pattern.startswith("**/"):
        return any(fnmatch(Path(each).name, pattern.removeprefix("**/")) for each in parents)
    assert "**" not in pattern, f"not a pattern that this test knows: {pattern}"
    return any(each.count("/") == pattern.count("/") and fnmatch(each, pattern) for each in parents)
