"""Footage made of thin air for the pure core: fragments as ffmpeg cuts them, their init section, and their run.

ffmpeg ends a fragment at each sync sample and after about `part_s`, so a GOP of 1.9 s is 0.5, 0.5, 0.5 and 0.4 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_index import RecordingIndex, RunIndex
from hlscam.domain.run import RunIdentity
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import AudioTrack, InitSection, VideoTrack

TIMESCALE = 90_000
FIRST_OFFSET = 1_500


def init_section(name: str = "a", *, timescale: int = TIMESCALE, sound: bool = False) -> InitSection:
    """An init section whose hash is its name, 16 times."""
    video = VideoTrack(track_id=1, timescale=timescale, codec="avc1.64001f", width=1280, height=720)
    audio = AudioTrack(track_id=2, timescale=48_000, codec="mp4a.40.2", sample_rate_hz=48_000, channels=1)
    return InitSection(name.encode(), name[0] * 16, video, audio if sound else None, "", "")


@dataclass(frozen=True, slots=True)
class Cut:
    """A fragment to be: so many ticks long, with a sync sample first or not, with so many pictures."""

    ticks: int
    sync: bool
    pictures: int = 15


SOUND_ONLY = Cut(0, sync=False, pictures=0)


def fragments(cuts: Iterable[Cut], *, decode_ticks: int = 0, offset: int = FIRST_OFFSET) -> list[Fragment]:
    """The cuts end to end, in time and in bytes; each has another size."""
    row: list[Fragment] = []
    for index, cut in enumerate(cuts):
        sizes = tuple(100 + index + picture for picture in range(cut.pictures))
        sync_bytes = sizes[0] if cut.sync and sizes else 0
        row.append(
            Fragment(
                offset=offset,
                size_bytes=200 + sum(sizes),
                decode_ticks=decode_ticks,
                duration_ticks=cut.ticks,
                starts_with_sync=cut.sync,
                sample_count=cut.pictures,
                sync_bytes=sync_bytes,
                non_sync_bytes=sum(sizes) - sync_bytes,
                sample_sizes=sizes,
                min_presentation_ticks=decode_ticks,
                max_presentation_ticks=decode_ticks + cut.ticks,
                prft_wall_us=None,
                audio_decode_ticks=None,
                audio_duration_ticks=0,
                audio_sample_ticks=0,
            )
        )
        offset += row[-1].size_bytes
        decode_ticks += cut.ticks
    return row


def gop(gop_s: float, *, part_s: float = 0.5) -> list[Cut]:
    """One group of pictures as ffmpeg cuts it."""
    whole, rest_s = divmod(round(gop_s * TIMESCALE), round(part_s * TIMESCALE))
    lengths = [round(part_s * TIMESCALE)] * whole + ([rest_s] if rest_s else [])
    return [Cut(ticks, sync=index == 0) for index, ticks in enumerate(lengths)]


def gops(*durations_s: float, part_s: float = 0.5) -> list[Cut]:
    """Groups of pictures, one after the other."""
    return [cut for each in durations_s for cut in gop(each, part_s=part_s)]


def identity(**changes: Any) -> RunIdentity:
    """A run whose camera's target duration is known, unless told otherwise."""
    facts: dict[str, Any] = {
        "camera": "porch",
        "run": "3fa94c1e",
        "media_sequence": 1000,
        "discontinuity_sequence": 4,
        "segment_duration_s": 2,
        "target_duration_s": 2,
        "not_before_wall_us": 0,
    }
    return RunIdentity(**(facts | changes))


def add_all(index: RecordingIndex, row: Sequence[Fragment], *, wall_us: int) -> None:
    """Feed fragments that the host sees the moment they end; media time 0 is at `wall_us`."""
    for each in row:
        index.add(each, arrival_wall_us=wall_us + each.end_decode_ticks * 1_000_000 // index.init.video.timescale)


def record(
    run: RunIndex, name: str, row: Sequence[Fragment], *, wall_us: int, init: InitSection | None = None
) -> Recording | None:
    """A whole recording of a run, closed because the next one began."""
    index = run.open_recording(name, init or init_section())
    add_all(index, row, wall_us=wall_us)
    return index.finish(EndReason.ROLLED, size_bytes=123_456, last_write_wall_us=0)


def continuous(row: Sequence[Fragment]) -> bool:
    return all(before.end == after.offset for before, after in pairwise(row))


_cuts = st.builds(Cut, st.integers(1, 2 * TIMESCALE), st.booleans(), st.integers(1, 4))
any_cuts = st.lists(st.one_of(_cuts, _cuts, st.just(SOUND_ONLY)), max_size=60)
"""Any cuts of up to 2 s, sound without pictures among them, anywhere."""
