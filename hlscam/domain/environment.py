"""`${NAME}` in configuration values: secrets stay out of the file.

`${NAME}` is the environment variable's value, `${NAME:-default}` the default where it is unset or empty, and `$${`
writes `${` itself. A `$` before anything else is a `$`. Substituted text is not looked at again.

Between `scheme://` and `@` a value is percent-encoded, so that `rtsp://viewer:${PASSWORD}@host/` works for every
password: the environment holds it as it is typed at the camera.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_BEFORE_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:\$\{[^}]*\}|[^/?#])*")
_AFTER_USERINFO = re.compile(r"(?:\$\{[^}]*\}|[^/?#])*@")


class Substituted(str):
    """A text that came from the environment at least in part, and may stand for a number or a switch."""

    __slots__ = ()


class Substitution(NamedTuple):
    """What became of one text: the result, the values that were put in, and what was wrong (for a person)."""

    text: str
    values: frozenset[str]
    problems: tuple[str, ...]


def substitute(text: str, environ: Mapping[str, str]) -> Substitution:
    """Replaces the references in `text`. A text without any comes back as it is; else `text` is a `Substituted`."""
    values: set[str] = set()
    problems: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match.group().startswith("$$"):
            return "${"
        name, default = match.groups()
        if name is None:
            problems.append("${ is not followed by NAME} or NAME:-default}; write $${ where ${ itself is meant")
            return ""
        value = environ.get(name, "") or default
        if value is None:
            value = environ.get(name)
        if value is None:
            problems.append(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
            return ""
        values.add(value)
        return quote(value, safe="", errors="surrogateescape") if _in_userinfo(text, match) else value

    replaced = _REFERENCE.sub(replacement, text)
    result = Substituted(replaced) if "${" in text else text
    return Substitution(result, frozenset(values - {""}), tuple(problems))


def _in_userinfo(text: str, reference: re.Match[str]) -> bool:
    before = _BEFORE_USERINFO.fullmatch(text, 0, reference.start())
    return before is not None and _AFTER_USERINFO.match(text, reference.end()) is not None
