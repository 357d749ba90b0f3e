"""Is each media byte written once? Bytes that all our processes write, over the media bytes that came in.

"Came in" are the samples: what the camera sent, without its transport. "Written" is everything: samples, box headers,
indexes, the recording's own box, the catalog and its log, over several closed recordings.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import read_events
from tests.bench.figure import Figure
from tests.bench.processes import children, written_bytes
from tests.rig.ffmpeg_tools import make_clip, packets
from tests.rig.hlscam_server import HlscamServer

MEASURE_S = 45


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        await asyncio.to_thread(
            make_clip, clip, seconds=10, size="1280x720", rate=25, gop=50, audio="none", options=["-b:v", "4M"]
        )
        settings = f"archive: {{path: ./archive, recording_minutes: 0.25}}\ncameras: {{c: {{source: 'file:{clip}'}}}}"
        async with HlscamServer(folder, settings) as server:
            await asyncio.sleep(MEASURE_S)
            written = written_bytes(server.pid) + sum(map(written_bytes, children(server.pid)))
            on_disk, media = await asyncio.to_thread(_read_archive, folder / "archive" / "c")
        sent = await packets(clip)
    frames, sample_bytes = media
    received = sum(packet.size_bytes for packet in sent) / len(sent) * frames
    return [
        Figure("media bytes on disk / media bytes received", sample_bytes / received, "ratio", "1.0"),
        Figure("bytes of the archive's files / media bytes", on_disk / sample_bytes, "ratio", "boxes included"),
        Figure("bytes written by all processes / media bytes", written / sample_bytes, "ratio", "catalog included"),
    ]


def _read_archive(folder: Path) -> tuple[int, tuple[int, int]]:
    """(bytes of the files, (frames, bytes of their samples)), as they are at this moment."""
    size_bytes = frames = sample_bytes = 0
    for path in sorted(folder.glob("*.mp4")):
        data = path.read_bytes()
        size_bytes += len(data)
        for event in read_events(data):
            if isinstance(event, Fragment):
                frames += event.sample_count
                sample_bytes += event.sync_bytes + event.non_sync_bytes
    return size_bytes, (frames, sample_bytes)
