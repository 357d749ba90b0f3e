"""The reader on files that grow, were closed, were killed, or change form under it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import child_boxes
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import (
    LARGEST_HELD_BOX_BYTES,
    Event,
    FinalMovie,
    RecordingBox,
    RecordingReader,
    read_events,
)
from hlscam.isobmff.recording_box import encode_recording_box

Pieces = Callable[[bytes, Iterable[int]], tuple[list[Event], str, int]]
Clip = Callable[[str], bytes]
Growing = Callable[[bytes, int], bytes]


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def final_movie(events: list[Event]) -> FinalMovie:
    found = [event for event in events if isinstance(event, FinalMovie)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac", "small"])
def test_a_closed_recording(clip: Clip, name: str) -> None:
    data = clip(name)
    events = list(read_events(data))
    kinds = [type(event) for event in events]
    assert kinds == [InitSection, *[Fragment] * (len(events) - 2), FinalMovie]
    assert len(events) > 4
    movie = final_movie(events)
    assert movie.end == len(data)
    fragments = [event for event in events if isinstance(event, Fragment)]
    assert fragments[-1].end == movie.offset  # fragments fill the mdat


@pytest.mark.parametrize("name", ["h264_b_aac", "small"])
def test_growing_and_closed_give_the_same(clip: Clip, growing: Growing, name: str) -> None:
    closed = list(read_events(clip(name)))
    assert list(read_events(growing(clip(name), final_movie(closed).offset))) == closed[:-1]


def test_a_killed_recording(killed: bytes, pieces: Pieces) -> None:
    init, *fragments = read_events(killed)
    assert isinstance(init, InitSection)
    assert init.comment == '{"hlscam":1,"run":"é1"}'
    assert len(fragments) >= 4
    last = fragments[-1]
    assert isinstance(last, Fragment)
    for torn_at in (last.end - 1, last.offset + 40, last.offset + 3):
        events, refusal, whole_end = pieces(killed[:torn_at], [])
        assert (events, refusal) == ([init, *fragments[:-1]], "")
        assert whole_end == last.offset


@pytest.mark.parametrize("name", ["small", "old_fragments", "cmaf", "faststart"])
def test_byte_by_byte_is_the_same_as_whole(clip: Clip, pieces: Pieces, name: str) -> None:
    data = clip(name)
    whole = pieces(data, [])
    assert whole[1] == ""
    assert whole[0] == list(read_events(data))
    if name == "small":
        data += encode_recording_box({"run": "x"}, b"table")
        whole = pieces(data, [])
        assert isinstance(whole[0][-1], RecordingBox)
    assert pieces(data, [1] * len(data)) == whole


def test_every_prefix_gives_the_fragments_up_to_there(clip: Clip, growing: Growing, pieces: Pieces) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset)
    init, *fragments = read_events(data)
    moov_end = 64 + int.from_bytes(data[64:68], "big")
    for count in range(len(data) + 1):
        whole = [event for event in fragments if isinstance(event, Fragment) and event.end <= count]
        expected = [init, *whole] if count >= moov_end else []
        whole_end = whole[-1].end if whole else moov_end if expected else 0
        assert pieces(data[:count], []) == (expected, "", whole_end)


def test_a_growing_file_is_asked_for_headers_only(clip: Clip) -> None:
    """Payload is stepped over, and a fragment is told when the file's length alone says it is whole."""
    data = clip("h264_b_aac")
    wanted = list(read_events(data))
    reader = RecordingReader()
    events: list[Event] = []
    asked_bytes = 0
    while reader.offset < len(data):
        at = reader.offset
        events += reader.feed(data[at : at + 1], at + 1)
        asked_bytes += 1
        told = [event for event in events if isinstance(event, Fragment)]
        assert not told or told[-1].end <= at + 1
    events += reader.feed(b"", len(data))
    assert events == wanted
    assert asked_bytes < len(data) / 10
    assert (reader.closed, reader.refusal) == (True, None)


def test_the_file_is_closed_while_it_is_followed(clip: Clip, growing: Growing) -> None:
    closed = clip("h264_b_aac")
    wanted = list(read_events(closed))
    before = growing(closed, final_movie(wanted).offset)
    for switch_at in (33, 64, 100, 2000, len(before) // 2, len(before)):
        reader = RecordingReader()
        events: list[Event] = []
        for data, size in ((before[:switch_at], switch_at), (closed, len(closed))):
            while reader.offset < size:
                events += reader.feed(data[reader.offset : reader.offset + 500], size)
        assert events == wanted
        assert reader.init == wanted[0]
        assert reader.closed


def large_box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body


def test_a_recording_closed_beyond_4_gib(clip: Clip) -> None:
    """Then the mdat header is 16 bytes long and takes the first `free` too."""
    data = clip("small")
    wanted = list(read_events(data))
    movie = final_movie(wanted)
    large = data[:24] + struct.pack(">I4sQ", 1, b"mdat", movie.offset - 24) + data[40:]
    assert list(read_events(large)) == wanted


def test_a_fragment_beyond_4_gib(clip: Clip) -> None:
    data = clip("small")
    first = next(event for event in read_events(data) if isinstance(event, Fragment))
    moof_at = first.offset + 32
    mdat_at = moof_at + int.from_bytes(data[moof_at : moof_at + 4], "big")
    head = data[:32] + b"\0\0\0\x20free" + data[40:mdat_at] + struct.pack(">I4sQ", 1, b"mdat", 5 << 30)
    reader = RecordingReader()
    assert len(reader.feed(head, len(head))) == 1
    assert reader.offset == mdat_at + (5 << 30)
    assert reader.feed(b"", reader.offset - 1) == []
    (told,) = reader.feed(b"", reader.offset)
    assert isinstance(told, Fragment)
    assert told.size_bytes == reader.offset - first.offset
    assert reader.whole_end == reader.offset


def test_large_sizes_everywhere(clip: Clip, growing: Growing) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset)
    enlarged = b"".join(
        large_box(child.type.encode(), data[child.body : child.end]) for child in child_boxes(data, 0, len(data))
    )
    small, large = list(read_events(data)), list(read_events(enlarged))
    assert isinstance(small[0], InitSection)
    assert isinstance(large[0], InitSection)
    assert large[0].video == small[0].video
    assert len(large) == len(small)
    for one, other in zip(small[1:], large[1:], strict=True):
        assert isinstance(one, Fragment)
        assert isinstance(other, Fragment)
        assert other.size_bytes == one.size_bytes + 24
        assert other.sample_sizes == one.sample_sizes
        assert other.prft_wall_us is not None


@pytest.mark.parametrize("name", ["ordinary", "faststart"])
def test_an_ordinary_file_has_tracks_and_no_fragments(clip: Clip, name: str) -> None:
    (init,) = read_events(clip(name))
    assert isinstance(init, InitSection)


def test_fragments_of_other_writers(clip: Clip) -> None:
    plain = [event for event in read_events(clip("old_fragments")) if isinstance(event, Fragment)]
    assert clip("old_fragments")[plain[0].offset + 4 :][:4] == b"moof"
    assert plain[0].prft_wall_us is None
    assert clip("old_fragments")[plain[-1].end + 4 :][:4] == b"mfra"
    cmaf = [event for event in read_events(clip("cmaf")) if isinstance(event, Fragment)]
    assert {clip("cmaf")[fragment.offset + 4 :][:4] for fragment in cmaf} <= {b"styp", b"moof", b"prft"}
    assert sum(fragment.sample_count for fragment in cmaf) == 60


def test_boxes_that_do_not_matter_are_skipped(clip: Clip, growing: Growing) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset)
    wanted = list(read_events(data))
    last = wanted[-1]
    assert isinstance(last, Fragment)
    other = b"".join(box(kind, bytes(20)) for kind in (b"free", b"skip", b"sidx", b"emsg", b"uuid", b"wxyz", b"mfra"))
    found = list(read_events(data[: last.offset] + other + data[last.offset :] + other))
    assert found[:-1] == wanted[:-1]
    assert isinstance(found[-1], Fragment)
    assert found[-1].offset == last.offset + len(other)
    assert found[-1].sample_sizes == last.sample_sizes


def test_a_segment_type_box_opens_the_fragment(clip: Clip, growing: Growing) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset)
    last = list(read_events(data))[-1]
    assert isinstance(last, Fragment)
    styp = box(b"styp", b"msdh\0\0\0\0")
    *_, found = read_events(data[: last.offset] + styp + data[last.offset :])
    assert isinstance(found, Fragment)
    assert (found.offset, found.size_bytes) == (last.offset, last.size_bytes + len(styp))


@pytest.mark.parametrize("closed", [True, False])
def test_the_recording_box(clip: Clip, growing: Growing, closed: bool) -> None:
    """Behind the final moov, or behind the last whole fragment of a recording that was never closed."""
    data = clip("small")
    movie = final_movie(list(read_events(data)))
    data = data if closed else growing(data, movie.offset)
    appended = encode_recording_box({"camera": "porch"}, b"\0\1")
    *before, found = read_events(data + appended)
    assert isinstance(found, RecordingBox)
    assert (found.offset, found.end) == (len(data), len(data) + len(appended))
    assert found.decode() == ({"camera": "porch"}, b"\0\1")
    assert before == list(read_events(data))
    for count in range(len(appended)):
        assert list(read_events(data + appended[:count])) == before
    damaged = appended[:-1] + bytes([appended[-1] ^ 1])
    *_, found = read_events(data + damaged)
    assert isinstance(found, RecordingBox)
    with pytest.raises(MediaError, match=f"damaged.*'uuid' at byte {len(data)}"):
        found.decode()


def test_the_final_moov_counts_when_it_is_whole(clip: Clip) -> None:
    data = clip("small")
    reader = RecordingReader()
    events: list[Event] = []
    while reader.offset < len(data) - 1:
        events += reader.feed(data[reader.offset : reader.offset + 100], len(data) - 1)
    assert not any(isinstance(event, FinalMovie) for event in events)
    assert not reader.closed
    assert reader.feed(b"", len(data)) == [final_movie(list(read_events(data)))]
    assert reader.closed


TAILS = [
    (bytes(64), r"\x00", "file is damaged here"),  # what a power cut leaves on some file systems
    (b"\0\0\0\x07prft", "prft", "less than the box's header"),
    (b"\0\0\0\x10\x01\x02\x03\x04" + bytes(8), r"\x01", "file is damaged here"),
    (struct.pack(">I4sQ", 1, b"mdat", 3), "mdat", "less than the box's header"),
    (struct.pack(">I4s", LARGEST_HELD_BOX_BYTES + 1, b"moof"), "moof", "too many for this box"),
    (box(b"prft", bytes(4)), "prft", "ends inside its fields"),
    (box(b"moof") + box(b"moof"), "moof", "has no mdat"),
    (box(b"moof", box(b"traf", box(b"tfhd"))) + box(b"mdat"), "tfhd", "ends inside its fields"),
]


@pytest.mark.parametrize(("tail", "named", "said"), TAILS)
def test_damage_ends_the_reading_and_spares_what_came_before(
    clip: Clip, growing: Growing, pieces: Pieces, tail: bytes, named: str, said: str
) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset)
    wanted = list(read_events(data))
    for piece_bytes in ([], [1] * (len(data) + len(tail)), [len(data)]):
        events, refusal, whole_end = pieces(data + tail, piece_bytes)
        assert events == wanted
        assert said in refusal
        assert f"(box '{named}" in refusal
        assert whole_end == len(data)


def test_a_refusal_is_repeated_and_points_at_its_box(clip: Clip, growing: Growing) -> None:
    closed = clip("small")
    data = growing(closed, final_movie(list(read_events(closed))).offset) + bytes(8)
    reader = RecordingReader()
    events: list[Event] = []

    def drain() -> None:
        while reader.offset < len(data):
            events.extend(reader.feed(data[reader.offset :], len(data)))

    with pytest.raises(MediaError) as refused:
        drain()
    assert len(events) == len(list(read_events(data[:-8])))
    assert refused.value.offset == reader.offset == len(data) - 8
    assert reader.refusal is refused.value
    with pytest.raises(MediaError) as again:
        reader.feed(b"", len(data))
    assert again.value is refused.value


@pytest.mark.parametrize("kind", [b"moov", b"ftyp", b"prft", b"moof"])
def test_a_box_too_large_to_hold_is_refused_at_its_header(kind: bytes) -> None:
    reader = RecordingReader()
    with pytest.raises(MediaError, match="too many for this box"):
        reader.feed(struct.pack(">I4sQ", 1, kind, LARGEST_HELD_BOX_BYTES + 1), 16)


def test_a_fragment_before_the_moov_is_refused() -> None:
    with pytest.raises(MediaError, match="before the moov"):
        list(read_events(box(b"ftyp") + box(b"moof")))


def test_inside_the_mdat_its_end_holds(clip: Clip) -> None:
    """A fragment that reaches past the mdat around it is damage, and size 0 is not allowed there."""
    data = clip("small")
    wanted = list(read_events(data))
    movie = final_movie(wanted)
    last = wanted[-2]
    assert isinstance(last, Fragment)
    moof_at = last.offset + 32
    mdat_at = moof_at + int.from_bytes(data[moof_at : moof_at + 4], "big")
    for size_bytes, said in ((movie.offset - mdat_at + 1, f"ends at {movie.offset}"), (0, "size 0")):
        damaged = data[:mdat_at] + struct.pack(">I", size_bytes) + data[mdat_at + 4 :]
        events: list[Event] = []
        with pytest.raises(MediaError, match=said) as refused:
            events.extend(read_events(damaged))
        assert (refused.value.box_type, refused.value.offset) == ("mdat", mdat_at)


def test_a_last_box_of_size_zero_ends_the_file() -> None:
    reader = RecordingReader()
    assert reader.feed(box(b"ftyp") + b"\0\0\0\0mdat" + b"whatever", 24) == []
    assert reader.offset > 1 << 60
    assert reader.feed(b"", 1 << 40) == []


def test_an_empty_file_is_no_error() -> None:
    reader = RecordingReader()
    assert reader.feed(b"", 0) == []
    assert (reader.offset, reader.whole_end, reader.init, reader.closed) == (0, 0, None, False)
