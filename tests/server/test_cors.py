"""Whose pages may read the server: on success and on every kind of error alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlscam.server.cors import Cors
from tests.server.serving import Serve, Serving, make_config

LOOPBACK = ["http://localhost", "https://localhost:5173", "http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:3"]
FOREIGN = [
    "http://example.org",
    "http://192.168.1.20",
    "http://localhost.example.org",
    "http://127.0.0.1.example.org",
    "http://localhost@example.org",
    "http://example.org#localhost",
    "http://0.0.0.0",
    "null",
    "",
    "localhost",
    "http://localhost:port",
    "http://[::1",
    "file://",
]
KINDS = {
    "/healthz": 200,
    "/hls/gate/live.m3u8": 200,
    "/nothing": 404,
    "/hls/gate/1.m4s": 404,
    "/hls/gate/timeline.m3u8": 400,
    "/hls/shed/live.m3u8": 503,
}


@pytest.mark.parametrize("origin", LOOPBACK)
def test_pages_of_this_machine_may_read(origin: str) -> None:
    assert Cors([]).allows(origin)


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_others_may_not(origin: str) -> None:
    assert not Cors([]).allows(origin)
    assert not Cors(["https://home.example.org"]).allows(origin)


@pytest.mark.parametrize("configured", ["https://home.example.org", "https://home.example.org/", "*"])
def test_unless_they_are_named(configured: str) -> None:
    cors = Cors([configured])
    assert cors.allows("https://home.example.org")
    assert cors.allows("http://localhost")
    assert cors.allows("http://home.example.org") == (configured == "*")  # another scheme is another origin


async def ask_all(serving: Serving, origin: str) -> list[str | None]:
    """Access-Control-Allow-Origin of every kind of answer."""
    said: list[str | None] = []
    for path, status in KINDS.items():
        answer = await serving.ask(path, Origin=origin)
        assert answer.status == status, path
        assert "Origin" in answer.headers["vary"]
        exposed = answer.headers.get("access-control-expose-headers", "")
        said.append(answer.headers.get("access-control-allow-origin"))
        assert ("Content-Range" in exposed) == (said[-1] is not None)
    for method in ("POST", "OPTIONS"):
        answer = await serving.ask("/hls/gate/live.m3u8", method=method, Origin=origin)
        assert answer.status == {"POST": 405, "OPTIONS": 204}[method]
        said.append(answer.headers.get("access-control-allow-origin"))
    live = await serving.ask("/hls/gate/live.m3u8")
    answer = await serving.ask("/hls/gate/live.m3u8", Origin=origin, If_None_Match=live.headers["etag"])
    assert answer.status == 304
    number = serving.recordings[-1].name
    answer = await serving.ask(f"/recordings/gate/{number}", Origin=origin, Range="bytes=999999999-")
    assert answer.status == 416
    return [*said, answer.headers.get("access-control-allow-origin")]


@pytest.mark.parametrize(
    ("configured", "origin", "allowed"),
    [
        ([], "http://localhost:5173", True),
        ([], "https://home.example.org", False),
        (["https://home.example.org"], "https://home.example.org", True),
        (["https://home.example.org"], "https://away.example.org", False),
        (["*"], "https://anybody.example.org", True),
    ],
)
async def test_every_answer_says_so(
    serve: Serve, archive_folder: Path, configured: list[str], origin: str, allowed: bool
) -> None:
    serving = await serve(make_config(archive_folder, cors_origins=configured))
    assert set(await ask_all(serving, origin)) == {origin if allowed else None}


async def test_without_an_origin_nothing_is_said(serving: Serving) -> None:
    answer = await serving.ask("/healthz")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_preflight_allows_what_is_asked(serving: Serving) -> None:
    answer = await serving.ask(
        "/hls/gate/live.m3u8",
        method="OPTIONS",
        Origin="http://localhost",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="range, x-own",
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "range, x-own"
    assert int(answer.headers["access-control-max-age"]) > 0
