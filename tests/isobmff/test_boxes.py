"""The grammar of boxes: sizes in all forms, and every way in which one can lie."""

from __future__ import annotations

import struct

import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import FILE_END, BodyReader, BoxHeader, child_boxes, find_box, find_boxes, read_header


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def large_box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body


def test_small_header() -> None:
    header = read_header(b"__" + box(b"free", b"abc"), 2, base=100)
    assert header == BoxHeader("free", 102, 8, 11)
    assert (header.body, header.end) == (110, 113)


def test_large_header() -> None:
    header = read_header(struct.pack(">I4sQ", 1, b"mdat", 5 << 30), 0, base=24)
    assert header == BoxHeader("mdat", 24, 16, 5 << 30)
    assert header.body == 40


@pytest.mark.parametrize("whole", [box(b"free"), large_box(b"mdat", b"x")])
def test_a_header_that_is_not_all_there_needs_more(whole: bytes) -> None:
    header_bytes = 8 if whole[3] != 1 else 16
    for count in range(header_bytes):
        assert read_header(whole[:count], 0) is None
    assert read_header(whole[:header_bytes], 0) is not None


def test_size_zero_reaches_to_the_end_of_the_parent() -> None:
    open_ended = struct.pack(">I4s", 0, b"mdat")
    assert read_header(open_ended, 0, base=10, limit=500) == BoxHeader("mdat", 10, 8, 490)
    forever = read_header(open_ended, 0, base=10)
    assert forever is not None
    assert forever.end == FILE_END


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (struct.pack(">I4s", 7, b"moov"), "less than the box's header"),
        (struct.pack(">I4sQ", 1, b"moov", 15), "less than the box's header"),
        (struct.pack(">I4s", 101, b"moov"), "reaches past its parent, which ends at 110"),
        (struct.pack(">I4sQ", 1, b"moov", 1 << 63), "reaches past its parent"),
    ],
)
def test_impossible_sizes_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(MediaError, match=said) as refused:
        read_header(data, 0, base=10, limit=110)
    assert (refused.value.box_type, refused.value.offset) == ("moov", 10)


def test_children_come_in_order_with_offsets_in_the_file() -> None:
    data = box(b"aaaa") + large_box(b"bbbb", b"x") + box(b"cccc", b"yy")
    found = list(child_boxes(data, 0, len(data), base=1000))
    assert [(child.type, child.offset, child.header_bytes) for child in found] == [
        ("aaaa", 1000, 8),
        ("bbbb", 1008, 16),
        ("cccc", 1025, 8),
    ]
    assert list(child_boxes(data, 3, 3)) == []


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"\0\0\0\0bad!", "size 0 is only allowed"),
        (b"\0\0\0\x09bad!", "past its parent"),
        (b"\0\0\0\x03bad!", "less than the box's header"),
        (b"\0\0\0\x01bad!\0\0", "ends inside a box header"),
        (b"\0\0\0\x08bad", "ends inside a box header"),
        (b"\0", "ends inside a box header"),
    ],
)
def test_a_bad_child_is_named_after_the_good_ones(tail: bytes, said: str) -> None:
    data = box(b"good", b"12") + tail
    children = child_boxes(data + b"\0" * 64, 0, len(data), base=500)  # bytes behind the parent must not matter
    assert next(children).type == "good"
    with pytest.raises(MediaError, match=said) as refused:
        next(children)
    assert refused.value.offset == 510
    assert refused.value.box_type in "bad!"


def test_find_walks_paths() -> None:
    data = box(b"trak", box(b"tkhd")) + box(b"trak", box(b"mdia", box(b"mdhd", b"1") + box(b"mdhd", b"2")))
    hits = list(find_boxes(data, "trak/mdia/mdhd", 0, len(data), base=7))
    assert [data[hit.body - 7 : hit.end - 7] for hit in hits] == [b"1", b"2"]
    assert find_box(data, "trak/mdia/minf", 0, len(data)) is None


def test_fields_end_with_their_box() -> None:
    data = box(b"tfdt", b"\x01\0\0\x05\0\0\0\x09") + b"more"
    header = read_header(data, 0, base=64)
    assert header is not None
    fields = BodyReader(data, header, base=64)
    assert fields.full_box() == (1, 5)
    assert fields.unsigned(4) == 9
    with pytest.raises(MediaError, match=r"ends inside its fields \(box 'tfdt' at byte 64\)"):
        fields.take(1)
    assert fields.rest() == b""
