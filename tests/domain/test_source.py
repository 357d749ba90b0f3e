"""Sources: what is taken, what is refused and what the person is told."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlscam.domain import source as module
from hlscam.domain.source import URL_SCHEMES, FileSource, Source, TestSource, UrlSource, parse_source
from hlscam.errors import ConfigError

BASE = Path("/etc/hlscam")

TAKEN: list[tuple[str, Source]] = [
    ("rtsp://192.168.1.20/s1", UrlSource("rtsp://192.168.1.20/s1")),
    ("RTSP://Cam.local:554/s1", UrlSource("rtsp://Cam.local:554/s1")),
    ("rtsp://u:p%40ss@[fe80::1%25eth0]:554/s1?a=b", UrlSource("rtsp://u:p%40ss@[fe80::1%25eth0]:554/s1?a=b")),
    ("rtsp://u:p@ss:w@front_porch/s1", UrlSource("rtsp://u:p@ss:w@front_porch/s1")),
    ("udp://@239.0.0.1:1234", UrlSource("udp://@239.0.0.1:1234")),
    ("file:clips/garden.mp4", FileSource(BASE / "clips/garden.mp4")),
    ("file:100% real #1.mp4", FileSource(BASE / "100% real #1.mp4")),
    ("file:/srv/garden.mp4", FileSource(Path("/srv/garden.mp4"))),
    ("file:///srv/my%20garden.mp4", FileSource(Path("/srv/my garden.mp4"))),
    ("file://localhost/srv/garden.mp4", FileSource(Path("/srv/garden.mp4"))),
    ("test:", TestSource()),
    ("test:?", TestSource()),
    (
        "test:?size=640x360&rate=25&gop_s=0.5&audio=0&bframes=2&codec=hevc&bit_rate_kbps=4000",
        TestSource(
            size=(640, 360), rate=25, gop_s=0.5, audio=False, bframes=2, codec="hevc", bit_rate_kbps=4000
        ),
    ),
]  # fmt: skip

REFUSED = [
    ("", ["is empty", "rtsp://"]),
    ("clips/garden.mp4", ["did you mean 'file:clips/garden.mp4'?"]),
    ("/srv/garden.mp4", ["did you mean 'file:/srv/garden.mp4'?"]),
    ("./garden.mp4", ["did you mean 'file:./garden.mp4'?"]),
    ("C:\\clips\\garden.mp4", ["did you mean 'file:C:"]),
    ("192.168.1.20/stream1", ["did you mean 'rtsp://192.168.1.20/stream1'?"]),
    ("192.168.1.20:554", ["did you mean 'rtsp://192.168.1.20:554'?"]),
    ("cam:554/stream1", ["did you mean 'rtsp://cam:554/stream1'?"]),
    ("test", ["did you mean 'test:'?"]),
    ("test?rate=5", ["did you mean 'test:?rate=5'?"]),
    ("rtps://h/x", ["did you mean 'rtsps'?", "allowed: rtsp, rtsps"]),
    ("concat:a|b", ["'concat' is not a kind of source", "file: and test:"]),
    ("rtsp:/h/x", ["lacks its slashes", "rtsp://"]),
    ("rtsp:///x", ["has no host"]),
    ("rtsp://u:p@/x", ["has no host"]),
    ("rtsp://h:99999/", ["port", "1 to 65535"]),
    ("rtsp://h:0/", ["port 0", "1 to 65535"]),
    ("rtsp://h:x/", ["port", "1 to 65535"]),
    ("rtsp://u:pa/ss@h/", ["port", "percent-encode", "%2F"]),
    ("rtsp://h h/", ["blank", "%20"]),
    ("rtsp://h\u2003h/", ["blank"]),
    ("rtsp://h/\n", ["control character", "'\\n'"]),
    ("rtsp://[::1/", ["malformed"]),
    ("rtsp://[::x]/", ["malformed"]),
    ("rtsp://h,i/", ["neither a name nor an IP address"]),
    ("udp://239.0.0.1", ["no port", "udp://host:port"]),
    ("srt://h", ["no port"]),
    ("file:", ["needs a path"]),
    ("file:///", ["needs a path"]),
    ("file:~/x.mp4", ["${HOME}"]),
    ("file://nas/x.mp4", ["file:///"]),
    ("file:///x%00.mp4", ["control characters"]),
    ("test:size=64x64", ["test:?size"]),
    ("test:?sze=64x64", ["did you mean 'size'?", "allowed: size, rate, gop_s, audio, bframes, codec, bit_rate_kbps"]),
    ("test:?rate=1&rate=2", ["rate is given twice"]),
    ("test:?rate=0&codec=vp9", ["rate=0", "1 to 120", "codec=vp9", "h264 or hevc"]),
    ("test:?size=1281x720", ["both even", "64x64 to 7680x4320"]),
    ("test:?size=62x64", ["64x64"]),
    ("test:?size=7682x64", ["7680"]),
    ("test:?rate=121", ["1 to 120"]),
    ("test:?rate=٣", ["1 to 120"]),
    ("test:?gop_s=0.05", ["0.1 to 60"]),
    ("test:?gop_s=61", ["0.1 to 60"]),
    ("test:?gop_s=nan", ["0.1 to 60"]),
    ("test:?audio=maybe", ["1 or 0"]),
    ("test:?audio", ["1 or 0"]),
    ("test:?bframes=17", ["0 to 16"]),
    ("test:?bit_rate_kbps=1", ["50 to"]),
]


@pytest.mark.parametrize(("text", "expected"), TAKEN)
def test_taken(text: str, expected: Source) -> None:
    source = parse_source(text, BASE)
    assert source == expected
    assert parse_source(source.text, BASE) == source


@pytest.mark.parametrize("scheme", URL_SCHEMES)
def test_each_scheme_is_taken(scheme: str) -> None:
    source = parse_source(f"{scheme}://10.0.0.2:1234/x", BASE)
    assert isinstance(source, UrlSource)
    assert source.scheme == scheme


@pytest.mark.parametrize(("text", "fragments"), REFUSED)
def test_refused(text: str, fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, BASE)
    for fragment in fragments:
        assert fragment in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:hunter22@h:99999/",
        "rtsp://admin:hunter22@h h/",
        "rtsp://ad min:hunter22@h/",
        "rtsp://admin:hunter 22 hunter22@h/",
        "ad min:hunter22@h/",
        "rtsp:admin:hunter22@h/",
        "rtps://admin:hunter22@h/",
        "admin:hunter22@10.0.0.2/x",
        "1admin:hunter22@10.0.0.2/x",
        "http://h:0/?pwd=hunter22",
    ],
)
def test_a_refusal_shows_no_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, BASE)
    assert "hunter22" not in caught.value.message


def test_a_url_source_hides_its_credentials() -> None:
    source = UrlSource("rtsp://viewer:p%40ss@h/x?token=tok1")
    assert source.redacted == "rtsp://***@h/x?token=***"
    assert repr(source) == "UrlSource('rtsp://***@h/x?token=***')"
    assert source.secrets == {"p%40ss", "p@ss", "tok1"}


def test_each_field_of_a_test_source_is_a_parameter() -> None:
    assert set(module._PARAMETERS) == {field.name for field in fields(TestSource)}


def test_gop_in_frames_is_at_least_one() -> None:
    assert TestSource(rate=30, gop_s=2).gop_frames == 60
    assert TestSource(rate=1, gop_s=0.1).gop_frames == 1


@settings(deadline=None)
@given(
    st.builds(
        TestSource,
        size=st.tuples(st.integers(32, 3840), st.integers(32, 2160)).map(lambda half: (half[0] * 2, half[1] * 2)),
        rate=st.integers(1, 120),
        gop_s=st.integers(1, 600).map(lambda tenths: tenths / 10),
        audio=st.booleans(),
        bframes=st.integers(0, 16),
        codec=st.sampled_from(["h264", "hevc"]),
        bit_rate_kbps=st.none() | st.integers(50, 200_000),
    )
)
def test_test_sources_round_trip(source: TestSource) -> None:
    assert parse_source(source.text, BASE) == source


WORDS = ["file:", "test:?", "[", "]", ":", "@", "/", "%", "&", "rate=", "~", "h"]
PIECES = st.sampled_from([*(f"{scheme}://" for scheme in URL_SCHEMES), *WORDS])


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_any_text_is_a_source_that_round_trips_or_a_config_error(text: str) -> None:
    try:
        source = parse_source(text, BASE)
    except ConfigError:
        return
    assert parse_source(source.text, BASE) == source
