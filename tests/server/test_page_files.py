"""The page and its assets: from memory, with the headers that keep it safe."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.server.serving import Serve, make_config, problem_of

LOCKED = ["default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"]


async def test_the_page(serve: Serve, archive_folder: Path, page_folder: Path) -> None:
    site = await serve(make_config(archive_folder), page=page_folder)
    for path in ("/", "/index.html"):
        answer = await site.ask(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html")
        assert answer.body == (page_folder / "index.html").read_bytes()
        assert answer.headers["cache-control"] == "no-cache"


async def test_assets(serve: Serve, archive_folder: Path, page_folder: Path) -> None:
    site = await serve(make_config(archive_folder), page=page_folder)
    for name, kind, shrinks in [("index-1a2b.js", "text/javascript", True), ("dot-3c4d.png", "image/png", False)]:
        answer = await site.ask(f"/assets/{name}", Accept_Encoding="gzip")
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        assert ("content-encoding" in answer.headers) == shrinks
        body = gzip.decompress(answer.body) if shrinks else answer.body
        assert body == (page_folder / "assets" / name).read_bytes()
        assert "immutable" in answer.headers["cache-control"]


async def test_safe_headers(serve: Serve, archive_folder: Path, page_folder: Path) -> None:
    """Also on a 304, whose headers replace those that a browser has kept."""
    site = await serve(make_config(archive_folder), page=page_folder)
    etag = (await site.ask("/")).headers["etag"]
    for headers in ({}, {"If_None_Match": etag}):
        answer = await site.ask("/", **headers)
        policy = answer.headers["content-security-policy"]
        assert all(each in policy for each in LOCKED)
        assert "unsafe-eval" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_what_is_not_there(serve: Serve, archive_folder: Path, page_folder: Path) -> None:
    site = await serve(make_config(archive_folder), page=page_folder)
    for path in ("/assets/index-0000.js", "/assets/", "/assets", "/index.htm", "/favicon.ico"):
        answer = await site.ask(path)
        assert (answer.status, answer.headers["cache-control"]) == (404, "no-store"), path
        assert problem_of(answer)["detail"].endswith("(the page is at /)")


async def test_a_file_that_comes_later_is_not_served(serve: Serve, archive_folder: Path, page_folder: Path) -> None:
    site = await serve(make_config(archive_folder), page=page_folder)
    (page_folder / "later.txt").write_text("not part of the build")
    assert (await site.ask("/later.txt")).status == 404


async def test_without_a_built_page(serve: Serve, archive_folder: Path, tmp_path: Path) -> None:
    """The API and the streams work; whoever opens the page is told what to do."""
    (tmp_path / "empty").mkdir()
    for page in (tmp_path / "empty", tmp_path / "missing"):
        site = await serve(make_config(archive_folder), page=page)
        answer = await site.ask("/")
        assert answer.status == 404
        assert "run `make page`" in problem_of(answer)["detail"]
        assert (await site.ask("/hls/gate/live.m3u8")).status == 200
