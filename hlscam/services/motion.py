"""Footage as a row of JPEGs: decoding goes on over segments, recordings and runs, and each picture is told where it is.

What is to be decoded comes as `Feed`s, a segment or a piece of one each. A decoder lives as long as the run whose
footage it is fed: another run, or another init section, gets a new one, and nobody who looks on sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hlscam.adapters.ffmpeg.picture_decoder import PictureDecoder, decoder_command
from hlscam.clock import Clock, to_the_end
from hlscam.domain.picture import SEGMENTS_INTERLEAVED, PictureFinder
from hlscam.domain.position import PicturePosition
from hlscam.errors import DecodingError, NotReady
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.pictures import coded_pictures
from hlscam.units import US_PER_S

_MOST_DECODERS = 32


@dataclass(frozen=True, slots=True)
class Feed:
    """What is decoded next: whole fragments of one segment, without init section in front.

    `wall_us_at` tells UTC of a presentation time. `awaited`: it had to be waited for, so it is as new as can be.
    """

    run: str
    init: InitSection
    media_sequence: int
    media: bytes
    wall_us_at: Callable[[int], int]
    awaited: bool

    def goes_on(self, before: Feed) -> bool:
        """Whether the decoder of the one before can go on with this one."""
        return (self.run, self.init.hash) == (before.run, before.init.hash)


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as JPEG: where it stands, in which run, when it was taken, and whether its footage was awaited."""

    position: PicturePosition
    run: str
    wall_us: int
    jpeg: bytes
    awaited: bool

    def is_after(self, other: Frame) -> bool:
        """Whether it was taken later: by time within a run, where a cut GOP puts positions out of order."""
        return self.wall_us > other.wall_us if self.run == other.run else self.position > other.position

    def goes_on(self, before: Frame) -> bool:
        """Whether no footage is missing between the one before and this one."""
        return self.run == before.run and self.position.media_sequence <= before.position.media_sequence + 1


class Motion:
    """Decodes footage; `ffmpeg` tells where the program is. `decoders` is how many run now, or are about to."""

    def __init__(self, ffmpeg: Callable[[], Awaitable[str]]) -> None:
        self.decoders = 0
        self._ffmpeg = ffmpeg

    @contextmanager
    def room(self) -> Iterator[None]:
        """Room for a decoder, to be had before one is started. Raises NotReady when as many run as may."""
        if self.decoders >= _MOST_DECODERS:
            raise NotReady(f"{_MOST_DECODERS} streams of pictures are being decoded already")
        self.decoders += 1
        try:
            yield
        finally:
            self.decoders -= 1

    async def frames(self, feeds: AsyncIterator[Feed], *, width: int | None) -> AsyncGenerator[Frame]:
        """All pictures of these feeds, as they are shown, as wide as the source or `width` if that is less.

        There must be `room`. Close it when done (`aclosing`). Raises DecodingError, MediaError and what `feeds` raises.
        """
        argv = decoder_command(await self._ffmpeg(), width=width)
        begin = await anext(feeds, None)
        while begin is not None:
            decoder, finder = await PictureDecoder.start(argv), _Finder(begin.run)
            feeding = asyncio.create_task(_feed_run(decoder, finder, begin, feeds), name="feed a decoder")
            try:
                while (decoded := await decoder.take()) is not None:
                    frame = finder.frame(decoded.ticks, decoded.jpeg)
                    if frame is not None:
                        yield frame
                if not feeding.done():
                    raise DecodingError("the decoder has ended")
                begin = await feeding
            finally:
                feeding.cancel()
                await to_the_end(asyncio.gather(feeding, decoder.close(), return_exceptions=True))


class _Finder:
    """Knows what a decoder was fed, and makes frames of what comes out."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._finder = PictureFinder()
        self._fed: dict[int, tuple[Callable[[int], int], bool]] = {}
        """By media sequence: UTC of a presentation time, and whether it was awaited."""

    def add(self, feed: Feed) -> None:
        self._finder.add(feed.media_sequence, coded_pictures(feed.media, feed.init))
        self._fed[feed.media_sequence] = (feed.wall_us_at, feed.awaited)

    def frame(self, ticks: int, jpeg: bytes) -> Frame | None:
        found = self._finder.find(ticks)
        if found is None:
            return None
        position, shown_ticks = found
        for older in [each for each in self._fed if each <= position.media_sequence - SEGMENTS_INTERLEAVED]:
            del self._fed[older]
        wall_us_at, awaited = self._fed[position.media_sequence]
        return Frame(position, self._run, wall_us_at(shown_ticks), jpeg, awaited)


async def _feed_run(decoder: PictureDecoder, finder: _Finder, begin: Feed, feeds: AsyncIterator[Feed]) -> Feed | None:
    """Feed a decoder as long as the run goes on; the first of the next run, or None at the end."""
    try:
        await decoder.feed(begin.init.data)
        feed: Feed | None = begin
        while feed is not None and feed.goes_on(begin):
            finder.add(feed)
            await decoder.feed(feed.media)
            feed = await anext(feeds, None)
        return feed
    finally:
        decoder.end()


class Pacer:
    """When to show each picture: as long after the one before as it was taken after it.

    A picture that comes too late is shown at once, and those after it as much later. So is one that does not go on from
    the one before: holes take no time, and where the host's clock was set forward there is none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: tuple[float, Frame] | None = None
        """The last picture, and when it was shown."""

    async def wait_due(self, frame: Frame, *, speed: float = 1.0) -> None:
        """Until a picture is due; at a higher speed it is earlier."""
        now_mono_s = due_mono_s = self._clock.mono_s()
        if self._last is not None and frame.goes_on(self._last[1]):
            mono_s, last = self._last
            due_mono_s = max(mono_s + (frame.wall_us - last.wall_us) / US_PER_S / speed, now_mono_s)
        self._last = (due_mono_s, frame)
        if due_mono_s > now_mono_s:
            await self._clock.sleep(due_mono_s - now_mono_s)
