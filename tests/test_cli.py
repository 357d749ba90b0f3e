"""The command line: what it says, where, and with which exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from hlscam import __version__
from hlscam.cli import main
from tests.rig.child import Child
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.paths import REPOSITORY
from tests.test_app import announced
from tests.test_logs import put_back

GOOD = """\
server: {port: 0}
archive: {path: archive}
cameras:
  porch: {source: "test:?size=128x96"}
"""


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of the command, in this process."""
    with put_back(), pytest.raises(SystemExit) as ended:
        main(argv)
    told = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, told.out, told.err


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


HELP = {
    (): ["run ", "check ", "reindex ", "examples:", "hlscam run --demo "],
    ("run",): ["--config", "--demo ", "--demo-folder", "--check-config", "--port"],
    ("check",): ["May run beside a recording server", "--config"],
    ("reindex",): ["The server must be stopped", "--config"],
    ("bench",): ["latency "],
    ("bench", "latency"): ["glass to glass", "--ways", "--part-duration", "--json", "examples:", "date error "],
}


@pytest.mark.parametrize("command", HELP, ids=lambda command: " ".join(command) or "hlscam")
def test_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *command, "--help")
    assert (code, err) == (0, "")
    said = " ".join(out.split()) + " "
    assert out.startswith(f"usage: {' '.join(('hlscam', *command))} ")
    for words in HELP[command]:
        assert " ".join(words.split()) in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"hlscam {__version__}\n", "")


@pytest.mark.parametrize("argv", [(), ("fly",), ("run", "--fast"), ("run", "--port", "http"), ("bench",)])
def test_bad_usage_ends_with_2(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("usage: hlscam")


def test_a_good_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "hlscam.yaml").write_text(GOOD)
    assert run(capsys, "run", "--check-config") == (0, "hlscam.yaml: good, 1 camera\n", "")
    two = GOOD + '  yard: {source: "rtsp://cam/1"}\n'
    (tmp_path / "two.yaml").write_text(two)
    assert run(capsys, "run", "-c", "two.yaml", "--check-config") == (0, "two.yaml: good, 2 cameras\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hlscam.yaml", "two.yaml"]  # it leaves no trace


BAD = """\
server: {prot: 8080}
archive: {recording_minutes: 7}
cameras:
  porch: {source: "rtps://viewer:hunter22@cam/1"}
"""


def test_a_bad_configuration_is_told_by_file_line_and_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    for argv in (("run", "-c", "bad.yaml", "--check-config"), ("run", "-c", "bad.yaml"), ("check", "-c", "bad.yaml")):
        code, out, err = run(capsys, *argv)
        assert (code, out) == (2, "")
        for place in (r"bad\.yaml:1:\d+: server\.prot", r"bad\.yaml:2:\d+: archive\.recording_minutes"):
            assert re.search(place, err)
        assert re.search(r"bad\.yaml:4:\d+: cameras\.porch\.source.*did you mean 'rtsps'", err)
        assert "hunter22" not in err


def test_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "run")
    assert (code, out) == (2, "")
    assert err.startswith("hlscam: hlscam.yaml: there is no such file\n  ")
    assert "hlscam run --demo" in err


def test_ports_are_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "hlscam.yaml").write_text(GOOD)
    for port in ("65536", "-1"):
        assert run(capsys, "run", "--port", port) == (2, "", f"hlscam: --port is 0 to 65535, not {port}\n")


def test_what_cannot_start_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "hlscam.yaml").write_text(GOOD)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "catalog.sqlite3").write_bytes(b"no database at all" * 100)
    code, out, err = run(capsys, "check")
    assert (code, out) == (1, "")
    assert re.search(r"hlscam: the catalog .* is not a SQLite database", err)
    assert "hlscam reindex" in err


def test_a_demo_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("a file")
    code, _, err = run(capsys, "run", "--demo")
    assert code == 1
    assert err.startswith(f"hlscam: the demo's folder {tmp_path / 'demo'} cannot be made: File exists\n")
    assert "--demo-folder" in err


async def test_the_demo(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    make_clip(tmp_path / "demo" / "garden.mp4", seconds=3, size="128x96", rate=10, gop=10, b_frames=2, audio="aac")
    argv = [sys.executable, "-m", "hlscam", "run", "--demo", "--port", "0"]
    child = await Child.start(argv, folder=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        url = await announced(child)
        assert await child.line() == "\n"
        links = [(await child.line()).split()[1] for _ in range(2)]
        assert links == [f"{url}hls/pattern/index.m3u8", f"{url}hls/clip/index.m3u8"]
        async with aiohttp.ClientSession() as session:
            for link in links:
                async with session.get(link) as answer:
                    assert answer.status == 200
                    assert (await answer.text()).startswith("#EXTM3U")
        child.signal(signal.SIGINT)
        assert await child.ended() == 0
    finally:
        await child.kill()
    assert len(list((tmp_path / "demo" / "archive").glob("*/*.mp4"))) >= 2


def test_a_wrong_wish_of_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "bench", "latency", "--ways", "smoke")
    assert (code, out) == (2, "")
    assert err == "hlscam: smoke is no way to a picture\n  name some of hls, ll-hls, ws, mjpeg, with commas between\n"
