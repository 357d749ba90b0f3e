"""Logging: text lines for people, JSON lines for machines, secrets in neither."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable

from hlscam.domain.secrets import redact
from hlscam.units import format_rfc3339


class RedactingFormatter(logging.Formatter):
    """One line per record, in UTC, with every known secret and every URL's credentials taken out."""

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
        return f"{time} {record.levelname.lower():<7} {message}"


def set_up_logging(level: str, *, as_json: bool, secrets: Iterable[str]) -> None:
    """Log hlscam's own words at `level` and others' warnings to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("hlscam").setLevel(level.upper())
