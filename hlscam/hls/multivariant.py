"""The multivariant playlist (RFC 8216bis 4.4.6): the one URL to give a player.

Written with the m3u8 library: it is short, asked for once per viewer, and not worth code of our own.

There is no EXT-X-INDEPENDENT-SEGMENTS in it. Here the tag would be a claim about every segment to come (4.4.2.1), and a
camera whose groups of pictures become longer than a segment would make it false; each media playlist says it of what
it lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import m3u8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One rendition of a camera. Bit rates in bit/s: the largest segment's, and the average.

    A width, height or frame rate of 0 is one that is not known, and is not said.
    """

    uri: str
    peak_bps: int
    average_bps: int
    codecs: str
    width: int
    height: int
    frame_rate: float


def render_multivariant(variants: Sequence[Variant]) -> str:
    """The playlist's text."""
    playlist = m3u8.M3U8()
    playlist.version = 7
    for variant in variants:
        info = {
            "bandwidth": variant.peak_bps,
            "average_bandwidth": variant.average_bps,
            "codecs": variant.codecs,
            "resolution": f"{variant.width}x{variant.height}" if variant.width and variant.height else None,
            "frame_rate": variant.frame_rate or None,
        }
        playlist.add_playlist(m3u8.Playlist(variant.uri, info, m3u8.MediaList(), ""))
    text: str = playlist.dumps()
    return text
