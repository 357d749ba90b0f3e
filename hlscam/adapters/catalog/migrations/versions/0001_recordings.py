"""Cameras, init sections and recordings: the first schema. `schema.py` says why it is so.

Revises nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision: str | None = None

_WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_RATE: sa.Double[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_END_REASONS = (
    "'rolled', 'stopped', 'source_ended', 'unreachable', 'authentication', 'source_refused', 'stalled', 'crashed', "
    "'disk_full'"
)


def upgrade() -> None:
    _create_cameras()
    _create_init_sections()
    _create_recordings()
    _create_indexes()


def downgrade() -> None:
    op.drop_table("recordings")
    op.drop_table("init_sections")
    op.drop_table("cameras")


def _create_cameras() -> None:
    op.create_table(
        "cameras",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("target_duration_s", _WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="cameras_pk"),
        sa.CheckConstraint("id <> ''", name="cameras_id_is_given"),
        sa.CheckConstraint("target_duration_s > 0", name="cameras_target_duration_is_positive"),
        sqlite_strict=True,
    )


def _create_init_sections() -> None:
    op.create_table(
        "init_sections",
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="init_sections_pk"),
        sa.CheckConstraint("hash <> ''", name="init_sections_hash_is_given"),
        sa.CheckConstraint("length(data) > 0", name="init_sections_data_is_given"),
        sqlite_strict=True,
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("camera", sa.Text, sa.ForeignKey("cameras.id", name="recordings_camera_fk"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("first_media_sequence", _WHOLE, nullable=False),
        sa.Column("discontinuity_sequence", _WHOLE, nullable=False),
        sa.Column("starts_run", _WHOLE, nullable=False),
        sa.Column(
            "init_hash", sa.Text, sa.ForeignKey("init_sections.hash", name="recordings_init_hash_fk"), nullable=False
        ),
        sa.Column("start_wall_us", _WHOLE, nullable=False),
        sa.Column("end_wall_us", _WHOLE, nullable=False),
        sa.Column("wall_duration_us", _WHOLE, nullable=False),
        sa.Column("slew_ppb", _WHOLE, nullable=False),
        sa.Column("timescale", _WHOLE, nullable=False),
        sa.Column("first_decode_ticks", _WHOLE, nullable=False),
        sa.Column("duration_ticks", _WHOLE, nullable=False),
        sa.Column("first_offset", _WHOLE, nullable=False),
        sa.Column("size_bytes", _WHOLE, nullable=False),
        sa.Column("target_duration_s", _WHOLE, nullable=False),
        sa.Column("video_codec", sa.Text, nullable=False),
        sa.Column("width", _WHOLE, nullable=False),
        sa.Column("height", _WHOLE, nullable=False),
        sa.Column("frame_rate", _RATE, nullable=False),
        sa.Column("bit_rate_bps", _WHOLE, nullable=False),
        sa.Column("audio_codec", sa.Text, nullable=False),
        sa.Column("audio_sample_rate_hz", _WHOLE, nullable=False),
        sa.Column("audio_channels", _WHOLE, nullable=False),
        sa.Column("end_reason", sa.Text, nullable=True),
        sa.Column("segment_count", _WHOLE, nullable=False),
        sa.Column("segments", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("camera", "name", name="recordings_pk"),
        sa.CheckConstraint("name NOT IN ('', '.', '..')", name="recordings_name_is_given"),
        sa.CheckConstraint("replace(name, '/', '') = name", name="recordings_name_has_no_folder"),
        sa.CheckConstraint("run <> ''", name="recordings_run_is_given"),
        sa.CheckConstraint("first_media_sequence >= 0", name="recordings_media_sequence_counts"),
        sa.CheckConstraint("discontinuity_sequence >= 0", name="recordings_discontinuity_sequence_counts"),
        sa.CheckConstraint("starts_run IN (0, 1)", name="recordings_starts_run_is_a_truth"),
        sa.CheckConstraint("start_wall_us >= 0", name="recordings_start_is_after_1970"),
        sa.CheckConstraint("wall_duration_us >= 0", name="recordings_end_is_not_before_start"),
        sa.CheckConstraint(
            "end_wall_us = start_wall_us + wall_duration_us", name="recordings_end_is_start_plus_duration"
        ),
        sa.CheckConstraint("slew_ppb BETWEEN -500000 AND 500000", name="recordings_slew_is_small"),
        sa.CheckConstraint("timescale > 0", name="recordings_timescale_is_positive"),
        sa.CheckConstraint("first_decode_ticks >= 0", name="recordings_decode_time_counts"),
        sa.CheckConstraint("duration_ticks >= 0", name="recordings_duration_counts"),
        sa.CheckConstraint("first_offset >= 0", name="recordings_offset_counts"),
        sa.CheckConstraint("size_bytes >= 0", name="recordings_size_counts"),
        sa.CheckConstraint("target_duration_s > 0", name="recordings_target_duration_is_positive"),
        sa.CheckConstraint("video_codec <> ''", name="recordings_video_is_given"),
        sa.CheckConstraint("width >= 0 AND height >= 0", name="recordings_picture_size_counts"),
        sa.CheckConstraint("frame_rate >= 0", name="recordings_frame_rate_counts"),
        sa.CheckConstraint("bit_rate_bps >= 0", name="recordings_bit_rate_counts"),
        sa.CheckConstraint("audio_sample_rate_hz >= 0 AND audio_channels >= 0", name="recordings_sound_counts"),
        sa.CheckConstraint(
            "audio_codec <> '' OR (audio_sample_rate_hz = 0 AND audio_channels = 0)",
            name="recordings_no_sound_is_none",
        ),
        sa.CheckConstraint(f"end_reason IN ({_END_REASONS})", name="recordings_end_reason_is_known"),
        sa.CheckConstraint("segment_count >= 0", name="recordings_segments_count"),
        sa.CheckConstraint("end_reason IS NULL OR segment_count > 0", name="recordings_closed_has_segments"),
        sa.CheckConstraint("length(segments) > 0", name="recordings_segments_are_given"),
        sqlite_strict=True,
    )


def _create_indexes() -> None:
    op.create_index("recordings_by_sequence", "recordings", ["camera", "first_media_sequence"], unique=True)
    op.create_index(
        "recordings_by_time",
        "recordings",
        ["camera", "start_wall_us", "end_wall_us", "first_media_sequence", "size_bytes"],
    )
    op.create_index("recordings_by_duration", "recordings", ["camera", "wall_duration_us"])
    is_open = sa.text("end_reason IS NULL")
    op.create_index(
        "recordings_open",
        "recordings",
        ["camera", "first_media_sequence"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
