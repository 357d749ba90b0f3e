"""What can be asked of `hlscam bench latency`, and what is said of a wrong wish."""

from __future__ import annotations

import argparse

import pytest

from hlscam.bench.arguments import add_bench, plan_of
from hlscam.bench.latency import own_settings
from hlscam.bench.plan import Plan
from hlscam.bench.ways import WAYS
from hlscam.errors import ConfigError


def plan(*argv: str) -> Plan:
    parser = argparse.ArgumentParser()
    add_bench(parser.add_subparsers(), lambda _: 0)
    return plan_of(parser.parse_args(["bench", "latency", *argv]))


def test_the_defaults_are_those_of_a_plan() -> None:
    assert plan() == Plan()
    assert [way.title for way in Plan().ways] == ["HLS", "LL-HLS", "WebSocket", "MJPEG"]


def test_what_is_asked_for() -> None:
    wished = plan("--ways", "ws, hls,ws", "--starts", "2", "--samples", "9", "--part-duration", "0.2")
    assert wished == Plan(ways=(WAYS["ws"], WAYS["hls"]), starts=2, samples=9, part_duration_s=0.2)
    assert "part_duration_s: 0.2" in own_settings(wished)
    assert plan("--source", "test:?size=320x180", "--chromium", "chrome").source == "test:?size=320x180"


def test_a_running_server() -> None:
    wished = plan("--url", "http://127.0.0.1:8080", "--camera", "porch")
    assert (wished.url, wished.camera) == ("http://127.0.0.1:8080/", "porch")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--ways", "hls,rtsp"], "rtsp is no way to a picture"),
        (["--ways", ","], "no way to a picture is named"),
        (["--starts", "0"], "--starts and --samples are 1 or more"),
        (["--url", "http://cam/"], "--url and --camera go together"),
        (["--camera", "porch"], "--url and --camera go together"),
        (["--url", "cam", "--camera", "c"], "not cam"),
        (["--url", "http://cam/", "--camera", "c", "--part-duration", "0.2"], "for a server of our own"),
    ],
)
def test_wrong_wishes(argv: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        plan(*argv)


@pytest.mark.parametrize(
    ("wished", "why"),
    [
        (Plan(part_duration_s=0.1), r"hls\.part_duration_s"),
        (Plan(source="file:/clip.mp4"), "has no clock in its picture"),
        (Plan(source="test:?rate=0"), "rate=0 is not allowed"),
    ],
)
def test_servers_that_cannot_be(wished: Plan, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        own_settings(wished)
