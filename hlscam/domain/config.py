"""The configuration: every setting, its default and what is allowed, in one place.

These models are the only description of the settings. They check values (`config_text.py` brings them from a file,
with line numbers), and each field carries `allowed` and a description for people, from which both the error messages
and README's table (`config_reference.py`) are written. Units stand in names. A `Config` never changes.

Relative paths belong to the configuration file's folder, which validation is given as `context={"base": folder}`.
Nothing here touches the file system or the environment.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from hlscam.domain.environment import Substituted
from hlscam.domain.low_latency import PART_DURATION_S
from hlscam.domain.secrets import is_secret_option, url_secrets
from hlscam.domain.source import FileSource, Source, TestSource, UrlSource, parse_source
from hlscam.errors import ConfigError

CAMERA_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
RESERVED_CAMERA_IDS = frozenset(
    ["quarantine", "catalog", "exports", "trash", "tmp"]  # names of our own in the archive folder
    + ["con", "prn", "aux", "nul"]  # no folder on a Windows share can have these names
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)]
)
SEGMENTS_IN_LIVE_WINDOW = 5

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_CATALOG_URL = re.compile(r"sqlite:///(?!:memory:)[^?\s].*|postgresql\+[a-z0-9_]+://[^\s/]*/[^\s?/]+(\?\S*)?")
_OPTION_NAME = re.compile(r"[a-z0-9_]{1,64}")
_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _refuse(message: str, *, key: str | None = None) -> NoReturn:
    """A problem in one sentence; `key` names the sibling that it belongs to, where that is another one."""
    raise PydanticCustomError("hlscam", "{message}", {"message": message, "key": key})


def _printable(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            _refuse(f"has the control character {character!r} in it")
    return str(text)


def _path(value: object, info: ValidationInfo) -> Path:
    """A path from text, relative to the configuration file's folder."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip():
        _refuse("is not a path; write the name of a folder or file")
    if value.startswith("~"):
        _refuse("~ is not expanded here; write ${HOME} in its place")
    return _base(info) / _printable(value)


def _base(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("base", "."))


def _source(value: object, info: ValidationInfo) -> Source:
    if isinstance(value, UrlSource | FileSource | TestSource):
        return value
    if not isinstance(value, str):
        _refuse("is not text; write a URL such as rtsp://192.168.1.20/stream1, file:clip.mp4 or test:")
    try:
        return parse_source(value, _base(info))
    except ConfigError as error:
        _refuse(error.message)


def _camera_id(text: str) -> str:
    if not CAMERA_ID.fullmatch(text):
        lower = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63]
        guess = f"did you mean {lower!r}? " if CAMERA_ID.fullmatch(lower) else ""
        _refuse(
            f"{text!r} is not a camera id; {guess}allowed: 1 to 63 of a-z, 0-9, _ and -, a letter or digit first"
            " (`name` takes any text)"
        )
    if text in RESERVED_CAMERA_IDS:
        _refuse(f"{text!r} is a name that hlscam or a file system needs for itself; choose another camera id")
    return text


def _option_name(text: str) -> str:
    if not _OPTION_NAME.fullmatch(text):
        _refuse(f"{text!r} is not an ffmpeg option's name; allowed: a-z, 0-9 and _, without the dash in front")
    return text


def setting(default: object, what: str, allowed: str, **constraints: Any) -> Any:
    """A field with what it is for and what is allowed, both for people; without a default where that is `...`."""
    return Field(default, description=what, json_schema_extra={"allowed": allowed}, **constraints)


def section(what: str) -> Any:
    """A field that holds further fields. Left out, it is an empty mapping, validated like a written one."""
    return Field(default_factory=dict, description=what)


class Section(BaseModel):
    """What all sections have in common: strict, closed, unchanging, and silent about values in errors."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _from_text(cls, value: object, info: ValidationInfo) -> object:
        """Environment variables are text; here they become what the field is. An empty section is an empty mapping."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, Substituted):
            return _typed(value, kind)
        is_section = isinstance(kind, type) and issubclass(kind, Section)
        return {} if value is None and (is_section or info.field_name in _MAPPINGS) else value


_MAPPINGS = ("cameras", "input_options")


def _typed(text: Substituted, kind: object) -> object:
    """The number or switch that the text means where `kind` is one; anything else stays text and is judged as such."""
    plain = str(text)
    kinds = get_args(kind) or (kind,)
    if type(None) in kinds and not plain:
        return None
    if bool in kinds:
        return _SWITCHES.get(plain.lower(), plain)
    if int in kinds or float in kinds:
        with suppress(ValueError):
            return int(plain) if re.fullmatch(r"-?[0-9]{1,18}", plain) else float(plain)
    return plain


class ServerConfig(Section):
    """Where the web page, the playlists and the API are."""

    host: str = setting("127.0.0.1", "address to listen on", "an IP address or host name; loopback unless `insecure`")
    port: int = setting(8080, "port to listen on", "0 to 65535; 0 takes any free one", ge=0, le=65535)
    insecure: bool = setting(
        False, "listen on other addresses than loopback although there are no users and tokens yet", "true or false"
    )
    cors_origins: Annotated[Sequence[str], AfterValidator(tuple)] = setting(
        (), "pages of other machines that may read this server", "a list such as [https://home.example.org], or ['*']"
    )
    cache_mb: int = setting(64, "memory for the hottest segments", "0 to 65536; 0 switches it off", ge=0, le=65536)

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        if not _is_address(host) and not _HOST.fullmatch(host):
            _refuse(f"{host!r} is neither an IP address nor a host name")
        return host

    @field_validator("insecure")
    @classmethod
    def _is_safe(cls, insecure: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host", "localhost")  # absent where it was refused itself
        if not insecure and not is_loopback(host):
            _refuse(
                f"{host!r} lets others in, and hlscam has no users or tokens yet: everyone who reaches it could watch; "
                "listen on 127.0.0.1 behind a reverse proxy that asks for a password, or set insecure: true",
                key="host",
            )
        return insecure


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server on `host`: 127.0.0.0/8 (RFC 1122 3.2.1.3), ::1, localhost."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


ObserverKind = Literal["auto", "polling", "inotify"]


class ArchiveConfig(Section):
    """Where recordings are, and how they are cut and followed."""

    path: Annotated[Path, BeforeValidator(_path)] = setting(
        "./archive", "folder of the recordings", "a folder that exists or can be made; relative to this file's folder"
    )
    recording_minutes: float = setting(
        10, "length of a recording; cuts stand at its multiples in UTC", "a length whose seconds divide an hour: "
        "1, 2, 5, 10, 15, 60, or 0.25, 0.1", gt=0, le=60,
    )  # fmt: skip
    observer: ObserverKind = setting(
        "auto", "how growing recordings are followed: polling where inotify cannot see, such as network mounts",
        "auto, polling or inotify",
    )  # fmt: skip
    rescan_interval_s: float = setting(
        60, "seconds between looks at the whole folder, for events that were lost", "0.1 to 3600", ge=0.1, le=3600
    )
    fsync_interval_s: float = setting(
        2, "seconds after which what is recorded has reached the disk: what a power cut can cost", "0.1 to 60",
        ge=0.1, le=60,
    )  # fmt: skip

    @field_validator("recording_minutes")
    @classmethod
    def _divides_an_hour(cls, minutes: float) -> float:
        recording_s = round(minutes * 60)
        if abs(minutes * 60 - recording_s) > 1e-6 or recording_s == 0 or 3600 % recording_s:
            _refuse(
                f"{minutes:g} minutes do not divide an hour into equal recordings of whole seconds; "
                "allowed: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, or a fraction such as 0.25 or 0.1"
            )
        return minutes

    @property
    def recording_s(self) -> int:
        """Length of a recording in seconds."""
        return round(self.recording_minutes * 60)


def _catalog_url(url: str, info: ValidationInfo) -> str:
    """A relative SQLite file belongs to the configuration file's folder."""
    if not _CATALOG_URL.fullmatch(_printable(url)):
        _refuse(
            "is not a catalog's URL; allowed: sqlite:///file.sqlite3 or postgresql+psycopg://user:password@host/name"
        )
    if not url.startswith("sqlite:"):
        return url
    return f"sqlite:///{_base(info) / url.removeprefix('sqlite:///')}"


class CatalogConfig(Section):
    """The database that indexes the recordings. It can be built again from the archive."""

    url: Annotated[str, AfterValidator(_catalog_url)] | None = setting(
        None, "database", "sqlite:///… or postgresql+…; by default catalog.sqlite3 in the archive folder", repr=False
    )


def _default_live_window_s(validated: dict[str, Any]) -> float:
    """Short, because VLC begins as far back as 15 s where the list lets it; with 5 segments it is 3 behind."""
    return float(SEGMENTS_IN_LIVE_WINDOW * validated["segment_duration_s"])


class RetentionConfig(Section):
    """When the oldest recordings go (`domain/retention.py`). Footage stays as long as these let it."""

    headroom_mb: int | None = setting(
        None, "room that is kept free on the archive's disk: the oldest recordings go before it is used up",
        "0 or more (0 removes nothing to make room); by default 5 % of the disk and at most 5 GB, or what the cameras "
        "write in 2 minutes if that is more", ge=0,
    )  # fmt: skip
    max_days: float | None = setting(
        None, "recordings that are older go although there is room", "more than 0; by default no limit",
        gt=0, le=36_500,
    )  # fmt: skip
    max_gb: float | None = setting(
        None, "the oldest recordings go as long as all together are larger", "more than 0; by default no limit", gt=0
    )


class HlsConfig(Section):
    """How streams are cut for players."""

    segment_duration_s: float = setting(2, "aim for a segment's duration in seconds", "0.5 to 10", ge=0.5, le=10)
    part_duration_s: float = setting(
        PART_DURATION_S,
        "aim for a duration of parts (fragments) in seconds",
        "0.2 to 2, and at most segment_duration_s",
        ge=0.2,
        le=2,
    )
    live_window_s: float = Field(
        default_factory=_default_live_window_s,
        description="seconds that the live playlist reaches back; a longer one makes VLC start further behind",
        json_schema_extra={
            "allowed": f"{SEGMENTS_IN_LIVE_WINDOW} segments to 3600",
            "default": f"{SEGMENTS_IN_LIVE_WINDOW} segments",
        },
        le=3600,
    )

    @field_validator("part_duration_s")
    @classmethod
    def _fits_segment(cls, part_duration_s: float, info: ValidationInfo) -> float:
        segment_duration_s = info.data.get("segment_duration_s", part_duration_s)
        if part_duration_s > segment_duration_s:
            _refuse(f"{part_duration_s:g} is longer than segment_duration_s ({segment_duration_s:g})")
        return part_duration_s

    @field_validator("live_window_s")
    @classmethod
    def _holds_segments(cls, live_window_s: float, info: ValidationInfo) -> float:
        least_s = SEGMENTS_IN_LIVE_WINDOW * info.data.get("segment_duration_s", 0)
        if live_window_s < least_s:
            _refuse(
                f"{live_window_s:g} is too short; players need {SEGMENTS_IN_LIVE_WINDOW} segments, {least_s:g} seconds"
            )
        return live_window_s


def _program(value: object, info: ValidationInfo) -> str:
    """A bare name is looked up in PATH by whoever runs it; anything with a `/` is a path."""
    if isinstance(value, str) and value and "/" not in value:
        return _printable(value)
    return str(_path(value, info))


class FfmpegConfig(Section):
    """The ffmpeg that records."""

    path: Annotated[str, BeforeValidator(_program)] | None = setting(
        None, "the ffmpeg program", "a path, or a name to look up in PATH; by default the one that hlscam brings"
    )


class RecorderConfig(Section):
    """When a camera is tried anew."""

    stall_timeout_s: float = setting(
        10, "seconds without a new fragment after which a camera is tried anew", "3 to 300", ge=3, le=300
    )


class LogConfig(Section):
    """What is logged on stderr."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "least level that is logged", "debug, info, warning or error"
    )
    format: Literal["text", "json"] = setting("text", "how lines look", "text or json")


OptionName = Annotated[str, AfterValidator(_option_name)]
OptionValue = Annotated[str, AfterValidator(_printable)] | int | float | bool
SourceSetting = Annotated[
    Source, PlainValidator(_source), PlainSerializer(lambda source: source.text, return_type=str, when_used="json")
]


class CameraConfig(Section):
    """One camera. `name` is never empty in a `Config`: it falls back to the camera's id."""

    name: Annotated[str, AfterValidator(_printable), AfterValidator(str.strip)] = setting(
        "", "what people call it; by default its id", "up to 100 characters", max_length=100
    )
    source: SourceSetting = setting(
        ..., "where its pictures come from",
        "rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, srt://, udp://, rtp://, tcp://, file: or test:",
    )  # fmt: skip
    audio: Literal["auto", "aac", "none"] = setting(
        "auto", "sound: auto copies it where MP4 and browsers take it and makes it AAC otherwise", "auto, aac or none"
    )
    rtsp_transport: Literal["tcp", "udp"] = setting("tcp", "how RTSP carries media", "tcp or udp")
    wallclock_timestamps: bool = setting(
        False, "time frames by their arrival, for cameras whose own timestamps are broken", "true or false"
    )
    enabled: bool = setting(True, "whether it is recorded; what it has recorded stays", "true or false")
    input_options: Mapping[OptionName, OptionValue] = setting(
        {}, "further ffmpeg input options, by name without dash", "text, numbers, true or false by name", repr=False
    )

    @property
    def secrets(self) -> frozenset[str]:
        """Passwords and tokens in the source and the input options."""
        options = {str(value) for name, value in self.input_options.items() if is_secret_option(name)}
        return self.source.secrets | options


CameraId = Annotated[str, AfterValidator(_camera_id)]


class Config(Section):
    """A whole configuration, checked. Camera ids are unique in any case, since they are lower case."""

    server: ServerConfig = section("where the page and the API are")
    archive: ArchiveConfig = section("where recordings are")
    retention: RetentionConfig = section("when the oldest recordings go")
    catalog: CatalogConfig = section("the database")
    hls: HlsConfig = section("how streams are cut")
    ffmpeg: FfmpegConfig = section("the program that records")
    recorder: RecorderConfig = section("when a camera is tried anew")
    log: LogConfig = section("what is logged")
    cameras: Mapping[CameraId, CameraConfig] = section("the cameras by id")

    _substituted: frozenset[str] = PrivateAttr(default=frozenset())

    @field_validator("cameras")
    @classmethod
    def _name_cameras(cls, cameras: Mapping[str, CameraConfig]) -> Mapping[str, CameraConfig]:
        return {id_: camera.model_copy(update={"name": camera.name or id_}) for id_, camera in cameras.items()}

    def with_substituted(self, values: frozenset[str]) -> Config:
        """The same configuration, which also knows which values came from the environment."""
        copy = self.model_copy()
        copy._substituted = values
        return copy

    @property
    def catalog_url(self) -> str:
        """The database's URL for SQLAlchemy."""
        return self.catalog.url or f"sqlite:///{self.archive.path / 'catalog.sqlite3'}"

    @property
    def secrets(self) -> frozenset[str]:
        """All that must not be logged (for `redact`): credentials in URLs and what came from the environment."""
        cameras = (camera.secrets for camera in self.cameras.values())
        return self._substituted.union(url_secrets(self.catalog.url or ""), *cameras)


def demo_config(archive: Path, clip: Path) -> Config:
    """What `--demo` runs: a test pattern with sound, and a clip that loops. Both paths absolute."""
    return Config(
        archive=ArchiveConfig(path=archive),
        cameras={
            "pattern": CameraConfig(name="Test pattern", source=TestSource(size=(1280, 720), audio=True)),
            "clip": CameraConfig(name="Looped clip", source=FileSource(clip)),
        },
    )
