"""A run's identity comes back from the comment that ffmpeg wrote, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.domain.recording import EndReason
from hlscam.domain.run import RunIdentity, name_out_of_the_way, recording_name_pattern, run_of_name
from tests.domain.footage import identity

LATER = {"gap_reason", "longest_picture_s", "fragment_us"}
"""Facts that 0.1 did not write."""

_texts = st.text(min_size=1)
_counts = st.integers(0, 2**62)
identities = st.builds(
    RunIdentity,
    camera=_texts,
    run=_texts,
    media_sequence=_counts,
    discontinuity_sequence=_counts,
    segment_duration_s=st.one_of(st.integers(1, 10), st.floats(0.5, 10)),
    target_duration_s=st.one_of(st.none(), st.integers(1, 30)),
    not_before_wall_us=_counts,
    gap_reason=st.one_of(st.none(), st.sampled_from(EndReason)),
    longest_picture_s=st.one_of(st.none(), st.floats(1, 400)),
    fragment_us=st.one_of(st.none(), st.integers(1, 2_000_000)),
)


@given(identities)
def test_the_comment_carries_it_all(original: RunIdentity) -> None:
    assert RunIdentity.from_comment(original.to_comment()) == original


def test_equal_identities_give_equal_comments_on_one_line() -> None:
    comment = identity().to_comment()
    assert comment == identity().to_comment()
    assert comment.isascii()
    assert comment.isprintable()
    assert json.loads(comment)["hlscam"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": ""},
        {"camera": 7},
        {"run": None},
        {"media_sequence": -1},
        {"media_sequence": 1.0},
        {"media_sequence": True},
        {"discontinuity_sequence": "4"},
        {"not_before_wall_us": None},
        {"target_duration_s": 0},
        {"target_duration_s": 2.0},
        {"segment_duration_s": 0},
        {"segment_duration_s": True},
        {"segment_duration_s": float("nan")},
        {"segment_duration_s": float("inf")},
        {"gap_reason": "boredom"},
        {"gap_reason": []},
        {"longest_picture_s": 0},
        {"longest_picture_s": "15"},
        {"fragment_us": 0},
        {"fragment_us": 290_000.0},
        {"hlscam": 2},
        {"hlscam": None},
        {"more": 1},
    ],
)
def test_an_unsound_identity_is_none(changes: dict[str, Any]) -> None:
    sound = {"hlscam": 1, **asdict(identity())}
    assert RunIdentity.from_comment(json.dumps(sound)) == identity()
    assert RunIdentity.from_comment(json.dumps(sound | changes)) is None


@pytest.mark.parametrize("name", sorted(asdict(identity()).keys() - LATER))
def test_every_fact_is_needed(name: str) -> None:
    facts = {"hlscam": 1, **asdict(identity())}
    del facts[name]
    assert RunIdentity.from_comment(json.dumps(facts)) is None


@pytest.mark.parametrize("comment", ["", "Lavf62", "[]", "7", "null", '"hlscam"', "{", "[" * 200_000])
def test_other_makers_comments_are_none(comment: str) -> None:
    assert RunIdentity.from_comment(comment) is None


@given(st.text())
def test_no_comment_does_harm(comment: str) -> None:
    assert RunIdentity.from_comment(comment) is None


def test_names_tell_their_run() -> None:
    name = recording_name_pattern("3fa94c1e").replace("%Y%m%d", "20261122").replace("%H%M%S", "221000")
    assert name == "20261122T221000Z-3fa94c1e.mp4"
    assert run_of_name(name) == "3fa94c1e"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "clip.mp4",
        "20261122T221000Z-3fa94c1e.mp4.part",
        "20261122T221000Z-3fa94c1e.mkv",
        "20261122T221000Z-3fa94c1e",
        "20261122T221000Z-.mp4",
        "20261122T221000-3fa94c1e.mp4",
        "20261122 221000Z-3fa94c1e.mp4",
        "../../..T/../..Z-3fa94c1e.mp4",
        "20261122T221000Z-3fa/94c1.mp4",
        "20261122T221000Z-3fa94c1é.mp4",
        "20261122T221000Z-3fa94c1e.mp4\n",
        "a20261122T221000Z-3fa94c1e.mp4",
    ],
)
def test_other_names_tell_none(name: str) -> None:
    assert run_of_name(name) is None


@pytest.mark.parametrize(
    ("time", "recording_s", "expected"),
    [
        ("20261126T125959Z", 600, "20261126T125958Z"),
        ("20261126T130000Z", 600, None),
        ("20261126T125958Z", 600, None),
        ("20261126T235959Z", 600, "20261126T235958Z"),
        ("20261126T000000Z", 1, "20261125T235959Z"),
        ("20261126T021659Z", 4, "20261126T021658Z"),
    ],
)
def test_a_first_recording_that_may_be_written_over_gets_another_name(
    time: str, recording_s: float, expected: str | None
) -> None:
    """In the last second before ffmpeg cuts by the clock, and in no other."""
    wanted = None if expected is None else f"{expected}-cafe.mp4"
    assert name_out_of_the_way(f"{time}-cafe.mp4", recording_s) == wanted
    assert name_out_of_the_way("a clip.mp4", recording_s) is None
