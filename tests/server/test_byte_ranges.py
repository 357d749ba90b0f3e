"""The Range header: every form of one range, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.server.byte_ranges import ByteRange, parse_range

SIZE = 1000
WHOLE = ByteRange(0, SIZE, SIZE, is_partial=False)


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=500-", 500, 1000),
        ("bytes=500-99999", 500, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes=0-999", 0, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-1000", 0, 1000),
        ("bytes=-5000", 0, 1000),
        (" bytes=1-2 ", 1, 3),
        ("Bytes=1-2", 1, 3),
    ],
)
def test_one_range(header: str, start: int, end: int) -> None:
    assert parse_range(header, SIZE) == ByteRange(start, end, SIZE)


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "bytes=a-b", "seconds=0-1", "bytes 0-1"),
        *("0-1", "bytes=--1", "bytes=0-1 2", "bytes=١-٢", f"bytes={'9' * 19}-"),
    ],
)
def test_what_is_no_single_range_is_the_whole(header: str | None) -> None:
    assert parse_range(header, SIZE) == WHOLE


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", f"bytes={'9' * 18}-"])
def test_not_satisfiable(header: str) -> None:
    assert parse_range(header, SIZE) is None


def test_content_range() -> None:
    assert ByteRange(10, 20, 100).content_range == "bytes 10-19/100"


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,5}-\d{0,5}", fullmatch=True), st.integers(1, 2000))
def test_always_within_the_file(header: str, size_bytes: int) -> None:
    found = parse_range(header, size_bytes)
    assert found is None or 0 <= found.start < found.end <= size_bytes == found.size_bytes
