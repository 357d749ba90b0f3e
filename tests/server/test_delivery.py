"""Delivery directives (RFC 8216bis 6.2.5): each rule of the draft, of the live playlist and of a timeline that grows.

The archive is recorded once more, a segment at a time, on a clock that stands still.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.domain.config import Config
from hlscam.server import holding, timelines
from hlscam.server.range_playlist import Found, rendered
from tests.rig.playlist_lint import lint, number_of
from tests.server.replay import Replay
from tests.server.serving import Answer, Serve, Serving, at, make_config, problem_of
from tests.server.test_playlists import numbers_in
from tests.services.test_live import INIT, part

LIVE, TIMELINE = "/hls/gate/live.m3u8?", "/hls/gate/timeline.m3u8?from=0&"
both = pytest.mark.parametrize("path", [LIVE, TIMELINE], ids=["live", "timeline"])


@pytest.fixture
async def growing(serve: Serve, archive_folder: Path) -> Replay:
    return Replay(await serve(make_config(archive_folder)), missing=2)


def listed(answer: Answer) -> list[int]:
    assert answer.status == 200, answer
    return numbers_in(answer.body.decode())


# What players are told


@both
async def test_the_skip_boundary_is_six_target_durations(growing: Replay, path: str) -> None:
    """4.4.3.8: at least so much, and reloads may be blocked."""
    text = await growing.serving.text(path)
    assert "CAN-BLOCK-RELOAD=YES" in text
    assert number_of(text, "CAN-SKIP-UNTIL") == 6 * number_of(text, "TARGETDURATION")


@pytest.mark.parametrize(
    "path",
    [
        LIVE + "gaps=1&",
        TIMELINE + "gaps=1&",
        TIMELINE + "opened=0&",
        "/hls/gate/timeline.m3u8?from=0&to=1900000000&",
    ],
    ids=["live with gaps", "timeline with gaps", "an opened one", "an ended one"],
)
async def test_what_is_not_offered_is_not_done(serving: Serving, path: str) -> None:
    """6.2.5: a playlist without EXT-X-SERVER-CONTROL is answered at once and whole, and so is one that has an end."""
    if "to=" in path:
        path = path.replace("1900000000", at(serving.last_us))
    text = await serving.text(path)
    assert "#EXT-X-SERVER-CONTROL" not in text
    assert await serving.text(f"{path}_HLS_msn={serving.last_number + 1}&_HLS_skip=YES") == text


# Blocking reloads (6.2.5.2)


@both
async def test_what_is_listed_is_answered_at_once(growing: Replay, path: str) -> None:
    for number in (0, growing.newest - 1, growing.newest):
        assert listed(await growing.serving.ask(f"{path}_HLS_msn={number}"))[-1] == growing.newest


@both
@pytest.mark.parametrize("ahead", [1, 2])
async def test_what_comes_next_is_waited_for(growing: Replay, path: str, ahead: int) -> None:
    """The answer has the segment that was asked for, and is the same that everybody gets then."""
    wanted = growing.newest + ahead
    task = await growing.held(f"{path}_HLS_msn={wanted}")
    for _ in range(ahead):
        assert not task.done()
        growing.grow()
    answer = await task
    assert listed(answer)[-1] == wanted
    assert answer.body.decode() == await growing.serving.text(path)


@both
async def test_many_who_wait_have_one_timer(growing: Replay, path: str) -> None:
    tasks = [await growing.held(f"{path}_HLS_msn={growing.newest + 1}") for _ in range(20)]
    assert growing.serving.clock.sleeping == 1
    growing.grow()
    assert {listed(answer)[-1] for answer in await asyncio.gather(*tasks)} == {growing.newest}


@both
async def test_a_camera_that_stalls_gets_the_same_playlist_after_a_while(growing: Replay, path: str) -> None:
    """Where the draft says 503: hls.js, VLC and ffmpeg go on after an outage when it is 200 with what was there."""
    before = await growing.serving.text(path)
    task = await growing.held(f"{path}_HLS_msn={growing.newest + 1}")
    clock = growing.serving.clock
    for _ in range(8):
        await clock.wait_sleeping(1)
        assert not task.done()
        clock.advance(1)
    answer = await task
    assert (answer.status, answer.body.decode()) == (200, before)
    assert answer.headers["cache-control"] == "public, max-age=0"


@both
@pytest.mark.parametrize(
    ("directives", "detail"),
    [
        ("_HLS_part=1", "`_HLS_part` is the number of a part of the segment `_HLS_msn`, which is missing"),
        ("_HLS_msn=x", "`_HLS_msn` is the media sequence"),
        ("_HLS_msn=-1", "`_HLS_msn` is the media sequence"),
        ("_HLS_msn=1&_HLS_part=x", "`_HLS_part` is a number"),
        ("_HLS_msn=99999999999", "segment 99999999999 is too far ahead"),
        ("_HLS_skip=perhaps", "`_HLS_skip` is YES or v2"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused(growing: Replay, path: str, directives: str, detail: str) -> None:
    """400, at once."""
    answer = await growing.serving.ask(path + directives)
    assert answer.status == 400
    assert detail in problem_of(answer)["detail"]


@both
async def test_three_segments_ahead_is_too_far(growing: Replay, path: str) -> None:
    answer = await growing.serving.ask(f"{path}_HLS_msn={growing.newest + 3}")
    expected = f"segment {growing.newest + 3} is too far ahead: the newest is {growing.newest}"
    assert (answer.status, problem_of(answer)["detail"]) == (400, expected)


async def test_a_part_beyond_the_advance_part_limit_is_refused(growing: Replay) -> None:
    """The first of either segment to come is waited for, and what is of a segment that is whole is answered."""
    wanted = growing.newest + 1
    for segment in (wanted, wanted + 1):
        answer = await growing.serving.ask(f"{LIVE}_HLS_msn={segment}&_HLS_part=99")
        assert (answer.status, problem_of(answer)["detail"]) == (400, f"part 99 of segment {segment} is too far ahead")
    tasks = [await growing.held(f"{LIVE}_HLS_msn={segment}&_HLS_part=0") for segment in (wanted, wanted + 1)]
    assert listed(await growing.serving.ask(f"{LIVE}_HLS_msn={growing.newest}&_HLS_part=99"))[-1] == growing.newest
    growing.grow()
    growing.grow()
    assert {listed(each)[-1] for each in await asyncio.gather(*tasks)} == {growing.newest}


@both
async def test_directives_that_nobody_knows_are_ignored(growing: Replay, path: str) -> None:
    """6.2.5: `_HLS_` is reserved for what is yet to come."""
    assert await growing.serving.text(f"{path}_HLS_later=1") == await growing.serving.text(path)


@pytest.mark.parametrize("part", [0, 99])
async def test_a_part_of_a_timeline_is_in_its_segment(growing: Replay, part: int) -> None:
    """A timeline has no parts: it has one when it has the segment."""
    task = await growing.held(f"{TIMELINE}_HLS_msn={growing.newest + 1}&_HLS_part={part}")
    growing.grow()
    assert listed(await task)[-1] == growing.newest


async def test_players_count_on_where_a_power_cut_took_numbers(serve: Serve, own_folder: Path) -> None:
    """What they ask for is the number that they have come to, and not the segment's own."""
    serving = await serve(make_config(own_folder))
    second = [each for each in serving.recordings if each.run == serving.recordings[-1].run]
    for each in second:
        await serving.services.catalog.remove_recording("gate", each.name)
    later = [replace(each, first_media_sequence=each.first_media_sequence + 20) for each in second]
    await serving.services.catalog.put_recordings(later)
    serving = replace(serving, recordings=[*serving.recordings[: -len(second)], *later])
    growing = Replay(serving, missing=1)
    counted = len(listed(await serving.ask(TIMELINE)))
    task = await growing.held(f"{TIMELINE}_HLS_msn={serving.first_number + counted}")
    growing.grow()
    answer = await task
    assert listed(answer)[-1] == growing.newest
    assert len((await lint(answer.body.decode()))["segments"]) == counted + 1


async def test_nothing_is_hinted_at_that_a_power_cut_took(growing: Replay) -> None:
    """The next run begins with a higher number.

    Who waits for the part that was hinted at is told at once, and who waits for the playlist when it has more.
    """
    stream = Replay(growing.serving, missing=0).stream
    last = stream.recordings[-1]
    following, beyond = last.end_media_sequence, last.end_media_sequence + 60
    assert f'URI="{following}.0.m4s"' in await growing.serving.text(LIVE)
    hinted = await growing.held(f"/hls/gate/{following}.0.m4s")
    stream.publish_parts([part(beyond, 0)], INIT)
    assert (await hinted).status == 404
    text = await growing.serving.text(LIVE)
    assert "#EXT-X-PRELOAD-HINT" not in text
    assert (await lint(text))["segments"]
    reload = await growing.held(f"{LIVE}_HLS_msn={following}&_HLS_part=0")
    stream.publish(replace(last, name="next.mp4", first_media_sequence=beyond), INIT)
    assert listed(await reload)[0] == beyond


# Delta updates (6.2.5.1)


@pytest.fixture
async def days(serve: Serve, days_config: Config) -> Serving:
    """A day of live window, and twelve of timeline."""
    hls = days_config.hls.model_copy(update={"live_window_s": 86_400})
    serving = await serve(days_config.model_copy(update={"hls": hls}))
    serving.services.live.stream("porch").load(serving.recordings[-200:])
    return serving


@pytest.mark.parametrize("path", ["live.m3u8?", "timeline.m3u8?from={day_ago}&"], ids=["live", "timeline"])
@pytest.mark.parametrize("skip", ["YES", "v2"])
async def test_a_delta_update_leaves_out_what_is_before_the_skip_boundary(days: Serving, path: str, skip: str) -> None:
    """4.4.5.2: one EXT-X-SKIP stands for these segments and all that is said of them; the rest is the same."""
    path = "/hls/porch/" + path.format(day_ago=at(days.last_us - 86_400_000_000))
    whole, delta = await days.text(path), await days.text(f"{path}_HLS_skip={skip}")
    numbers, left = numbers_in(whole), numbers_in(delta)
    assert re.findall(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", delta) == [str(len(numbers) - len(left))]
    assert left == numbers[-len(left) :]
    boundary_s, target_s = number_of(whole, "CAN-SKIP-UNTIL"), number_of(whole, "TARGETDURATION")
    left_s = sum(map(float, re.findall(r"#EXTINF:([0-9.]+)", delta)))
    assert boundary_s <= left_s < boundary_s + target_s
    for name in ("TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "CAN-SKIP-UNTIL"):
        assert number_of(delta, name) == number_of(whole, name)
    assert whole.endswith(delta[delta.index(f"#EXTINF:{left_s / len(left):.6f}") :])
    assert delta.index("#EXT-X-MEDIA-SEQUENCE") < delta.index("#EXT-X-SKIP")
    assert number_of(delta, "EXT-X-VERSION") == 9
    assert len(delta) < len(whole) / 1000


@both
async def test_with_nothing_to_skip_it_is_whole(growing: Replay, path: str) -> None:
    """How much was recorded depends on when the archive was made: six segments of a second are no longer than that."""
    growing = Replay(growing.serving, missing=growing.serving.last_number - growing.serving.first_number - 5)
    assert await growing.serving.text(f"{path}_HLS_skip=YES") == await growing.serving.text(path)


# Caches (B.1)


@both
async def test_what_was_waited_for_is_kept_for_six_target_durations(growing: Replay, path: str) -> None:
    task = await growing.held(f"{path}_HLS_msn={growing.newest + 1}")
    growing.grow()
    answer = await task
    target_s = int(number_of(answer.body.decode(), "TARGETDURATION"))
    assert answer.headers["cache-control"] == f"public, max-age={6 * target_s}"
    assert (await growing.serving.ask(path)).headers["cache-control"] == "public, max-age=1"


async def test_what_is_listed_while_the_answer_is_written_is_not_in_it(
    growing: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the answer is not kept: it is without what was waited for."""
    wanted = growing.newest + 1
    monkeypatch.setattr(holding, "LONGEST_HOLD_S", 0)

    async def slowly_rendered(found: Found) -> str:
        text = await rendered(found)
        growing.grow()
        return text

    monkeypatch.setattr(timelines, "rendered", slowly_rendered)
    answer = await growing.serving.ask(f"{TIMELINE}_HLS_msn={wanted}")
    assert (listed(answer)[-1], growing.newest) == (wanted - 1, wanted)
    assert answer.headers["cache-control"] == "public, max-age=0"
