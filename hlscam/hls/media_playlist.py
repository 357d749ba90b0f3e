"""Media playlists: the hot path, so rendered by our own code.

A playlist here is a list of *blocks*. A block is a row of consecutive segments of one recording: one init section, one
clock, numbers that count up. A day is 43,200 segments but only 144 blocks, and the text of a block whose
recording is closed never changes, so it can be kept (`render_block` is pure) and a day is joined, not rendered.

Segments are URLs of their own, named by their media_sequence; the init section's URL names its content.
EXT-X-PROGRAM-DATE-TIME stands wherever adding up EXTINF would be a millisecond off or more: at the start of each block,
and again as often as the block's clock is slewed.

A hole in wall time is told by an EXT-X-DATERANGE in front of the block that follows it (`render_hole`). EXT-X-GAP is
only for players that ask for it (`render_gap`): VLC ends at it and hls.js freezes.

Low latency adds parts: in front of the segment that they make up, and behind the last one those of the segment in
progress (4.4.4.9), with the name of the next (4.4.5.3). A delta update (4.4.5.2) leaves out the older segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from hlscam.units import US_PER_MS, US_PER_S, format_rfc3339, ticks_to_us

VERSION = 7
"""EXT-X-VERSION: 6 for EXT-X-MAP in a playlist with whole segments, 7 for fMP4 as players read it."""

VERSION_OF_DELTA = 9
"""The least EXT-X-VERSION of a playlist with EXT-X-SKIP (RFC 8216bis 8)."""

VERSION_WITH_GAPS = 8
"""The least EXT-X-VERSION of a playlist with EXT-X-GAP (RFC 8216bis 8)."""

_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PartLine:
    """A part as a playlist lists it (4.4.4.9)."""

    uri: str
    duration_us: int
    independent: bool

    def render(self) -> str:
        seconds = f"{self.duration_us // US_PER_S}.{self.duration_us % US_PER_S:06d}"
        independent = ",INDEPENDENT=YES" if self.independent else ""
        return f'#EXT-X-PART:DURATION={seconds},URI="{self.uri}"{independent}\n'


@dataclass(frozen=True, slots=True)
class ServerControl:
    """What players may ask of the server (4.4.3.8), and the part target (4.4.3.7). `None`: there are no parts."""

    skip_until_s: int
    part_target_us: int | None = None
    hold_back_parts: int = 3

    def render(self) -> list[str]:
        said = ["CAN-BLOCK-RELOAD=YES"]
        lines: list[str] = []
        if self.part_target_us is not None:
            said.append(f"PART-HOLD-BACK={self.hold_back_parts * self.part_target_us / US_PER_S:.6f}")
            lines = [f"#EXT-X-PART-INF:PART-TARGET={self.part_target_us / US_PER_S:.6f}"]
        said.append(f"CAN-SKIP-UNTIL={self.skip_until_s}")
        return [f"#EXT-X-SERVER-CONTROL:{','.join(said)}", *lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentBlock:
    """Consecutive segments that share an init section and a clock.

    `start_wall_us` is UTC of the first sample of the *recording*, from which the block lists the segments
    [first, end) of `durations_ticks`; the first listed one has number `media_sequence`. `discontinuity` is
    said before the first listed segment.
    """

    media_sequence: int
    durations_ticks: Sequence[int]
    first: int
    end: int
    timescale: int
    start_wall_us: int
    slew_ppb: int
    map_uri: str
    discontinuity: bool
    parts: Mapping[int, Sequence[PartLine]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Wall time without segments, and why ("" where nobody knows); `media_sequence` is the first segment's after it."""

    media_sequence: int
    start_wall_us: int
    end_wall_us: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A media playlist: the header's facts, and the blocks already rendered, with holes and gaps between them.

    `ended` adds EXT-X-ENDLIST (nothing will ever follow); `from_start` asks players to begin at the first segment
    of a playlist that still grows (EXT-X-START, 4.4.2.2), which they would else join at its live edge.
    """

    target_duration_s: int
    media_sequence: int
    discontinuity_sequence: int
    independent: bool
    blocks: Sequence[str]
    ended: bool = False
    from_start: bool = False
    version: int = VERSION
    control: ServerControl | None = None
    skipped_segments: int = 0

    def render(self) -> str:
        """The text, as RFC 8216bis 4.4 orders it."""
        head = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{self.version}",
            f"#EXT-X-TARGETDURATION:{self.target_duration_s}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.media_sequence}",
        ]
        if self.discontinuity_sequence:
            head.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}")
        if self.ended:
            head.append("#EXT-X-PLAYLIST-TYPE:VOD")
        if self.independent:
            head.append("#EXT-X-INDEPENDENT-SEGMENTS")
        if self.from_start:
            head.append("#EXT-X-START:TIME-OFFSET=0,PRECISE=YES")
        if self.control is not None:
            head.extend(self.control.render())
        if self.skipped_segments:
            head.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={self.skipped_segments}")
        tail = ["#EXT-X-ENDLIST\n"] if self.ended else []
        return "".join(["\n".join(head), "\n", *self.blocks, *tail])


def render_block(block: SegmentBlock, *, previous_map_uri: str = "") -> str:
    """The block's lines. EXT-X-MAP is left out when it is the one that already holds (`previous_map_uri`)."""
    lines: list[str] = []
    if block.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY\n")
    if block.map_uri != previous_map_uri:
        lines.append(f'#EXT-X-MAP:URI="{block.map_uri}"\n')
    known: dict[int, tuple[int, str]] = {}
    elapsed_ticks = sum(islice(block.durations_ticks, block.first))
    told_us: int | None = None  # what a player makes of the last date and the durations since
    number = block.media_sequence
    per_tick = US_PER_S * (_BILLION + block.slew_ppb)
    for duration_ticks in islice(block.durations_ticks, block.first, block.end):
        wall_us = block.start_wall_us + elapsed_ticks * per_tick // (block.timescale * _BILLION)
        if told_us is None or abs(wall_us - told_us) >= US_PER_MS:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_rfc3339(wall_us)}\n")
            told_us = -(-wall_us // US_PER_MS) * US_PER_MS
        lines.extend(part.render() for part in block.parts.get(number, ()))
        said = known.get(duration_ticks)
        if said is None:
            duration_us = ticks_to_us(duration_ticks, block.timescale)
            text = f"#EXTINF:{duration_us // US_PER_S}.{duration_us % US_PER_S:06d},\n"
            said = known[duration_ticks] = duration_us, text
        lines.append(f"{said[1]}{number}.m4s\n")
        told_us += said[0]
        elapsed_ticks += duration_ticks
        number += 1
    return "".join(lines)


def render_open(
    parts: Sequence[PartLine], *, discontinuity: bool, wall_us: int, map_uri: str, previous_map_uri: str
) -> str:
    """The parts of the segment in progress. What holds for the segment is said now: it will be said the same again."""
    lines = ["#EXT-X-DISCONTINUITY\n"] if discontinuity else []
    if map_uri != previous_map_uri:
        lines.append(f'#EXT-X-MAP:URI="{map_uri}"\n')
    if discontinuity:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_rfc3339(wall_us)}\n")
    return "".join([*lines, *(part.render() for part in parts)])


def render_hint(uri: str) -> str:
    """The name of the next part (4.4.5.3): whoever asks for it now gets it the moment it is whole."""
    return f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{uri}"\n'


def render_hole(hole: Hole) -> str:
    """The line that tells of a hole. It is the same wherever both sides of the hole are listed (4.4.5.1).

    DURATION is the difference of the dates as they are written, and those agree with the dates of the segments.
    """
    duration_ms = -(-hole.end_wall_us // US_PER_MS) - -(-hole.start_wall_us // US_PER_MS)
    attributes = [
        f'ID="gap-{hole.media_sequence}"',
        'CLASS="hlscam.gap"',
        f'START-DATE="{format_rfc3339(hole.start_wall_us)}"',
        f'END-DATE="{format_rfc3339(hole.end_wall_us)}"',
        f"DURATION={duration_ms // 1000}.{duration_ms % 1000:03d}",
    ]
    if hole.reason:
        attributes.append(f'X-REASON="{hole.reason}"')
    return f"#EXT-X-DATERANGE:{','.join(attributes)}\n"


def render_gap(media_sequence: int, duration_us: int) -> str:
    """An entry that no player may load (4.4.4.7), in front of the discontinuity that begins with `media_sequence`.

    It takes a millisecond at least: some discontinuities have no hole, and nothing is gained by a duration of 0.
    """
    duration_us = max(duration_us, US_PER_MS)
    return f"#EXT-X-GAP\n#EXTINF:{duration_us // US_PER_S}.{duration_us % US_PER_S:06d},\ngap-{media_sequence}.m4s\n"
