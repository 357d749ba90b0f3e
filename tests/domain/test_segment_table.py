"""The segment table comes back from its bytes, and damaged bytes are refused."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from tests.adapters.catalog.samples import segments_of

_u32 = st.integers(0, 2**32 - 1)
entries = st.lists(st.builds(SegmentEntry, _u32, _u32, _u32, st.booleans()), max_size=40)


@given(entries)
def test_it_comes_back(rows: list[SegmentEntry]) -> None:
    table = SegmentTable.of(rows)
    assert list(table) == rows
    assert SegmentTable.unpack(table.pack()) == table
    assert list(SegmentTable.unpack(table.pack())) == rows
    assert SegmentTable.of(rows).pack() == table.pack()


def test_the_bytes_are_what_the_module_says() -> None:
    table = SegmentTable.of([SegmentEntry(1, 2, 3, independent=True), SegmentEntry(4, 5, 6, independent=False)])
    packed = table.pack()
    assert packed[:5] == struct.pack(">BI", 1, 2)
    assert zlib.decompress(packed[5:]) == struct.pack(">6I2B", 1, 4, 2, 5, 3, 6, 1, 0)


def test_ten_minutes_take_about_two_kilobytes() -> None:
    assert len(segments_of(300).pack()) < 2500


def test_its_rows_are_found_by_index() -> None:
    table = segments_of(5)
    assert table[4] == list(table)[4]
    assert len(table) == 5


def test_a_copy_does_not_grow_with_the_table() -> None:
    table = SegmentTable.of([SegmentEntry(1, 2, 3, independent=True)])
    copied = table.copy()
    assert copied == table
    table.append(SegmentEntry(4, 5, 6, independent=False))
    assert list(copied) == [SegmentEntry(1, 2, 3, independent=True)]


def _packed(count: int, raw: bytes, version: int = 1) -> bytes:
    return struct.pack(">BI", version, count) + zlib.compress(raw)


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\1\0\0\0", id="short head"),
        pytest.param(b"\1\0\0\0\1", id="no columns"),
        pytest.param(_packed(1, bytes(13), version=2), id="another version"),
        pytest.param(_packed(2, bytes(13)), id="too few"),
        pytest.param(_packed(1, bytes(26)), id="too many"),
        pytest.param(_packed(2**31, bytes(13)), id="a count that would eat all memory"),
        pytest.param(_packed(1, bytes(12) + b"\2"), id="neither true nor false"),
        pytest.param(_packed(1, bytes(13)) + b"\0", id="bytes behind it"),
        pytest.param(_packed(1, bytes(13))[:-1], id="cut off"),
        pytest.param(struct.pack(">BI", 1, 1) + bytes(13), id="not deflated"),
    ],
)
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="segment table"):
        SegmentTable.unpack(packed)


def test_a_count_is_refused_before_anything_is_inflated() -> None:
    with pytest.raises(ValueError, match="with 10000001 entries: not one of ours"):
        SegmentTable.unpack(_packed(10_000_001, bytes(13)))


@given(entries, st.data())
def test_damage_is_refused(rows: list[SegmentEntry], data: st.DataObject) -> None:
    """zlib's own checksum sees whatever changes the columns; any other change must not change what is read."""
    table = SegmentTable.of(rows)
    packed = bytearray(table.pack())
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ValueError):
        assert SegmentTable.unpack(bytes(packed)) == table
