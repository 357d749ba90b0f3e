"""A media playlist as an independent reader reads it: number, URL, duration, time and discontinuity of each segment."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig.playlist_lint import read_m3u8


@dataclass(frozen=True, slots=True)
class Line:
    """A segment as a playlist tells it. Times are Unix seconds."""

    number: int
    uri: str
    duration_s: float
    start_s: float
    discontinuity_sequence: int
    map_uri: str

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Window:
    """A media playlist."""

    media_sequence: int
    discontinuity_sequence: int
    target_duration_s: int
    ended: bool
    lines: list[Line]


def read_window(text: str) -> Window:
    """Raises AssertionError for a playlist without a number, or a segment without a time or a map."""
    playlist = read_m3u8(text)
    assert playlist.media_sequence is not None, "the playlist has no EXT-X-MEDIA-SEQUENCE"
    first_number = int(playlist.media_sequence)
    first_discontinuity = playlist.discontinuity_sequence or 0
    lines: list[Line] = []
    discontinuity = first_discontinuity
    for index, segment in enumerate(playlist.segments):
        assert segment.current_program_date_time is not None, f"{segment.uri} has no program date time"
        assert segment.init_section is not None, f"{segment.uri} has no map"
        discontinuity += bool(segment.discontinuity)
        lines.append(
            Line(
                number=first_number + index,
                uri=segment.uri,
                duration_s=segment.duration,
                start_s=segment.current_program_date_time.timestamp(),
                discontinuity_sequence=discontinuity,
                map_uri=segment.init_section.uri,
            )
        )
    return Window(first_number, first_discontinuity, playlist.target_duration, bool(playlist.is_endlist), lines)
