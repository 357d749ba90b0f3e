"""Is EXT-X-PROGRAM-DATE-TIME true? Of each segment, the time in the playlist against the clock in its first picture.

No player stands between: ffmpeg decodes one picture of the segment. What a page takes for the time of a picture may be
off by more, since players place a segment by whichever of sound and picture begins first.
"""

from __future__ import annotations

import asyncio
import re

import aiohttp
import m3u8

from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.ffmpeg.pdeathsig import bound_to_us
from hlscam.bench.clockface import Picture
from hlscam.errors import HlscamError
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
            media = inits[segment.init_section.absolute_uri] + await _get(session, segment.absolute_uri)
            clock_ms = (await _first_picture(binary, media)).clock_ms()
            if clock_ms is not None:
                errors_ms.append(starts.timestamp() * 1000 - clock_ms)
    except aiohttp.ClientError as error:
        raise HlscamError(f"{playlist_url} cannot be read: {error}") from None
    return errors_ms


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, raise_for_status=True) as answer:
        return await answer.read()


async def _first_picture(ffmpeg: str, media: bytes) -> Picture:
    """Decoded by ffmpeg, in grey. Raises HlscamError when there is none."""
    argv = [ffmpeg, "-hide_banner", "-loglevel", "error", "-i", "pipe:0", "-frames:v", "1"]
    argv += ["-f", "image2pipe", "-c:v", "pgm", "-pix_fmt", "gray", "pipe:1"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*bound_to_us(argv), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        pgm, said = await process.communicate(media)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    head = _PGM_HEAD.match(pgm)
    if head is None:
        raise HlscamError("ffmpeg finds no picture in a segment", hint=said.decode(errors="replace").strip()[-300:])
    return Picture(int(head[1]), int(head[2]), pgm[head.end() :])
