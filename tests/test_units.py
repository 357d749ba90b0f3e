"""Times and sizes as people write them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.errors import InvalidRequest
from hlscam.units import US_PER_S, format_bytes, format_rfc3339, parse_time, ticks_to_us

NOON_US = 1_795_348_800 * US_PER_S
LATEST_US = 253_402_300_799 * US_PER_S
walls_us = st.integers(0, LATEST_US)


@pytest.mark.parametrize(
    ("wall_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOON_US, "2026-11-22T12:00:00.000Z"),
        (NOON_US + 1, "2026-11-22T12:00:00.001Z"),
        (NOON_US + 1000, "2026-11-22T12:00:00.001Z"),
        (NOON_US + 999_001, "2026-11-22T12:00:01.000Z"),
        (LATEST_US, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_wall_time_is_written_in_utc_with_milliseconds_rounded_up(wall_us: int, text: str) -> None:
    assert format_rfc3339(wall_us) == text


@given(walls_us)
def test_what_is_written_is_read_back_to_the_millisecond(wall_us: int) -> None:
    assert 0 <= parse_time(format_rfc3339(wall_us)) - wall_us < 1000


@pytest.mark.parametrize(
    ("text", "off_us"),
    [
        ("2026-11-22T12:00:00Z", 0),
        ("2026-11-22t12:00:00z", 0),
        ("2026-11-22 12:00:00Z", 0),
        ("2026-11-22T12:00Z", 0),
        (" 2026-11-22T12:00:00Z\n", 0),
        ("2026-11-22T12:00:00.5Z", 500_000),
        ("2026-11-22T12:00:00.123456Z", 123_456),
        ("2026-11-22T12:00:00.123456789Z", 123_456),
        ("2026-11-22T14:00:00+02:00", 0),
        ("2026-11-22T14:00:00 02:00", 0),
        ("2026-11-22 14:00 02:00", 0),
        ("2026-11-22T06:30:00-05:30", 0),
        ("1795348800", 0),
        ("1795348800.5", 500_000),
        ("1795348800.000001", 1),
        ("1795348800.0000019", 1),
        ("1795348799.999999", -1),
    ],
)
def test_times_that_urls_accept(text: str, off_us: int) -> None:
    assert parse_time(text) == NOON_US + off_us


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "yesterday", "2026-11-22", "12:00:00", "2026-11-22T12:00:00", "2026-11-22 12:00"),
        *("2026-13-22T12:00:00Z", "2026-11-31T12:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T12:00:61Z"),
        *("2026-11-22T12:00:00+99:99", "2026-11-22T12:00:00.Z", "2026-11-22T12:00:00ZZ", "+1795348800", "1e9"),
        *("0x10", "1795348800.", ".5", "1_795", "١٧٩٥٣٤٨٨٠٠", "２０２６-11-22T12:00:00Z", "nan", "inf"),
    ],
)
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    "text", ["-1", "-0.5", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "253402300800", "999999999999"]
)
def test_times_outside_the_calendar_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="outside the years 1970 to 9999"):
        parse_time(text)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001  # the zone is drawn beside it
    st.integers(-14 * 60, 14 * 60),
)
def test_any_zone_is_read(local: datetime, offset_minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    expected_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_time(moment.isoformat()) == expected_us
    assert parse_time(moment.isoformat().replace("+", " ")) == expected_us, "as a URL decoder leaves it"


@given(walls_us)
def test_unix_seconds_are_exact(wall_us: int) -> None:
    assert parse_time(f"{wall_us // US_PER_S}.{wall_us % US_PER_S:06}") == wall_us


@given(st.text(st.sampled_from("0123456789-+:.TZtz e"), max_size=32) | st.text())
def test_any_text_is_a_time_or_an_invalid_request(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert 0 <= parse_time(text) <= LATEST_US


@pytest.mark.parametrize(
    ("ticks", "timescale", "us"), [(1, 90_000, 11), (1, 2_000_000, 1), (1, 3_000_000, 0), (5, 1, 5 * US_PER_S)]
)
def test_ticks_round_half_up(ticks: int, timescale: int, us: int) -> None:
    assert ticks_to_us(ticks, timescale) == us


@given(st.integers(0, 2**60), st.integers(1, 2**32))
def test_ticks_are_exact_to_half_a_microsecond(ticks: int, timescale: int) -> None:
    exact = Fraction(ticks * US_PER_S, timescale)
    assert -Fraction(1, 2) < ticks_to_us(ticks, timescale) - exact <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (1536, "1.5 KB"),
        (5 * 1024**2, "5.0 MB"),
        (12_400_000, "11.8 MB"),
        (5 * 1024**3, "5.0 GB"),
        (3 * 1024**4, "3.0 TB"),
        (1024**5, "1024.0 TB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert format_bytes(size_bytes) == text
