"""What pydantic found wrong, told to the person who wrote the file.

pydantic speaks of inputs and types; a person wants to know the key, what is allowed there, and what they may have
meant. Each field of the models carries `allowed`, so one sentence fits almost every kind of error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hlscam.domain.config import CameraConfig, Config
from hlscam.domain.located_yaml import KeyPath, LocatedYaml, Mark, Problem

SECTIONS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        name: field.annotation
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
)
_LONGEST_SHOWN = 60
_OWN = "hlscam"
_UNTOLD = "default_factory_not_called"  # pydantic's way to say that another field, which it also tells, was wrong


def problems_of(error: ValidationError, document: LocatedYaml) -> Iterable[Problem]:
    """Each of pydantic's errors as a problem at its place in the document."""
    for details in error.errors(include_url=False):
        if details["type"] != _UNTOLD:
            path = _key_path(details)
            marks = document.key_marks if _is_about_key(details) else document.value_marks
            yield Problem(place(path, document, marks), path, _message(details, path))


def place(path: KeyPath, document: LocatedYaml, marks: Mapping[KeyPath, Mark]) -> Mark:
    """Where `path` stands by `marks`, or where its section begins when it is missing."""
    if path in marks:
        return marks[path]
    while path and path not in document.key_marks:
        path = path[:-1]
    return document.key_marks.get(path, Mark(1, 1))


def _is_about_key(details: ErrorDetails) -> bool:
    return details["type"] == "extra_forbidden" or (details["type"] == _OWN and details["loc"][-1:] == ("[key]",))


def _key_path(details: ErrorDetails) -> KeyPath:
    """The path of the key that is wrong, without pydantic's additions for unions, functions and mapping keys."""
    loc = details["loc"]
    if details["type"] == _OWN and (sibling := details["ctx"]["key"]):
        return (*loc[:-1], sibling)
    if details["type"] == _OWN and _is_about_key(details):
        return loc[:-1]
    if loc[:1] != ("cameras",):
        return loc[:2]
    return loc[:4] if loc[2:3] == ("input_options",) else loc[:3]


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'source'? `, or nothing where no word is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _message(details: ErrorDetails, path: KeyPath) -> str:
    kind = details["type"]
    if kind == _OWN:
        return str(details["ctx"]["message"])
    if kind == "extra_forbidden":
        return _unknown_key(path)
    allowed = _allowed(path)
    if kind == "missing":
        return f"missing; allowed: {allowed}"
    if kind in ("model_type", "dict_type", "mapping_type"):
        return f"must be a mapping of keys and values; allowed: {allowed}"
    if details.get("input") is None:
        return f"empty; leave the key out for its default; allowed: {allowed}"
    value = details["input"]
    if path[-1:] == ("url",) or "input_options" in path or not isinstance(value, str | int | float):
        return f"this value is not allowed; allowed: {allowed}"  # may hold a password, or be long
    words = allowed.replace(",", "").split() if kind == "literal_error" else ()
    guess = did_you_mean(str(value), words)
    return f"{_shown(value)} is not allowed; {guess}allowed: {allowed}"


def _unknown_key(path: KeyPath) -> str:
    word = str(path[-1])
    known = list(_fields(path[:-1]))
    guess = did_you_mean(word, known)
    if not guess and (homes := [name for name, model in SECTIONS.items() if word in model.model_fields]):
        guess = f"did you mean it under {homes[0]}? "
    return f"unknown key; {guess}allowed: {', '.join(known)}"


def _fields(path: KeyPath) -> Mapping[str, Any]:
    """The fields of the section at `path`."""
    if not path:
        return Config.model_fields
    if path[0] == "cameras" and len(path) > 1:
        return CameraConfig.model_fields
    section = SECTIONS.get(str(path[0]))
    return section.model_fields if section else {}


def _allowed(path: KeyPath) -> str:
    """What may stand at `path`, for a person."""
    field = _fields(path[:-1]).get(str(path[-1])) if path else None
    if field is not None and isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    if path == ("cameras",):
        return "a mapping of camera ids, each with a mapping of source, name and so on"
    if "input_options" in path:
        return "text, a number, true or false"
    return ", ".join(_fields(path))


def _shown(value: str | float) -> str:
    """The value as YAML would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
