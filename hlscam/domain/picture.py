"""Single pictures of the footage: which one is shown at a moment, where it stands, and what it takes to decode it.

A picture's *position* is its segment's number and its index in that segment in the order of presentation, `4711.48`.
It is told from the segment's bytes alone, so it is the same at the live edge and in the archive, and for ever.

Pure: bytes of segments in, pictures out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from hlscam.domain.recording import Recording
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.pictures import CodedPicture, coded_pictures


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a picture stands in the footage; later ones are greater."""

    media_sequence: int
    picture: int

    def __str__(self) -> str:
        return f"{self.media_sequence}.{self.picture}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the footage, not decoded yet. `wall_us` is when it was taken."""

    position: Position
    wall_us: int
    coded: CodedPicture


@dataclass(frozen=True, slots=True)
class Piece:
    """Segments of one recording, end to end, that begin with a sync sample; and their pictures as they are shown."""

    init: InitSection
    media: bytes
    pictures: list[Picture]

    @classmethod
    def of(cls, recording: Recording, first: int, segments: Sequence[bytes], init: InitSection) -> Piece:
        """The piece that begins with segment `first` of a recording. Raises MediaError.

        A segment may have the init section in front, as the first of a run has it for players.
        """
        bare = [each.removeprefix(init.data) for each in segments]
        ends = list(accumulate(map(len, bare)))
        counts = [0] * len(bare)
        pictures = []
        media = b"".join(bare)
        for coded in coded_pictures(media, init):
            at = bisect_right(ends, coded.start)
            position = Position(recording.first_media_sequence + first + at, counts[at])
            counts[at] += 1
            wall_us = recording.wall_us_at(coded.shown_ticks - recording.first_decode_ticks)
            pictures.append(Picture(position, wall_us, coded))
        return cls(init, media, pictures)

    def shown_at(self, wall_us: int) -> Picture | None:
        """The picture that is on the screen at a moment: the last that is not later; else the first of all.

        None where no picture can be decoded.
        """
        shown = self._decodable()
        after = bisect_right(shown, wall_us, key=lambda each: each.wall_us)
        return shown[max(after - 1, 0)] if shown else None

    def nearest_alone(self, wall_us: int, media_sequence: int) -> Picture | None:
        """The picture nearest to a moment of those that decode alone: in that segment if it has one, else before it."""
        alone = [each for each in self.pictures if each.coded.is_sync]
        inside = [each for each in alone if each.position.media_sequence == media_sequence]
        return min(inside or alone, key=lambda each: abs(each.wall_us - wall_us), default=None)

    def needed_for(self, picture: Picture) -> tuple[bytes, int]:
        """The bytes that a decoder needs to come to a picture, init section first; and the time it says for it.

        ffmpeg's reader calls all pictures later by as much as any so far was shown before it was decoded
        (**measured**; a negative composition offset is nothing it can say).
        """
        wanted = picture.coded
        begin = max((each.start for each in self._coded() if _leads_to(each, wanted)), default=0)
        read = [each for each in self._coded() if begin <= each.start <= wanted.start]
        early_ticks = max(each.early_ticks for each in read)
        return self.init.data + self.media[begin : wanted.end], wanted.shown_ticks + early_ticks

    def _decodable(self) -> list[Picture]:
        """All but those that lead up to the first sync sample and need what was before it."""
        first = next((at for at, each in enumerate(self.pictures) if each.coded.is_sync), len(self.pictures))
        return self.pictures[first:]

    def _coded(self) -> list[CodedPicture]:
        return [each.coded for each in self.pictures]


def _leads_to(sync: CodedPicture, wanted: CodedPicture) -> bool:
    """Whether decoding may begin with `sync` to come to `wanted`: pictures shown before it may need what is older."""
    return sync.is_sync and sync.shown_ticks <= wanted.shown_ticks
