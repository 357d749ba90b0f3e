"""Recordings made of thin air: one that says what a test needs, a day of them, and arbitrary ones."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, MediaFacts, Recording
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.units import US_PER_S

INIT_HASH = "1f0c"
INIT_SECTION = b"ftyp and moov"
NOON_US = 1_795_348_800 * US_PER_S
TIMESCALE = 90_000

MEDIA = MediaFacts(
    video_codec="avc1.64001f",
    width=1280,
    height=720,
    frame_rate=29.97,
    bit_rate_bps=4_000_000,
    audio_codec="mp4a.40.2",
    audio_sample_rate_hz=48_000,
    audio_channels=2,
)


def segments_of(count: int, seed: int = 0) -> SegmentTable:
    """Segments of about 2 s at 4 Mbit/s; sizes vary as they do in life, so that packing has something to do."""
    rng = random.Random(seed)
    return SegmentTable.of(
        SegmentEntry(rng.randrange(900_000, 1_100_000), 180_000, rng.randrange(400_000, 600_000), independent=True)
        for _ in range(count)
    )


def recording(index: int = 0, *, segments: int = 3, **changes: Any) -> Recording:
    """The `index`-th recording of a gapless camera whose files hold so many 2 s segments."""
    table = segments_of(segments, index)
    facts = Recording(
        camera="porch",
        name=f"{index:05}.mp4",
        run="20261122T120000Z",
        first_media_sequence=index * segments,
        discontinuity_sequence=0,
        starts_run=index == 0,
        init_hash=INIT_HASH,
        start_wall_us=NOON_US + index * segments * 2 * US_PER_S,
        slew_ppb=0,
        timescale=TIMESCALE,
        first_decode_ticks=index * segments * 180_000,
        duration_ticks=segments * 180_000,
        first_offset=1234,
        size_bytes=1234 + sum(table.sizes_bytes),
        target_duration_s=2,
        media=MEDIA,
        segments=table,
        end_reason=EndReason.ROLLED,
    )
    return replace(facts, **changes)


def day(camera: str = "porch") -> list[Recording]:
    """24 h as they come: 144 recordings of 300 segments."""
    return [recording(index, segments=300, camera=camera) for index in range(144)]


_words = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12)
_counts = st.integers(0, 2**31)
_u32 = st.integers(0, 2**32 - 1)
_entries = st.builds(SegmentEntry, _u32, _u32, _u32, st.booleans())
_sounds: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"audio_codec": _words, "audio_sample_rate_hz": _counts, "audio_channels": _counts}),
)


@st.composite
def recordings(draw: st.DrawFn, media_sequence: int = 0) -> Recording:
    """Any recording that the schema takes; its name is made unique by its media sequence."""
    entries = draw(st.lists(_entries, max_size=5))
    starts_run = draw(st.booleans())
    return Recording(
        camera=draw(_words),
        name=f"{draw(_words)}-{media_sequence}",
        run=draw(_words),
        first_media_sequence=media_sequence,
        discontinuity_sequence=draw(_counts),
        starts_run=starts_run,
        init_hash=INIT_HASH,
        start_wall_us=draw(st.integers(0, 2**52)),
        slew_ppb=draw(st.integers(-500_000, 500_000)),
        timescale=draw(st.integers(1, 2**32 - 1)),
        first_decode_ticks=draw(st.integers(0, 2**63 - 1)),
        duration_ticks=draw(_counts),
        first_offset=draw(_counts),
        size_bytes=draw(st.integers(0, 2**50)),
        target_duration_s=draw(st.integers(1, 3600)),
        media=MediaFacts(
            video_codec=draw(_words),
            width=draw(_counts),
            height=draw(_counts),
            frame_rate=draw(st.floats(0, 1000)),
            bit_rate_bps=draw(_counts),
            **draw(_sounds),
        ),
        segments=SegmentTable.of(entries),
        end_reason=draw(st.sampled_from([None, *EndReason]) if entries else st.none()),
        gap_reason=draw(st.sampled_from([None, *EndReason]) if starts_run else st.none()),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Recording]:
    """One camera's recordings on a small scale: holes, no duration, and clocks that step back are all likely."""
    found: list[Recording] = []
    media_sequence = draw(st.integers(0, 3))
    for index in range(draw(st.integers(0, 12))):
        count = draw(st.integers(0, 3))
        found.append(
            recording(
                index,
                first_media_sequence=media_sequence,
                start_wall_us=draw(st.integers(0, 40)),
                timescale=US_PER_S,
                duration_ticks=draw(st.integers(0, 12)),
                segments=0,
            )
        )
        found[-1] = replace(found[-1], segments=segments_of(count), end_reason=EndReason.ROLLED if count else None)
        # Numbers are given once: even a recording without segments yet has its own.
        media_sequence += max(count, 1) + draw(st.integers(0, 2))
    return found
