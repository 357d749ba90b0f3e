"""The final moov: against the one that ffmpeg writes, against what the fragments say, and against bad fragments."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import child_boxes, make_box, make_full_box
from hlscam.isobmff.closed_head import closed_room, read_hybrid_head
from hlscam.isobmff.final_movie import WholeFragment, final_movie
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import FinalMovie, read_events
from tests.rig.ffmpeg_tools import decode, packets, pictures, probe
from tests.rig.hybrid import growing_form

Clip = Callable[[str], bytes]
RECORDINGS = ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac", "h264_flac_96k", "small"]
CONTAINERS = ("moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "mvex")
WITHOUT_DURATION = {"mvhd": (24, 28), "tkhd": (28, 32), "mdhd": (24, 28)}


def first_movie(data: bytes) -> tuple[bytes, int]:
    head = read_hybrid_head(data[:1024])
    assert head is not None
    return data[head.moov_offset :][: int.from_bytes(data[head.moov_offset :][:4], "big")], head.moov_offset


def whole_fragments(data: bytes) -> list[WholeFragment]:
    found = []
    for event in read_events(data):
        if isinstance(event, Fragment):
            at = event.offset
            while data[at + 4 : at + 8] != b"moof":
                at += int.from_bytes(data[at : at + 4], "big")
            found.append(WholeFragment(data[at : at + int.from_bytes(data[at : at + 4], "big")], at, event.end))
    return found


def movie_of(data: bytes) -> bytes:
    return final_movie(*first_movie(data), whole_fragments(data))


def finished(data: bytes) -> bytes:
    """The file that a growing one becomes."""
    head, media_end = read_hybrid_head(data[:1024]), whole_fragments(data)[-1].end
    assert head is not None
    room = closed_room(head, media_end)
    return data[: head.room_offset] + room + data[head.room_offset + len(room) : media_end] + movie_of(data)


def leaves(data: bytes, start: int = 0, end: int | None = None, path: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, whole box) of all boxes that are no plain containers, in order."""
    for box in child_boxes(data, start, len(data) if end is None else end):
        here = f"{path}/{box.type}"
        if box.type in CONTAINERS:
            yield from leaves(data, box.body, box.end, here)
        else:
            yield here, data[box.offset : box.end]


def tracks(movie: bytes) -> list[dict[str, bytes]]:
    """The boxes of each track by type."""
    found: list[dict[str, bytes]] = []
    for path, box in leaves(movie):
        if path.endswith("/tkhd"):
            found.append({})
        if "/trak/" in path:
            found[-1][path.rpartition("/")[2]] = box
    return found


def number(box: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", box, at)[0]
    return value


@pytest.mark.parametrize("name", RECORDINGS)
def test_tables_are_those_that_ffmpeg_writes(clip: Clip, name: str) -> None:
    data = clip(name)
    theirs = data[len(growing_form(data)) :]
    ours = movie_of(growing_form(data))
    for our_track, their_track in zip(tracks(ours), tracks(theirs), strict=True):
        for kind in ("stts", "stss", "ctts", "stsc", "stsz", "stco", "hdlr", "vmhd", "smhd", "dref"):
            assert our_track.get(kind) == their_track.get(kind), kind
        more = {"elst"} if "elst" in our_track else set()
        assert our_track.keys() - more == their_track.keys() - {"sgpd", "sbgp", "sdtp"}


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_is_not_of_samples_stays_as_it_was(clip: Clip, name: str) -> None:
    growing = growing_form(clip(name))
    first, last = first_movie(growing)[0], movie_of(growing)
    before = [(path, box) for path, box in leaves(first) if "/stbl/" not in path or path.endswith("stsd")]
    after = [(path, box) for path, box in leaves(last) if "/stbl/" not in path or path.endswith("stsd")]
    after = [(path, box) for path, box in after if not path.endswith("elst")]
    assert [path for path, _ in before if "/mvex" not in path] == [path for path, _ in after]
    for (path, old), (_, new) in zip([each for each in before if "/mvex" not in each[0]], after, strict=True):
        at, end = WITHOUT_DURATION.get(path.rpartition("/")[2], (0, 0))
        assert old[:at] + old[end:] == new[:at] + new[end:]
        assert (old[at:end] == new[at:end]) == (at == end)
    assert any(path == "/moov/udta" for path, _ in after)


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac"])
async def test_the_finished_file_shows_the_same(
    clip: Clip, clip_path: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    """As while it grew, picture by picture; of sound as much as ffmpeg's own file, which trims the last frame."""
    growing = growing_form(clip(name))
    before, after = tmp_path / "growing.mp4", tmp_path / "finished.mp4"
    before.write_bytes(growing)
    after.write_bytes(finished(growing))
    assert (await decode(after)).errors == []
    streams = {"v:0": before, "a:0": clip_path(name)}
    for stream in list(streams)[: len(tracks(movie_of(growing)))]:
        shown, kept = await pictures(streams[stream], stream=stream), await pictures(after, stream=stream)
        assert [each.md5 for each in kept] == [each.md5 for each in shown]
        steps = {(a.pts_s or 0) - (b.pts_s or 0) for a, b in zip(shown, kept, strict=True)}
        assert max(steps) - min(steps) < Fraction(1, 1000)


def test_the_reader_tells_the_same_of_the_finished_file(killed: bytes) -> None:
    *before, movie = read_events(finished(killed))
    assert before == list(read_events(killed))
    assert isinstance(movie, FinalMovie)
    assert movie.offset == whole_fragments(killed)[-1].end


@pytest.mark.parametrize("cut_away", [0, 1, 2, 3])
async def test_every_fragment_makes_it_longer(killed: bytes, tmp_path: Path, cut_away: int) -> None:
    """Torn in the middle of pictures that are decoded in another order than shown: none is lost."""
    whole = [event for event in read_events(killed) if isinstance(event, Fragment)]
    kept = whole[: len(whole) - cut_away]
    growing, path = killed[: kept[-1].end], tmp_path / "finished.mp4"
    path.write_bytes(finished(growing))
    decoded = await decode(path)
    assert (decoded.frames, decoded.errors) == (sum(each.sample_count for each in kept), [])
    shown_ticks = max(each.max_presentation_ticks for each in kept) - min(each.min_presentation_ticks for each in kept)
    video = tracks(finished(growing)[kept[-1].end :])[0]
    assert number(video["mdhd"], 24) == shown_ticks
    about = await probe(path)
    assert about.start_s == 0.0
    assert about.duration_s is not None
    assert abs(about.duration_s - max(shown_ticks / number(video["mdhd"], 20), decoded.duration_s)) < 0.15


def box(kind: bytes, *parts: bytes) -> bytes:
    return make_box(kind, *parts)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def moof(*trafs: bytes) -> bytes:
    return box(b"moof", box(b"mfhd", bytes(8)), *(box(b"traf", traf) for traf in trafs))


def tfhd(track_id: int, flags: int = 0x020000, *fields: int) -> bytes:
    return box(b"tfhd", words(flags, track_id, *fields))


def tfdt(ticks: int, version: int = 1) -> bytes:
    return make_full_box(b"tfdt", version, (ticks % (1 << 64)).to_bytes(8 if version else 4, "big"))


def trun(count: int, offset: int, flags: int = 0x201, *fields: int) -> bytes:
    return box(b"trun", words(flags, count, offset & 0xFFFFFFFF, *fields))


@pytest.fixture(scope="module")
def first(clip: Clip) -> tuple[bytes, int]:
    """A first moov with two tracks: 1 is video at 10240 ticks a second, 2 sound at 8000, as is the movie."""
    return first_movie(clip("small"))


def at(offset: int, data: bytes, media_bytes: int = 1000) -> WholeFragment:
    return WholeFragment(data, offset, offset + len(data) + 8 + media_bytes)


def simple(start: int, count: int = 2, **others: int) -> bytes:
    """A moof with one run of the video track; 100 bytes a sample, 1024 ticks each."""
    size = len(moof(tfhd(1, 0x020018, 1024, 100) + tfdt(start) + trun(count, 0, 1)))
    return moof(tfhd(1, 0x020018, 1024, 100) + tfdt(start) + trun(count, others.get("offset", size + 8), 1))


def durations(movie: bytes) -> list[int]:
    """Movie, then of each track: header and media."""
    (mvhd,) = (each for path, each in leaves(movie) if path == "/moov/mvhd")
    return [number(mvhd, 24), *(number(each[kind], at) for each in tracks(movie) for kind, at in _PLACES)]


_PLACES = (("tkhd", 28), ("mdhd", 24))


def test_a_track_without_samples_is_left_out(first: tuple[bytes, int]) -> None:
    movie = final_movie(*first, [at(2000, simple(5000))])
    (video,) = tracks(movie)
    assert number(video["tkhd"], 20) == 1
    assert durations(movie) == [1600, 1600, 2048]
    assert "elst" not in video


@pytest.mark.parametrize(
    ("video_ticks", "audio_ticks", "delays"),
    [(0, 0, (0, 0)), (10240, 12000, (0, 4000)), (0, -800, (800, 0))],
    ids=["together", "sound later", "sound before 0"],
)
@pytest.mark.parametrize("later", [0, 24 * 3600])
def test_tracks_are_kept_in_step(
    first: tuple[bytes, int], video_ticks: int, audio_ticks: int, delays: tuple[int, int], later: int
) -> None:
    """However far into its run the recording begins, it begins at 0, and its length is its own."""
    video = tfhd(1, 0x020018, 1024, 100) + tfdt(video_ticks + later * 10240) + trun(2, 500, 1)
    audio = tfhd(2, 0x020018, 1024, 50) + tfdt(audio_ticks + later * 8000) + trun(3, 700, 1)
    movie = final_movie(*first, [at(2000, moof(video, audio))])
    assert durations(movie) == [3072 + delays[1], 1600 + delays[0], 2048, 3072 + delays[1], 3072]
    for track, delay, length in zip(tracks(movie), delays, (1600, 3072), strict=True):
        edits = words(2, delay, 0xFFFFFFFF, 0x10000, length, 0, 0x10000) if delay else b""
        assert track.get("elst", bytes(12))[12:] == edits


def test_offsets_count_from_wherever_the_boxes_say(first: tuple[bytes, int]) -> None:
    """From the moof, from a place in the file, or from where the track fragment before ended (8.8.7, 8.8.8)."""
    sized = box(b"trun", words(0x200, 2, 10, 11))  # says no offset: goes on where data ended
    cases = {
        "from the moof": ([tfhd(1) + trun(2, 500, 0x201, 10, 11) + sized], [2500, 2521]),
        "from a base": ([tfhd(1, 1, 0, 2400) + trun(2, 100, 0x201, 10, 11) + sized], [2500, 2521]),
        "by old rules": ([tfhd(1, 0) + trun(2, 500, 0x201, 10, 11), tfhd(2, 0) + sized], [2500, 2521]),
    }
    for name, (trafs, offsets) in cases.items():
        movie = final_movie(*first, [at(2000, moof(*trafs))])
        chunks = [offset for track in tracks(movie) for (offset,) in struct.iter_unpack(">I", track["stco"][16:])]
        assert chunks == offsets, name


def test_a_recording_beyond_4_gib_has_large_offsets(first: tuple[bytes, int]) -> None:
    movie = final_movie(*first, [at(2000, simple(0)), at(5 << 30, simple(2048))])
    (video,) = tracks(movie)
    assert "stco" not in video
    size = len(simple(0)) + 8
    assert struct.unpack(">2Q", video["co64"][16:]) == (2000 + size, (5 << 30) + size)


def test_a_hole_between_fragments_is_the_last_samples(first: tuple[bytes, int]) -> None:
    movie = final_movie(*first, [at(2000, simple(100)), at(5000, simple(100 + 2048 + 300))])
    (video,) = tracks(movie)
    assert struct.unpack(">6I", video["stts"][16:]) == (1, 1024, 1, 1324, 2, 1024)
    assert durations(movie)[2] == 4096 + 300


BAD = {
    "no moof": (b"\0\0\0\x08free", "these bytes are not a moof", "moof"),
    "too short a moof": (simple(0)[:-1], "reaches past its parent", "moof"),
    "bytes behind it": (simple(0) + b"X", "these bytes are not a moof", "moof"),
    "a child that reaches out": (moof(struct.pack(">I4s", 99, b"tfhd")), "reaches past its parent", "tfhd"),
    "a strange track": (moof(tfhd(9)), "there is no track 9", "tfhd"),
    "a run of nobody": (moof(trun(1, 0)), "comes before the tfhd", "trun"),
    "a time of nobody": (moof(tfdt(0)), "comes before the tfhd", "tfdt"),
    "a header cut short": (moof(box(b"tfhd", words(0x3B, 1))), "ends inside its fields", "tfhd"),
    "a time cut short": (moof(tfhd(1) + box(b"tfdt", b"\1\0\0\0\0")), "ends inside its fields", "tfdt"),
    "a run cut short": (moof(tfhd(1) + trun(3, 200, 0x201, 1, 2)), "ends inside its fields", "trun"),
    "too many samples": (moof(tfhd(1) + trun(0xFFFFFFFF, 200, 1)), "more than a fragment can have", "trun"),
    "data before the moof": (simple(2048, offset=-500), "outside of the fragment", "trun"),
    "data in the moof": (simple(2048, offset=20), "outside of the fragment", "trun"),
    "data behind the end": (simple(2048, offset=1000), "outside of the fragment", "trun"),
    "too long": (moof(tfhd(1) + trun(2, 200, 0x101, 1 << 31, 1 << 31)), "last too long", "trun"),
}


@pytest.mark.parametrize(("data", "said", "named"), BAD.values(), ids=BAD.keys())
def test_a_bad_fragment_is_refused(first: tuple[bytes, int], data: bytes, said: str, named: str) -> None:
    with pytest.raises(MediaError, match=said) as refused:
        final_movie(*first, [at(2000, simple(0)), at(5000, data)])
    assert refused.value.box_type == named
    assert 5000 <= refused.value.offset < 5000 + len(data)


def test_time_that_goes_back_is_refused(first: tuple[bytes, int]) -> None:
    for start, refused in ((2048, False), (1024, False), (1023, True), (0, True)):
        fragments = [at(2000, simple(0)), at(5000, simple(start))]
        if not refused:
            final_movie(*first, fragments)
            continue
        with pytest.raises(MediaError, match=r"before the last sample's \(box 'tfdt' at byte 50"):
            final_movie(*first, fragments)


def test_a_first_moov_that_cannot_be_one_is_refused(first: tuple[bytes, int]) -> None:
    moov, offset = first
    fragment = at(2000, simple(0))
    trak_at = moov.index(b"trak") - 4
    trak = moov[trak_at:][: number(moov, trak_at)]
    edts = box(b"edts", box(b"elst", bytes(8)))
    cases = {
        "these bytes are not a moov": b"\0\0\0\x08mdat",
        "there is no mvhd in it": moov.replace(b"mvhd", b"free"),
        "the recording has no sample": moov,
        "two tracks have one number": box(b"moov", moov[8:], trak),
        "no edit list": box(b"moov", moov[8:trak_at], box(b"trak", trak[8:], edts), moov[trak_at + len(trak) :]),
        "there is no minf/stbl in it": moov.replace(b"stbl", b"free"),
        "timescale of 0": moov.replace(words(8000), words(0), 1),
    }
    for said, bad in cases.items():
        with pytest.raises(MediaError, match=said):
            final_movie(bad, offset, [] if bad == moov else [fragment])


@given(data=st.data())
def test_hostile_bytes_are_refused_or_make_a_moov(clip: Clip, data: st.DataObject) -> None:
    """It ends, and raises nothing but MediaError."""
    growing = growing_form(clip("small"))
    moov, offset = first_movie(growing)
    fragments = whole_fragments(growing)
    which = data.draw(st.integers(-1, len(fragments) - 1))
    spoilt = bytearray(moov if which < 0 else fragments[which].moof)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(spoilt) - 4))
        spoilt[place : place + 4] = data.draw(
            st.sampled_from([bytes(4), b"\0\0\0\1", b"\xff" * 4, b"\x7f\xff\xff\xff", b"trun", b"tfhd"])
        )
    if which < 0:
        moov = bytes(spoilt)
    else:
        fragments[which] = WholeFragment(bytes(spoilt), fragments[which].moof_offset, fragments[which].end)
    try:
        movie = final_movie(moov, offset, fragments)
    except MediaError:
        return
    assert [child.type for child in child_boxes(movie, 0, len(movie))] == ["moov"]
    if which >= 0:
        assert len(list(leaves(movie))) > 20


async def test_packets_are_those_of_the_fragments(killed: bytes, tmp_path: Path) -> None:
    before, after = tmp_path / "growing.mp4", tmp_path / "finished.mp4"
    before.write_bytes(killed)
    after.write_bytes(finished(killed))
    for stream in ("v:0", "a:0"):
        was = [(each.size_bytes, each.md5) for each in await packets(before, stream=stream)]
        assert [(each.size_bytes, each.md5) for each in await packets(after, stream=stream)] == was
