"""What was measured, as figures: per way, as a table for people and as JSON for scripts.

Latencies are of single pictures, glass to glass: from the clock that was drawn into a picture to the moment it came on
the screen. A date error is what is told of a picture's time less the clock in that very picture: as the page takes it
(in the row of each way), and as EXT-X-PROGRAM-DATE-TIME says of a segment's start (`dates.py`).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

DATE_ERROR_GOAL_MS = 50
_HEAD = ("way", "median", "p95", "worst", "first picture", "date error", "samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One start of a page. `first_picture_ms` is from the navigation to the first picture whose clock can be read.

    `unread` counts the pictures whose clock could not be; `date_errors_ms` is empty where the page tells no time.
    """

    first_picture_ms: float
    latencies_ms: tuple[float, ...]
    date_errors_ms: tuple[float, ...]
    unread: int


@dataclass(frozen=True, slots=True)
class Row:
    """One way: all its starts, or why there is nothing (`missing`)."""

    name: str
    title: str
    starts: tuple[Watched, ...] = ()
    missing: str = ""

    @property
    def latencies_ms(self) -> list[float]:
        return [each for start in self.starts for each in start.latencies_ms]

    @property
    def date_errors_ms(self) -> list[float]:
        return [each for start in self.starts for each in start.date_errors_ms]

    @property
    def first_pictures_ms(self) -> list[float]:
        return [start.first_picture_ms for start in self.starts]

    def cells(self) -> list[str]:
        """The row of the table, behind the title. Dates in milliseconds, the rest in seconds."""
        latencies, errors = self.latencies_ms, self.date_errors_ms
        unread = sum(start.unread for start in self.starts)
        return [
            _seconds(statistics.median(latencies)),
            _seconds(percentile(latencies, 95)),
            _seconds(max(latencies)),
            _seconds(statistics.median(self.first_pictures_ms)),
            _errors(errors) if errors else "–",
            f"{len(latencies)}" + (f" ({unread} unread)" if unread else ""),
        ]

    def plain(self) -> dict[str, Any]:
        """The row as JSON has it; all times in milliseconds."""
        if self.missing:
            return {"way": self.name, "missing": self.missing}
        latencies, errors = self.latencies_ms, self.date_errors_ms
        return {
            "way": self.name,
            "median_ms": round(statistics.median(latencies), 1),
            "p95_ms": round(percentile(latencies, 95), 1),
            "worst_ms": round(max(latencies), 1),
            "first_picture_ms": round(statistics.median(self.first_pictures_ms), 1),
            "first_picture_worst_ms": round(max(self.first_pictures_ms), 1),
            **_plain_errors("date_error_", errors),
            "starts": len(self.starts),
            "samples": len(latencies),
            "unread": sum(start.unread for start in self.starts),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All rows, and in words what was measured with what."""

    about: str
    rows: tuple[Row, ...]
    date_errors_ms: tuple[float, ...] = ()

    def table(self) -> str:
        """For people."""
        measured = {row.title: row.cells() for row in self.rows if not row.missing}
        lines = list(_columns([list(_HEAD), *([title, *cells] for title, cells in measured.items())]))
        lines += [f"{row.title}: {row.missing}" for row in self.rows if row.missing]
        return "\n".join([self.about, "", *lines, *self._dates()])

    def json(self) -> str:
        """For scripts."""
        dates = {"segments": len(self.date_errors_ms), **_plain_errors("", self.date_errors_ms)}
        ways = [row.plain() for row in self.rows]
        return json.dumps({"about": self.about, "ways": ways, "program_date_time": dates}, indent=2)

    def _dates(self) -> Iterable[str]:
        errors = self.date_errors_ms
        if errors:
            count = sum(abs(each) >= DATE_ERROR_GOAL_MS for each in errors)
            goal = f"{count} of {len(errors)} segments {DATE_ERROR_GOAL_MS} ms off or more"
            yield f"\nEXT-X-PROGRAM-DATE-TIME less the clock in the picture: {_errors(errors)}; {goal}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed, by linear interpolation. At least one value."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def worst(errors: Sequence[float]) -> float:
    """The error that is furthest from 0, with its sign."""
    return max(errors, key=abs)


def _errors(errors: Sequence[float]) -> str:
    return f"{statistics.median(errors):+.0f} ms, at most {worst(errors):+.0f}"


def _plain_errors(prefix: str, errors: Sequence[float]) -> dict[str, float | None]:
    return {
        f"{prefix}median_ms": round(statistics.median(errors), 1) if errors else None,
        f"{prefix}worst_ms": round(worst(errors), 1) if errors else None,
    }


def _seconds(time_ms: float) -> str:
    return f"{time_ms / 1000:.2f} s"


def _columns(rows: list[list[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
