"""Each question finds its answer through an index, and asks nothing that only SQLite understands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql, sqlite

from hlscam.adapters.catalog import Catalog, queries

BY_TIME = "COVERING INDEX recordings_by_time (camera=? AND start_wall_us>? AND start_wall_us<?)"
BY_NUMBER = "INDEX recordings_by_sequence (camera=? AND first_media_sequence=?)"
LONGEST = "COVERING INDEX recordings_by_duration (camera=?)"

PLANS: dict[str, tuple[Select[*tuple[object, ...]], list[str]]] = {
    "by name": (queries.named("a", "b"), ["INDEX sqlite_autoindex_recordings_1 (camera=? AND name=?)"]),
    "range": (queries.in_range("a", from_wall_us=1, to_wall_us=2), [BY_NUMBER, BY_TIME, LONGEST]),
    "page of a range": (
        queries.in_range("a", from_wall_us=1, to_wall_us=2, limit=9, after_media_sequence=3),
        [BY_NUMBER, BY_TIME, LONGEST],
    ),
    "page since a time": (
        queries.in_range("a", from_wall_us=1, limit=9, after_media_sequence=3),
        [BY_NUMBER, "COVERING INDEX recordings_by_time (camera=? AND start_wall_us>?)", LONGEST],
    ),
    "page of all": (
        queries.in_range("a", limit=9, after_media_sequence=3),
        [BY_NUMBER, "COVERING INDEX recordings_by_sequence (camera=? AND first_media_sequence>?)"],
    ),
    "at an instant": (
        queries.covering("a", 5),
        ["INDEX recordings_by_time (camera=? AND start_wall_us>? AND start_wall_us<?)", LONGEST],
    ),
    "after an instant": (queries.starting_from("a", 5), ["INDEX recordings_by_time (camera=? AND start_wall_us>?)"]),
    "by media sequence": (
        queries.holding_sequences("a", 1, 5),
        [
            "INDEX recordings_by_sequence (camera=? AND first_media_sequence>? AND first_media_sequence<?)",
            "COVERING INDEX recordings_by_sequence (camera=? AND first_media_sequence<?)",
        ],
    ),
    "newest": (
        queries.newest_before("a", 7, 4),
        ["INDEX recordings_by_sequence (camera=? AND first_media_sequence<?)"],
    ),
    "oldest": (queries.oldest("a"), ["INDEX recordings_by_sequence (camera=?)"]),
    "oldest for retention": (
        queries.oldest_after("a", None, 9),
        ["INDEX recordings_by_sequence (camera=?)", "COVERING INDEX recordings_by_sequence (camera=?)"],
    ),
    "older ones for retention": (
        queries.oldest_after("a", 3, 9),
        [
            "INDEX recordings_by_sequence (camera=? AND first_media_sequence>?)",
            "COVERING INDEX recordings_by_sequence (camera=?)",
        ],
    ),
    "before a name": (queries.named_before("a", "b"), ["INDEX sqlite_autoindex_recordings_1 (camera=? AND name<?)"]),
    "after a name": (queries.named_after("a", "b"), ["INDEX sqlite_autoindex_recordings_1 (camera=? AND name>?)"]),
    "open": (queries.still_open(), ["INDEX recordings_open"]),
    "totals": (queries.totals("a"), ["COVERING INDEX recordings_by_time (camera=?)"]),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_uses_the_index(name: str, catalog: Catalog, path: Path) -> None:
    query, searches = PLANS[name]
    sql = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with closing(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert [
        line.split(" USING ")[1] for line in plan if " USING INDEX" in line or " USING COVERING" in line
    ] == searches
    # Only the index of the open ones, which holds nothing else, may be read from end to end.
    assert [line for line in plan if line.startswith("SCAN")] == [line for line in plan if "recordings_open" in line]


@pytest.mark.parametrize("name", PLANS)
def test_postgresql_has_words_for_it(name: str) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert "FROM recordings" in str(PLANS[name][0].compile(dialect=dialect))
