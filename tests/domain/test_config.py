"""The configuration: a table of texts and what a person is told, then defaults, the environment and round trips."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hlscam.domain.config import (
    CAMERA_ID,
    RESERVED_CAMERA_IDS,
    ArchiveConfig,
    CameraConfig,
    Config,
    HlsConfig,
    RetentionConfig,
    ServerConfig,
    demo_config,
)
from hlscam.domain.config_reference import config_keys, config_table
from hlscam.domain.config_text import parse_config
from hlscam.domain.environment import substitute
from hlscam.domain.secrets import redact
from hlscam.domain.source import FileSource, TestSource, UrlSource
from hlscam.errors import ConfigError

BASE = Path("/etc/hlscam")
ENVIRON = {"PASSWORD": "p@ss/w:rd?#%", "EMPTY": "", "PORT": "8123", "YES": "true", "WORD": "quince", "RATE": "0.25"}
EXAMPLE = Path(__file__).parents[2] / "deploy" / "hlscam.example.yaml"


def parse(text: str) -> Config:
    return parse_config(dedent(text), environ=ENVIRON, base=BASE, file_name="hlscam.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.message.splitlines()


# One problem each: the text, where it is told to be, and what is said of it.
REFUSED: list[tuple[str, ...]] = [
    # Keys
    (
        "cameras:\n  porch:\n    sorce: 'test:'\n    source: 'test:'",
        "3:5: cameras.porch.sorce: unknown key; did you mean 'source'? allowed: name, source,",
    ),
    ("servr: {}", "1:1: servr: unknown key; did you mean 'server'? allowed: server, archive, retention, catalog,"),
    ("port: 80", "1:1: port: unknown key; did you mean it under server? allowed:"),
    ("server: {qwxz: 1}", "1:10: server.qwxz: unknown key; allowed: host, port, insecure, cors_origins, cache_mb"),
    ("cameras: {a: {name: A}}", "1:11: cameras.a.source: missing", "rtsp://", "test:"),
    ("cameras: {a: }", "1:13: cameras.a: must be a mapping", "source"),
    ("cameras: [a]", "1:10: cameras: must be a mapping", "camera ids"),
    ("server: 8080", "1:9: server: must be a mapping", "host, port"),
    ("- a", "1:1: must be a mapping", "server, archive"),
    ("log:\n  level: info\n  level: debug", "3:3: log.level: written twice, first at line 2", "keep one"),
    (
        "cameras:\n  a: {source: 'test:'}\n  b: {source: 'test:'}\n  a: {source: 'test:'}",
        "4:3: cameras.a: written twice, first at line 2",
    ),
    ("log: {level: info}\nlog: {}", "2:1: log: written twice, first at line 1"),
    ("? [a]\n: 1", "1:3: a key must be a plain word"),
    # Values
    ("server: {port: 65536}", "1:16: server.port: 65536 is not allowed", "0 to 65535"),
    ("server: {port: -1}", "1:16: server.port: -1"),
    ("server: {port: '80'}", "1:16: server.port: '80'"),
    ("server: {port: true}", "1:16: server.port: true is"),
    ("server: {port: 1.5}", "1:16: server.port: 1.5"),
    ("server: {port: }", "1:15: server.port: empty; leave the key out"),
    ("server: {port: [1]}", "1:16: server.port: this value"),
    ("server: {host: ''}", "1:16: server.host: ''", "neither an IP address nor a host name"),
    ("server: {host: 'a b'}", "1:16: server.host: 'a b'"),
    (
        "server: {host: 0.0.0.0}",
        "1:16: server.host: '0.0.0.0' lets others in",
        "no users or tokens",
        "reverse proxy",
        "insecure: true",
    ),
    ("server: {insecure: false, host: '::'}", "1:33: server.host: '::' lets others in"),
    ("server: {host: cam.example.org}", "1:16: server.host:", "insecure: true"),
    ("server: {insecure: 1}", "1:20: server.insecure: 1", "true or false"),
    ("server: {cache_mb: -1}", "1:20: server.cache_mb: -1", "0 switches it off"),
    ("archive: {recording_minutes: 7}", "1:30: archive.recording_minutes: 7", "divide an hour", "0.25"),
    ("archive: {recording_minutes: 0.03}", "1:30: archive.recording_minutes: 0.03"),
    ("archive: {recording_minutes: 0}", "1:30: archive.recording_minutes: 0"),
    ("archive: {recording_minutes: 120}", "1:30: archive.recording_minutes: 120"),
    ("archive: {recording_minutes: .inf}", "1:30: archive.recording_minutes: inf"),
    ("archive: {recording_minutes: .nan}", "1:30: archive.recording_minutes: nan"),
    ("archive: {recording_minutes: 1:30}", "1:30: archive.recording_minutes: '1:30'"),
    ("archive: {path: ''}", "1:17: archive.path: is not a path"),
    ("archive: {path: ~/x}", "1:17: archive.path: ~ is not expanded", "${HOME}"),
    ("archive: {path: 5}", "1:17: archive.path: is not a path"),
    ('archive: {path: "a\\0b"}', "1:17: archive.path: has the control character"),
    (
        "archive: {observer: poling}",
        "1:21: archive.observer: 'poling' is not allowed; did you mean 'polling'?",
        "auto, polling or inotify",
    ),
    ("retention: {headroom_mb: -1}", "1:26: retention.headroom_mb: -1 is not allowed", "0 removes nothing", "5 %"),
    ("retention: {headroom_mb: 0.5}", "1:26: retention.headroom_mb: 0.5 is not allowed"),
    ("retention: {max_days: 0}", "1:23: retention.max_days: 0 is not allowed", "more than 0"),
    ("retention: {max_days: two}", "1:23: retention.max_days: 'two' is not allowed"),
    ("retention: {max_gb: 0}", "1:21: retention.max_gb: 0 is not allowed", "by default no limit"),
    ("retention: {max_gb: '${WORD}'}", "1:21: retention.max_gb: 'quince' is not allowed"),
    ("retention: {days: 3}", "1:13: retention.days: unknown key;", "headroom_mb, max_days, max_gb"),
    (
        "catalog: {url: mysql://root:hunter22@h/d}",
        "1:16: catalog.url: is not a catalog's URL",
        "sqlite:///",
        "postgresql+",
    ),
    ("catalog: {url: 'sqlite://'}", "1:16: catalog.url:"),
    ("catalog: {url: 'sqlite:///:memory:'}", "1:16: catalog.url:"),
    ("catalog: {url: postgresql+psycopg://h}", "1:16: catalog.url:"),
    ("hls: {segment_duration_s: 0.4}", "1:27: hls.segment_duration_s: 0.4", "0.5 to 10"),
    (
        "hls: {segment_duration_s: 1, part_duration_s: 1.5}",
        "1:47: hls.part_duration_s: 1.5 is longer than segment_duration_s (1)",
    ),
    ("hls: {part_duration_s: 0.1}", "1:24: hls.part_duration_s: 0.1", "0.2 to 2"),
    ("hls: {live_window_s: 9.9}", "1:22: hls.live_window_s: 9.9 is too short; players need 5 segments, 10 seconds"),
    ("ffmpeg: {path: 5}", "1:16: ffmpeg.path: is not a path"),
    ("log: {format: jsn}", "1:15: log.format: 'jsn' is not allowed; did you mean 'json'?", "text or json"),
    # Cameras
    (
        "cameras: {Porch: {source: 'test:'}}",
        "1:11: cameras.Porch: 'Porch' is not a camera id; did you mean 'porch'?",
        "a-z, 0-9",
    ),
    (
        "cameras: {../etc: {source: 'test:'}}",
        "1:11: cameras.../etc: '../etc' is not a camera id",
        "did you mean 'etc'?",
    ),
    ("cameras: {'': {source: 'test:'}}", "1:11: cameras.: '' is not a camera id; allowed"),
    ("cameras: {" + "a" * 64 + ": {source: 'test:'}}", "1:11: cameras.aaa", "1 to 63"),
    (
        "cameras: {catalog: {source: 'test:'}}",
        "1:11: cameras.catalog: 'catalog' is a name that hlscam",
        "another camera id",
    ),
    (
        "cameras: {a: {source: clips/x.mp4}}",
        "1:23: cameras.a.source: 'clips/x.mp4' has no scheme; did you mean 'file:clips/x.mp4'?",
    ),
    ("cameras: {a: {source: 5}}", "1:23: cameras.a.source: is not text", "rtsp://"),
    ("cameras: {a: {source: }}", "1:22: cameras.a.source:", "rtsp://"),
    (
        "cameras: {a: {source: 'test:', audio: mp3}}",
        "1:39: cameras.a.audio: 'mp3' is not allowed; allowed: auto, aac or none",
    ),
    ("cameras: {a: {source: 'test:', audio: }}", "1:38: cameras.a.audio: empty"),
    (
        "cameras: {a: {source: 'test:', rtsp_transport: tpc}}",
        "1:48: cameras.a.rtsp_transport: 'tpc' is not allowed; did you mean 'tcp'?",
    ),
    ("cameras: {a: {source: 'test:', enabled: maybe}}", "1:41: cameras.a.enabled: 'maybe'", "true or false"),
    ("cameras: {a: {source: 'test:', name: \"a\\nb\"}}", "1:38: cameras.a.name: has the control character"),
    (
        "cameras: {a: {source: 'test:', name: " + "x" * 101 + "}}",
        "1:38: cameras.a.name: 'xxx",
        "up to 100 characters",
        "…",
    ),
    (
        "cameras: {a: {source: 'test:', input_options: {-re: 1}}}",
        "1:48: cameras.a.input_options.-re: '-re' is not an ffmpeg option's name",
        "without the dash",
    ),
    (
        "cameras: {a: {source: 'test:', input_options: {re: [1]}}}",
        "1:52: cameras.a.input_options.re: this value",
        "text, a number",
    ),
    ("cameras: {a: {source: 'test:', input_options: [1]}}", "1:47: cameras.a.input_options: must be a mapping"),
    # The environment
    ("log: {level: '${NOPE}'}", "1:14: log.level: the environment variable NOPE is not set", "${NOPE:-default}"),
    ("cameras:\n  a:\n    source: rtsp://u:${NOPE}@h/", "3:13: cameras.a.source: the environment variable NOPE"),
    ("cameras: {a: {source: 'rtsp://${1x}/'}}", "1:23: cameras.a.source: ${ is not followed by NAME}", "$${"),
    ("server: {port: '${WORD}'}", "1:16: server.port: 'quince' is not allowed"),
    ("server: {host: '${WORD}'}", "1:16: server.host: 'quince' lets others in"),
    # YAML
    ("server: {port: 80", "1:18: not YAML: while parsing a flow mapping"),
    ("server:\n\tport: 80", "2:1: not YAML: while scanning", "indent with blanks"),
    ("cameras:\n  a:\n    source: test:", "3:17: not YAML: mapping values", "in quotes", '"test:"'),
    ("cameras: {a: {source: rtsp://${X}/}}", "1:31: not YAML:", "must stand in quotes"),
    ("a: *b", "1:4: not YAML: found undefined alias"),
    ("a: 1\n---\nb: 1", "2:1: not YAML: expected a single document"),
    ('log: {level: "\\UFFFFFFFF"}', "1:17: not YAML: an escape"),
    ("a: 1\nb: \x07", "2:4: not YAML: character U+0007"),
    ("log: !!python/object/apply:os.system [ls]", "1:6: log: the tag !!python/object/apply:os.system is not allowed"),
    ("log: {level: !x info}", "1:14: log.level: the tag !x is not allowed"),
    ("log: &a [*a]", "1:6: log.0: this anchor's value contains an alias of itself"),
    ("log: &a\n  <<: *a", "1:6: log: this anchor's value contains an alias of itself"),
    ("log: {<<: 5}", "1:11: log.<<: merges only mappings"),
    ("[" * 60, "1:51: nested more than 50 levels"),
    ("#" * 1_000_001, "1:1: longer than 1000000 characters"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[start for _, start, *_ in REFUSED])
def test_refused(case: tuple[str, ...]) -> None:
    text, start, *fragments = case
    told = problems(text)
    assert len(told) == 1, told
    assert told[0].startswith(f"hlscam.yaml:{start}"), told
    for fragment in fragments:
        assert fragment in told[0]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    told = problems(
        """\
        server: {host: 0.0.0.0, prt: 80}
        hls: {segment_duration_s: x}
        cameras:
          Porch: {source: "rtsp://admin:hunter22@h:99999/", name: "${NOPE}"}
          tmp: {source: "test:"}
          door:
            sorce: "test:"
            audio: loud
          door: {}
        """
    )
    assert [line.split(": ")[1] for line in told] == [
        *("server.host", "server.prt", "hls.segment_duration_s"),
        *("cameras.Porch", "cameras.Porch.source", "cameras.Porch.name", "cameras.tmp"),
        *("cameras.door.source", "cameras.door.sorce", "cameras.door.audio", "cameras.door"),
    ]
    assert not any("hunter22" in line for line in told)


def test_no_message_shows_a_value_from_the_environment() -> None:
    told = problems(
        "cameras: {a: {source: '${PASSWORD}'}, b: {source: 'rtsp://u:${PASSWORD}@h:0/'}, c: {source: '${WORD}'}}"
    )
    assert len(told) == 3
    assert not any(ENVIRON["PASSWORD"] in line or ENVIRON["WORD"] in line for line in told)


def test_alias_bombs_are_refused() -> None:
    levels = [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9)]
    told = problems("\n".join(["a0: &a0 x", *levels]))
    assert "aliases make more than" in told[0]


def test_everything_has_a_default() -> None:
    for text in ("", "# nothing\n", "cameras:\nserver:\n", "{}"):
        config = parse(text)
        assert config == Config.model_validate({}, context={"base": BASE})
        assert (config.server.host, config.server.port, config.server.cache_mb) == ("127.0.0.1", 8080, 64)
        assert config.archive.path == BASE / "archive"
        assert config.archive.recording_s == 600
        assert config.catalog_url == "sqlite:////etc/hlscam/archive/catalog.sqlite3"
        assert (config.hls.segment_duration_s, config.hls.part_duration_s, config.hls.live_window_s) == (2, 0.3, 10)
        assert config.ffmpeg.path is None
        assert config.retention == RetentionConfig(headroom_mb=None, max_days=None, max_gb=None)
        assert config.cameras == {}
        assert config.secrets == frozenset()


def test_cameras() -> None:
    config = parse(
        """\
        cameras:
          porch: {name: " Front porch ", source: "rtsp://viewer:hunter22@192.168.1.20/stream1"}
          loop: {source: "file:clips/garden.mp4", audio: none}
          no: {source: "test:?rate=25", input_options: {probesize: 100000, re: true, headers: "X: topsecret"}}
        """
    )
    porch, loop, no = config.cameras.values()
    assert (porch.name, porch.audio, porch.rtsp_transport, porch.enabled) == ("Front porch", "auto", "tcp", True)
    assert isinstance(porch.source, UrlSource)
    assert loop.source == FileSource(BASE / "clips/garden.mp4")
    assert loop.name == "loop"
    assert no.source == TestSource(rate=25)
    assert no.input_options == {"probesize": 100000, "re": True, "headers": "X: topsecret"}
    assert config.secrets == {"hunter22", "X: topsecret"}
    assert "hunter22" not in repr(config)
    assert "topsecret" not in repr(config)


@pytest.mark.parametrize("id_", ["a", "0", "front-porch_2", "a" * 63])
def test_camera_ids_taken(id_: str) -> None:
    assert list(parse(f"cameras: {{{id_}: {{source: 'test:'}}}}").cameras) == [id_]


def test_reserved_ids_would_be_ids_otherwise() -> None:
    assert all(CAMERA_ID.fullmatch(id_) for id_ in RESERVED_CAMERA_IDS)
    assert {"quarantine", "catalog", "nul", "com1", "lpt9"} <= RESERVED_CAMERA_IDS


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert parse(f"server: {{host: '{host}', port: 0}}").server.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "cam.example.org"])
def test_other_hosts_when_insecure(host: str) -> None:
    assert parse(f"server: {{host: '{host}', insecure: true}}").server.host == host


@pytest.mark.parametrize(
    ("minutes", "seconds"), [("10", 600), ("1", 60), ("60", 3600), ("0.25", 15), ("0.1", 6), ("1.5", 90), ("0.05", 3)]
)
def test_recording_lengths(minutes: str, seconds: int) -> None:
    assert parse(f"archive: {{recording_minutes: {minutes}}}").archive.recording_s == seconds


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///my.sqlite3", "sqlite:////etc/hlscam/my.sqlite3"),
        ("sqlite:////var/x.sqlite3", "sqlite:////var/x.sqlite3"),
        ("postgresql+psycopg://u:hunter22@h:5432/db?a=b", "postgresql+psycopg://u:hunter22@h:5432/db?a=b"),
        ("postgresql+psycopg:///db", "postgresql+psycopg:///db"),
    ],
)
def test_catalog_urls(url: str, expected: str) -> None:
    config = parse(f"catalog: {{url: '{url}'}}")
    assert config.catalog_url == expected
    assert ("hunter22" in config.secrets) == ("hunter22" in url)
    assert "hunter22" not in repr(config)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("ffmpeg", "ffmpeg"), ("./ffmpeg", "/etc/hlscam/ffmpeg"), ("/opt/ffmpeg", "/opt/ffmpeg")],
)
def test_ffmpeg_is_a_name_or_a_path(path: str, expected: str) -> None:
    assert parse(f"ffmpeg: {{path: {path}}}").ffmpeg.path == expected


def test_retention() -> None:
    config = parse("retention: {headroom_mb: 0, max_days: 0.5, max_gb: 200}")
    assert config.retention == RetentionConfig(headroom_mb=0, max_days=0.5, max_gb=200)


def test_the_environment_fills_what_is_optional() -> None:
    config = parse("retention: {headroom_mb: '${PORT}', max_days: '${RATE}', max_gb: '${EMPTY}'}")
    assert config.retention == RetentionConfig(headroom_mb=8123, max_days=0.25, max_gb=None)


def test_live_window_follows_long_segments() -> None:
    assert parse("hls: {segment_duration_s: 10}").hls.live_window_s == 50


def test_anchors_and_merge_keys() -> None:
    config = parse(
        """\
        cameras:
          a: &common {source: "test:", audio: none, enabled: false}
          b: {<<: *common, enabled: true}
          c: {audio: aac, <<: [{name: C}, *common]}
        """
    )
    assert [(c.name, c.audio, c.enabled) for c in config.cameras.values()] == [
        ("a", "none", False),
        ("b", "none", True),
        ("C", "aac", False),
    ]


def test_the_environment_fills_numbers_switches_and_text() -> None:
    config = parse(
        """\
        server: {port: "${PORT}", insecure: "${YES}", cache_mb: "${NOPE:-7}", host: "${EMPTY:-localhost}"}
        archive: {recording_minutes: "${RATE}", path: "${WORD}"}
        catalog: {url: "${EMPTY}"}
        cameras:
          a: {name: "${PORT}", source: "rtsp://u:${PASSWORD}@h/${WORD}", input_options: {user_agent: "${WORD}"}}
          b: {name: "$${PORT} $5", source: "file:${WORD}.mp4"}
        """
    )
    assert (config.server.port, config.server.insecure, config.server.cache_mb) == (8123, True, 7)
    assert config.server.host == "localhost"
    assert (config.archive.recording_minutes, config.archive.path) == (0.25, BASE / "quince")
    assert config.catalog.url is None
    assert config.cameras["a"].name == "8123"
    assert config.cameras["a"].source == UrlSource("rtsp://u:p%40ss%2Fw%3Ard%3F%23%25@h/quince")
    assert config.cameras["b"].name == "${PORT} $5"


def test_what_the_environment_put_into_sources_is_secret_and_the_rest_is_not() -> None:
    config = parse(
        """\
        server: {port: "${PORT}"}
        cameras: {a: {source: "rtsp://u:${PASSWORD}@h/"}, b: {source: "file:${WORD}.mp4"}}
        """
    )
    assert config.secrets == {ENVIRON["PASSWORD"], "p%40ss%2Fw%3Ard%3F%23%25"}
    assert (
        redact(f"401 for {ENVIRON['PASSWORD']} at port 8123, quince", config.secrets)
        == "401 for *** at port 8123, quince"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $ $$ $X }", "plain $ $$ $X }"),
        ("$${WORD}", "${WORD}"),
        ("$$${WORD}", "$${WORD}"),
        ("a${WORD}b${EMPTY}c${WORD}", "aquincebcquince"),
        ("${NOPE:-}", ""),
        ("${NOPE:-a:-b}", "a:-b"),
        ("http://h/${PASSWORD}@x", "http://h/p@ss/w:rd?#%@x"),
        ("http://${WORD}:${PASSWORD}@x", "http://quince:p%40ss%2Fw%3Ard%3F%23%25@x"),
        ("http://u:${NOPE:-a/b}@x", "http://u:a%2Fb@x"),
    ],
)
def test_substitution(text: str, expected: str) -> None:
    result = substitute(text, ENVIRON)
    assert result.text == expected
    assert result.problems == ()


def test_a_configuration_does_not_change() -> None:
    config = parse("cameras: {a: {source: 'test:'}}")
    with pytest.raises(ValidationError, match="frozen"):
        config.server.port = 1  # type: ignore[misc]


def test_demo() -> None:
    config = demo_config(Path("/tmp/archive"), Path("/tmp/clip.mp4"))
    assert config.archive.path == Path("/tmp/archive")
    assert {id_: (camera.name, camera.source) for id_, camera in config.cameras.items()} == {
        "pattern": ("Test pattern", TestSource(size=(1280, 720), audio=True)),
        "clip": ("Looped clip", FileSource(Path("/tmp/clip.mp4"))),
    }


def test_the_example_parses_and_names_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    config = parse_config(text, environ={"PORCH_PASSWORD": "x/y"}, base=BASE, file_name=EXAMPLE.name)
    assert set(config.cameras) == {"porch", "pattern"}
    defaults = Config.model_validate({}, context={"base": BASE})
    assert config.model_dump(exclude={"cameras"}) == defaults.model_dump(exclude={"cameras"})
    for key, _ in config_keys():
        assert re.search(rf"^\s*(# )?{key.rpartition('.')[2]}:", text, re.MULTILINE), key


def test_the_example_parses_with_its_comments_as_settings() -> None:
    text = re.sub(
        r"^( *)# ( *[a-z_]+:($| (?=postgresql|/usr|file|[0-9])))", r"\1\2", EXAMPLE.read_text(), flags=re.MULTILINE
    )
    environ = {"PORCH_PASSWORD": "x/y", "CATALOG_PASSWORD": "z"}
    config = parse_config(text, environ=environ, base=BASE, file_name=EXAMPLE.name)
    assert config.catalog_url == "postgresql+psycopg://hlscam:z@localhost/hlscam"
    assert config.ffmpeg.path == "/usr/bin/ffmpeg"
    assert config.retention == RetentionConfig(headroom_mb=5000, max_days=14, max_gb=500)
    assert config.cameras["garden"].source == FileSource(BASE / "clips/garden.mp4")


def test_the_table_has_a_row_for_every_setting() -> None:
    rows = config_table().splitlines()
    assert rows[0] == "| Key | Default | Allowed | What it is for |"
    assert len(rows) == 2 + len(list(config_keys()))
    assert "| `server.port` | `8080` | 0 to 65535; 0 takes any free one | port to listen on |" in rows
    assert all(len(row.split(" | ")) == 4 and "|  |" not in row for row in rows[2:])


# Round trips and arbitrary texts.

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
CAMERAS = st.builds(
    CameraConfig,
    name=NAMES,
    source=st.builds(TestSource, rate=st.integers(1, 120)) | st.just(UrlSource("rtsp://u:p%40@h/")),
    audio=st.sampled_from(["auto", "aac", "none"]),
    enabled=st.booleans(),
    input_options=st.dictionaries(st.from_regex(r"[a-z0-9_]{1,9}", fullmatch=True), NAMES | st.integers(0, 9)),
)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True).filter(lambda id_: id_ not in RESERVED_CAMERA_IDS)
CONFIGS = st.builds(
    Config,
    server=st.builds(ServerConfig, port=st.integers(0, 65535)),
    archive=st.builds(ArchiveConfig, path=st.just(Path("/a")), recording_minutes=st.sampled_from([10, 0.25, 1])),
    hls=st.builds(HlsConfig, segment_duration_s=st.sampled_from([0.5, 2, 10])),
    cameras=st.dictionaries(IDS, CAMERAS, max_size=3),
)


@settings(deadline=None)
@given(CONFIGS)
def test_round_trip(config: Config) -> None:
    dumped = config.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(dumped, allow_unicode=True).replace("${", "$${")
    assert parse_config(text, environ={}, base=BASE, file_name="x.yaml") == config


KEYS = [key.replace("<id>", "a").split(".")[-1] + ": " for key, _ in config_keys()]
SECTIONS = ["server:", "archive:", "hls:", "cameras:", "log:", "catalog:", "  a:"]
SYNTAX = ["\n", "\n  ", "\n    ", "\t", "{", "}", "[", "]", "- ", "? ", ": ", "&a ", "*a", "<<: *a", "!t ", "!!int "]
SYNTAX += ["'", '"', "\\U", "|", "%YAML ", "---", "#"]
VALUES = ["1", "-0.5", ".nan", "true", "~", "test:?", "rtsp://u:p@h/", "file:x", "${X}", "${PORT}"]
VALUES += ["sqlite:///x", "0.0.0.0"]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*KEYS, *SECTIONS, *SYNTAX, *VALUES]) | st.text(max_size=4), max_size=20).map("".join))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    try:
        parse_config(text, environ=ENVIRON, base=BASE, file_name="x.yaml")
    except ConfigError as error:
        for line in error.message.splitlines():
            assert re.match(r"x\.yaml:\d+:\d+: .", line)  # that a text may also be taken is the point


ODD_KEYS = st.sampled_from([*Config.model_fields, "[key]", "a"]) | st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_KEYS, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(Config.model_fields)), JSON))
def test_any_values_are_a_configuration_or_a_config_error(data: dict[str, object]) -> None:
    try:
        parse_config(yaml.safe_dump(data), environ=ENVIRON, base=BASE, file_name="x.yaml")
    except ConfigError as error:
        lines = error.message.splitlines()
        assert lines == sorted(lines, key=lambda line: [int(n) for n in line.split(":")[1:3]])
