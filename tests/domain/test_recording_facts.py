"""A recording comes back from its own box, and a box that cannot be right is refused with ValueError alone."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_facts import from_box, to_box
from hlscam.isobmff.recording_box import decode_recording_box, encode_recording_box
from tests.adapters.catalog.samples import recording, recordings


def closed(drawn: Recording) -> Recording:
    """Any recording as one that was closed: it lasts as long as its segments do."""
    assume(len(drawn.segments))
    reason = drawn.end_reason or EndReason.STOPPED
    return replace(drawn, end_reason=reason, duration_ticks=sum(drawn.segments.durations_ticks))


@given(recordings(), st.sampled_from(EndReason))
def test_it_comes_back_from_the_bytes_of_its_box(drawn: Recording, reason: EndReason) -> None:
    original = replace(closed(drawn), end_reason=reason)
    box = encode_recording_box(*to_box(original))
    facts, table = decode_recording_box(box[8:])
    assert from_box(facts, table, size_bytes=original.size_bytes) == original


def test_all_but_the_size_is_in_the_box() -> None:
    facts, _ = to_box(recording())
    assert facts.keys() == {each.name for each in fields(Recording)} - {"size_bytes", "segments"}


def test_facts_of_a_later_version_are_passed_over() -> None:
    facts, table = to_box(recording())
    known = recording()
    assert from_box({**facts, "weather": "fine"}, table, size_bytes=known.size_bytes) == known


def test_a_box_of_a_time_before_gap_reasons_is_read() -> None:
    facts, table = to_box(recording())
    del facts["gap_reason"]
    assert from_box(facts, table, size_bytes=recording().size_bytes) == recording()


JUNK: list[Any] = [None, True, -1, 1.5, 2**64, 10**400, float("inf"), float("nan"), "", "x", [], {}, [1], {"a": 1}]
OPTIONAL = {  # (name, index in JUNK) of junk that is a sound value there
    *((name, value) for name in ("camera", "name", "run", "init_hash") for value in ("''", "'x'")),
    *((name, "True") for name in ("starts_run",)),
    *((name, "-1") for name in ("slew_ppb",)),
    ("gap_reason", "None"),
}


@pytest.mark.parametrize("junk", JUNK, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("name", sorted(to_box(recording())[0]))
def test_each_fact_is_checked(name: str, junk: object) -> None:
    facts, table = to_box(recording())
    damaged: dict[str, Any] = {**facts, name: junk}
    if (name, repr(junk)) in OPTIONAL:
        assert getattr(from_box(damaged, table, size_bytes=1), name) == junk
    else:
        with pytest.raises(ValueError, match=r"box|EndReason"):
            from_box(damaged, table, size_bytes=1)


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        ("width", -1),
        ("width", "1280"),
        ("frame_rate", float("nan")),
        ("frame_rate", float("inf")),
        ("frame_rate", "30"),
        ("frame_rate", True),
        ("video_codec", None),
        ("bit_rate_bps", 2.5),
        ("audio_channels", None),
    ],
)
def test_media_facts_are_checked(name: str, junk: object) -> None:
    facts, table = to_box(recording())
    media = facts["media"]
    assert isinstance(media, dict)
    damaged: dict[str, Any] = {**facts, "media": {**media, name: junk}}
    with pytest.raises(ValueError, match="box"):
        from_box(damaged, table, size_bytes=1)


@pytest.mark.parametrize("name", sorted(to_box(recording())[0].keys() - {"gap_reason"}))
def test_no_fact_may_be_missing(name: str) -> None:
    facts, table = to_box(recording())
    del facts[name]
    with pytest.raises(ValueError, match="box is not whole"):
        from_box(facts, table, size_bytes=1)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("timescale", 1, 2**63 - 1),
        ("target_duration_s", 1, 2**63 - 1),
        ("slew_ppb", -500_000, 500_000),
        ("start_wall_us", 0, 2**63 - 1),
    ],
)
def test_numbers_have_a_range(name: str, least: int, most: int) -> None:
    facts, table = to_box(recording())
    for value in (least, most):
        assert getattr(from_box({**facts, name: value}, table, size_bytes=1), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"{name} is out of range"):
            from_box({**facts, name: value}, table, size_bytes=1)


@pytest.mark.parametrize(("segments", "duration_ticks"), [(4, 540_000), (3, 540_001), (0, 0)])
def test_facts_and_table_must_belong_together(segments: int, duration_ticks: int) -> None:
    facts, _ = to_box(recording(duration_ticks=duration_ticks))
    _, table = to_box(recording(segments=segments))
    with pytest.raises(ValueError, match="differ"):
        from_box(facts, table, size_bytes=1)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(to_box(recording())[0])), _json), st.binary())
def test_nothing_but_valueerror_comes_of_junk(changes: dict[str, Any], junk: bytes) -> None:
    facts, table = to_box(recording())
    for packed in (table, junk):
        try:
            known = from_box({**facts, **changes}, packed, size_bytes=1)
        except ValueError:
            continue
        assert known.end_wall_us >= 0
        assert json.dumps(to_box(known)[0], allow_nan=False)
