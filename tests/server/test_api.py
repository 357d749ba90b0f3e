"""The JSON API over a known archive: what it says, how it pages, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hlscam import __version__
from hlscam.domain.camera_notes import ClockFacts
from hlscam.domain.camera_state import CameraState
from hlscam.domain.config import Config
from hlscam.domain.recording import EndReason, Recording
from hlscam.units import US_PER_S
from tests.server.serving import Serve, Serving, at, make_config, noted, problem_of, shown


def as_told(recording: Recording) -> dict[str, object]:
    """A closed recording as the API is expected to write it."""
    media = recording.media
    return {
        "name": recording.name,
        "url": f"/recordings/gate/{recording.name}",
        "start": shown(recording.start_wall_us),
        "end": shown(recording.end_wall_us),
        "duration_s": round((recording.end_wall_us - recording.start_wall_us) / US_PER_S, 3),
        "bytes": recording.size_bytes,
        "run": recording.run,
        "first_media_sequence": recording.first_media_sequence,
        "segments": len(recording.segments),
        "discontinuity_sequence": recording.discontinuity_sequence,
        "end_reason": str(recording.end_reason),
        "gap_reason": str(recording.gap_reason) if recording.gap_reason else None,
        "video": {
            "codec": media.video_codec,
            "width": 320,
            "height": 180,
            "frame_rate": media.frame_rate,
            "bit_rate_bps": media.bit_rate_bps,
        },
        "audio": {"codec": "mp4a.40.2", "sample_rate_hz": 48000, "channels": 1},
    }


async def test_cameras(serve: Serve, archive_folder: Path) -> None:
    notes = {
        "gate": noted(CameraState.RECORDING, clock=ClockFacts(error_us=12_345, drift_ppb=-4_060)),
        "shed": noted(CameraState.WAITING, US_PER_S, "no route to 192.168.1.20", gap_reason=EndReason.UNREACHABLE),
    }
    serving = await serve(make_config(archive_folder), notes=notes.get)
    gate, shed = (await serving.json("/api/v1/cameras"))["cameras"]
    newest = as_told(serving.recordings[-1])
    assert gate == {
        "id": "gate",
        "name": "Garden gate",
        "state": "recording",
        "state_since": "1970-01-01T00:00:00.000Z",
        "last_error": None,
        "gap_reason": None,
        "clock": {"error_ms": 12.3, "drift_ppm": -4.1},
        "playlist": "/hls/gate/index.m3u8",
        "first": shown(serving.first_us),
        "last": shown(serving.last_us),
        "media_sequence": serving.recordings[-1].end_media_sequence - 1,
        "recordings": len(serving.recordings),
        "bytes": sum(each.size_bytes for each in serving.recordings),
        "video": newest["video"],
        "audio": newest["audio"],
    }
    assert (shed["name"], shed["state"], shed["last_error"]) == ("shed", "waiting", "no route to 192.168.1.20")
    assert (shed["first"], shed["last"], shed["recordings"], shed["bytes"], shed["video"]) == (None, None, 0, 0, None)
    assert (shed["gap_reason"], shed["clock"], shed["media_sequence"]) == ("unreachable", None, None)
    for each in (gate, shed):
        assert await serving.json(f"/api/v1/cameras/{each['id']}") == each


async def test_a_camera_that_is_configured_no_more(serve: Serve, archive_folder: Path) -> None:
    config = make_config(archive_folder)
    serving = await serve(config.model_copy(update={"cameras": {}}), notes=lambda _: None)
    (gate,) = (await serving.json("/api/v1/cameras"))["cameras"]
    assert (gate["id"], gate["name"], gate["state"]) == ("gate", "gate", "disabled")
    assert gate["recordings"] == len(serving.recordings)


async def test_recordings(serving: Serving) -> None:
    said = await serving.json("/api/v1/cameras/gate/recordings")
    assert said == {"recordings": [as_told(each) for each in serving.recordings], "next": None}
    for each in said["recordings"]:
        assert (await serving.ask(each["url"], method="HEAD")).headers["content-length"] == str(each["bytes"])


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_pages_hold_each_recording_once(serving: Serving, limit: int) -> None:
    names, cursor = [], ""
    while True:
        page = await serving.json(f"/api/v1/cameras/gate/recordings?limit={limit}{cursor}")
        assert 0 < len(page["recordings"]) <= limit
        names += [each["name"] for each in page["recordings"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == [each.name for each in serving.recordings]


async def test_a_page_is_a_hundred_unless_asked(serve: Serve, days_config: Config) -> None:
    serving = await serve(days_config)
    path = "/api/v1/cameras/porch/recordings"
    assert len((await serving.json(path))["recordings"]) == 100
    assert len((await serving.json(f"{path}?limit=1000"))["recordings"]) == 1000
    assert len((await serving.json(f"{path}?limit=1000&from={at(serving.last_us - US_PER_S)}"))["recordings"]) == 1


async def test_recordings_of_a_range(serving: Serving) -> None:
    """Half-open, and those that overlap it: also those that began before it."""
    first, second, *_ = serving.recordings
    hole_start, hole_end = serving.hole_us
    for from_, to, expected in [
        (first.start_wall_us, first.end_wall_us, [first]),
        (first.end_wall_us - 1, first.end_wall_us + 1, [first, second]),
        (first.end_wall_us, second.end_wall_us, [second]),
        (0, serving.first_us, []),
        (0, serving.first_us + 1, [first]),
        (hole_start, hole_end, []),
        (serving.last_us, serving.last_us + 1, []),
    ]:
        said = await serving.json(f"/api/v1/cameras/gate/recordings?from={at(from_)}&to={at(to)}")
        assert [each["name"] for each in said["recordings"]] == [each.name for each in expected]
    since = await serving.json(f"/api/v1/cameras/gate/recordings?from={at(hole_start)}")
    assert [each["run"] for each in since["recordings"]] == [
        each.run for each in serving.recordings if each.run != first.run
    ]
    empty = await serving.json("/api/v1/cameras/shed/recordings")
    assert empty == {"recordings": [], "next": None}


async def test_recording_at_a_time(serving: Serving) -> None:
    for each in serving.recordings:
        for moment in (each.start_wall_us, (each.start_wall_us + each.end_wall_us) // 2, each.end_wall_us - 1):
            said = await serving.json(f"/api/v1/cameras/gate/recordings/at?time={at(moment)}")
            assert said == {**as_told(each), "offset_s": round((moment - each.start_wall_us) / US_PER_S, 3)}
    hole_start, hole_end = serving.hole_us
    for moment in (0, serving.first_us - 1, hole_start, hole_end - 1, serving.last_us, serving.clock.wall_us()):
        answer = await serving.ask(f"/api/v1/cameras/gate/recordings/at?time={at(moment)}")
        assert answer.status == 404
        assert shown(moment) in problem_of(answer)["detail"]


async def test_timeline(serving: Serving) -> None:
    """Recordings of a run are one span, the hole between two a gap, and all is cut to the range."""
    hole_start, hole_end = serving.hole_us
    runs = list(dict.fromkeys(each.run for each in serving.recordings))
    first, second = (serving.first_us, hole_start), (hole_end, serving.last_us)
    near, far = serving.first_us + 1, hole_end + 5000
    for from_, to, spans, gaps in [
        (serving.first_us - US_PER_S, None, [first, second], [(hole_start, hole_end)]),
        (near, far, [(near, hole_start), (hole_end, far)], [(hole_start, hole_end)]),
        (hole_start, hole_end, [], [(hole_start, hole_end)]),
        (hole_start + 5000, hole_end - 5000, [], [(hole_start + 5000, hole_end - 5000)]),
        (hole_start - 5000, hole_end, [(hole_start - 5000, hole_start)], [(hole_start, hole_end)]),
        (hole_end - 5000, far, [(hole_end, far)], [(hole_end - 5000, hole_end)]),
        (hole_start - 5000, hole_start, [(hole_start - 5000, hole_start)], []),
        (hole_end, far, [(hole_end, far)], []),
        (0, serving.first_us - 1, [], []),
        (serving.last_us, None, [], []),
    ]:
        query = f"from={at(max(from_, serving.first_us - US_PER_S))}" + (f"&to={at(to)}" if to else "")
        if from_ == 0:
            query = f"from={at(serving.first_us - 3600 * US_PER_S)}&to={at(serving.first_us - 1)}"
        said = await serving.json(f"/api/v1/cameras/gate/timeline?{query}")
        assert said == {
            "spans": [
                {"start": shown(start), "end": shown(end), "run": runs[start >= hole_end]} for start, end in spans
            ],
            "gaps": [
                {"start": shown(start), "end": shown(end), "reason": "stopped", "message": "The server was stopped."}
                for start, end in gaps
            ],
            "next": None,
        }, query


async def test_a_gap_says_what_the_recording_after_it_knows(serve: Serve, own_folder: Path) -> None:
    serving = await serve(make_config(own_folder))
    second = next(each for each in serving.recordings if each.run != serving.recordings[0].run)
    await serving.services.catalog.put_recording(replace(second, gap_reason=EndReason.AUTHENTICATION))
    serving.services.live.stream("gate").load([])
    said = await serving.json(f"/api/v1/cameras/gate/timeline?from={at(serving.first_us)}")
    assert [each["reason"] for each in said["gaps"]] == ["authentication"]
    listed = (await serving.json("/api/v1/cameras/gate/recordings"))["recordings"]
    assert [each["gap_reason"] for each in listed if each["gap_reason"]] == ["authentication"]


async def test_the_gap_that_lasts_has_no_end(serve: Serve, archive_folder: Path) -> None:
    """Unless the range ends before now: what is asked for yesterday does not change tomorrow."""
    down = noted(CameraState.WAITING, gap_reason=EndReason.UNREACHABLE)
    serving = await serve(make_config(archive_folder), notes=lambda _: down)
    last, now = serving.last_us, serving.clock.wall_us()
    for from_, to, start, end in [
        (last - 5000, None, last, None),
        (last - 5000, now + US_PER_S, last, None),
        (last + 5000, None, last + 5000, None),
        (last + 5000, now - 5000, last + 5000, now - 5000),
    ]:
        query = f"from={at(from_)}" + (f"&to={at(to)}" if to else "")
        said = await serving.json(f"/api/v1/cameras/gate/timeline?{query}")
        assert said["gaps"] == [
            {
                "start": shown(start),
                "end": end and shown(end),
                "reason": "unreachable",
                "message": "The camera could not be reached.",
            }
        ]
    for query in (f"from={at(last - 5000)}&to={at(last)}", f"from={at(now)}&to={at(now + 1)}", f"from={at(now + 1)}"):
        assert (await serving.json(f"/api/v1/cameras/gate/timeline?{query}"))["gaps"] == [], query
    assert (await serving.json(f"/api/v1/cameras/shed/timeline?from={at(last)}"))["gaps"] == [], "it never recorded"


async def test_footage_that_retention_removed_in_the_middle(serve: Serve, own_folder: Path) -> None:
    before = await serve(make_config(own_folder))
    first, removed, *_ = before.recordings
    await before.remove(removed)
    said = await before.json(f"/api/v1/cameras/gate/timeline?from={at(before.first_us)}")
    gap = said["gaps"][0]
    assert (gap["start"], gap["reason"]) == (shown(first.end_wall_us), None)
    assert gap["message"] == "What was recorded here is no longer there."


async def test_a_clock_that_was_set_back_hides_no_footage(serving: Serving) -> None:
    serving.clock.step_wall(-3600)
    newest = serving.recordings[-1]
    moment = newest.end_wall_us - 1000
    found = await serving.json(f"/api/v1/cameras/gate/recordings/at?time={at(moment)}")
    assert found["name"] == newest.name
    said = await serving.json(f"/api/v1/cameras/gate/timeline?from={at(moment)}")
    assert [(each["start"], each["end"]) for each in said["spans"]] == [(shown(moment), shown(newest.end_wall_us))]
    later = await serving.ask(f"/api/v1/cameras/gate/recordings/at?time={at(newest.end_wall_us + 61 * US_PER_S)}")
    assert later.status == 400


async def test_status(serve: Serve, archive_folder: Path) -> None:
    serving = await serve(make_config(archive_folder), notes={"gate": noted(CameraState.STARTING)}.get)
    number = serving.recordings[0].first_media_sequence
    for _ in range(3):
        await serving.ask(f"/hls/gate/{number}.m4s")
    said = await serving.json("/api/v1/status")
    assert (said["version"], said["time"]) == (__version__, shown(serving.clock.wall_us()))
    assert {each: told["state"] for each, told in said["cameras"].items()} == {"gate": "starting", "shed": "disabled"}
    assert (said["segment_cache"]["misses"], said["segment_cache"]["hits"]) == (1, 2)
    assert said["segment_cache"]["bytes"] > 0


async def test_health(serving: Serving) -> None:
    assert await serving.json("/healthz") == {"status": "ok"}
    assert await serving.json("/readyz") == {"status": "ready"}


FUTURE = "9999-01-01T00:00:00Z"


CANNOT_BE_ASKED = [
    *(f"recordings?limit={limit}" for limit in ("0", "-1", "1001", "x", "", "1.5", "1e3", "٣", "0000000109999")),
    *(f"recordings?cursor={cursor}" for cursor in ("x", "", "-1", "1.0", "9" * 19, "٣", "%00")),
    "recordings?from=10&to=10",
    "recordings?from=10&to=9",
    "recordings?from=noon",
    "recordings?to=noon",
    "recordings/at",
    "recordings/at?time=",
    "recordings/at?time=noon",
    "recordings/at?time=2026-11-22T22:10:00",
    f"recordings/at?time={FUTURE}",
    "timeline",
    "timeline?to=10",
    "timeline?from=noon",
    "timeline?from=10&to=10",
    "timeline?from=10&to=5",
    "timeline?from=0",
    "timeline?from=0&to=2764801",
    f"timeline?from=0&to={FUTURE}",
]


async def test_what_cannot_be_asked_is_400(serving: Serving) -> None:
    for path in CANNOT_BE_ASKED:
        answer = await serving.ask(f"/api/v1/cameras/gate/{path}")
        assert answer.status == 400, path
        problem = problem_of(answer)
        assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Bad Request", 400)
        assert problem["detail"]


async def test_thirty_two_days_may_be_asked(serving: Serving) -> None:
    assert await serving.json("/api/v1/cameras/gate/timeline?from=0&to=2764800") == {
        "spans": [],
        "gaps": [],
        "next": None,
    }


NOT_THERE = [
    "cameras/attic",
    "cameras/attic/recordings",
    "cameras/attic/recordings/at?time=0",
    "cameras/attic/timeline?from=0",
    "cameras/Gate",
    "cameras/",
    "cameras/gate/",
    "cameras/gate/recordings/",
    "cameras/gate/nothing",
    "nothing",
    "",
]


async def test_what_is_not_there_is_404(serving: Serving) -> None:
    for path in NOT_THERE:
        answer = await serving.ask(f"/api/v1/{path}")
        assert (answer.status, problem_of(answer)["title"]) == (404, "Not Found"), path


@pytest.mark.parametrize("time", ["{unix}", "{rfc}", "{rfc_offset}", "{rfc_space}", "%20{unix}%20"])
async def test_times_may_be_written_in_many_ways(serving: Serving, time: str) -> None:
    longest = max(serving.recordings, key=lambda each: each.end_wall_us - each.start_wall_us)
    second = longest.start_wall_us // US_PER_S + 1
    written = shown(second * US_PER_S).removesuffix("Z")
    times = {
        "unix": second,
        "rfc": f"{written}Z",
        "rfc_offset": f"{written}%2B00:00",
        "rfc_space": f"{written}+00:00",  # a plus that arrives as a space
    }
    said = await serving.json(f"/api/v1/cameras/gate/recordings/at?time={time.format(**times)}")
    assert said["name"] == longest.name
