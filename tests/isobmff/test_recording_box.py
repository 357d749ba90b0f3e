"""The recording box: what goes in comes out, and nothing else does."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.errors import MediaError
from hlscam.isobmff.recording_box import RECORDING_BOX_UUID, JsonValue, decode_recording_box, encode_recording_box

VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FACTS: dict[str, JsonValue] = {"run": "a1", "first_media_sequence": 12, "camera": "väst"}


@given(st.dictionaries(st.text(), VALUES), st.binary())
def test_there_and_back(facts: dict[str, JsonValue], table: bytes) -> None:
    box = encode_recording_box(facts, table)
    assert struct.unpack_from(">I4s", box) == (len(box), b"uuid")
    assert decode_recording_box(box[8:]) == (facts, table)


def test_the_layout() -> None:
    box = encode_recording_box(FACTS, b"TABLE")
    text = '{"camera":"väst","first_media_sequence":12,"run":"a1"}'.encode()
    body = RECORDING_BOX_UUID.bytes + b"\1\0\0\0" + struct.pack(">I", len(text)) + text + b"\0\0\0\5TABLE"
    assert box[8:] == body + struct.pack(">I", zlib.crc32(body))
    assert box == encode_recording_box(dict(reversed(FACTS.items())), b"TABLE")


@given(st.data())
def test_any_damage_is_found(data: st.DataObject) -> None:
    body = bytearray(encode_recording_box(FACTS, b"TABLE")[8:])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MediaError, match=r"\(box 'uuid' at byte 900\)"):
        decode_recording_box(bytes(body), offset=900)


def test_a_cut_box_is_refused() -> None:
    body = encode_recording_box(FACTS, b"TABLE")[8:]
    for count in range(len(body)):
        with pytest.raises(MediaError):
            decode_recording_box(body[:count])


def sealed(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([bytes(16), b"\1\0\0\0", bytes(8)], "another maker's"),
        ([RECORDING_BOX_UUID.bytes, b"\2\0\0\0", bytes(8)], "version 2, and this hlscam knows 1"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\x09{}", bytes(4)], "do not add up"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\2{}", b"\0\0\0\1"], "do not add up"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\2{}", b"\0\0\0\0more"], "do not add up"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\2[]", bytes(4)], "not a JSON object"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\2{]", bytes(4)], "not JSON"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", b"\0\0\0\1\xff", bytes(4)], "not JSON"),
        ([RECORDING_BOX_UUID.bytes, b"\1\0\0\0", struct.pack(">I", 60000), b"[" * 60000, bytes(4)], "not JSON"),
    ],
)
def test_a_sealed_box_can_still_be_wrong(parts: list[bytes], said: str) -> None:
    with pytest.raises(MediaError, match=said):
        decode_recording_box(sealed(*parts))


def test_what_json_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_recording_box({"frame_rate": float("nan")}, b"")


def test_players_skip_it(
    clip: Callable[[str], bytes], clip_path: Callable[[str], Path], ffmpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    plain = clip_path("h264_b_aac")
    marked = tmp_path / "marked.mp4"
    marked.write_bytes(clip("h264_b_aac") + encode_recording_box(FACTS, bytes(5000)))
    decode = ["-xerror", "-f", "framecrc", "-"]
    assert ffmpeg("-i", marked, *decode) == ffmpeg("-i", plain, *decode)
