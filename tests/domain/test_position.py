"""Positions: read and written alike, in order, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from hlscam.domain.position import PartPosition, PicturePosition
from hlscam.errors import InvalidRequest

of_both = pytest.mark.parametrize("kind", [PartPosition, PicturePosition])
Kind = type[PartPosition] | type[PicturePosition]


@of_both
@pytest.mark.parametrize("text", ["0.0", "4711.3", f"{10**18 - 1}.{10**9 - 1}"])
def test_a_position_is_written_as_it_was_read(kind: Kind, text: str) -> None:
    assert str(kind.parse(text)) == text


@of_both
@pytest.mark.parametrize(
    "text", ["", "4711", "4711.", ".3", "-1.0", "1.-1", "1.2.3", "1. 2", "1.2 ", "1,2", "٣.1", "½.1", f"{10**18}.0"]
)
def test_anything_else_is_none(kind: Kind, text: str) -> None:
    with pytest.raises(InvalidRequest, match="a position is "):
        kind.parse(text)


@of_both
def test_positions_are_in_order(kind: Kind) -> None:
    row = [kind(3, -1), kind(3, 0), kind(3, 9), kind(3, 10), kind(4, 0)]
    assert sorted([*row[2:], *row[:2]]) == row
