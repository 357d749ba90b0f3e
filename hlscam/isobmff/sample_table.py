"""A track's sample table (ISO/IEC 14496-12 8.6 and 8.7), gathered from the runs of its fragments and written as boxes.

An hour at 30 pictures a second has 100,000 samples of video and more of sound, so nothing here is an object per
sample: sizes and sync samples are arrays, durations and composition offsets are kept as the tables keep them, in runs
of equal values, and each run of a fragment (`trun`) is one chunk.

Decode times are the fragments' own and may begin anywhere. A sample lasts until the next one decodes: where a fragment
begins later or earlier than the one before it ended, the last sample before is made longer or shorter.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, repeat
from operator import add

from hlscam.isobmff.boxes import make_full_box

MOST_SAMPLES = 1 << 24
"""In one track; an hour of the shortest sound frames that there are has a tenth of it."""

LONGEST_TICKS = (1 << 32) - 2
"""Of one track, so that every duration fits into 32 bits: 13 hours at 90 kHz."""

_LARGEST_STCO_OFFSET = (1 << 32) - 1
_OFFSET_RANGE = range(-(1 << 31), 1 << 31)
_NON_SYNC = 0x10000  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)


@dataclass(frozen=True, slots=True)
class SampleRun:
    """Samples that lie end to end from `offset` in the file on, in decode order.

    `durations_ticks`, `sizes_bytes` and `flags` are one value for all samples, or one for each; `first_flags` stands in
    for the first one's. `composition_ticks` is how much later than decoded each is shown, None for not at all.
    """

    offset: int
    count: int
    description_index: int
    durations_ticks: int | array[int]
    sizes_bytes: int | array[int]
    flags: int | array[int]
    first_flags: int | None
    composition_ticks: array[int] | None

    @property
    def duration_ticks(self) -> int:
        each = self.durations_ticks
        return each * self.count if isinstance(each, int) else sum(each)

    @property
    def size_bytes(self) -> int:
        each = self.sizes_bytes
        return each * self.count if isinstance(each, int) else sum(each)


class SampleTable:
    """One track's samples so far. `begin` and `add` raise ValueError for what no table can say."""

    def __init__(self) -> None:
        self.count = 0
        self.first_shown_ticks = 0
        """When the first sample to be shown is, on the fragments' own timeline."""
        self._start_ticks = 0  # the decode time of the first sample
        self._end_ticks: int | None = None  # the decode time of the next one
        self._shown_end_ticks = 0
        self._durations = _EqualValues()
        self._compositions = _EqualValues()
        self._sizes = array("I")
        self._sync = array("I")
        self._chunk_offsets = array("Q")
        self._chunk_counts = array("I")
        self._chunk_descriptions = array("I")

    @property
    def duration_ticks(self) -> int:
        """From when the first sample is shown to the end of the last.

        That may be later than the last one has been decoded: torn between pictures that are not in order, a recording
        ends with a hole. What an edit list or a header says to be shorter, readers do not show.
        """
        return max(self._shown_end_ticks, self._end_ticks or 0) - self.first_shown_ticks

    def begin(self, decode_ticks: int) -> None:
        """The samples that are added next decode from here on (`tfdt`)."""
        if not self.count:
            self._start_ticks = decode_ticks
        elif self._end_ticks is not None and decode_ticks != self._end_ticks:
            if decode_ticks - self._start_ticks > LONGEST_TICKS:
                raise ValueError("its decode time is too far from the first one's")
            self._durations.lengthen_last(decode_ticks - self._end_ticks)
        self._end_ticks = decode_ticks

    def add(self, run: SampleRun) -> None:
        """The next samples."""
        if not run.count:
            return
        if self.count + run.count > MOST_SAMPLES:
            raise ValueError(f"{self.count + run.count} samples are more than a recording can have")
        begin_ticks = self._start_ticks if self._end_ticks is None else self._end_ticks
        if begin_ticks + run.duration_ticks - self._start_ticks > LONGEST_TICKS:
            raise ValueError("its samples last too long")
        self._end_ticks = begin_ticks + run.duration_ticks
        self._add_times(run, begin_ticks)
        self._sizes.extend(repeat(run.sizes_bytes, run.count) if isinstance(run.sizes_bytes, int) else run.sizes_bytes)
        self._sync.extend(_sync_numbers(run, self.count + 1))
        self._chunk_offsets.append(run.offset)
        self._chunk_counts.append(run.count)
        self._chunk_descriptions.append(run.description_index)
        self.count += run.count

    def _add_times(self, run: SampleRun, begin_ticks: int) -> None:
        durations, offsets = run.durations_ticks, run.composition_ticks
        first_ticks, end_ticks = begin_ticks, begin_ticks + run.duration_ticks
        if offsets is not None:
            steps = [durations] * run.count if isinstance(durations, int) else durations
            shown = list(map(add, accumulate(steps, initial=begin_ticks), offsets))
            first_ticks, end_ticks = min(shown), max(map(add, shown, steps))
        self.first_shown_ticks = min(first_ticks, self.first_shown_ticks) if self.count else first_ticks
        self._shown_end_ticks = max(end_ticks, self._shown_end_ticks)
        self._durations.add_all(durations, run.count)
        self._compositions.add_all(0 if offsets is None else offsets, run.count)

    def boxes(self) -> Iterator[bytes]:
        """The boxes of a `stbl` behind its `stsd`, in the order in which ffmpeg writes them.

        Composition offsets are told from the first sample to be shown on, so that it is shown at 0.
        """
        yield make_full_box(b"stts", 0, _counted(self._durations.pairs()))
        if len(self._sync) < self.count:
            yield make_full_box(b"stss", 0, _number(len(self._sync)), _words(self._sync))
        compositions = self._compositions.pairs(less=self.first_shown_ticks - self._start_ticks)
        if any(value for _, value in compositions):
            yield make_full_box(b"ctts", 1, _counted(compositions))
        yield make_full_box(b"stsc", 0, _counted(self._chunk_rows()))
        same = self._sizes.count(self._sizes[0]) == self.count
        sizes = _number(self._sizes[0], self.count) if same else _number(0, self.count) + _words(self._sizes)
        yield make_full_box(b"stsz", 0, sizes)
        yield self._chunk_offset_box()

    def _chunk_rows(self) -> list[tuple[int, int, int]]:
        """(first chunk, samples a chunk, description) wherever one of the latter two changes."""
        rows: list[tuple[int, int, int]] = []
        for number, row in enumerate(zip(self._chunk_counts, self._chunk_descriptions, strict=True), start=1):
            if not rows or rows[-1][1:] != row:
                rows.append((number, *row))
        return rows

    def _chunk_offset_box(self) -> bytes:
        count = _number(len(self._chunk_offsets))
        if max(self._chunk_offsets) > _LARGEST_STCO_OFFSET:
            return make_full_box(b"co64", 0, count, _words(self._chunk_offsets))
        return make_full_box(b"stco", 0, count, _words(array("I", self._chunk_offsets)))


class _EqualValues:
    """A long list of numbers, kept as runs of equal ones."""

    def __init__(self) -> None:
        self._counts = array("I")
        self._values = array("q")

    def add_all(self, values: int | array[int], count: int) -> None:
        """Append `count` numbers, all equal or each its own."""
        if isinstance(values, int):
            self._add(values, count)
            return
        for value, same in groupby(values):
            self._add(value, len(list(same)))

    def _add(self, value: int, count: int) -> None:
        if self._values and self._values[-1] == value:
            self._counts[-1] += count
        else:
            self._values.append(value)
            self._counts.append(count)

    def lengthen_last(self, by: int) -> None:
        """Add to the last number. Raises ValueError when it would fall below 0."""
        value = self._values[-1] + by
        if value < 0:
            raise ValueError("its decode time lies before the last sample's")
        self._counts[-1] -= 1
        if not self._counts[-1]:
            self._counts.pop()
            self._values.pop()
        self._add(value, 1)

    def pairs(self, *, less: int = 0) -> list[tuple[int, int]]:
        """(how many, value) of each run, each value `less` as much. Raises ValueError for one beyond 32 bits."""
        pairs = [(count, value - less) for count, value in zip(self._counts, self._values, strict=True)]
        if less and any(value not in _OFFSET_RANGE for _, value in pairs):
            raise ValueError("its samples are shown too far from when they are decoded")
        return [(count, value & 0xFFFF_FFFF) for count, value in pairs]


def _sync_numbers(run: SampleRun, first_number: int) -> Iterable[int]:
    """The numbers of those samples from which decoding can start."""
    flags, count = run.flags, run.count
    if isinstance(flags, int):
        others = () if flags & _NON_SYNC else range(first_number + 1, first_number + count)
        first_flags = flags if run.first_flags is None else run.first_flags
        return others if first_flags & _NON_SYNC else chain((first_number,), others)
    if run.first_flags is not None:
        flags = array("I", [run.first_flags, *flags[1:]])
    return [first_number + index for index, each in enumerate(flags) if not each & _NON_SYNC]


def _counted(rows: Sequence[tuple[int, ...]]) -> bytes:
    """A table as most boxes have it: how many rows, then the rows."""
    return _number(len(rows)) + _words(array("I", chain.from_iterable(rows)))


def _number(*values: int) -> bytes:
    return _words(array("I", values))


def _words(values: array[int]) -> bytes:
    """The numbers big-endian."""
    if sys.byteorder == "little":
        values = values[:]
        values.byteswap()
    return values.tobytes()
