"""Recording to row and back.

The row keeps what SQL searches by besides the facts themselves: end_wall_us, wall_duration_us, segment_count.
They follow from the facts, so they are written here and never read back.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Row

from hlscam.domain.recording import EndReason, MediaFacts, Recording
from hlscam.domain.segment_table import SegmentTable
from hlscam.errors import CatalogLost

REBUILD_HINT = "whoever records makes it anew by itself, or run `hlscam reindex`; no footage is lost"


def row_of(recording: Recording) -> dict[str, object]:
    """The columns of `schema.RECORDINGS` for one recording."""
    media = recording.media
    end_wall_us = recording.end_wall_us
    return {
        "camera": recording.camera,
        "name": recording.name,
        "run": recording.run,
        "first_media_sequence": recording.first_media_sequence,
        "discontinuity_sequence": recording.discontinuity_sequence,
        "starts_run": int(recording.starts_run),
        "init_hash": recording.init_hash,
        "start_wall_us": recording.start_wall_us,
        "end_wall_us": end_wall_us,
        "wall_duration_us": end_wall_us - recording.start_wall_us,
        "slew_ppb": recording.slew_ppb,
        "timescale": recording.timescale,
        "first_decode_ticks": recording.first_decode_ticks,
        "duration_ticks": recording.duration_ticks,
        "first_offset": recording.first_offset,
        "size_bytes": recording.size_bytes,
        "target_duration_s": recording.target_duration_s,
        "video_codec": media.video_codec,
        "width": media.width,
        "height": media.height,
        "frame_rate": float(media.frame_rate),
        "bit_rate_bps": media.bit_rate_bps,
        "audio_codec": media.audio_codec,
        "audio_sample_rate_hz": media.audio_sample_rate_hz,
        "audio_channels": media.audio_channels,
        "end_reason": None if recording.end_reason is None else str(recording.end_reason),
        "gap_reason": None if recording.gap_reason is None else str(recording.gap_reason),
        "segment_count": len(recording.segments),
        "segments": recording.segments.pack(),
    }


def recording_of(row: Row[Any]) -> Recording:
    """The recording that `row_of` wrote. Raises CatalogError when the row is damaged."""
    try:
        return _recording_of(row)
    except ValueError as error:
        raise CatalogLost(
            f"the catalog's row of recording {row.camera}/{row.name} is damaged: {error}", hint=REBUILD_HINT
        ) from error


def _recording_of(row: Row[Any]) -> Recording:
    return Recording(
        camera=row.camera,
        name=row.name,
        run=row.run,
        first_media_sequence=row.first_media_sequence,
        discontinuity_sequence=row.discontinuity_sequence,
        starts_run=row.starts_run == 1,
        init_hash=row.init_hash,
        start_wall_us=row.start_wall_us,
        slew_ppb=row.slew_ppb,
        timescale=row.timescale,
        first_decode_ticks=row.first_decode_ticks,
        duration_ticks=row.duration_ticks,
        first_offset=row.first_offset,
        size_bytes=row.size_bytes,
        target_duration_s=row.target_duration_s,
        media=_media_of(row),
        segments=_segments_of(row),
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
        gap_reason=None if row.gap_reason is None else EndReason(row.gap_reason),
    )


def _media_of(row: Row[Any]) -> MediaFacts:
    return MediaFacts(
        video_codec=row.video_codec,
        width=row.width,
        height=row.height,
        frame_rate=row.frame_rate,
        bit_rate_bps=row.bit_rate_bps,
        audio_codec=row.audio_codec,
        audio_sample_rate_hz=row.audio_sample_rate_hz,
        audio_channels=row.audio_channels,
    )


def _segments_of(row: Row[Any]) -> SegmentTable:
    segments = SegmentTable.unpack(row.segments)
    if len(segments) != row.segment_count:
        raise ValueError(f"it counts {row.segment_count} segments and lists {len(segments)}")
    return segments


def comparable(row: Row[Any]) -> tuple[object, ...]:
    """A recording's row as plain values, the segments as a digest of what they say.

    Not of the packed bytes: another build of zlib packs the same table differently.
    """
    segments = recording_of(row).segments
    digest = hashlib.sha256()
    for column in (segments.sizes_bytes, segments.durations_ticks, segments.non_sync_bytes, segments.independents):
        digest.update(column)
    return (*tuple(row)[:-1], digest.hexdigest())
