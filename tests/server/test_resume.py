"""Where a viewer was, exactly: `after=` a segment comes the very next one, be it past, present or yet to come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hlscam.domain.camera_state import CameraState
from hlscam.domain.recording import EndReason
from hlscam.units import US_PER_S
from tests.rig.playlist_lint import lint, lint_all
from tests.server.replay import Replay
from tests.server.serving import Answer, Serve, Serving, at, make_config, noted, problem_of
from tests.server.test_playlists import numbers_in, segments_of


async def after(serving: Serving, number: int, rest: str = "") -> Answer:
    return await serving.ask(f"/hls/gate/timeline.m3u8?after={number}{rest}")


async def listed_after(serving: Serving, number: int, rest: str = "") -> list[int]:
    answer = await after(serving, number, rest)
    assert answer.status == 200, answer
    return numbers_in(answer.body.decode())


# What is there


async def test_it_begins_with_the_very_next_segment(serving: Serving) -> None:
    numbers = [number for number, _, _ in segments_of(serving.recordings)]
    texts = []
    for number in numbers[:-1]:
        answer = await after(serving, number)
        texts.append(answer.body.decode())
        assert numbers_in(texts[-1]) == [each for each in numbers if each > number]
    for number, playlist in zip(numbers, await lint_all(texts), strict=False):
        assert playlist["mediaSequence"] == number + 1
        assert (playlist["ended"], playlist["start"]) == (False, {"offset": 0, "precise": True})


async def test_it_says_the_same_as_from(serving: Serving) -> None:
    """Of every segment, whichever way a playlist begins with it."""
    for number, start, _ in segments_of(serving.recordings)[1:]:
        by_time = await serving.text(f"/hls/gate/timeline.m3u8?from={at(start)}")
        assert (await after(serving, number - 1)).body.decode() == by_time


async def test_before_the_oldest_it_begins_with_that(serving: Serving) -> None:
    numbers = [number for number, _, _ in segments_of(serving.recordings)]
    for number in (0, numbers[0] - 1):
        assert await listed_after(serving, number) == numbers


async def test_with_an_end(serving: Serving) -> None:
    segments = segments_of(serving.recordings)
    for at_first, at_last in [(1, 1), (1, 3), (2, len(segments) - 1)]:
        answer = await after(serving, segments[at_first - 1][0], f"&to={at(segments[at_last][2])}")
        playlist = await lint(answer.body.decode())
        expected = [number for number, _, _ in segments[at_first : at_last + 1]]
        assert [each["mediaSequence"] for each in playlist["segments"]] == expected
        assert (playlist["ended"], answer.headers["cache-control"]) == (True, "public, max-age=60")
    for number, to in [(segments[3][0], segments[4][1]), (serving.last_number, serving.last_us)]:
        answer = await after(serving, number, f"&to={at(to)}")
        assert (answer.status, "no footage in this range" in problem_of(answer)["detail"]) == (404, True)


async def test_what_is_gone_is_skipped(serve: Serve, own_folder: Path) -> None:
    """The oldest that is left behind it; its number tells how much is missing."""
    serving = await serve(make_config(own_folder))
    first, second, *rest = serving.recordings
    await serving.remove(second)
    numbers = [number for number, _, _ in segments_of(rest)]
    for number in (second.first_media_sequence - 1, second.first_media_sequence, second.end_media_sequence - 1):
        playlist = await lint((await after(serving, number)).body.decode())
        assert [each["mediaSequence"] for each in playlist["segments"]] == numbers
    left = [number for number, _, _ in segments_of([first])][1:] + numbers
    assert (await listed_after(serving, first.first_media_sequence))[0] == left[0]


async def test_opened_it_grows_at_the_pace_of_live(serving: Serving) -> None:
    """What VLC and ffmpeg are given."""
    numbers = [number for number, _, _ in segments_of(serving.recordings)][1:]
    multivariant = await lint(await serving.text(f"/hls/gate/index.m3u8?after={numbers[0] - 1}"))
    path = f"/hls/gate/{multivariant['variants'][0]['uri']}"
    shown = []
    for _ in range(2 * len(numbers)):
        shown.append(numbers_in(await serving.text(path)))
        serving.clock.advance(1)
    assert shown[0] == numbers[:3]
    assert shown[-1] == numbers
    assert all(each == numbers[: len(each)] for each in shown)


# What is yet to come


async def held(growing: Replay, number: int, rest: str = "") -> asyncio.Task[Answer]:
    return await growing.held(f"/hls/gate/timeline.m3u8?after={number}{rest}")


@pytest.fixture
async def growing(serve: Serve, archive_folder: Path) -> Replay:
    notes = noted(CameraState.RECORDING)
    return Replay(await serve(make_config(archive_folder), notes=lambda _: notes), missing=2)


@pytest.mark.parametrize("rest", ["", "&opened=0", "&gaps=1", "&to=9999999999"])
async def test_the_next_one_is_waited_for(growing: Replay, rest: str) -> None:
    newest = growing.newest
    task = await held(growing, newest, rest)
    growing.serving.clock.advance(7.9)
    growing.grow()
    answer = await task
    assert (answer.status, numbers_in(answer.body.decode())) == (200, [newest + 1])
    assert growing.serving.services.holding.held == 0


async def test_many_wait_for_the_same(growing: Replay) -> None:
    """With one timer."""
    tasks = [await held(growing, growing.newest) for _ in range(20)]
    assert growing.serving.clock.sleeping == 1
    growing.grow()
    answers = await asyncio.gather(*tasks)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


@pytest.mark.parametrize(
    ("last_error", "reason", "why"),
    [
        ("", None, ""),
        ("the camera refuses the connection", EndReason.UNREACHABLE, ": the camera refuses the connection"),
        ("", EndReason.DISABLED, ": Recording was switched off."),
    ],
)
async def test_it_is_not_waited_for_for_ever(
    serve: Serve, archive_folder: Path, last_error: str, reason: EndReason | None, why: str
) -> None:
    """Told before a player gives up by itself; and never is the last one listed again."""
    notes = noted(CameraState.WAITING, 0, last_error, gap_reason=reason)
    growing = Replay(await serve(make_config(archive_folder), notes=lambda _: notes), missing=1)
    task = await held(growing, growing.newest)
    growing.serving.clock.advance(8)
    answer = await task
    assert (answer.status, answer.headers["retry-after"], answer.headers["cache-control"]) == (503, "2", "no-store")
    assert problem_of(answer)["detail"] == f"camera 'gate' has not recorded segment {growing.newest + 1} yet{why}"


async def test_a_number_that_another_server_told_is_waited_for(growing: Replay) -> None:
    newest = growing.newest
    task = await held(growing, newest + 1)
    growing.grow()
    growing.grow()
    assert numbers_in((await task).body.decode()) == [newest + 2]


async def test_behind_numbers_that_a_power_cut_took_a_viewer_goes_on(serve: Serve, own_folder: Path) -> None:
    """What was seen is no longer there, and the next run begins beyond it."""
    serving = await serve(make_config(own_folder))
    *before, last = serving.recordings
    growing = Replay(serving, missing=len(last.segments))
    seen = last.first_media_sequence + 7
    task = await held(growing, seen)
    later = replace(last, first_media_sequence=seen + 20)
    await serving.services.catalog.remove_recording("gate", last.name)
    growing.stream.load([*before, later])
    numbers = numbers_in((await task).body.decode())
    assert numbers == list(range(later.first_media_sequence, later.end_media_sequence))


async def test_a_number_of_the_far_future_never_was(growing: Replay) -> None:
    for ahead in (31, 1000, 10**17):
        for playlist in ("timeline", "index"):
            answer = await growing.serving.ask(f"/hls/gate/{playlist}.m3u8?after={growing.newest + ahead}")
            assert answer.status == 404
            expected = f"no segment {growing.newest + ahead} yet: its newest is {growing.newest}"
            assert expected in problem_of(answer)["detail"]
    assert (await growing.serving.ask(f"/hls/gate/index.m3u8?after={growing.newest}")).status == 200


# A clock that was set back


async def test_from_a_time_that_the_clock_has_not_reached_again(serving: Serving) -> None:
    """Footage is where it was: the host's clock has been set back, and the camera's own time goes on."""
    serving.clock.step_wall(-86_400)
    for number, start, _ in segments_of(serving.recordings):
        for playlist in ("timeline", "index"):
            assert (await serving.ask(f"/hls/gate/{playlist}.m3u8?from={at(start)}")).status == 200
        text = await serving.text(f"/hls/gate/timeline.m3u8?from={at(start)}")
        assert numbers_in(text)[0] == number
    assert (await serving.ask(f"/hls/gate/timeline.m3u8?from={at(serving.last_us + 61 * US_PER_S)}")).status == 400
