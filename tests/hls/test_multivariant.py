"""The multivariant playlist, by two independent readers."""

from __future__ import annotations

import m3u8

from hlscam.hls.multivariant import Variant, render_multivariant
from tests.rig.playlist_lint import lint_all

MAIN = Variant(
    uri="live.m3u8",
    peak_bps=5_000_000,
    average_bps=4_000_000,
    codecs="avc1.64001f,mp4a.40.2",
    width=1920,
    height=1080,
    frame_rate=29.97,
)
SMALL = Variant(
    uri="timeline.m3u8?from=2026-11-22T12%3A00%3A00Z&to=1795352400.5",
    peak_bps=400_000,
    average_bps=300_000,
    codecs="hvc1.1.6.L93.B0",
    width=640,
    height=360,
    frame_rate=15.0,
)


async def test_two_readers_agree() -> None:
    text = render_multivariant([MAIN, SMALL])
    assert text.startswith("#EXTM3U\n#EXT-X-VERSION:7\n")
    assert text.endswith("\n")
    parsed = m3u8.loads(text)
    (linted,) = await lint_all([text])
    assert (parsed.is_variant, linted["type"]) == (True, "multivariant")
    for variant, ours, theirs in zip([MAIN, SMALL], parsed.playlists, linted["variants"], strict=True):
        info = ours.stream_info
        assert ours.uri == theirs["uri"] == variant.uri
        assert info.bandwidth == theirs["bandwidth"] == variant.peak_bps
        assert info.average_bandwidth == theirs["averageBandwidth"] == variant.average_bps
        assert info.codecs == theirs["codecs"] == variant.codecs
        assert info.resolution == (variant.width, variant.height)
        assert theirs["resolution"] == {"width": variant.width, "height": variant.height}
        assert info.frame_rate == theirs["frameRate"] == variant.frame_rate


async def test_what_is_not_known_is_not_said() -> None:
    unknown = Variant(uri="live.m3u8", peak_bps=1, average_bps=1, codecs="avc1.64001f", width=0, height=0, frame_rate=0)
    text = render_multivariant([unknown])
    assert "RESOLUTION" not in text
    assert "FRAME-RATE" not in text
    await lint_all([text])


async def test_nothing_is_claimed_of_segments_to_come() -> None:
    """4.4.2.1: EXT-X-INDEPENDENT-SEGMENTS in a multivariant playlist is about every segment of every variant."""
    (linted,) = await lint_all([render_multivariant([MAIN, SMALL])])
    assert not linted["independentSegments"]
