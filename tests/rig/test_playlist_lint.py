"""The linter reads what is right, refuses what is wrong, and both Nodes can run it."""

from __future__ import annotations

import pytest

from tests.rig.playlist_lint import lint, lint_all

LIVE = """#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:41
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI="init-a.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T22:10:00.000Z
#EXTINF:2.00000,
41.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init-b.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T22:11:00.500Z
#EXTINF:1.50000,
42.m4s
"""
MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000
live.m3u8
"""


async def test_a_live_playlist_is_read() -> None:
    playlist = await lint(LIVE)
    assert (playlist["type"], playlist["targetDuration"], playlist["ended"]) == ("media", 2, False)
    assert (playlist["mediaSequence"], playlist["discontinuitySequence"]) == (41, 3)
    first, second = playlist["segments"]
    assert (first["uri"], first["duration"], first["map"], first["discontinuity"]) == ("41.m4s", 2, "init-a.mp4", False)
    assert (second["map"], second["discontinuity"], second["mediaSequence"]) == ("init-b.mp4", True, 42)
    assert second["programDateTime"] == "2026-11-22T22:11:00.500Z"


async def test_a_multivariant_playlist_is_read() -> None:
    (variant,) = (await lint(MULTIVARIANT))["variants"]
    assert variant["codecs"] == "avc1.64001f,mp4a.40.2"
    assert variant["resolution"] == {"width": 1280, "height": 720}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (LIVE.replace("#EXTM3U\n", ""), "EXTM3U"),
        (LIVE.replace("#EXT-X-TARGETDURATION:2\n", ""), "TARGETDURATION"),
        (LIVE.replace("2.00000", "3.70000"), "EXTINF duration"),
        (LIVE.replace("VERSION:9", "VERSION:2"), "EXT-X-VERSION needs to be 6"),
        ("", "EXTM3U"),
    ],
)
async def test_what_is_wrong_is_refused(wrong: str, words: str) -> None:
    with pytest.raises(AssertionError, match=f"refuses it: .*{words}.*; it begins"):
        await lint(wrong)


async def test_one_wrong_playlist_among_many_is_refused() -> None:
    assert [playlist["type"] for playlist in await lint_all([LIVE, MULTIVARIANT])] == ["media", "multivariant"]
    with pytest.raises(AssertionError, match="TARGETDURATION"):
        await lint_all([LIVE, LIVE.replace("#EXT-X-TARGETDURATION:2\n", ""), MULTIVARIANT])
