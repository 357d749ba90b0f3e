"""Redaction: credentials by structure, known secrets wherever they stand."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlscam.domain.secrets import SHORTEST_KNOWN, is_secret_option, redact, url_secrets

STRUCTURE = [
    ("rtsp://viewer:hunter22@10.0.0.2:554/s1", "rtsp://***@10.0.0.2:554/s1"),
    ("rtsp://token@10.0.0.2/s1", "rtsp://***@10.0.0.2/s1"),
    ("rtsp://viewer:p@ss@10.0.0.2/s1", "rtsp://***@10.0.0.2/s1"),
    ("rtsp://viewer:p/a?s#s:@10.0.0.2/s1", "rtsp://***@10.0.0.2/s1"),
    ("[rtsp @ 0x5f] method OPTIONS on rtsp://a:b@h/x failed", "[rtsp @ 0x5f] method OPTIONS on rtsp://***@h/x failed"),
    ("from 'rtsp://a:b@h/x' to 'http://c:d@i/y'", "from 'rtsp://***@h/x' to 'http://***@i/y'"),
    ("http://h/x?password=abc&fps=5", "http://h/x?password=***&fps=5"),
    ("http://h/x?fps=5&PWD=abc&user=me", "http://h/x?fps=5&PWD=***&user=***"),
    ("http://h/x?access_token=a.b.c", "http://h/x?access_token=***"),
    ("rtsp://h:554/user=admin_password=tlJw_channel=1", "rtsp://h:554/user=***"),
    ("Authorization: Digest username=x, response=y", "Authorization: Digest ***"),
    # What must stay readable.
    ("http://h/@user/video", "http://h/@user/video"),
    ("udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234"),
    ("frame=  100 q=-1.0 size=1024KiB time=00:00:04.00", "frame=  100 q=-1.0 size=1024KiB time=00:00:04.00"),
    ("mail a@b and monkey=7 keyframe=1", "mail a@b and monkey=7 keyframe=1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STRUCTURE)
def test_credentials_go_by_structure(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("password p@ss/word seen", ["p@ss/word"], "password *** seen"),
        ("p%40ss%2Fword P%40SS p%40ss/word p@ss%2fword", ["p@ss/word"], "*** P%40SS *** ***"),
        ("written as p@ss", ["p%40ss"], "written as ***"),
        ("two+words two%20words two words", ["two words"], "*** *** ***"),
        ("hunter22 hunter2 hunter", ["hunter2", "hunter22"], "*** *** hunter"),
        ("abcdefghij", ["abcd", "cdefghij"], "***"),
        ("schlüssel schl%C3%BCssel", ["schlüssel"], "*** ***"),
        ("abcdxyz", ["abcd", "***x", "***yz"], "***"),
        ("frame=1 abc 12:34", ["1", "abc", "12", ""], "frame=1 abc 12:34"),
        ("rtsp://u:abc@h/", ["abc"], "rtsp://***@h/"),
    ],
)
def test_known_secrets_go_wherever_they_stand(text: str, secrets: list[str], expected: str) -> None:
    assert redact(text, secrets) == expected


SECRETS = st.lists(
    st.text(st.sampled_from("ab1*%@:/?# +ü=.") | st.characters(exclude_categories=["Cs"]), min_size=SHORTEST_KNOWN),
    min_size=1,
    max_size=4,
)
FORMS = [str, lambda secret: quote(secret, safe=""), lambda secret: quote(secret), quote_plus, str.upper]
LINES = [
    "[rtsp @ 0x55d] method DESCRIBE failed: 401 ({})",
    "Input #0, rtsp, from 'rtsp://viewer:{}@192.168.1.20:554/stream1?token={}':",
    "http://host/{}/x.m3u8?pwd={}&fps=5: Connection refused",
    "{}{}**",
]


@settings(deadline=None)
@given(SECRETS, st.sampled_from(FORMS), st.sampled_from(LINES), st.data())
def test_no_known_secret_survives(secrets: list[str], form: type[str], line: str, data: st.DataObject) -> None:
    chosen = [form(data.draw(st.sampled_from(secrets))) for _ in range(2)]
    redacted = redact(line.format(*chosen), secrets)
    for secret in secrets:
        assert secret not in redacted
        assert quote(secret, safe="") not in redacted
        assert quote_plus(secret) not in redacted


@settings(deadline=None)
@given(st.text(), st.lists(st.text()))
def test_any_text_can_be_redacted(text: str, secrets: list[str]) -> None:
    assert isinstance(redact(text, secrets), str)


def test_lone_surrogates_of_the_environment_do_no_harm() -> None:
    assert redact("a \udc80bcd b", ["\udc80bcd"]) == "a *** b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://viewer:p%40ss@h/x", {"p%40ss", "p@ss"}),
        ("rtmp://key@h/x?token=tok1&user=me&fps=5", {"key", "tok1"}),
        ("srt://h:9000?passphrase=longenough", {"longenough"}),
        ("rtsp://h/x", set()),
    ],
)
def test_secrets_of_a_url(url: str, expected: set[str]) -> None:
    assert url_secrets(url) == expected


def test_secret_options_are_known_by_name() -> None:
    assert all(map(is_secret_option, ["passphrase", "headers", "api_key", "rtmp_password", "COOKIES"]))
    assert not any(map(is_secret_option, ["probesize", "monkey", "user_agent", "timeout"]))
