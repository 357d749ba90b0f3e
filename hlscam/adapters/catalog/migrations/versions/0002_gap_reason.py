"""Why there is a hole before a recording: the column `gap_reason`, and three more reasons why one ends.

SQLite changes a CHECK only with the table. There the table is made anew from its own statement, so that all else stays
as it was, and its rows are copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

_REASONS_BEFORE = (
    "'rolled', 'stopped', 'source_ended', 'unreachable', 'authentication', 'source_refused', 'stalled', 'crashed', "
    "'disk_full'"
)
_REASONS = (
    "'rolled', 'stopped', 'server_crashed', 'source_ended', 'unreachable', 'authentication', 'source_refused', "
    "'stalled', 'crashed', 'disk_full', 'disabled', 'clock_stepped'"
)
_ENDS_BEFORE = f"end_reason IN ({_REASONS_BEFORE})"
_ENDS = f"end_reason IN ({_REASONS})"
_KNOWN = "recordings_gap_reason_is_known", f"gap_reason IN ({_REASONS})"
_PLACED = "recordings_gap_is_before_a_run", "gap_reason IS NULL OR starts_run = 1"
_ADDED_CHECKS = "".join(f"CONSTRAINT {name} CHECK ({condition}), \n\t" for name, condition in (_KNOWN, _PLACED))
_SQLITE_EDITS = (
    ("segment_count INTEGER NOT NULL", "gap_reason TEXT, \n\tsegment_count INTEGER NOT NULL"),
    (f"CHECK ({_ENDS_BEFORE}), \n\t", f"CHECK ({_ENDS}), \n\t{_ADDED_CHECKS}"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _remake(_SQLITE_EDITS)
        return
    op.add_column("recordings", sa.Column("gap_reason", sa.Text, nullable=True))
    op.drop_constraint("recordings_end_reason_is_known", "recordings")
    op.create_check_constraint("recordings_end_reason_is_known", "recordings", _ENDS)
    op.create_check_constraint(_KNOWN[0], "recordings", _KNOWN[1])
    op.create_check_constraint(_PLACED[0], "recordings", _PLACED[1])


def downgrade() -> None:
    op.execute(
        "UPDATE recordings SET end_reason = 'crashed' "
        "WHERE end_reason IN ('server_crashed', 'disabled', 'clock_stepped')"
    )
    if op.get_bind().dialect.name == "sqlite":
        _remake([(new, old) for old, new in _SQLITE_EDITS])
        return
    for name in ("recordings_end_reason_is_known", _KNOWN[0], _PLACED[0]):
        op.drop_constraint(name, "recordings")
    op.drop_column("recordings", "gap_reason")
    op.create_check_constraint("recordings_end_reason_is_known", "recordings", _ENDS_BEFORE)


def _remake(edits: Sequence[tuple[str, str]]) -> None:
    """Make the table anew by its own CREATE statement with these edits, keeping rows and indexes."""
    bind = op.get_bind()
    statements = "SELECT sql FROM sqlite_master WHERE tbl_name = 'recordings' AND type = '{}' AND sql IS NOT NULL"
    create = str(bind.exec_driver_sql(statements.format("table")).scalar_one())
    indexes = [str(each) for each in bind.exec_driver_sql(statements.format("index")).scalars()]
    for old, new in edits:
        if old not in create:
            raise ValueError(f"the table of recordings is not the one that is to be changed: {old!r} is missing")
        create = create.replace(old, new)
    op.execute("ALTER TABLE recordings RENAME TO recordings_before")
    op.execute(create)
    columns = [each["name"] for each in sa.inspect(bind).get_columns("recordings")]
    before = {each["name"] for each in sa.inspect(bind).get_columns("recordings_before")}
    kept = ", ".join(each for each in columns if each in before)
    op.execute(f"INSERT INTO recordings ({kept}) SELECT {kept} FROM recordings_before")  # noqa: S608 (own names)
    op.execute("DROP TABLE recordings_before")
    for index in indexes:
        op.execute(index)
