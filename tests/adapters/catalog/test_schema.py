"""The tables refuse nonsense, and the migrations build exactly the tables that the code believes in."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from hlscam.adapters.catalog import migrate
from hlscam.adapters.catalog.engine import open_engine
from hlscam.adapters.catalog.rows import recording_of, row_of
from hlscam.adapters.catalog.schema import METADATA, RECORDINGS
from hlscam.domain.recording import EndReason
from tests.adapters.catalog.samples import INIT_HASH, recording


@pytest.fixture
def writer(url: str) -> Iterator[Engine]:
    """A migrated database."""
    engine, reader = open_engine(make_url(url), writes=True), open_engine(make_url(url), writes=False)
    migrate.upgrade(reader, engine)
    reader.dispose()
    yield engine
    engine.dispose()


def ddl_of(path: Path) -> dict[str, str]:
    """What SQLite keeps of each CREATE statement, white space and quotes evened out."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: re.sub(r"\s+", " ", sql.replace('"', "")) for name, sql in rows if name != "alembic_version"}


def test_migrations_leave_nothing_for_autogenerate(writer: Engine) -> None:
    with writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_migrations_build_the_very_tables_of_the_metadata(writer: Engine, path: Path, tmp_path: Path) -> None:
    # Autogenerate does not look at CHECKs, STRICT or the conditions of indexes.
    fresh = open_engine(make_url(f"sqlite:///{tmp_path / 'fresh.sqlite'}"), writes=True)
    METADATA.create_all(fresh)
    fresh.dispose()
    assert ddl_of(path) == ddl_of(tmp_path / "fresh.sqlite")
    assert ddl_of(path)["recordings"].strip().endswith("STRICT")


def test_down_and_up_again(writer: Engine, path: Path) -> None:
    before = ddl_of(path)
    with writer.begin() as connection:
        command.downgrade(migrate.configuration(connection), "base")
    assert ddl_of(path) == {}
    with writer.begin() as connection:
        command.upgrade(migrate.configuration(connection), "head")
        assert migrate.revision_of(connection) == migrate.head()
    assert ddl_of(path) == before


def test_rows_come_through_the_second_step_both_ways(writer: Engine) -> None:
    kept = [recording(0), recording(1, end_reason=EndReason.SERVER_CRASHED)]
    with writer.begin() as connection:
        connection.exec_driver_sql("INSERT INTO cameras VALUES ('porch', 2)")
        connection.exec_driver_sql(f"INSERT INTO init_sections VALUES ('{INIT_HASH}', x'00')")
        connection.execute(RECORDINGS.insert(), [row_of(each) for each in kept])
        command.downgrade(migrate.configuration(connection), "0001")
        ends = connection.exec_driver_sql("SELECT end_reason FROM recordings ORDER BY name").scalars().all()
        assert ends == ["rolled", "crashed"]
        command.upgrade(migrate.configuration(connection), "head")
        rows = connection.execute(RECORDINGS.select().order_by(RECORDINGS.c.name)).all()
        assert [recording_of(row) for row in rows] == [kept[0], replace(kept[1], end_reason=EndReason.CRASHED)]


def test_a_migration_that_fails_half_way_changes_nothing(url: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as theirs, theirs:
        theirs.execute("CREATE TABLE recordings (in_the_way INTEGER)")
    before = ddl_of(path)
    engine = open_engine(make_url(url), writes=True)
    with pytest.raises(OperationalError, match="already exists"), engine.begin() as connection:
        command.upgrade(migrate.configuration(connection), "head")
    engine.dispose()
    assert ddl_of(path) == before


def test_postgresql_has_words_for_every_table_and_index() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in METADATA.sorted_tables:
        assert "STRICT" not in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


NONSENSE: list[tuple[str, dict[str, object]]] = [
    ("recordings_name_is_given", {"name": ""}),
    ("recordings_name_is_given", {"name": ".."}),
    ("recordings_name_has_no_folder", {"name": "../../etc/passwd"}),
    ("recordings_run_is_given", {"run": ""}),
    ("recordings_media_sequence_counts", {"first_media_sequence": -1}),
    ("recordings_discontinuity_sequence_counts", {"discontinuity_sequence": -1}),
    ("recordings_starts_run_is_a_truth", {"starts_run": 2}),
    ("recordings_start_is_after_1970", {"start_wall_us": -1, "end_wall_us": 1, "wall_duration_us": 2}),
    ("recordings_end_is_not_before_start", {"start_wall_us": 2, "end_wall_us": 1, "wall_duration_us": -1}),
    ("recordings_end_is_start_plus_duration", {"start_wall_us": 1, "end_wall_us": 4, "wall_duration_us": 2}),
    ("recordings_slew_is_small", {"slew_ppb": 500_001}),
    ("recordings_slew_is_small", {"slew_ppb": -500_001}),
    ("recordings_timescale_is_positive", {"timescale": 0}),
    ("recordings_decode_time_counts", {"first_decode_ticks": -1}),
    ("recordings_duration_counts", {"duration_ticks": -1}),
    ("recordings_offset_counts", {"first_offset": -1}),
    ("recordings_size_counts", {"size_bytes": -1}),
    ("recordings_target_duration_is_positive", {"target_duration_s": 0}),
    ("recordings_video_is_given", {"video_codec": ""}),
    ("recordings_picture_size_counts", {"width": -1}),
    ("recordings_picture_size_counts", {"height": -1}),
    ("recordings_frame_rate_counts", {"frame_rate": -1.0}),
    ("frame_rate", {"frame_rate": float("nan")}),
    ("recordings_bit_rate_counts", {"bit_rate_bps": -1}),
    ("recordings_sound_counts", {"audio_channels": -1}),
    ("recordings_no_sound_is_none", {"audio_codec": ""}),
    ("recordings_end_reason_is_known", {"end_reason": "boredom"}),
    ("recordings_gap_reason_is_known", {"gap_reason": "boredom", "starts_run": 1}),
    ("recordings_gap_is_before_a_run", {"gap_reason": "stalled", "starts_run": 0}),
    ("recordings_segments_count", {"segment_count": -1, "end_reason": None}),
    ("recordings_closed_has_segments", {"segment_count": 0}),
    ("recordings_segments_are_given", {"segments": b""}),
    ("cannot store TEXT value in INTEGER column", {"width": "wide"}),
    ("FOREIGN KEY", {"camera": "nobody"}),
    ("FOREIGN KEY", {"init_hash": "none such"}),
    ("NOT NULL", {"run": None}),
    ("recordings.first_media_sequence", {"name": "another.mp4"}),
    ("recordings.camera, recordings.name", {"first_media_sequence": 99}),
]


@pytest.fixture
def connection(writer: Engine, path: Path) -> Iterator[sqlite3.Connection]:
    """One recording is there; foreign keys are on as in every connection of the catalog."""
    with writer.begin() as used:
        used.exec_driver_sql("INSERT INTO cameras VALUES ('porch', 2)")
        used.exec_driver_sql(f"INSERT INTO init_sections VALUES ('{INIT_HASH}', x'00')")
        used.execute(RECORDINGS.insert(), row_of(recording(0)))
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA foreign_keys = ON")
        yield opened


@pytest.mark.parametrize(("complaint", "changes"), NONSENSE, ids=lambda value: str(value)[:60])
def test_nonsense_is_refused(connection: sqlite3.Connection, complaint: str, changes: dict[str, object]) -> None:
    row = row_of(recording(1)) | changes
    # Those two want a row that clashes with the one that is there.
    if complaint == "recordings.first_media_sequence":
        row["first_media_sequence"] = 0
    if complaint == "recordings.camera, recordings.name":
        row["name"] = recording(0).name
    marks = ", ".join("?" * len(row))
    with pytest.raises(sqlite3.IntegrityError, match=re.escape(complaint)):
        connection.execute(f"INSERT INTO recordings ({', '.join(row)}) VALUES ({marks})", list(row.values()))


@pytest.mark.parametrize(
    ("complaint", "statement"),
    [
        ("cameras_id_is_given", "INSERT INTO cameras VALUES ('', 2)"),
        ("cameras_target_duration_is_positive", "INSERT INTO cameras VALUES ('door', 0)"),
        ("init_sections_hash_is_given", "INSERT INTO init_sections VALUES ('', x'00')"),
        ("init_sections_data_is_given", "INSERT INTO init_sections VALUES ('aa', x'')"),
        ("FOREIGN KEY", "DELETE FROM init_sections"),
        ("FOREIGN KEY", "DELETE FROM cameras"),
    ],
)
def test_nonsense_elsewhere_is_refused(connection: sqlite3.Connection, complaint: str, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=complaint):
        connection.execute(statement)


def test_every_check_of_recordings_has_its_nonsense() -> None:
    checks = {
        str(constraint.name) for constraint in RECORDINGS.constraints if "CHECK" in repr(type(constraint)).upper()
    }
    assert checks == {complaint for complaint, _ in NONSENSE if complaint in checks}
