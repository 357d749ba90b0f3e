"""The pictures of a piece of footage, against ffmpeg's demuxer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection, read_init_section
from hlscam.isobmff.pictures import coded_pictures
from hlscam.isobmff.reader import read_events
from tests.isobmff.test_fragment import packets


def parts_of(data: bytes) -> tuple[InitSection, list[Fragment]]:
    """The init section of a recording, and its fragments that have pictures."""
    events = read_events(data)
    init = next(each for each in events if isinstance(each, InitSection))
    return init, [each for each in events if isinstance(each, Fragment) and each.sample_count]


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac"])
def test_ffmpeg_shows_the_same(
    clip: Callable[[str], bytes], clip_path: Callable[[str], Path], ffmpeg: Callable[..., bytes], name: str
) -> None:
    data = clip(name)
    init, fragments = parts_of(data)
    begin, end = fragments[0].offset, fragments[-1].end
    pictures = coded_pictures(data[begin:end], init)
    theirs = sorted((pts, bool(key)) for _, pts, *_, key in packets(ffmpeg, "-i", clip_path(name)))
    shift = pictures[0].shown_ticks - theirs[0][0]  # a closed file starts at 0
    assert [(each.shown_ticks - shift, each.is_sync) for each in pictures] == theirs
    assert [each.is_sync for each in pictures].count(True) >= 2
    places = {(each.start + begin, each.end + begin): each.early_ticks for each in pictures}
    assert list(places) == [(each.offset, each.end) for each in fragments]
    assert any(places.values()) == (name in ("h264_b_aac", "hevc_opus"))  # the two that have B-frames
    for fragment in fragments:  # what stands alone in a fragment is told of it alone
        alone = coded_pictures(data[fragment.offset : fragment.end], init)
        assert len(alone) == fragment.sample_count
        assert alone[0].shown_ticks == fragment.min_presentation_ticks


def test_an_init_section_is_read_as_it_was_made(clip: Callable[[str], bytes]) -> None:
    init, _ = parts_of(clip("h264_b_aac"))
    again = read_init_section(init.data)
    assert (again.data, again.hash, again.video, again.audio) == (init.data, init.hash, init.video, init.audio)
