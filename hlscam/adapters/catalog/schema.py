"""The catalog's tables, and why they are as they are.

The catalog is a cache: everything in it can be read back from the recordings (`hlscam reindex`). That decides most
of what follows.

*A row per recording, not per segment.* A camera makes 52,560 recordings in a year but 15.8 million segments, and
nobody asks for one segment without its neighbours: a playlist needs all segments of a range, a media request needs
the running sum of the sizes before it. So the segments are one packed column (about 2 KB for 300 of them); a day of
playlist is 144 rows (measured: 8 ms from a cold file to objects), retention deletes one row per file, and a year of
one camera is 0.2 GB. What SQL must search by (wall time, media_sequence) is a column of its own.

*No table of runs.* A run has no fact of its own: each recording says its run, both counters, and whether it
starts the run. A row that repeats them could only disagree with them.

*Natural keys.* (camera, name) identifies a file, and a rebuilt catalog must be *equal* to the lost one; numbers
that a database hands out would differ. The tables keep SQLite's hidden rowid (no WITHOUT ROWID), because a
B-tree that carries 2 KB rows in its inner pages is slow to search.

*The schema refuses nonsense* (CHECK, UNIQUE, foreign keys, STRICT types where SQLite has them): a mistake
in the code should stop at the write that makes it, not show up months later in someone's playlist.

The migrations build the same tables step by step; a test holds the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import sqlite

from hlscam.domain.recording import EndReason

METADATA = MetaData()

# STRICT tables of SQLite know only INTEGER, REAL, TEXT and BLOB. Elsewhere ticks, bytes and microseconds need 64
# bits.
WHOLE = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
RATE: Double[float] = Double().with_variant(sqlite.REAL(), "sqlite")

_END_REASONS = ", ".join(f"'{reason}'" for reason in EndReason)

# One row per camera that ever had footage.
CAMERAS = Table(
    "cameras",
    METADATA,
    Column("id", Text, nullable=False),
    # EXT-X-TARGETDURATION must not change while a playlist lives (RFC 8216bis 6.2.1), and ours live for ever. It is
    # measured once, from the camera's GOP. Nothing else stands here, since nothing else is a camera's and no file's.
    Column("target_duration_s", WHOLE, nullable=False),
    PrimaryKeyConstraint("id", name="cameras_pk"),
    CheckConstraint("id <> ''", name="cameras_id_is_given"),
    CheckConstraint("target_duration_s > 0", name="cameras_target_duration_is_positive"),
    sqlite_strict=True,
)

# ftyp + moov, once per content: players compare the URL of EXT-X-MAP, so it is named by its hash, and recordings
# share it. Rows that no recording needs any more stay: they are a kilobyte, as many as the camera had encodings, and
# the next run may be about to use one again.
INIT_SECTIONS = Table(
    "init_sections",
    METADATA,
    Column("hash", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("hash", name="init_sections_pk"),
    CheckConstraint("hash <> ''", name="init_sections_hash_is_given"),
    CheckConstraint("length(data) > 0", name="init_sections_data_is_given"),
    sqlite_strict=True,
)

# `hlscam.domain.recording.Recording`, field by field; `media.*` lies flat. An open recording (end_reason NULL) has a
# row from its first segment's numbers on, so that these are known after a crash, and is replaced when it closes.
RECORDINGS = Table(
    "recordings",
    METADATA,
    Column("camera", Text, ForeignKey("cameras.id", name="recordings_camera_fk"), nullable=False),
    Column("name", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("first_media_sequence", WHOLE, nullable=False),
    Column("discontinuity_sequence", WHOLE, nullable=False),
    Column("starts_run", WHOLE, nullable=False),
    Column("init_hash", Text, ForeignKey("init_sections.hash", name="recordings_init_hash_fk"), nullable=False),
    Column("start_wall_us", WHOLE, nullable=False),
    # end_wall_us follows from start, duration and slew, yet SQL must search by it. wall_duration_us is end - start:
    # the longest of a camera says how far back a range query must look, so that none walks the whole history.
    Column("end_wall_us", WHOLE, nullable=False),
    Column("wall_duration_us", WHOLE, nullable=False),
    Column("slew_ppb", WHOLE, nullable=False),
    Column("timescale", WHOLE, nullable=False),
    Column("first_decode_ticks", WHOLE, nullable=False),
    Column("duration_ticks", WHOLE, nullable=False),
    Column("first_offset", WHOLE, nullable=False),
    Column("size_bytes", WHOLE, nullable=False),
    Column("target_duration_s", WHOLE, nullable=False),
    Column("video_codec", Text, nullable=False),
    Column("width", WHOLE, nullable=False),
    Column("height", WHOLE, nullable=False),
    Column("frame_rate", RATE, nullable=False),
    Column("bit_rate_bps", WHOLE, nullable=False),
    Column("audio_codec", Text, nullable=False),
    Column("audio_sample_rate_hz", WHOLE, nullable=False),
    Column("audio_channels", WHOLE, nullable=False),
    Column("end_reason", Text, nullable=True),
    Column("gap_reason", Text, nullable=True),
    Column("segment_count", WHOLE, nullable=False),
    # Last, so that SQLite reads the columns above without walking over it.
    Column("segments", LargeBinary, nullable=False),
    PrimaryKeyConstraint("camera", "name", name="recordings_pk"),
    # A name becomes a path under the camera's folder, and comes out of URLs.
    CheckConstraint("name NOT IN ('', '.', '..')", name="recordings_name_is_given"),
    CheckConstraint("replace(name, '/', '') = name", name="recordings_name_has_no_folder"),
    CheckConstraint("run <> ''", name="recordings_run_is_given"),
    CheckConstraint("first_media_sequence >= 0", name="recordings_media_sequence_counts"),
    CheckConstraint("discontinuity_sequence >= 0", name="recordings_discontinuity_sequence_counts"),
    CheckConstraint("starts_run IN (0, 1)", name="recordings_starts_run_is_a_truth"),
    CheckConstraint("start_wall_us >= 0", name="recordings_start_is_after_1970"),
    CheckConstraint("wall_duration_us >= 0", name="recordings_end_is_not_before_start"),
    CheckConstraint("end_wall_us = start_wall_us + wall_duration_us", name="recordings_end_is_start_plus_duration"),
    # Invariant 8: wall time is slewed by at most 500 ppm.
    CheckConstraint("slew_ppb BETWEEN -500000 AND 500000", name="recordings_slew_is_small"),
    CheckConstraint("timescale > 0", name="recordings_timescale_is_positive"),
    # tfdt is unsigned (ISO/IEC 14496-12 8.8.12).
    CheckConstraint("first_decode_ticks >= 0", name="recordings_decode_time_counts"),
    CheckConstraint("duration_ticks >= 0", name="recordings_duration_counts"),
    CheckConstraint("first_offset >= 0", name="recordings_offset_counts"),
    CheckConstraint("size_bytes >= 0", name="recordings_size_counts"),
    CheckConstraint("target_duration_s > 0", name="recordings_target_duration_is_positive"),
    CheckConstraint("video_codec <> ''", name="recordings_video_is_given"),
    CheckConstraint("width >= 0 AND height >= 0", name="recordings_picture_size_counts"),
    CheckConstraint("frame_rate >= 0", name="recordings_frame_rate_counts"),
    CheckConstraint("bit_rate_bps >= 0", name="recordings_bit_rate_counts"),
    CheckConstraint("audio_sample_rate_hz >= 0 AND audio_channels >= 0", name="recordings_sound_counts"),
    CheckConstraint(
        "audio_codec <> '' OR (audio_sample_rate_hz = 0 AND audio_channels = 0)", name="recordings_no_sound_is_none"
    ),
    CheckConstraint(f"end_reason IN ({_END_REASONS})", name="recordings_end_reason_is_known"),
    CheckConstraint(f"gap_reason IN ({_END_REASONS})", name="recordings_gap_reason_is_known"),
    CheckConstraint("gap_reason IS NULL OR starts_run = 1", name="recordings_gap_is_before_a_run"),
    # A file that closes with no whole segment holds nothing to play, and would keep a number that the next one needs.
    CheckConstraint("segment_count >= 0", name="recordings_segments_count"),
    CheckConstraint("end_reason IS NULL OR segment_count > 0", name="recordings_closed_has_segments"),
    CheckConstraint("length(segments) > 0", name="recordings_segments_are_given"),
    sqlite_strict=True,
)

# Invariant 2: a number is given once.
RECORDINGS_BY_SEQUENCE = Index(
    "recordings_by_sequence", RECORDINGS.c.camera, RECORDINGS.c.first_media_sequence, unique=True
)
# Ranges of wall time. It also holds what range queries and totals need besides, so that these never touch the
# rows (a page of the database each): a year of totals is 3 MB of index, not 200 MB of rows. Start is not unique:
# after the host's clock stepped back, two runs can cover the same hour.
RECORDINGS_BY_TIME = Index(
    "recordings_by_time",
    RECORDINGS.c.camera,
    RECORDINGS.c.start_wall_us,
    RECORDINGS.c.end_wall_us,
    RECORDINGS.c.first_media_sequence,
    RECORDINGS.c.size_bytes,
)
# The longest recording of a camera in one step: see wall_duration_us.
RECORDINGS_BY_DURATION = Index("recordings_by_duration", RECORDINGS.c.camera, RECORDINGS.c.wall_duration_us)
# The few open ones, found at once after a crash. Not unique: when a file rolls, the next one is open before the last
# one has its uuid box.
RECORDINGS_OPEN = Index(
    "recordings_open",
    RECORDINGS.c.camera,
    RECORDINGS.c.first_media_sequence,
    sqlite_where=text("end_reason IS NULL"),
    postgresql_where=text("end_reason IS NULL"),
)
