"""The two forms of a hybrid MP4 as bytes, told from ffmpeg's layout and not by hlscam's own code.

`growing_form` undoes what closing does, whoever did it: the second `free` stands where the header of the big mdat is,
and the file ends behind its last fragment. `box_types` lists what is at the top of a file.
"""

from __future__ import annotations


def growing_form(data: bytes) -> bytes:
    """A closed recording (below 4 GiB) as it was when its last fragment had just been written; a growing one as is."""
    room = int.from_bytes(data[:4], "big")
    second_at = room + 8
    if data[second_at + 4 : second_at + 8] != b"mdat":
        return data
    media_end = second_at + int.from_bytes(data[second_at : second_at + 4], "big")
    assert data[room:second_at] == b"\0\0\0\x08free"
    return data[:second_at] + (8 + room).to_bytes(4, "big") + b"free" + data[second_at + 8 : media_end]


def box_types(data: bytes) -> list[str]:
    """The types of a file's top-level boxes."""
    at, types = 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        types.append(data[at + 4 : at + 8].decode("latin-1"))
        at += size or len(data)
    return types
