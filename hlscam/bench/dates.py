"""Is EXT-X-PROGRAM-DATE-TIME true? Of each segment, the time in the playlist against the clocks in its pictures.

No player stands between: ffmpeg decodes the segment. What a page takes for the time of a picture may be off by more,
since players place a segment by whichever of sound and picture begins first.

The pattern draws a picture late when something else takes the processor. So a segment's start is reckoned back from
every picture of it, at the pattern's constant rate, and the earliest counts: that of the least late one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import aiohttp
import m3u8

from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.ffmpeg.pattern_font import CELLS_IN_HEIGHT
from hlscam.adapters.ffmpeg.pdeathsig import bound_to_us
from hlscam.bench.clockface import ROWS, Picture
from hlscam.errors import HlscamError
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import read_events
from hlscam.units import US_PER_S

_MOST_SEGMENTS = 60
_PGM_HEAD = re.compile(rb"P5\s+(\d+)\s+(\d+)\s+255\s")


async def date_errors_ms(session: aiohttp.ClientSession, url: str, camera: str, from_wall_us: int) -> list[float]:
    """The errors of the newest segments since `from_wall_us`, in order; empty when there are none.

    Segments whose clock cannot be read are left out. Raises HlscamError when the server or ffmpeg refuses.
    """
    binary = (await find_ffmpeg(None)).binary
    playlist_url = f"{url}hls/{camera}/timeline.m3u8?from={from_wall_us // US_PER_S}"
    errors_ms: list[float] = []
    try:
        playlist = m3u8.loads((await _get(session, playlist_url)).decode(), uri=playlist_url)
        inits = {each.absolute_uri: await _get(session, each.absolute_uri) for each in playlist.segment_map}
        for segment in playlist.segments[-_MOST_SEGMENTS:]:
            starts = segment.current_program_date_time  # where the tag stands, or reckoned on from there as players do
            if starts is None:
                continue
            init = inits[segment.init_section.absolute_uri]
            bands = await _bands(binary, init + await _get(session, segment.absolute_uri), _height_px(init))
            start_ms = start_by_clocks_ms(bands, _height_px(init), segment.duration * 1000)
            if start_ms is not None:
                errors_ms.append(starts.timestamp() * 1000 - start_ms)
    except aiohttp.ClientError as error:
        raise HlscamError(f"{playlist_url} cannot be read: {error}") from None
    return errors_ms


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, raise_for_status=True) as answer:
        return await answer.read()


def _height_px(init: bytes) -> int:
    """The height of the pictures that an init section announces."""
    return next(event.video.height for event in read_events(init) if isinstance(event, InitSection))


def start_by_clocks_ms(bands: list[Picture], height_px: int, duration_ms: float) -> float | None:
    """When a segment began by the clocks in its pictures, of which the top rows are given; None when none is read."""
    clocks = ((at, band.clock_ms(height_px)) for at, band in enumerate(bands))
    return min((clock - at * duration_ms / len(bands) for at, clock in clocks if clock is not None), default=None)


async def _bands(ffmpeg: str, media: bytes, height_px: int) -> list[Picture]:
    """The top rows of every picture, decoded by ffmpeg, in grey. Raises HlscamError when there is none."""
    rows = min(height_px, ROWS * max(2, height_px // CELLS_IN_HEIGHT))
    argv = [ffmpeg, "-hide_banner", "-loglevel", "error", "-i", "pipe:0", "-an", "-vf", f"crop=iw:{rows}:0:0"]
    argv += ["-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "pgm", "-pix_fmt", "gray", "pipe:1"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*bound_to_us(argv), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        pgm, said = await process.communicate(media)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not pgm:
        raise HlscamError("ffmpeg finds no picture in a segment", hint=said.decode(errors="replace").strip()[-300:])
    return list(_pictures(pgm))


def _pictures(pgm: bytes) -> Iterator[Picture]:
    """Portable grey maps, one behind the other."""
    at = 0
    while head := _PGM_HEAD.match(pgm, at):
        width, height = int(head[1]), int(head[2])
        yield Picture(width, height, pgm[head.end() : head.end() + width * height])
        at = head.end() + width * height
