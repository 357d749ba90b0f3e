"""Hostile bytes: the reader gives events or a MediaError, always ends, and does not care how it is fed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import child_boxes
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import Event, RecordingReader
from hlscam.isobmff.recording_box import encode_recording_box

Pieces = Callable[[bytes, Iterable[int]], tuple[list[Event], str, int]]

INTERESTING = [b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\7", b"\0\0\0\x08", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"]
KINDS = [b"ftyp", b"moov", b"moof", b"mdat", b"traf", b"trun", b"tfhd", b"prft", b"uuid", b"free", b"esds", b"stsd"]
PIECES = st.lists(st.integers(1, 400), max_size=40)


def check(data: bytes, pieces: Pieces, piece_bytes: list[int]) -> None:
    """Read whole and in pieces, and hold what comes out against what any events must be."""
    whole = pieces(data, [])
    assert pieces(data, piece_bytes) == whole
    events, _, whole_end = whole
    fragments = [event for event in events if isinstance(event, Fragment)]
    assert 0 <= whole_end <= len(data)
    for before, after in pairwise(fragments):
        assert before.end <= after.offset
    for fragment in fragments:
        assert 0 <= fragment.offset < fragment.end <= whole_end
        assert fragment.duration_ticks >= 0
        assert sum(fragment.sample_sizes) <= fragment.size_bytes
    assert sum(isinstance(event, InitSection) for event in events) <= 1


@given(data=st.binary(max_size=600), piece_bytes=PIECES)
def test_random_bytes(pieces: Pieces, data: bytes, piece_bytes: list[int]) -> None:
    check(data, pieces, piece_bytes)


@st.composite
def box_soup(draw: st.DrawFn, depth: int = 3) -> bytes:
    """Boxes in boxes, with types that the reader acts on and sizes that are mostly true."""
    out = b""
    for _ in range(draw(st.integers(0, 4))):
        body = draw(box_soup(depth - 1)) if depth and draw(st.booleans()) else draw(st.binary(max_size=24))
        size = (8 + len(body)).to_bytes(4, "big")
        if draw(st.integers(0, 9)) == 0:
            size = draw(st.sampled_from(INTERESTING))
        out += size + draw(st.sampled_from(KINDS)) + body
    return out


@given(data=box_soup(), piece_bytes=PIECES)
def test_box_soup(pieces: Pieces, data: bytes, piece_bytes: list[int]) -> None:
    check(data, pieces, piece_bytes)


@given(data=box_soup(), at=st.integers(0, 50))
def test_walks_end(data: bytes, at: int) -> None:
    steps = 0
    try:
        for child in child_boxes(data, min(at, len(data)), len(data)):
            steps += 1
            assert child.end <= len(data)
            assert child.size_bytes >= 8
    except MediaError:
        pass
    assert steps <= len(data) // 8


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[float, bytes, int]]:
    """(where as a share of the file, bytes to put there, bytes to take away)."""
    some = st.one_of(st.binary(max_size=8), st.sampled_from(INTERESTING), st.sampled_from(KINDS))
    where = st.floats(0, 1, exclude_max=True)
    return draw(st.lists(st.tuples(where, some, st.sampled_from([0, 1, 4, 4, 4, 8, 200])), min_size=1, max_size=6))


def mutate(data: bytes, changes: list[tuple[float, bytes, int]]) -> bytes:
    for share, new, taken in changes:
        at = int(share * len(data))
        data = data[:at] + new + data[at + taken :]
    return data


@pytest.mark.parametrize("name", ["small", "cmaf", "hevc10_silent", "h264_aac_96k"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(changes=mutations(), piece_bytes=PIECES)
def test_mutated_real_files(
    clip: Callable[[str], bytes],
    pieces: Pieces,
    name: str,
    changes: list[tuple[float, bytes, int]],
    piece_bytes: list[int],
) -> None:
    data = headers_only(clip(name)) + encode_recording_box({"run": "r"}, b"t")
    check(mutate(data, changes), pieces, piece_bytes)


def headers_only(data: bytes) -> bytes:
    """The start of a file up to 4 KiB: mutations hit boxes there, not payload."""
    return data[:4096]


@given(sizes=st.lists(st.integers(0, 1 << 64), max_size=5), kinds=st.lists(st.sampled_from(KINDS), max_size=5))
def test_offset_never_goes_back(sizes: list[int], kinds: list[bytes]) -> None:
    reader = RecordingReader()
    at = 0
    for size, kind in zip(sizes, kinds, strict=False):
        header = b"\0\0\0\1" + kind + min(size, (1 << 64) - 1).to_bytes(8, "big")
        try:
            reader.feed(header, reader.offset + 16)
        except MediaError:
            break
        assert reader.offset > at
        at = reader.offset
