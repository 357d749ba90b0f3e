"""Bring a database to the schema that this code knows.

Alembic without alembic.ini: the scripts lie in `migrations/`, inside the package, so an installed wheel can migrate.
Each step is one transaction with all its DDL. Downgrades exist for tests and for people; hlscam itself
only goes up, and refuses a database that a newer hlscam has been at: its rows may mean what this code cannot know.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from hlscam.adapters.catalog.engine import shown, turn_on_wal
from hlscam.adapters.catalog.rows import REBUILD_HINT
from hlscam.adapters.catalog.schema import METADATA
from hlscam.errors import CatalogError, CatalogLost, CatalogNewer

_SCRIPTS = "hlscam.adapters.catalog:migrations"


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration; `connection` is what `migrations/env.py` works on, in the caller's transaction."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _SCRIPTS)
    return config


@cache
def head() -> str:
    """The revision of this code's schema."""
    # There is one line of revisions, and alembic raises otherwise.
    return cast("str", ScriptDirectory.from_config(configuration()).get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(reader: Engine, writer: Engine) -> None:
    """Migrate up to `head()`, creating what is missing; takes no write lock when nothing is to be done.

    Raises CatalogError for a database newer than the code or one that is not a catalog, and leaves it as it is.
    Raises CatalogLost for one that has lost a table.
    """
    writer.raw_connection().close()  # makes a missing SQLite file, which readers never do
    with reader.connect() as connection:
        found = revision_of(connection)
        _refuse_strangers(connection, found)
        if found == head():
            _refuse_a_torso(connection)
    turn_on_wal(writer)
    if found != head():
        with writer.begin() as connection:
            command.upgrade(configuration(connection), "head")


def refuse_others(connection: Connection) -> None:
    """Raise CatalogError unless the database is at `head()`: for readers, who cannot bring it there."""
    found = revision_of(connection)
    if found != head():
        _refuse_strangers(connection, found)
        raise CatalogError(
            f"the catalog {shown(connection.engine.url)} has not been brought to this version yet",
            hint="is `hlscam record` running, of the same version?",
        )


def _refuse_a_torso(connection: Connection) -> None:
    missing = METADATA.tables.keys() - set(inspect(connection).get_table_names())
    if missing:
        raise CatalogLost(
            f"the catalog {shown(connection.engine.url)} has lost its table {min(missing)}", hint=REBUILD_HINT
        )


def _refuse_strangers(connection: Connection, found: str | None) -> None:
    place = shown(connection.engine.url)
    if found is None:
        # Other databases have schemas for several tenants; a SQLite file belongs to one program.
        if connection.dialect.name == "sqlite" and inspect(connection).get_table_names():
            raise CatalogError(
                f"{place} is another program's database, not a catalog", hint="give the catalog a file of its own"
            )
        return
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if found not in known:
        raise CatalogNewer(
            f"the catalog {place} was written by a newer hlscam (its schema is {found}, this one knows {head()})",
            hint="install that version again, or run `hlscam reindex`, which sets it aside; no footage is lost",
        )
