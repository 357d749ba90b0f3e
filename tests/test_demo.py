"""The demo makes its clip once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlscam import demo
from hlscam.demo import prepare_demo
from hlscam.domain.source import FileSource
from tests.rig.ffmpeg_tools import decode, packets, probe


async def test_the_clip_is_a_phones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_CLIP_S", 2)
    config = await prepare_demo(tmp_path / "demo")
    clip = config.cameras["clip"].source
    assert isinstance(clip, FileSource)
    described = await probe(clip.path)
    assert [(each.codec, each.rate) for each in described.of("Video")] == [("h264", 25)]
    assert [each.codec for each in described.of("Audio")] == ["aac"]
    assert (await decode(clip.path)).errors == []
    assert any(each.pts_s != each.dts_s for each in await packets(clip.path)), "it has B-frames"
    assert [each.name for each in clip.path.parent.iterdir()] == ["garden.mp4"]
    made = clip.path.stat().st_mtime_ns
    await prepare_demo(tmp_path / "demo")
    assert clip.path.stat().st_mtime_ns == made
