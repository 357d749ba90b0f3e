"""Sample tables out of runs, box by box, against tables written down by hand."""

from __future__ import annotations

import struct
from array import array
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.isobmff.sample_table import LONGEST_TICKS, MOST_SAMPLES, SampleRun, SampleTable

NON_SYNC = 0x10000


def run(
    count: int,
    *,
    offset: int = 1000,
    durations: int | list[int] = 10,
    sizes: int | list[int] = 5,
    flags: int | list[int] = 0,
    first_flags: int | None = None,
    composition: list[int] | None = None,
    description: int = 1,
) -> SampleRun:
    def column(values: int | list[int]) -> int | array[int]:
        return values if isinstance(values, int) else array("I", values)

    shown = None if composition is None else array("i", composition)
    return SampleRun(offset, count, description, column(durations), column(sizes), column(flags), first_flags, shown)


def table(*runs: SampleRun) -> SampleTable:
    filled = SampleTable()
    for each in runs:
        filled.add(each)
    return filled


def boxes(filled: SampleTable) -> dict[str, list[int]]:
    """The boxes as their numbers, without version and flags, which must be right."""
    found = {}
    for box in filled.boxes():
        kind = box[4:8].decode()
        assert len(box) == int.from_bytes(box[:4], "big")
        assert box[8:12] == (b"\1\0\0\0" if kind == "ctts" else bytes(4))
        number = "Q" if kind == "co64" else "i" if kind == "ctts" else "I"
        first = [] if kind == "stsz" else [struct.unpack_from(">I", box, 12)[0]]
        at = 12 + 4 * len(first)
        found[kind] = [*first, *struct.unpack_from(f">{(len(box) - at) // struct.calcsize(number)}{number}", box, at)]
    return found


def test_one_run_of_equal_samples() -> None:
    assert boxes(table(run(3))) == {
        "stts": [1, 3, 10],
        "stsc": [1, 1, 3, 1],
        "stsz": [5, 3],
        "stco": [1, 1000],
    }


def test_each_column_may_differ() -> None:
    filled = table(run(3, durations=[10, 10, 20], sizes=[7, 8, 9], flags=[0, NON_SYNC, 0], composition=[0, 20, -10]))
    assert boxes(filled) == {
        "stts": [2, 2, 10, 1, 20],
        "stss": [2, 1, 3],
        "ctts": [3, 1, 0, 1, 20, 1, -10],
        "stsc": [1, 1, 3, 1],
        "stsz": [0, 3, 7, 8, 9],
        "stco": [1, 1000],
    }


@pytest.mark.parametrize(
    ("flags", "first_flags", "sync"),
    [
        (NON_SYNC, None, []),
        (NON_SYNC, 0, [1]),
        (0, NON_SYNC, [2, 3]),
        ([NON_SYNC, 0, NON_SYNC], None, [2]),
        ([NON_SYNC, 0, NON_SYNC], 0, [1, 2]),
        (0x0200_0000, 0x0101_0000, [2, 3]),
    ],
)
def test_sync_samples(flags: int | list[int], first_flags: int | None, sync: list[int]) -> None:
    filled = table(run(3, flags=flags, first_flags=first_flags))
    assert boxes(filled)["stss"] == [len(sync), *sync]


def test_a_run_is_a_chunk() -> None:
    filled = table(run(3, offset=100), run(3, offset=200), run(0), run(2, offset=300), run(2, offset=9, description=2))
    found = boxes(filled)
    assert found["stsc"] == [3, 1, 3, 1, 3, 2, 1, 4, 2, 2]
    assert found["stco"] == [4, 100, 200, 300, 9]
    assert filled.count == 10


@pytest.mark.parametrize("offset", [0xFFFF_FFFF, 0x1_0000_0000])
def test_offsets_beyond_4_gib(offset: int) -> None:
    kind = "co64" if offset > 0xFFFF_FFFF else "stco"
    assert boxes(table(run(1), run(1, offset=offset)))[kind] == [2, 1000, offset]


def test_a_hole_lengthens_the_last_sample_and_an_overlap_shortens_it() -> None:
    filled = SampleTable()
    filled.begin(5000)
    filled.add(run(3))
    filled.begin(5037)
    filled.add(run(3))
    filled.begin(5061)
    filled.add(run(1))
    assert boxes(filled)["stts"] == [5, 2, 10, 1, 17, 2, 10, 1, 4, 1, 10]
    assert filled.first_shown_ticks == 5000
    assert filled.duration_ticks == 71


def test_without_decode_times_samples_follow_each_other() -> None:
    filled = table(run(2), run(2))
    assert (filled.first_shown_ticks, filled.duration_ticks) == (0, 40)
    assert boxes(filled)["stts"] == [1, 4, 10]


def test_an_empty_beginning_counts_for_nothing() -> None:
    filled = SampleTable()
    filled.begin(7)
    filled.add(run(0))
    filled.begin(500)
    filled.add(run(1))
    assert (filled.first_shown_ticks, filled.duration_ticks) == (500, 10)


@pytest.mark.parametrize("shift", [0, 25, -100])
def test_the_first_sample_shown_is_at_0(shift: int) -> None:
    """Whether a writer delays all by the reordering, or begins with pictures that precede the first key frame."""
    filled = SampleTable()
    filled.begin(900)
    filled.add(run(3, composition=[shift, 20 + shift, -10 + shift]))
    assert boxes(filled)["ctts"] == [3, 1, 0, 1, 20, 1, -10]
    assert filled.first_shown_ticks == 900 + shift


def test_a_track_ends_when_its_last_sample_has_been_shown() -> None:
    """Torn behind a picture whose predecessors are lost: decoded at 10, shown from 40 to 50."""
    filled = table(run(2, composition=[0, 30]))
    assert filled.duration_ticks == 50
    assert boxes(filled)["stts"] == [1, 2, 10]


def test_equal_offsets_need_no_table() -> None:
    assert "ctts" not in boxes(table(run(3, composition=[7, 7, 7])))


@pytest.mark.parametrize(
    ("begin", "refused"),
    [(4999, "before the last sample"), (0, "before the last sample"), (5000 + LONGEST_TICKS + 1, "too far")],
)
def test_times_that_no_table_can_say(begin: int, refused: str) -> None:
    filled = SampleTable()
    filled.begin(5000)
    filled.add(run(1))
    with pytest.raises(ValueError, match=refused):
        filled.begin(begin)


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="more than a recording can have"):
        table(run(MOST_SAMPLES), run(1))
    with pytest.raises(ValueError, match="last too long"):
        table(run(2, durations=LONGEST_TICKS // 2), run(1))
    with pytest.raises(ValueError, match="shown too far"):
        list(table(run(3, composition=[-(1 << 31) + 5, 5, (1 << 31) - 1])).boxes())


SAMPLES = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 9), st.booleans(), st.integers(-40, 40)), min_size=1, max_size=30
)


@given(fragments=st.lists(SAMPLES, min_size=1, max_size=5), start=st.integers(0, 1 << 40), hole=st.integers(0, 60))
def test_tables_say_what_the_samples_said(
    fragments: list[list[tuple[int, int, bool, int]]], start: int, hole: int
) -> None:
    filled = SampleTable()
    samples: list[list[int]] = []  # decode time, size, sync, shown time
    ticks = start
    for fragment in fragments:
        durations, offsets = [each[0] for each in fragment], [each[3] for each in fragment]
        filled.begin(ticks)
        flags = [0 if each[2] else NON_SYNC for each in fragment]
        sizes = [each[1] for each in fragment]
        filled.add(run(len(fragment), durations=durations, sizes=sizes, flags=flags, composition=offsets))
        for decode, (_, size, sync, offset) in zip(accumulate(durations, initial=ticks), fragment, strict=False):
            samples.append([decode, size, int(sync), decode + offset])
        ticks += sum(durations) + hole
    found = boxes(filled)
    first_shown = min(each[3] for each in samples)
    steps = _spread(found["stts"])
    decoded = list(accumulate(steps, initial=0))
    offsets = _spread(found["ctts"]) if "ctts" in found else [0] * len(samples)
    sizes = found["stsz"][2:] if not found["stsz"][0] and len(found["stsz"]) > 2 else found["stsz"][:1] * len(samples)
    numbers = found.get("stss", range(len(samples) + 1))[1:]
    assert filled.first_shown_ticks == first_shown
    assert [first + samples[0][0] for first in decoded[:-1]] == [each[0] for each in samples]
    assert [d + o + first_shown for d, o in zip(decoded, offsets, strict=False)] == [each[3] for each in samples]
    assert sizes == [each[1] for each in samples]
    assert list(numbers) == [number for number, each in enumerate(samples, start=1) if each[2]]


def _spread(counted: list[int]) -> list[int]:
    """The values of a table of (count, value)."""
    pairs = zip(counted[1::2], counted[2::2], strict=True)
    return [value for count, value in pairs for _ in range(count)]
