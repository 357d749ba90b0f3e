"""The recording box: a `uuid` box at the end of a closed recording, in which it describes itself.

It holds facts (a JSON object) and a table (opaque bytes, the packed segment table), so that the catalog can be
rebuilt from the files alone. Players skip it (ISO/IEC 14496-12 4.2.3: a reader ignores boxes that it does not know).

    usertype  16 bytes, RECORDING_BOX_UUID
    version   u8, and 3 bytes of zero
    u32       length of the facts, then the facts: UTF-8 JSON, keys sorted, no spaces
    u32       length of the table, then the table
    u32       CRC-32 (zlib's) of all of the above, the usertype included

All numbers are big-endian. Equal facts and tables give equal bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import NoReturn, TypeAlias, cast
from uuid import UUID

from hlscam.errors import MediaError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

RECORDING_BOX_UUID = UUID("d70b36c4-b9aa-42ba-a305-8cd3a752053a")

_VERSION = 1
_HEAD = struct.Struct(">16sB3x")
_U32 = struct.Struct(">I")
_BOX_HEADER = struct.Struct(">I4s")
_LARGEST_BYTES = 0xFFFF_FFFF


def encode_recording_box(facts: Mapping[str, JsonValue], table: bytes) -> bytes:
    """The whole box, header included, to append to a file.

    Raises ValueError for facts that JSON cannot carry (NaN) or a box of 4 GiB or more.
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    if len(text) + len(table) + 64 > _LARGEST_BYTES:
        raise ValueError(f"{len(text)} bytes of facts and {len(table)} of table are too many for one box")
    body = _HEAD.pack(RECORDING_BOX_UUID.bytes, _VERSION)
    body += _U32.pack(len(text)) + text + _U32.pack(len(table)) + table
    body += _U32.pack(zlib.crc32(body))
    return _BOX_HEADER.pack(_BOX_HEADER.size + len(body), b"uuid") + body


def decode_recording_box(body: bytes, *, offset: int = 0) -> tuple[dict[str, JsonValue], bytes]:
    """(facts, table) of a box's body, that is all behind its size and type: the usertype comes first.

    `offset` is the box's place in the file, for errors. Raises MediaError when it is damaged or not ours.
    """
    if len(body) < _HEAD.size + 3 * _U32.size:
        _refuse("the recording box is too short", offset)
    usertype, version = _HEAD.unpack_from(body)
    if usertype != RECORDING_BOX_UUID.bytes:
        _refuse("this is another maker's uuid box", offset)
    if version != _VERSION:
        _refuse(f"the recording box has version {version}, and this hlscam knows {_VERSION}", offset)
    if zlib.crc32(body[: -_U32.size]) != _U32.unpack_from(body, len(body) - _U32.size)[0]:
        _refuse("the recording box is damaged: its checksum does not match", offset)
    text, at = _counted(body, _HEAD.size, offset)
    table, at = _counted(body, at, offset)
    if at != len(body) - _U32.size:
        _refuse("the recording box's lengths do not add up", offset)
    return _facts(text, offset), table


def _counted(body: bytes, at: int, offset: int) -> tuple[bytes, int]:
    """The bytes behind the length at index `at`, and the index behind them."""
    last = len(body) - _U32.size
    if at + _U32.size > last:
        _refuse("the recording box's lengths do not add up", offset)
    end = at + _U32.size + int(_U32.unpack_from(body, at)[0])
    if end > last:
        _refuse("the recording box's lengths do not add up", offset)
    return body[at + _U32.size : end], end


def _facts(text: bytes, offset: int) -> dict[str, JsonValue]:
    try:
        facts = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MediaError(f"the recording box's facts are not JSON: {error}", box_type="uuid", offset=offset) from None
    if not isinstance(facts, dict):
        _refuse("the recording box's facts are not a JSON object", offset)
    return cast("dict[str, JsonValue]", facts)


def _refuse(message: str, offset: int) -> NoReturn:
    raise MediaError(message, box_type="uuid", offset=offset)
