"""Wall time within a recording is exact integer arithmetic, and runs forward."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, slewed_us
from tests.adapters.catalog.samples import MEDIA, NOON_US, recording

_slews_ppb = st.integers(-500_000, 500_000)
_timescales = st.integers(1, 10_000_000)


@given(st.integers(0, 2**50), _timescales, _slews_ppb)
def test_it_is_exact_to_the_microsecond(ticks: int, timescale: int, slew_ppb: int) -> None:
    exact = Fraction(ticks * 1_000_000, timescale) * (1 + Fraction(slew_ppb, 10**9))
    assert 0 <= exact - slewed_us(ticks, timescale, slew_ppb) < 1


@given(st.integers(0, 2**40), st.integers(0, 2**40), _timescales, _slews_ppb)
def test_later_samples_are_later(ticks: int, more_ticks: int, timescale: int, slew_ppb: int) -> None:
    before_us, after_us = (slewed_us(each, timescale, slew_ppb) for each in (ticks, ticks + more_ticks))
    assert before_us <= after_us


@pytest.mark.parametrize(("slew_ppb", "lasts_us"), [(0, 6_000_000), (500_000, 6_003_000), (-500_000, 5_997_000)])
def test_a_slewed_recording_lasts_longer_or_shorter(slew_ppb: int, lasts_us: int) -> None:
    one = recording(slew_ppb=slew_ppb)
    assert (one.wall_us_at(0), one.end_wall_us) == (NOON_US, NOON_US + lasts_us)


def test_numbers_and_state() -> None:
    one = recording(2)
    assert (one.first_media_sequence, one.end_media_sequence, one.is_open) == (6, 9, False)
    assert recording(end_reason=None).is_open


def test_codecs_name_the_sound_only_where_there_is_some() -> None:
    assert MEDIA.codecs == "avc1.64001f,mp4a.40.2"
    silent = type(MEDIA)(video_codec="hvc1.1.6.L93.B0", width=1, height=1, frame_rate=1, bit_rate_bps=1)
    assert silent.codecs == "hvc1.1.6.L93.B0"


def test_end_reasons_are_what_the_api_says() -> None:
    assert str(EndReason.SOURCE_ENDED) == "source_ended"
