"""Playlists of a known archive: what they list for any range, read by m3u8 and by the strictest linter."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlscam.domain.camera_state import CameraState
from hlscam.domain.config import Config
from hlscam.domain.recording import Recording
from hlscam.server import range_playlist
from hlscam.units import US_PER_S
from tests.rig.playlist_lint import lint, lint_all, read_m3u8
from tests.server.serving import Answer, Serve, Serving, at, make_config, noted, problem_of, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def segments_of(recordings: list[Recording]) -> list[tuple[int, int, int]]:
    """Number, start and end (wall microseconds) of every segment, reckoned here from the tables alone."""
    found = []
    for recording in recordings:
        times = [recording.wall_us_at(ticks) for ticks in accumulate(recording.segments.durations_ticks, initial=0)]
        numbers = range(recording.first_media_sequence, recording.end_media_sequence)
        found += list(zip(numbers, times, times[1:], strict=False))
    return found


def numbers_in(text: str) -> list[int]:
    return [int(line.removesuffix(".m4s")) for line in text.splitlines() if line.endswith(".m4s")]


def dates_in(text: str) -> list[int]:
    """Program date time of every listed segment in microseconds, as the m3u8 library adds them up."""
    dates = [segment.current_program_date_time for segment in read_m3u8(text).segments]
    return [(each - EPOCH) // timedelta(microseconds=1) for each in dates]


async def range_of(serving: Serving, from_: int, to: int | None = None) -> Answer:
    return await serving.ask(f"/hls/gate/timeline.m3u8?from={at(from_)}" + (f"&to={at(to)}" if to is not None else ""))


async def listed(serving: Serving, from_: int, to: int | None = None) -> list[int]:
    answer = await range_of(serving, from_, to)
    assert answer.status == 200, answer
    return numbers_in(answer.body.decode())


# What lints


async def test_every_kind_lints(serving: Serving) -> None:
    hole, end = serving.hole_us[0], serving.last_us
    texts = [
        await serving.text(f"/hls/gate/{path}")
        for path in [
            "live.m3u8",
            "index.m3u8",
            f"index.m3u8?from={at(hole)}",
            "timeline.m3u8?from=0",
            f"timeline.m3u8?from=0&to={at(end)}",
            f"timeline.m3u8?from={at(hole)}",
            f"timeline.m3u8?from={at(hole - 1)}&to={at(end)}",
            f"timeline.m3u8?from={at(end + 1)}",
            "live.m3u8?gaps=1",
            "timeline.m3u8?from=0&gaps=1",
            f"timeline.m3u8?from=0&to={at(end)}&gaps=1",
            f"timeline.m3u8?from={at(end + 1)}&gaps=1",
        ]
    ]
    read = await lint_all(texts)
    assert [each["type"] for each in read] == ["media", "multivariant", "multivariant", *["media"] * 9]
    for text, playlist in zip(texts, read, strict=True):
        by_library = read_m3u8(text)
        assert len(by_library.segments) == len(playlist.get("segments", []))
        assert len(by_library.playlists) == len(playlist.get("variants", []))


async def test_the_whole_of_it(serving: Serving) -> None:
    """Two runs: one discontinuity, a map for each init section, dates that jump over the hole, numbers that do not."""
    text = await serving.text("/hls/gate/timeline.m3u8?from=0")
    playlist = await lint(text)
    first_of_second = next(each for each in serving.recordings if each.run != serving.recordings[0].run)
    expected = segments_of(serving.recordings)
    assert [each["mediaSequence"] for each in playlist["segments"]] == [number for number, _, _ in expected]
    assert playlist["segments"][0]["programDateTime"] == shown(serving.first_us)
    assert dates_in(text) == pytest.approx([start for _, start, _ in expected], abs=1100)
    torn = [each["mediaSequence"] for each in playlist["segments"] if each["discontinuity"]]
    assert torn == [first_of_second.first_media_sequence]
    maps = {each["map"] for each in playlist["segments"] if each["map"]}
    assert maps == {f"init-{each.init_hash}.mp4" for each in serving.recordings}
    assert playlist["discontinuitySequence"] == 0
    longest_s = max((end - start) / US_PER_S for _, start, end in expected)
    assert round(longest_s) <= playlist["targetDuration"] == serving.recordings[0].target_duration_s


async def test_everything_listed_can_be_fetched(serving: Serving) -> None:
    for segment in read_m3u8(await serving.text("/hls/gate/timeline.m3u8?from=0")).segments:
        for uri in (segment.uri, segment.init_section.uri):
            assert (await serving.ask(f"/hls/gate/{uri}")).status == 200


# Where a timeline starts and ends


async def test_from_within_a_segment_starts_with_it(serving: Serving) -> None:
    for number, start, end in segments_of(serving.recordings):
        for moment in (start, (start + end) // 2, end - 1):
            assert (await listed(serving, moment))[0] == number, (number, moment - start)


async def test_from_in_a_hole_starts_after_it(serving: Serving) -> None:
    hole_start, hole_end = serving.hole_us
    assert hole_end - hole_start > 5 * US_PER_S
    for moment in (hole_start, (hole_start + hole_end) // 2, hole_end - 1, hole_end):
        answer = await range_of(serving, moment)
        playlist = await lint(answer.body.decode())
        assert playlist["segments"][0]["programDateTime"] == shown(hole_end)
        # it follows a discontinuity that is no longer listed, so that a reload from anywhere counts the same
        assert playlist["discontinuitySequence"] + playlist["segments"][0]["discontinuity"] == 1


async def test_from_before_the_first_footage_starts_with_it(serving: Serving) -> None:
    everything = [number for number, _, _ in segments_of(serving.recordings)]
    for moment in (0, serving.first_us - 1, serving.first_us):
        assert await listed(serving, moment) == everything


async def test_from_after_the_last_footage_waits_for_more(serving: Serving) -> None:
    """The newest segment stands in, so that there is a playlist to reload; it starts a player there, not at its end."""
    for moment in (serving.last_us, serving.last_us + 1, serving.clock.wall_us()):
        answer = await range_of(serving, moment)
        playlist = await lint(answer.body.decode())
        assert [each["mediaSequence"] for each in playlist["segments"]] == [
            serving.recordings[-1].end_media_sequence - 1
        ]
        assert not playlist["ended"]
        assert answer.headers["cache-control"] == "public, max-age=1"


async def test_a_fixed_range_is_ended(serving: Serving) -> None:
    segments = segments_of(serving.recordings)
    _, start, end = segments[1]
    cases = {
        (start, end): [segments[1][0]],
        (start, start + 1): [segments[1][0]],
        (start - 1, end): [segments[0][0], segments[1][0]],
        (start, end + 1): [segments[1][0], segments[2][0]],
        (0, serving.last_us): [number for number, _, _ in segments],
        (0, serving.last_us + 10 * US_PER_S): [number for number, _, _ in segments],
    }
    for (from_, to), numbers in cases.items():
        answer = await range_of(serving, from_, to)
        playlist = await lint(answer.body.decode())
        assert [each["mediaSequence"] for each in playlist["segments"]] == numbers, (from_ - start, to - start)
        assert (playlist["ended"], playlist["playlistType"], playlist["start"]) == (True, "VOD", None)
        assert answer.headers["cache-control"] == "public, max-age=60"


async def test_a_range_that_may_still_grow_is_not_ended(serving: Serving) -> None:
    """It ends once a segment that began in it must have been listed, and not a moment before `to`."""
    serving.clock.step_wall((serving.last_us - serving.clock.wall_us()) / US_PER_S)
    to = serving.last_us + 20 * US_PER_S
    text = await serving.text(f"/hls/gate/timeline.m3u8?from=0&to={at(to)}")
    playlist = await lint(text)
    assert (playlist["ended"], playlist["playlistType"]) == (False, None)
    assert playlist["start"] is not None
    serving.clock.advance(20)
    assert "ENDLIST" not in await serving.text(f"/hls/gate/timeline.m3u8?from=0&to={at(to)}")
    serving.clock.advance(30)
    ended = await serving.text(f"/hls/gate/timeline.m3u8?from=0&to={at(to)}")
    assert "ENDLIST" in ended
    assert numbers_in(ended) == numbers_in(text)


async def test_a_range_without_footage_is_404(serving: Serving) -> None:
    hole_start, hole_end = serving.hole_us
    for from_, to in [
        (0, serving.first_us),
        (hole_start, hole_end),
        (hole_start + 1, hole_end - 1),
        (serving.last_us, serving.last_us + 10 * US_PER_S),
    ]:
        answer = await range_of(serving, from_, to)
        assert answer.status == 404
        assert "/api/v1/cameras/gate/timeline" in problem_of(answer)["detail"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_range_lists_what_overlaps_it(serving: Serving, data: st.DataObject) -> None:
    """Ranges of the archive, often right at the bounds of segments: listed is what overlaps, and its dates do."""
    segments = segments_of(serving.recordings)
    bounds = sorted({each for _, start, end in segments for each in (start, end)})
    near = st.tuples(st.sampled_from(bounds), st.sampled_from([-1, 0, 1])).map(sum)
    moments = near | st.integers(serving.first_us - US_PER_S, serving.last_us + US_PER_S)
    from_, to = data.draw(moments), data.draw(moments | st.none())
    if to is not None and from_ >= to:
        assert (await range_of(serving, from_, to)).status == 400
        return
    expected = [each for each in segments if each[2] > from_ and (to is None or each[1] < to)]
    answer = await range_of(serving, from_, to)
    if not expected:
        assert answer.status == (404 if to is not None else 200)
        return
    text = answer.body.decode()
    assert numbers_in(text) == [number for number, _, _ in expected]
    assert dates_in(text) == pytest.approx([start for _, start, _ in expected], abs=1100)
    assert ("#EXT-X-ENDLIST" in text) == (to is not None)
    assert (read_m3u8(text).discontinuity_sequence or 0) == _discontinuities_before(serving, expected[0][0])


def _discontinuities_before(serving: Serving, number: int) -> int:
    """EXT-X-DISCONTINUITY-SEQUENCE of a playlist that begins with this segment: how many stood before it."""
    firsts = [each.first_media_sequence for each in serving.recordings]
    recording = serving.recordings[bisect_right(firsts, number) - 1]
    stands_before_it = recording.starts_run and recording.first_media_sequence == number
    return max(recording.discontinuity_sequence - stands_before_it, 0)


# Live and multivariant


async def test_live_lists_the_newest(serving: Serving) -> None:
    playlist = await lint(await serving.text("/hls/gate/live.m3u8"))
    numbers = [each["mediaSequence"] for each in playlist["segments"]]
    everything = [number for number, _, _ in segments_of(serving.recordings)]
    assert len(numbers) >= 4
    assert numbers == everything[-len(numbers) :]
    assert not playlist["ended"]


async def test_multivariant(serving: Serving) -> None:
    playlist = await lint(await serving.text("/hls/gate/index.m3u8"))
    (variant,) = playlist["variants"]
    newest = serving.recordings[-1]
    media, table = newest.media, newest.segments
    assert (variant["uri"], variant["codecs"]) == ("live.m3u8", media.codecs)
    assert variant["resolution"] == {"width": 320, "height": 180}
    rates = zip(table.sizes_bytes, table.durations_ticks, strict=True)
    assert all(variant["bandwidth"] * ticks >= size * 8 * newest.timescale for size, ticks in rates if ticks > 7680)
    assert variant["bandwidth"] >= media.bit_rate_bps
    assert variant["averageBandwidth"] == media.bit_rate_bps


@pytest.mark.parametrize(
    ("query", "uri"),
    [
        ("from={first}", "timeline.m3u8?from={first}&opened={now}"),
        ("from={first}&to={last}", "timeline.m3u8?from={first}&to={last}"),
        (
            "from=2026-11-22T22:10:00%2B01:00",
            "timeline.m3u8?from=2026-11-22T22%3A10%3A00%2B01%3A00&opened={now}",
        ),
        ("after=7", "timeline.m3u8?after=7&opened={now}"),
        ("after=7&to={last}&gaps=0", "timeline.m3u8?after=7&to={last}"),
        ("from={first}&gaps=1", "timeline.m3u8?from={first}&opened={now}&gaps=1"),
        ("gaps=1", "live.m3u8?gaps=1"),
        ("to={last}", "live.m3u8"),
        ("other=1", "live.m3u8"),
    ],
)
async def test_multivariant_of_a_timeline(serving: Serving, query: str, uri: str) -> None:
    now = f"{serving.clock.wall_us() / US_PER_S:.3f}"
    times = {"first": at(serving.first_us), "last": at(serving.last_us), "now": now}
    playlist = await lint(await serving.text(f"/hls/gate/index.m3u8?{query.format(**times)}"))
    assert [each["uri"] for each in playlist["variants"]] == [uri.format(**times)]
    assert (await serving.ask(f"/hls/gate/{uri.format(**times)}")).status == 200


async def test_an_opened_timeline_grows_at_the_pace_of_live(serving: Serving) -> None:
    """VLC joins what has no end at its end: so it is told of the past no faster than the past took."""
    everything = [number for number, _, _ in segments_of(serving.recordings)]
    multivariant = await lint(await serving.text(f"/hls/gate/index.m3u8?from={at(serving.first_us)}"))
    path = f"/hls/gate/{multivariant['variants'][0]['uri']}"
    texts = []
    for _ in range(4 * len(everything)):
        texts.append(await serving.text(path))
        serving.clock.advance(0.5)
    counts = [len(numbers_in(text)) for text in texts]
    assert counts[0] < len(everything) == counts[-1]
    assert all(0 <= after - before <= 2 for before, after in pairwise(counts))  # the last one of a run may be short
    for text, playlist in zip(texts, await lint_all(texts), strict=True):
        assert numbers_in(text) == everything[: len(numbers_in(text))]
        assert (playlist["ended"], playlist["start"]) == (False, None)


async def test_a_long_opened_timeline_slides_along(serve: Serve, days_config: Config) -> None:
    """It lists what a viewer may still want, and not all since the beginning."""
    serving = await serve(days_config)
    opened = serving.clock.wall_us() - 3600 * US_PER_S
    text = await serving.text(f"/hls/porch/timeline.m3u8?from={at(serving.first_us)}&opened={at(opened)}")
    numbers = numbers_in(text)
    assert numbers[-1] == pytest.approx(3600 / 2, abs=5)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) < 1000
    assert read_m3u8(text).media_sequence == numbers[0]


# What is refused

LATER = "9999-01-01T00:00:00Z"


BAD_QUERIES = [
    "",
    "to=1",
    "from=",
    "from=yesterday",
    "from=2026-11-22",
    "from=2026-11-22T22:10:00",
    "from=2026-13-01T00:00:00Z",
    "from=-1",
    "from=99999999999999",
    "from=nan",
    "from=1e9",
    "from=%00",
    "from=0&to=",
    "from=0&to=soon",
    "from=10&to=10",
    "from=10&to=9",
    f"from={LATER}",
    f"from={LATER}&opened=0",
    "from=0&opened=",
    "from=0&opened=soon",
    "after=",
    "after=x",
    "after=-1",
    "after=1.5",
    "after=1e3",
    "after=%D9%A3",
    f"after={'9' * 19}",
    "after=1&from=0",
    "after=1&to=soon",
    "after=1&opened=soon",
    "from=0&gaps=",
    "from=0&gaps=2",
    "from=0&gaps=true",
]


async def test_bad_times_and_ranges_are_400(serving: Serving) -> None:
    for query in BAD_QUERIES:
        answer = await serving.ask(f"/hls/gate/timeline.m3u8?{query}")
        assert answer.status == 400, query
        problem = problem_of(answer)
        assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Bad Request", 400)
        assert problem["detail"]
        if query.startswith(("from", "after")) and "opened" not in query:
            assert (await serving.ask(f"/hls/gate/index.m3u8?{query}")).status == 400


async def test_a_clock_that_runs_a_little_ahead_is_forgiven(serving: Serving) -> None:
    now = serving.clock.wall_us()
    assert (await range_of(serving, now + 59 * US_PER_S)).status == 200
    assert (await range_of(serving, now + 61 * US_PER_S)).status == 400


@pytest.mark.parametrize(
    "path",
    [
        *("live.m3u8", "index.m3u8", "timeline.m3u8?from=0", "timeline.m3u8?from=0&to={soon}", "timeline.m3u8?after=7"),
        *("index.m3u8?after=7", "timeline.m3u8?after=7&to={soon}"),
    ],
)
@pytest.mark.parametrize("error", ["", "the camera refuses the connection"])
async def test_no_footage_yet_is_503_and_says_why(serve: Serve, archive_folder: Path, path: str, error: str) -> None:
    serving = await serve(make_config(archive_folder), notes=lambda _: noted(CameraState.WAITING, last_error=error))
    answer = await serving.ask(f"/hls/shed/{path.format(soon=at(serving.clock.wall_us() + US_PER_S))}")
    assert (answer.status, answer.headers["retry-after"], answer.headers["cache-control"]) == (503, "2", "no-store")
    assert problem_of(answer)["detail"] == "camera 'shed' has no footage yet" + (f": {error}" if error else "")


async def test_what_is_past_without_footage_is_404(serving: Serving) -> None:
    assert (await serving.ask("/hls/shed/timeline.m3u8?from=0&to=1000")).status == 404


@pytest.mark.parametrize("path", ["live.m3u8", "index.m3u8", "index.m3u8?from=0", "timeline.m3u8?from=0"])
async def test_unknown_camera_is_404(serving: Serving, path: str) -> None:
    answer = await serving.ask(f"/hls/attic/{path}")
    assert answer.status == 404
    assert problem_of(answer)["detail"] == "there is no camera 'attic' (GET /api/v1/cameras lists them)"


async def test_footage_of_a_camera_that_is_configured_no_more(serve: Serve, archive_folder: Path) -> None:
    config = make_config(archive_folder)
    serving = await serve(config.model_copy(update={"cameras": {}}), notes=lambda _: None)
    for path in ("live.m3u8", "index.m3u8", "timeline.m3u8?from=0"):
        assert (await serving.ask(f"/hls/gate/{path}")).status == 200


# Holes and gaps


async def test_a_hole_says_why(serving: Serving) -> None:
    hole_start, hole_end = serving.hole_us
    playlist = await lint(await serving.text("/hls/gate/timeline.m3u8?from=0"))
    (hole,) = [each["dateRange"] for each in playlist["segments"] if each["dateRange"]]
    (behind,) = [each for each in playlist["segments"] if each["dateRange"]]
    assert (hole["start"], hole["end"]) == (shown(hole_start), shown(hole_end))
    assert (hole["class"], hole["attributes"]) == ("hlscam.gap", {"X-REASON": "stopped"})
    assert (hole["id"], behind["discontinuity"]) == (f"gap-{behind['mediaSequence']}", True)
    from_inside = await lint(await serving.text(f"/hls/gate/timeline.m3u8?from={at(hole_start)}"))
    assert not any(each["dateRange"] for each in from_inside["segments"])


@pytest.mark.parametrize("query", ["from=0", "from=0&to={last}", "from=0&opened=0"])
async def test_gaps_for_players_that_want_them(serving: Serving, query: str) -> None:
    """One entry in front of the second run, which nobody can load; all else is as without."""
    path = f"/hls/gate/timeline.m3u8?{query.format(last=at(serving.last_us))}"
    plain, gaps = await lint_all([await serving.text(path), await serving.text(f"{path}&gaps=1")])
    assert (plain["version"], gaps["version"]) == (7, 8)
    second = next(each for each in serving.recordings if each.run != serving.recordings[0].run)
    at_gap = second.first_media_sequence - serving.first_number
    assert [each["gap"] for each in gaps["segments"]] == [at == at_gap for at in range(len(gaps["segments"]))]
    gap = gaps["segments"].pop(at_gap)
    assert gap["duration"] == gaps["targetDuration"] < (serving.hole_us[1] - serving.hole_us[0]) / US_PER_S
    assert (await serving.ask(f"/hls/gate/{gap['uri']}")).status == 404
    for with_gaps, without in zip(gaps["segments"], plain["segments"], strict=True):
        number = with_gaps["mediaSequence"] - with_gaps["discontinuitySequence"]
        assert with_gaps | {"mediaSequence": number} == without


# After retention


async def test_after_retention_the_rest_keeps_its_numbers(serve: Serve, own_folder: Path) -> None:
    before = await serve(make_config(own_folder))
    oldest = before.recordings[0]
    await before.remove(oldest)
    text = await before.text("/hls/gate/timeline.m3u8?from=0")
    playlist = await lint(text)
    assert numbers_in(text) == [number for number, _, _ in segments_of(before.recordings[1:])]
    assert playlist["discontinuitySequence"] == before.recordings[1].discontinuity_sequence
    assert not playlist["segments"][0]["discontinuity"]


async def with_a_hole(serve: Serve, folder: Path) -> Serving:
    """Served after retention took the neighbour of the first recording, which is protected."""
    serving = await serve(make_config(folder))
    await serving.remove(serving.recordings[1])
    return await serve(make_config(folder))


async def test_a_timeline_over_a_hole_in_the_numbers_has_an_end(serve: Serve, own_folder: Path) -> None:
    """Players count, so behind the hole a segment's number changes when the hole grows: they must not load it again."""
    serving = await with_a_hole(serve, own_folder)
    kept, after = serving.recordings[0], serving.recordings[1]
    assert kept.end_media_sequence < after.first_media_sequence
    expected = segments_of(serving.recordings)
    answer = await range_of(serving, 0)
    text = answer.body.decode()
    playlist = await lint(text)
    assert numbers_in(text) == [number for number, _, _ in expected]
    assert dates_in(text) == pytest.approx([start for _, start, _ in expected], abs=1100)
    assert (playlist["ended"], playlist["start"]) == (True, None)
    assert answer.headers["cache-control"] == "public, max-age=1"  # more has come by the next time that somebody asks
    behind = playlist["segments"][len(kept.segments)]
    assert behind["discontinuity"]
    assert behind["dateRange"]["start"] == shown(kept.end_wall_us)
    assert behind["dateRange"]["attributes"] == {}
    assert [each["mediaSequence"] for each in playlist["segments"]] == [
        kept.first_media_sequence + index for index in range(len(expected))
    ]
    for segment in read_m3u8(text).segments:
        assert (await serving.ask(f"/hls/gate/{segment.uri}")).status == 200


async def test_a_timeline_beside_a_hole_goes_on_into_live(serve: Serve, own_folder: Path) -> None:
    serving = await with_a_hole(serve, own_folder)
    kept, after = serving.recordings[0], serving.recordings[1]
    for moment in (kept.end_wall_us, after.start_wall_us):
        text = await serving.text(f"/hls/gate/timeline.m3u8?from={at(moment)}")
        playlist = await lint(text)
        assert (playlist["ended"], playlist["segments"][0]["mediaSequence"]) == (False, after.first_media_sequence)
        assert numbers_in(text) == [each["mediaSequence"] for each in playlist["segments"]]
    for number in range(kept.end_media_sequence, after.first_media_sequence):
        assert (await serving.ask(f"/hls/gate/{number}.m4s")).status == 410


async def test_an_opened_timeline_ends_at_a_hole_in_the_numbers(serve: Serve, own_folder: Path) -> None:
    """It slides, so it lists what stands before the hole, and then no more."""
    serving = await with_a_hole(serve, own_folder)
    kept = serving.recordings[0]
    multivariant = await lint(await serving.text(f"/hls/gate/index.m3u8?from={at(serving.first_us)}"))
    path = f"/hls/gate/{multivariant['variants'][0]['uri']}"
    texts = []
    for _ in range(8):
        texts.append(await serving.text(path))
        serving.clock.advance(1)
    for text, playlist in zip(texts, await lint_all(texts), strict=True):
        numbers = numbers_in(text)
        assert numbers == [each["mediaSequence"] for each in playlist["segments"]]
        assert playlist["ended"] == (numbers[-1] == kept.end_media_sequence - 1)
    assert numbers_in(texts[-1]) == list(range(kept.first_media_sequence, kept.end_media_sequence))


# Long ones


async def test_days_never_hold_up_the_loop(serve: Serve, days_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a million segments are found and rendered in another thread than the loop's."""
    threads: list[threading.Thread] = []

    def noting(work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **keywords: Any) -> Any:
            threads.append(threading.current_thread())
            return work(*arguments, **keywords)

        return noted

    for name in ("spans_between", "media_playlist"):
        monkeypatch.setattr(range_playlist, name, noting(getattr(range_playlist, name)))
    serving = await serve(days_config)
    answer = await serving.ask("/hls/porch/timeline.m3u8?from=0", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(threads) == 2
    assert threading.current_thread() not in threads
    text = await serving.text("/hls/porch/timeline.m3u8?from=0")
    assert numbers_in(text) == list(range(518_400))
