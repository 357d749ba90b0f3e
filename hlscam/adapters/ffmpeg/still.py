"""One picture decoded: a piece of footage in at stdin, a JPEG out at stdout. A process each, which lives for a moment.

It needs no `pdeathsig`: should we die, its input ends, and so does it.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE
from collections.abc import Sequence

import ffmpeg

from hlscam.clock import to_the_end
from hlscam.errors import DecodingError

_QUALITY = 3
"""Of 2 (best) to 31; what is seen of it is little, and the size is half of that at 2."""
_LONGEST_S = 30.0


def still_command(binary: str, *, width: int | None, at_ticks: int | None) -> list[str]:
    """The argv that makes a JPEG of the picture at `at_ticks`, or of the first that decodes alone.

    It is as wide as the source, or `width` if that is less.
    """
    alone = {"skip_frame": "nokey", "threads": 1} if at_ticks is None else {}
    video = ffmpeg.input("pipe:0", f="mp4", probesize=32, **alone)["v:0"]
    if at_ticks is not None:
        video = video.filter("select", f"gte(pts,{at_ticks})")
    output = ffmpeg.output(scaled(video, width), "pipe:1", f="image2pipe", **{"frames:v": 1}, **jpeg_encoding(_QUALITY))
    argv: list[str] = ffmpeg.compile(output, cmd=[binary, "-hide_banner", "-loglevel", "error", "-copyts"])
    return argv


def scaled(video: ffmpeg.nodes.FilterableStream, width: int | None) -> ffmpeg.nodes.FilterableStream:
    """Pictures with square pixels, not wider than `width`."""
    natural = "iw*sar"
    wanted = natural if width is None else f"min({width},{natural})"
    return video.filter("scale", w=f"max(2,trunc({wanted}/2)*2)", h="max(2,trunc(ow/dar/2)*2)").filter("setsar", 1)


def jpeg_encoding(quality: int) -> dict[str, str | int]:
    """JPEGs, each picture once, the moment it is there: more threads would hold some back."""
    return {"c:v": "mjpeg", "q:v": quality, "threads": 1, "fps_mode": "passthrough", "flush_packets": 1}


async def decode_still(argv: Sequence[str], piece: bytes) -> bytes:
    """Run it; the JPEG. Raises DecodingError when none comes out. The process is gone then, also when cancelled."""
    process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(_LONGEST_S):
            jpeg, said = await process.communicate(piece)
    except TimeoutError:
        raise DecodingError(f"its decoding took longer than {_LONGEST_S:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await to_the_end(process.communicate())  # which closes its pipes, too
    if not jpeg:
        words = said.decode("utf-8", "replace").strip().splitlines()
        raise DecodingError(f"no picture can be decoded: {words[-1] if words else 'ffmpeg is silent'}")
    return jpeg
