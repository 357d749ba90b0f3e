"""What holds for every route: types, caching, validators, HEAD, OPTIONS, methods, and that no URL becomes a path."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.config import Config
from hlscam.units import US_PER_S
from tests.server.serving import CAMERA, Answer, Serve, Serving, at, make_config, problem_of

MPEGURL, MP4, JPEG, JSON, PROBLEM = (
    "application/vnd.apple.mpegurl",
    "video/mp4",
    "image/jpeg",
    "application/json",
    "application/problem+json",
)
IMMUTABLE = "public, max-age=31536000, immutable"
ROUTES = {
    "/hls/gate/index.m3u8": (MPEGURL, "public, max-age=1"),
    "/hls/gate/live.m3u8": (MPEGURL, "public, max-age=1"),
    "/hls/gate/timeline.m3u8?from=0": (MPEGURL, "public, max-age=1"),
    "/hls/gate/timeline.m3u8?from=0&to={last}": (MPEGURL, "public, max-age=60"),
    "/hls/gate/{number}.m4s": (MP4, IMMUTABLE),
    "/hls/gate/init-{hash}.mp4": (MP4, IMMUTABLE),
    "/recordings/gate/{name}": (MP4, "public, max-age=3600"),
    "/api/v1/cameras": (JSON, "no-store"),
    "/api/v1/cameras/gate": (JSON, "no-store"),
    "/api/v1/cameras/gate/recordings": (JSON, "no-store"),
    "/api/v1/cameras/gate/recordings/at?time={last_but_1ms}": (JSON, "no-store"),
    "/api/v1/cameras/gate/timeline?from={last_but_1ms}": (JSON, "no-store"),
    "/api/v1/cameras/gate/snapshot.jpg": (JPEG, "public, max-age=1"),
    "/api/v1/cameras/gate/snapshot.jpg?time={last_but_1ms}": (JPEG, IMMUTABLE),
    "/api/v1/status": (JSON, "no-store"),
    "/healthz": (JSON, "no-store"),
    "/readyz": (JSON, "no-store"),
    "/": ("text/html", "no-cache"),
    "/assets/index-1a2b.js": ("text/javascript", IMMUTABLE),
}
ERRORS = ["/nothing", "/hls/attic/live.m3u8", "/hls/gate/timeline.m3u8", "/hls/shed/live.m3u8"]
WITH_VALIDATOR = [route for route, (kind, _) in ROUTES.items() if kind != JSON]
CHANGES_BY_ITSELF = ("date",)


@pytest.fixture
async def site(serve: Serve, archive_folder: Path, page_folder: Path) -> Serving:
    return await serve(make_config(archive_folder), page=page_folder)


def filled_in(route: str, serving: Serving) -> str:
    newest = serving.recordings[-1]
    return route.format(
        number=newest.first_media_sequence,
        hash=newest.init_hash,
        name=newest.name,
        last=at(serving.last_us),
        last_but_1ms=at(serving.last_us - 1000),
    )


def lasting(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in CHANGES_BY_ITSELF}


@pytest.mark.parametrize("route", ROUTES)
async def test_type_and_caching(site: Serving, route: str) -> None:
    answer = await site.ask(filled_in(route, site))
    kind, caching = ROUTES[route]
    assert (answer.status, answer.headers["content-type"].split(";")[0], answer.headers["cache-control"]) == (
        200,
        kind,
        caching,
    )
    assert len(answer.body) == int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("accepted", ["", "gzip"])
async def test_head_is_get_without_a_body(site: Serving, accepted: str) -> None:
    for path in [*ROUTES, *ERRORS]:
        path = filled_in(path, site)
        got = await site.ask(path, Accept_Encoding=accepted)
        asked = await site.ask(path, method="HEAD", Accept_Encoding=accepted)
        assert (asked.status, lasting(asked), asked.body) == (got.status, lasting(got), b""), path
        assert (got.status >= 400) == (path in ERRORS)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_client_that_has_it_gets_304(site: Serving, method: str) -> None:
    for route in WITH_VALIDATOR:
        path = filled_in(route, site)
        first = await site.ask(path)
        etag = first.headers["etag"]
        for header in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            again = await site.ask(path, method=method, If_None_Match=header)
            assert (again.status, again.body) == (304, b""), (path, header)
            for name in ("etag", "cache-control", "vary"):  # RFC 9110 15.4.5: what a 200 would have said
                assert again.headers[name] == first.headers[name], (path, name)
        changed = await site.ask(path, method=method, If_None_Match='"other"')
        assert changed.status == 200


async def test_segments_have_strong_validators_and_playlists_weak_ones(site: Serving) -> None:
    for route, (kind, _) in ROUTES.items():
        answer = await site.ask(filled_in(route, site))
        if kind != JSON:
            assert answer.headers["etag"].startswith("W/") == (kind not in (MP4, JPEG)), route


@pytest.mark.parametrize(
    ("accepted", "gzipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("br, gzip; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("identity", False),
        ("xgzip", False),
        ("", False),
    ],
)
async def test_gzip_for_whoever_takes_it(
    serve: Serve, days_config: Config, page_folder: Path, accepted: str, gzipped: bool
) -> None:
    site = await serve(days_config, page=page_folder)
    timelines = [
        f"/hls/porch/timeline.m3u8?from={at(site.last_us - seconds * US_PER_S)}&to={at(site.last_us)}"
        for seconds in (300, 7200)
    ]
    for path in (*timelines, "/assets/index-1a2b.js", "/"):
        plain = await site.ask(path)
        answer = await site.ask(path, Accept_Encoding=accepted)
        assert answer.headers.get("content-encoding", "") == ("gzip" if gzipped else ""), path
        assert (gzip.decompress(answer.body) if gzipped else answer.body) == plain.body
        assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding, Origin"
        assert answer.headers["etag"] == plain.headers["etag"]
    short, long = [len(await site.text(path)) for path in timelines]
    assert short < 32 * 1024 < long, "one is compressed once for all, the other for each"


async def test_media_is_never_compressed_and_vary_is_said_once(site: Serving) -> None:
    for route, (kind, _) in ROUTES.items():
        answer = await site.ask(filled_in(route, site), Accept_Encoding="gzip, deflate, br")
        varies = [name.strip() for name in answer.headers["vary"].split(",")]
        assert sorted(varies) == (["Origin"] if kind in (MP4, JPEG, JSON) else ["Accept-Encoding", "Origin"]), route
        assert kind not in (MP4, JPEG) or "content-encoding" not in answer.headers


async def test_options_of_anything(site: Serving) -> None:
    for path in [*ROUTES, *ERRORS]:
        answer = await site.ask(filled_in(path, site), method="OPTIONS", Origin="http://localhost:5173")
        assert (answer.status, answer.body) == (204, b""), path
        assert answer.headers["allow"] == answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
        assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(site: Serving, method: str) -> None:
    for path in [*ROUTES, *ERRORS]:
        answer = await site.ask(filled_in(path, site), method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS"), path
        assert problem_of(answer)["status"] == 405


async def test_no_version_is_told(site: Serving) -> None:
    for path in [*ROUTES, *ERRORS]:
        assert (await site.ask(filled_in(path, site))).headers["server"] == "hlscam", path


def _traversals() -> list[str]:
    """Ways to say "the file outside", from plain to odd."""
    ways = ["../secret.mp4", "../../secret.mp4", "/etc/passwd", "..\\secret.mp4", "x/../../secret.mp4"]
    encoded = [quote(way, safe="") for way in ways]
    twice = [quote(way, safe="") for way in encoded]
    odd = ["%00", "secret.mp4%00.mp4", "..%c0%afsecret.mp4", "%ff%fe", "%E2%80%AE", "é".encode().hex("%"), "%0d%0aX: 1"]
    odd += ["..;/secret.mp4", "%2e%2e/%2e%2e/secret.mp4", "~root", "CON", "a" * 4000, "%F0%9F%8E%A5", "{camera}"]
    return [*ways, *encoded, *twice, *odd]


async def test_no_url_reaches_the_file_system(serve: Serve, own_folder: Path, page_folder: Path) -> None:
    site = await serve(make_config(own_folder), page=page_folder)
    for folder in (own_folder.parent, own_folder, page_folder.parent):
        (folder / "secret.mp4").write_bytes(b"only for the owner")
    (own_folder / CAMERA / "secret.mp4").write_bytes(b"only for the owner")  # not in the catalog, so not ours to show
    places = ["/{}", "/assets/{}", "/hls/{}", "/hls/{}/live.m3u8", "/hls/gate/{}", "/hls/gate/{}.m4s"]
    places += [
        "/hls/gate/init-{}.mp4",
        "/hls/{}/1.m4s",
        "/recordings/{}",
        "/recordings/gate/{}",
        "/recordings/{}/x.mp4",
    ]
    places += [
        "/recordings/{}/x.mp4",
        "/recordings/gate/{}.mp4",
        "/api/v1/cameras/{}",
        "/api/v1/cameras/{}/snapshot.jpg",
        "/api/v1/cameras/{}/recordings",
    ]
    for place in places:
        for way in [*_traversals(), "secret", "secret.mp4", "../catalog.sqlite3"]:
            answer = await site.raw(place.format(way).encode("utf-8", "surrogateescape"))
            assert answer.status in (400, 404), (place, way, answer)
            assert b"only for the owner" not in answer.body, (place, way)
            assert answer.status == 400 or json.loads(answer.body)["status"] == 404


async def test_unknown_cameras_leave_nothing_behind(site: Serving) -> None:
    """Whoever tries names must not make the server grow."""
    before = len(site.services.live._streams)
    for each in range(20):
        for route in ("live.m3u8", "index.m3u8", "timeline.m3u8?from=0", "1.m4s", "init-0123456789abcdef.mp4"):
            assert (await site.ask(f"/hls/guess{each}/{route}")).status == 404
        assert (await site.ask(f"/recordings/guess{each}/x.mp4")).status == 404
        assert (await site.ask(f"/api/v1/cameras/guess{each}")).status == 404
        assert (await site.ask(f"/api/v1/cameras/guess{each}/snapshot.jpg")).status == 404
    assert len(site.services.live._streams) == before


async def test_a_fault_of_ours_is_logged_and_not_shown(
    serve: Serve, archive_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(camera: str) -> CameraNotes:
        raise ZeroDivisionError("inner workings")

    site = await serve(make_config(archive_folder), notes=broken)
    answer = await site.ask("/api/v1/cameras", Origin="http://localhost")
    assert problem_of(answer) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "this is a fault of the server; its log says more",
    }
    assert answer.headers["access-control-allow-origin"] == "http://localhost"
    assert "ZeroDivisionError: inner workings" in caplog.text
    assert (await site.ask("/healthz")).status == 200


async def test_one_connection_carries_many_requests(site: Serving) -> None:
    """Errors included: a problem document does not cost the connection."""
    reader, writer = await asyncio.open_connection(site.client.server.host, site.client.server.port)
    for target, status in [(b"/healthz", b"200"), (b"/nothing", b"404"), (b"/hls/gate/timeline.m3u8", b"400")] * 2:
        writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == status
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        await reader.readexactly(int(length.split()[1]))
    writer.close()
    await writer.wait_closed()


async def test_a_catalog_that_is_gone_is_503(serve: Serve, own_folder: Path) -> None:
    site = await serve(make_config(own_folder))
    assert (await site.ask("/readyz")).status == 200
    await site.services.catalog.close()
    for path in ("/readyz", "/api/v1/cameras", "/hls/gate/timeline.m3u8?from=0"):
        answer = await site.ask(path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2"), path
        assert problem_of(answer)["detail"] == "the catalog is closed"
    assert (await site.ask("/healthz")).status == 200


async def test_what_is_not_up_yet_is_told(serve: Serve, archive_folder: Path) -> None:
    site = await serve(make_config(archive_folder), not_ready="camera gate is starting")
    answer = await site.ask("/readyz")
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "camera gate is starting"})
