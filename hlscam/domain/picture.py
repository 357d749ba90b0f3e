"""Single pictures of the footage: which one is shown at a moment, where it stands, and what it takes to decode it.

A picture's *position* is its segment's number and its index in that segment in the order of presentation, `4711.48`.
It is told from the segment's bytes alone, so it is the same at the live edge and in the archive, and for ever.

Pure: bytes of segments in, pictures out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from hlscam.domain.position import PicturePosition
from hlscam.domain.recording import Recording
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.pictures import CodedPicture, coded_pictures

_NO_SEQUENCE = 1 << 62
"""Above every media sequence."""
SEGMENTS_INTERLEAVED = 3
"""Where a GOP is cut in two, B-frames of the later segment are shown before the last picture of the one before: nothing
is forgotten of a segment until as many later ones have been shown."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the footage, not decoded yet. `wall_us` is when it was taken."""

    position: PicturePosition
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
            position = PicturePosition(recording.first_media_sequence + first + at, counts[at])
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


class PictureFinder:
    """Tells which pictures a decoder gives, by the times that it has for them, while the footage is still fed to it.

    A segment may come in pieces: a picture's index in it is known when the picture is shown, since all that are shown
    before it have been decoded by then. Positions come in order but where a GOP is cut (`SEGMENTS_INTERLEAVED`).
    """

    def __init__(self) -> None:
        self._expected: list[tuple[int, int, int]] = []
        """(time that the decoder will have for it, media_sequence, shown_ticks), in order."""
        self._shown_ticks: dict[int, list[int]] = {}
        self._early_ticks = 0

    def add(self, media_sequence: int, pictures: Sequence[CodedPicture]) -> None:
        """The next pictures that are fed, of a segment or of a piece of one."""
        times = self._shown_ticks.setdefault(media_sequence, [])
        for each in pictures:
            self._early_ticks = max(self._early_ticks, each.early_ticks)
        for each in pictures:
            insort(times, each.shown_ticks)
            insort(self._expected, (each.shown_ticks + self._early_ticks, media_sequence, each.shown_ticks))

    def find(self, decoder_ticks: int) -> tuple[PicturePosition, int] | None:
        """A picture's position and its `shown_ticks`; None for one that nobody knows of."""
        after = bisect_right(self._expected, (decoder_ticks, _NO_SEQUENCE, 0))
        if not after:
            return None
        _, media_sequence, shown_ticks = self._expected[after - 1]
        del self._expected[:after]
        for older in [each for each in self._shown_ticks if each <= media_sequence - SEGMENTS_INTERLEAVED]:
            del self._shown_ticks[older]
        return PicturePosition(media_sequence, bisect_left(self._shown_ticks[media_sequence], shown_ticks)), shown_ticks
