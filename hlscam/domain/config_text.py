"""From a configuration file's text to a `Config`, with every problem told at once, by file, line, column and key.

    text ─ located_yaml ─▶ values that know their lines ─ environment ─▶ values ─ config (pydantic) ─▶ Config

Each stage goes on after a problem as far as it can, so that a person mends a file in one go. Nothing here reads a
file or the environment: both are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hlscam.domain.config import Config
from hlscam.domain.config_problems import place, problems_of
from hlscam.domain.environment import substitute
from hlscam.domain.located_yaml import KeyPath, LocatedYaml, Mark, Plain, Problem, read_yaml
from hlscam.domain.secrets import redact
from hlscam.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """A configuration and the text it came from, so that later checks can still name lines."""

    config: Config
    file_name: str
    _located: LocatedYaml

    def error(self, complaints: Iterable[tuple[KeyPath, str]]) -> ConfigError:
        """A ConfigError for what was found out after parsing: pairs of key and sentence."""
        problems = [
            Problem(place(path, self._located, self._located.value_marks), path, message)
            for path, message in complaints
        ]
        return _error(problems, self.file_name, self.config.secrets)


def parse_config(text: str, *, environ: Mapping[str, str], base: Path, file_name: str) -> Config:
    """The configuration that `text` describes.

    `base` is the folder for relative paths, `file_name` what messages call the file. Raises ConfigError with one
    line per problem, in the order of the text: `hlscam.yaml:12:5: cameras.porch.sorce: unknown key; …`.
    """
    return parse_document(text, environ=environ, base=base, file_name=file_name).config


def parse_document(text: str, *, environ: Mapping[str, str], base: Path, file_name: str) -> ConfigDocument:
    """As `parse_config`, but keeps the lines for `ConfigDocument.error`."""
    located = read_yaml(text)
    filling = _Filling(located, environ)
    data = filling.fill(located.data, ())
    config, wrong = _validate({} if data is None else data, located, base)
    told = located.unread | {problem.path for problem in filling.problems}
    problems = [*located.problems, *filling.problems, *(problem for problem in wrong if problem.path not in told)]
    if problems or config is None:
        raise _error(problems, file_name, filling.secrets)
    return ConfigDocument(config.with_substituted(frozenset(filling.secrets)), file_name, located)


def _validate(data: Plain, located: LocatedYaml, base: Path) -> tuple[Config | None, list[Problem]]:
    if not isinstance(data, dict):
        allowed = ", ".join(Config.model_fields)
        return None, [Problem(Mark(1, 1), (), f"must be a mapping of keys and values; allowed: {allowed}")]
    try:
        return Config.model_validate(data, context={"base": base}), []
    except ValidationError as error:
        return None, list(problems_of(error, located))


class _Filling:
    """Puts the environment into all values, and remembers which of them to keep out of logs."""

    def __init__(self, located: LocatedYaml, environ: Mapping[str, str]) -> None:
        self._marks, self._environ = located.value_marks, environ
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()

    def fill(self, value: Plain, path: KeyPath) -> Plain:
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        text, values, problems = substitute(value, self._environ)
        self.problems += [Problem(self._marks[path], path, problem) for problem in problems]
        if _may_hold_secrets(path) and not text.startswith(("file:", "test:")):
            self.secrets |= values
        return text


def _may_hold_secrets(path: KeyPath) -> bool:
    """A port or a folder from the environment is no secret, and must stay readable in logs."""
    return path[:1] == ("catalog",) or (path[:1] == ("cameras",) and path[2:3] in (("source",), ("input_options",)))


def _error(problems: Iterable[Problem], file_name: str, secrets: Iterable[str]) -> ConfigError:
    secrets = frozenset(secrets)
    return ConfigError(
        "\n".join(dict.fromkeys(_line(problem, file_name, secrets) for problem in sorted(problems, key=_order)))
    )


def _order(problem: Problem) -> tuple[Mark, str]:
    return problem.mark, problem.message


def _line(problem: Problem, file_name: str, secrets: frozenset[str]) -> str:
    key = ".".join(map(str, problem.path))
    said = redact(f"{key}: {problem.message}" if key else problem.message, secrets)
    return f"{file_name}:{problem.mark.line}:{problem.mark.column}: {' '.join(said.split())}"
