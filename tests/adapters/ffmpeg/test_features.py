"""Which ffmpeg is used, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.errors import ConfigError
from tests.rig.ffmpeg_tools import ffmpeg_path

_OLD = """#!/bin/sh
case "$*" in
  -version) echo 'ffmpeg version 5.1.6-0+deb12u1 Copyright (c) 2000-2024';;
  *) echo '-movflags <flags>'; echo '   frag_keyframe E..'; echo '   cmaf E..';;
esac
"""


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


async def test_the_built_in_one_writes_hybrid_mp4() -> None:
    found = await find_ffmpeg(None)
    assert found.binary == ffmpeg_path()
    assert found.hybrid
    assert found.version


async def test_an_old_one_is_used_without_hybrid_mp4(tmp_path: Path) -> None:
    found = await find_ffmpeg(script(tmp_path / "ffmpeg", _OLD))
    assert (found.version, found.hybrid) == ("5.1.6-0+deb12u1", False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/bin/sh\necho 'hello'", "is not an ffmpeg that can write MP4"),
        ("#!/bin/sh\necho 'ffmpeg version 7.1'", "is not an ffmpeg that can write MP4"),
        ("#!/nowhere/interpreter\n", "cannot be run: No such file or directory"),
    ],
)
async def test_what_is_no_ffmpeg_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = script(tmp_path / "ffmpeg", text)
    with pytest.raises(ConfigError) as caught:
        await find_ffmpeg(path)
    assert caught.value.message == f"ffmpeg.path: {path} {why}"


async def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (str(tmp_path / "missing"), "no-such-program-anywhere"):
        with pytest.raises(ConfigError, match=f"ffmpeg.path: {path} is not a program"):
            await find_ffmpeg(path)
