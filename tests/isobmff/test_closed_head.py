"""The head of a hybrid MP4 in its three forms, as ffmpeg writes them."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from hlscam.isobmff.closed_head import LARGEST_HEAD_BYTES, HybridHead, closed_room, read_hybrid_head
from tests.rig.hybrid import growing_form

Clip = Callable[[str], bytes]
FTYP = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"iso6", 512, b"iso6", b"mp41")
GROWING = FTYP + struct.pack(">I4sI4s", 8, b"free", 32, b"free") + FTYP + struct.pack(">I4s", 8, b"moov")


def closed(head: bytes, movie_offset: int) -> bytes:
    read = read_hybrid_head(head)
    assert read is not None
    room = closed_room(read, movie_offset)
    return head[: read.room_offset] + room + head[read.room_offset + len(room) :]


@pytest.mark.parametrize("name", ["h264_b_aac", "hevc_opus", "av1_aac", "small"])
def test_it_is_closed_as_ffmpeg_does(clip: Clip, name: str) -> None:
    data = clip(name)
    growing = growing_form(data)
    ftyp_bytes = int.from_bytes(data[:4], "big")
    assert ftyp_bytes == (28 if name == "av1_aac" else 24)
    moov_offset = 2 * ftyp_bytes + 16
    assert read_hybrid_head(growing[:LARGEST_HEAD_BYTES]) == HybridHead(ftyp_bytes, moov_offset, None)
    assert read_hybrid_head(data[:LARGEST_HEAD_BYTES]) == HybridHead(ftyp_bytes, moov_offset, len(growing))
    assert closed(growing, len(growing)) == data[: len(growing)]


def test_a_killed_one_is_growing(killed: bytes) -> None:
    assert read_hybrid_head(killed[:LARGEST_HEAD_BYTES]) == HybridHead(24, 64, None)


@pytest.mark.parametrize("movie_offset", [100, 32 + 0xFFFF_FFFF, 33 + 0xFFFF_FFFF, 1 << 40])
def test_every_form_becomes_every_other(movie_offset: int) -> None:
    """A power cut can leave a head that is closed at the wrong place."""
    for head in (GROWING, closed(GROWING, 5000), closed(GROWING, 1 << 33)):
        again = closed(head, movie_offset)
        assert len(again) == len(GROWING)
        assert read_hybrid_head(again) == HybridHead(24, 64, movie_offset)
        assert again == closed(GROWING, movie_offset)
    is_large = movie_offset - 32 > 0xFFFF_FFFF
    assert closed(GROWING, movie_offset)[24:32] == (b"\0\0\0\1mdat" if is_large else b"\0\0\0\x08free")


STRANGERS = {
    "nothing": b"",
    "a short file": GROWING[:50],
    "no moov behind": GROWING[:64] + b"\0\0\0\x08mdat",
    "no ftyp": GROWING.replace(b"ftyp", b"styp"),
    "another copy": GROWING[:50] + b"X" + GROWING[51:],
    "other boxes": GROWING.replace(b"free", b"skip"),
    "another free": GROWING[:24] + struct.pack(">I4sI4s", 8, b"free", 31, b"free") + GROWING[40:],
    "a huge ftyp": b"\xff\xff\xff\xf0" + GROWING[4:],
    "zeros": bytes(1024),
}


@pytest.mark.parametrize("head", STRANGERS.values(), ids=STRANGERS.keys())
def test_what_is_no_hybrid_mp4_has_no_such_head(head: bytes) -> None:
    assert read_hybrid_head(head) is None


@pytest.mark.parametrize("name", ["ordinary", "faststart", "old_fragments", "cmaf", "sound_only"])
def test_other_files_of_ffmpeg_have_none(clip: Clip, name: str) -> None:
    assert read_hybrid_head(clip(name)[:LARGEST_HEAD_BYTES]) is None
