"""Positions: read and written alike, in order, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from hlscam.domain.position import Position
from hlscam.errors import InvalidRequest


@pytest.mark.parametrize("text", ["0.0", "4711.3", f"{10**18 - 1}.{10**9 - 1}"])
def test_a_position_is_written_as_it_was_read(text: str) -> None:
    assert str(Position.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "4711", "4711.", ".3", "-1.0", "1.-1", "1.2.3", "1.2 ", "1,2", "٣.1", f"{10**18}.0"]
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Position.parse(text)


def test_positions_are_in_the_order_of_parts() -> None:
    row = [Position(3, -1), Position(3, 0), Position(3, 9), Position(3, 10), Position(4, 0)]
    assert sorted([*row[2:], *row[:2]]) == row
