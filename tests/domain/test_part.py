"""Fragments to parts: where they lie, and where sound goes that comes without pictures."""

from __future__ import annotations

import pytest

from hlscam.domain.part import Cut, PartCutter
from hlscam.isobmff.fragment import Fragment
from tests.domain.footage import SOUND_ONLY, TIMESCALE, fragments
from tests.domain.footage import Cut as Footage

PICTURES = Footage(TIMESCALE // 2, sync=True)


def cut(kinds: list[Footage], segments: list[int]) -> tuple[list[Fragment], list[Cut]]:
    row, cutter = fragments(kinds), PartCutter()
    found = [each for segment, fragment in zip(segments, row, strict=True) for each in cutter.push(segment, fragment)]
    return row, [*found, *cutter.finish()]


@pytest.mark.parametrize(
    ("kinds", "segments", "expected"),
    [
        ([PICTURES] * 4, [0, 0, 1, 1], [(0, 0, [0]), (0, 1, [1]), (1, 0, [2]), (1, 1, [3])]),
        ([PICTURES, SOUND_ONLY, SOUND_ONLY, PICTURES], [0] * 4, [(0, 0, [0]), (0, 1, [1, 2, 3])]),
        ([PICTURES, SOUND_ONLY, PICTURES], [0, 0, 1], [(0, 0, [0]), (0, 1, [1]), (1, 0, [2])]),
        ([PICTURES, SOUND_ONLY], [0, 0], [(0, 0, [0]), (0, 1, [1])]),
    ],
    ids=["pictures", "sound in between", "sound at a segment's end", "sound at the very end"],
)
def test_every_fragment_is_in_one_part(
    kinds: list[Footage], segments: list[int], expected: list[tuple[int, int, list[int]]]
) -> None:
    row, cuts = cut(kinds, segments)
    assert [(each.segment, each.index, each.offset, each.size_bytes) for each in cuts] == [
        (segment, index, row[of[0]].offset, sum(row[at].size_bytes for at in of)) for segment, index, of in expected
    ]
