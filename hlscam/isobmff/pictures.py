"""The pictures of a piece of footage: when each is shown, and which bytes it takes to decode it.

A piece is whole fragments end to end, such as a segment. Its pictures are told in the order in which they are shown;
where a camera sends B-frames that is not the order in which they are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlscam.isobmff.boxes import child_boxes
from hlscam.isobmff.fragment import Sample, parse_samples
from hlscam.isobmff.init_section import InitSection


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """One picture of a piece of footage.

    `shown_ticks` is its presentation time on the run's own timeline; `is_sync` says that it decodes alone. Bytes
    `[start, end)` of the piece are the fragment that holds it, and `early_ticks` is by how much a sample of that
    fragment is shown before it is decoded, at most.
    """

    shown_ticks: int
    is_sync: bool
    start: int
    end: int
    early_ticks: int


def coded_pictures(piece: bytes, init: InitSection) -> list[CodedPicture]:
    """The pictures in a piece of whole fragments, in the order in which they are shown. Raises MediaError."""
    pictures: list[CodedPicture] = []
    samples: list[Sample] = []
    start = 0
    for box in child_boxes(piece, 0, len(piece)):
        if box.type == "moof":
            samples = parse_samples(piece[box.offset : box.end], box.offset, init)
        elif box.type == "mdat":
            early_ticks = max([0, *(-each.offset_ticks for each in samples)])
            pictures += [CodedPicture(each.shown_ticks, each.is_sync, start, box.end, early_ticks) for each in samples]
            samples, start = [], box.end
    return sorted(pictures, key=lambda each: each.shown_ticks)
