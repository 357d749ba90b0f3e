"""Footage fed fragment by fragment: every picture comes out, is told by its place, and is not held back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg.picture_decoder import PictureDecoder, decoder_command
from hlscam.domain.picture import PictureFinder
from hlscam.domain.position import PicturePosition
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.pictures import coded_pictures
from hlscam.isobmff.reader import read_events
from tests.adapters.ffmpeg.test_still import GOP, KINDS, clip, grays, nearest
from tests.bench.processes import children
from tests.rig.ffmpeg_tools import ffmpeg_path

__all__ = ["clip"]
ENOUGH_S = 20


def fragments_of(path: Path) -> tuple[InitSection, list[bytes], list[bool]]:
    """A clip's init section, its fragments, and which of them begin a GOP."""
    data = path.read_bytes()
    events = read_events(data)
    init = next(each for each in events if isinstance(each, InitSection))
    found = [each for each in events if isinstance(each, Fragment) and each.sample_count]
    return init, [data[each.offset : each.end] for each in found], [each.starts_with_sync for each in found]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_picture_by_its_place(clip: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    """Begun with the second GOP, as one that joins in the middle."""
    init, fragments, begins = fragments_of(clip(kind))
    first = begins.index(True, 1)
    decoder, finder, number = await PictureDecoder.start(decoder_command(ffmpeg_path(), width=160)), PictureFinder(), 0
    try:
        await decoder.feed(init.data)
        for fragment, begins_gop in zip(fragments[first:], begins[first:], strict=True):
            number += begins_gop
            finder.add(number, coded_pictures(fragment, init))
            await decoder.feed(fragment)
        decoder.end()
        found = []
        pictures = b""
        while (decoded := await decoder.take()) is not None:
            place = finder.find(decoded.ticks)
            assert place is not None
            found.append(place[0])
            (tmp_path / f"{len(found):03}.jpg").write_bytes(decoded.jpeg)
            pictures += decoded.jpeg
    finally:
        await decoder.close()
    assert found == [PicturePosition(1, picture) for picture in range(GOP)]
    everything = await grays(clip(kind))
    for at in (0, 1, 2, 13, GOP - 2, GOP - 1):
        (shown,) = await grays(tmp_path / f"{at + 1:03}.jpg")
        assert nearest(shown, everything) == GOP + at


async def test_no_picture_waits_for_the_next_fragment(clip: Callable[[str], Path]) -> None:
    """All of a fragment come out before anything follows: that is what live is made of."""
    init, fragments, _ = fragments_of(clip("h264"))
    decoder = await PictureDecoder.start(decoder_command(ffmpeg_path(), width=None))
    try:
        await decoder.feed(init.data)
        for fragment in fragments[:4]:
            await decoder.feed(fragment)
            async with asyncio.timeout(ENOUGH_S):
                for picture in coded_pictures(fragment, init):
                    decoded = await decoder.take()
                    assert decoded is not None
                    assert decoded.ticks == picture.shown_ticks
    finally:
        await decoder.close()


async def test_it_ends_with_what_it_is_fed(clip: Callable[[str], Path]) -> None:
    """Also when that is nothing that can be decoded; and nothing can be fed to it then."""
    for media in (b"", bytes(5000)):
        decoder = await PictureDecoder.start(decoder_command(ffmpeg_path(), width=None))
        await decoder.feed(media)
        decoder.end()
        assert await decoder.take() is None
        await decoder.close()
        await decoder.feed(b"more")
        assert children(os.getpid()) == []
