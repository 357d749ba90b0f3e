"""JPEGs out of a stream, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.adapters.ffmpeg.jpegs import JpegSplitter
from hlscam.errors import DecodingError


def jpeg(comment: bytes, scan: bytes) -> bytes:
    """A JPEG in form: a comment that may hold any bytes, and a scan in which each FF has a 00 behind it."""
    body = scan.replace(b"\xff", b"\xff\x00")
    comment_segment = b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment
    return b"\xff\xd8" + comment_segment + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + body + b"\xff\xd9"


@given(
    parts=st.lists(st.tuples(st.binary(max_size=30) | st.just(b"\xff\xd9"), st.binary(max_size=50)), max_size=4),
    cuts=st.lists(st.integers(1, 20), min_size=1),
)
def test_whatever_the_pieces(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    whole = [jpeg(comment, scan) for comment, scan in parts]
    stream = b"".join(whole)
    splitter, found, at = JpegSplitter(), list[bytes](), 0
    while at < len(stream):
        for cut in cuts:
            found += splitter.feed(stream[at : at + cut])
            at += cut
    assert found == whole
    assert JpegSplitter().feed(stream) == whole


def test_something_else_is_refused() -> None:
    with pytest.raises(DecodingError, match="no JPEG"):
        JpegSplitter().feed(b"GIF89a")
