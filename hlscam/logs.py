"""Logging: text lines for people, JSON lines for machines, secrets in neither.

What a camera says ends up in the log (ffmpeg repeats it), so control characters are written as escapes: nothing that
was sent over the network moves a terminal's cursor or begins a line that looks like ours.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable

from hlscam.domain.secrets import redact
from hlscam.units import format_rfc3339

_SHOWN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\n    ",
    ord("\t"): "\t",
}


class RedactingFormatter(logging.Formatter):
    """Lines in UTC, with every known secret and every URL's credentials taken out.

    One line per record as JSON; as text the further lines of a record (a traceback) are indented.
    """

    def __init__(self, secrets: Iterable[str], *, as_json: bool) -> None:
        super().__init__("%(message)s")
        self._secrets = frozenset(secrets)
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        message = redact(super().format(record), self._secrets)
        time = format_rfc3339(round(record.created * 1_000_000))
        if self._as_json:
            fields = {"time": time, "level": record.levelname.lower(), "logger": record.name, "message": message}
            return json.dumps(fields, ensure_ascii=False)
        return f"{time} {record.levelname.lower():<7} {message.translate(_SHOWN)}"


def set_up_logging(level: str, *, as_json: bool, secrets: Iterable[str]) -> None:
    """Log hlscam's own words at `level` and others' warnings to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("hlscam").setLevel(level.upper())
