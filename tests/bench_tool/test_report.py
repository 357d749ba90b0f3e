"""Figures: percentiles, the table, JSON, and what is said of program date time."""

from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.bench.report import Report, Row, Watched, percentile, worst

ABOUT = "test:?size=640x360&rate=25; 2 starts"


def watched(
    first_picture_ms: float, *latencies_ms: float, errors_ms: tuple[float, ...] = (), unread: int = 0
) -> Watched:
    return Watched(
        first_picture_ms=first_picture_ms, latencies_ms=latencies_ms, date_errors_ms=errors_ms, unread=unread
    )


HLS = Row("hls", "HLS", (watched(400, 5000, 5200, errors_ms=(7, -9)), watched(300, 6000, unread=2)))
WS = Row("ws", "WebSocket", missing="not there: /ws/c answers 404")
MJPEG = Row("mjpeg", "MJPEG", (watched(150, 120, 140),))


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([5], 95, 5), ([1, 2], 50, 1.5), ([4, 1, 3, 2, 5], 25, 2), (list(range(101)), 95, 95), ([1, 2], 100, 2)],
)
def test_percentiles(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_50th_percentile_is_the_median(values: list[float]) -> None:
    assert percentile(values, 50) == pytest.approx(statistics.median(values))


def test_the_worst_error_keeps_its_sign() -> None:
    assert worst([3, -20, 19]) == -20


def test_the_table() -> None:
    assert Report(ABOUT, (HLS, WS, MJPEG), (7.0, -20, 8)).table().splitlines() == [
        ABOUT,
        "",
        "way    median     p95   worst  first picture         date error       samples",
        "HLS    5.20 s  5.92 s  6.00 s         0.35 s  -1 ms, at most -9  3 (2 unread)",
        "MJPEG  0.13 s  0.14 s  0.14 s         0.15 s                  –             2",
        "WebSocket: not there: /ws/c answers 404",
        "",
        "EXT-X-PROGRAM-DATE-TIME less the clock in the picture: +7 ms, at most -20; 0 of 3 segments 50 ms off or more",
    ]


def test_a_wrong_date_is_told() -> None:
    assert Report("", (HLS,), (49.9, -50, 3, 1000)).table().endswith("; 2 of 4 segments 50 ms off or more")
    assert "EXT-X" not in Report("", (MJPEG,)).table()


def test_nothing_but_reasons() -> None:
    assert Report(ABOUT, (WS,)).table().splitlines()[2:] == [
        "way  median  p95  worst  first picture  date error  samples",
        "WebSocket: not there: /ws/c answers 404",
    ]


def test_json() -> None:
    assert json.loads(Report(ABOUT, (HLS, WS, MJPEG), (7, -20, 8)).json()) == {
        "about": ABOUT,
        "program_date_time": {"segments": 3, "median_ms": 7, "worst_ms": -20},
        "ways": [
            {
                "way": "hls",
                "median_ms": 5200,
                "p95_ms": 5920,
                "worst_ms": 6000,
                "first_picture_ms": 350,
                "first_picture_worst_ms": 400,
                "date_error_median_ms": -1,
                "date_error_worst_ms": -9,
                "starts": 2,
                "samples": 3,
                "unread": 2,
            },
            {"way": "ws", "missing": "not there: /ws/c answers 404"},
            {
                "way": "mjpeg",
                "median_ms": 130,
                "p95_ms": 139,
                "worst_ms": 140,
                "first_picture_ms": 150,
                "first_picture_worst_ms": 150,
                "date_error_median_ms": None,
                "date_error_worst_ms": None,
                "starts": 1,
                "samples": 2,
                "unread": 0,
            },
        ],
    }
