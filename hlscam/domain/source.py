"""Where a camera's pictures come from, as one line of text in the configuration.

Three kinds, told apart by what stands before the colon:

- `rtsp://…` and other URLs: a `UrlSource`, which ffmpeg reads as it is;
- `file:clips/garden.mp4`: a `FileSource`, looped in real time for ever, whether anyone watches or not;
- `test:?size=1280x720&rate=30`: a `TestSource`, a test pattern with a running UTC clock.

Sources are values: equal texts give equal sources, `text` writes one back, and no source shows a password in its
`repr`. Nothing here opens anything; whether a clip can be read is for whoever reads the configuration file to see.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from hlscam.domain.secrets import redact, url_secrets
from hlscam.errors import ConfigError

URL_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp", "rtp", "tcp")
TestCodec = Literal["h264", "hevc"]

_PORT_NEEDED = ("srt", "udp", "rtp", "tcp")  # protocols without a port of their own
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_NAME = re.compile(r"\w[\w-]*(\.\w[\w-]*)*\.?")  # underscores: not RFC 1123, but real in home networks
_VIDEO_FILE = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|ts|mts|m2ts|flv|3gp)$", re.IGNORECASE)
_ENCODE = "; if that is part of the password, percent-encode it: / is %2F, ? is %3F, # is %23, @ is %40"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, repr=False)
class UrlSource:
    """A stream that ffmpeg opens by its URL, credentials included."""

    url: str

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0]

    @property
    def text(self) -> str:
        return self.url

    @property
    def redacted(self) -> str:
        """The URL as it may be logged and shown."""
        return redact(self.url, self.secrets)

    @property
    def secrets(self) -> frozenset[str]:
        return url_secrets(self.url)

    def __repr__(self) -> str:
        return f"UrlSource({self.redacted!r})"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A clip on disk, played in real time and from its start again at its end."""

    path: Path

    @property
    def text(self) -> str:
        return f"file:{self.path}"

    @property
    def redacted(self) -> str:
        return self.text

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSource:
    """ffmpeg's test pattern with a running UTC clock. `rate` is frames per second, `size` width and height."""

    __test__ = False  # pytest would collect it by its name

    size: tuple[int, int] = (1280, 720)
    rate: int = 30
    gop_s: float = 2.0
    audio: bool = True
    bframes: int = 0
    codec: TestCodec = "h264"
    bit_rate_kbps: int | None = None

    @property
    def gop_frames(self) -> int:
        """The distance of sync samples in frames."""
        return max(1, round(self.gop_s * self.rate))

    @property
    def text(self) -> str:
        width, height = self.size
        text = (
            f"test:?size={width}x{height}&rate={self.rate}&gop_s={self.gop_s}&audio={self.audio:d}"
            f"&bframes={self.bframes}&codec={self.codec}"
        )
        return text if self.bit_rate_kbps is None else f"{text}&bit_rate_kbps={self.bit_rate_kbps}"

    @property
    def redacted(self) -> str:
        return self.text

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset()


Source = UrlSource | FileSource | TestSource


def parse_source(text: str, base: Path) -> Source:
    """The source that `text` names; relative clips are looked for under the folder `base`.

    Raises ConfigError with what is allowed. Its message holds no credentials.
    """
    if found := _UNPRINTABLE.search(text):
        _refuse(f"a source has no control characters, but this one has {found.group()!r} at {found.start() + 1}")
    match = _SCHEME.match(text)
    if match is None:
        _refuse_plain(text)
    kind, rest = match.group(1).lower(), text[match.end() :]
    if kind == "file":
        return FileSource(_clip_path(rest, base))
    if kind == "test":
        return _parse_test(rest)
    if kind not in URL_SCHEMES:
        _refuse_scheme(kind, text)
    return _parse_url(f"{kind}:{rest}")


def _refuse(message: str) -> NoReturn:
    raise ConfigError(message)


def _shown(text: str) -> str:
    """A malformed text, redacted as if it were what follows a `scheme:` and had no blanks.

    `user:pass@host` is a URL whose scheme was forgotten, and a blank may stand in the middle of a password.
    """
    return redact("://" + re.sub(r"\s", "%20", text.removeprefix("//"))).removeprefix("://")


def _refuse_plain(text: str) -> NoReturn:
    """A text without a scheme is most often a path, or an address without its `rtsp://`."""
    if not text.strip():
        _refuse("a source is empty; write a URL such as rtsp://192.168.1.20/stream1, file:clip.mp4 or test:")
    shown = _shown(text)
    host, slash, _ = text.partition("/")
    if text == "test" or text.startswith("test?"):
        guess = f"test:{text[4:]}"
    elif "." in host.strip(".") and (slash or ":" in host) and not _VIDEO_FILE.search(text):
        guess = f"rtsp://{shown}"
    else:
        guess = f"file:{shown}"
    _refuse(f"{shown!r} has no scheme; did you mean {guess!r}?")


def _refuse_scheme(kind: str, text: str) -> NoReturn:
    shown = _shown(text)
    allowed = f"allowed: {', '.join(URL_SCHEMES)} (each with ://), file: and test:"
    if re.fullmatch(r"[A-Za-z]:[\\/].*", text):
        _refuse(f"{shown!r} has no scheme; did you mean 'file:{shown}'?")
    if re.match(r"[^:]*:\d+(/|$)", text):
        _refuse(f"{shown!r} has no scheme; did you mean 'rtsp://{shown}'?")
    close = difflib.get_close_matches(kind, [*URL_SCHEMES, "file", "test"], n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    _refuse(f"{kind!r} is not a kind of source; {guess}{allowed}")


def _clip_path(rest: str, base: Path) -> Path:
    """`file:` takes the rest as a path letter by letter; `file://` is a URI and percent-decoded (RFC 8089)."""
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost") or not slash:
            _refuse(f"a clip is on this machine: write file:/// and its whole path, not file://{host}")
        rest = "/" + unquote(path).lstrip("/")
        if _UNPRINTABLE.search(rest):
            _refuse("a clip's path has no control characters, percent-encoded or not")
    if rest.strip() in ("", "/"):
        _refuse("file: needs a path, such as file:clips/garden.mp4")
    if rest.startswith("~"):
        _refuse("~ is not expanded here; write ${HOME} in its place")
    return base / rest


def _parse_url(url: str) -> UrlSource:
    scheme, _, rest = url.partition(":")
    if not rest.startswith("//"):
        _refuse(f"'{scheme}:{_shown(rest)}' lacks its slashes; write {scheme}:// and the host")
    if re.search(r"\s", url):
        _refuse(f"the URL has a blank in it; write %20 where a blank belongs: {scheme}:{_shown(rest)}")
    shown = redact(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        _refuse(f"{shown!r} has a malformed host; an IPv6 address stands in brackets, [::1]")
    _check_host(parts, shown)
    _check_port(parts, shown)
    return UrlSource(url)


def _check_host(parts: SplitResult, shown: str) -> None:
    host = parts.hostname or ""
    if not host:
        _refuse(f"{shown!r} has no host; write one, such as {parts.scheme}://192.168.1.20{parts.path}")
    if ":" in host:
        address = host.partition("%")[0]  # a zone such as %eth0 (RFC 6874)
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            _refuse(f"{shown!r} has a malformed IPv6 address")
    elif len(host) > 253 or not _HOST_NAME.fullmatch(host):
        _refuse(f"{shown!r} has a host that is neither a name nor an IP address{_ENCODE}")


def _check_port(parts: SplitResult, shown: str) -> None:
    try:
        port = parts.port
    except ValueError:
        _refuse(f"{shown!r} has a port that is not a number from 1 to 65535{_ENCODE}")
    if port == 0:
        _refuse(f"{shown!r} has port 0; allowed: 1 to 65535")
    if port is None and parts.scheme in _PORT_NEEDED:
        _refuse(f"{shown!r} has no port, and {parts.scheme} has no usual one; write {parts.scheme}://host:port")


def _parse_test(rest: str) -> TestSource:
    """`test:`, or `test:?name=value&…`. All wrong parameters are told in one message."""
    if rest and not rest.startswith("?"):
        _refuse(f"'test:{rest}' is not a test source; write test:?size=1280x720&rate=30, or test: alone")
    values: dict[str, object] = {}
    problems: list[str] = []
    for pair in filter(None, rest[1:].split("&")):
        name, _, value = pair.partition("=")
        try:
            if name in values:
                _refuse(f"{name} is given twice")
            values[name] = _test_parameter(name, value)
        except ConfigError as error:
            problems.append(error.message)
            values.setdefault(name, None)
    if problems:
        _refuse("; ".join(problems))
    return TestSource(**values)  # type: ignore[arg-type]  # each value comes from its own reader in _PARAMETERS


def _test_parameter(name: str, value: str) -> object:
    if name not in _PARAMETERS:
        close = difflib.get_close_matches(name, _PARAMETERS, n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        _refuse(f"{name!r} is not a parameter of test:; {guess}allowed: {', '.join(_PARAMETERS)}")
    read, allowed = _PARAMETERS[name]
    try:
        parsed = read(value)
    except (ValueError, KeyError):
        parsed = None
    if parsed is None:
        _refuse(f"{name}={value} is not allowed; allowed: {allowed}")
    return parsed


def _size(value: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"([0-9]{2,4})x([0-9]{2,4})", value)
    if match is None:
        return None
    width, height = int(match.group(1)), int(match.group(2))
    even = width % 2 == 0 and height % 2 == 0  # 4:2:0 chroma
    return (width, height) if even and 64 <= width <= 7680 and 64 <= height <= 4320 else None


def _whole(first: int, last: int) -> Callable[[str], int | None]:
    def read(value: str) -> int | None:
        return int(value) if re.fullmatch(r"[0-9]{1,9}", value) and first <= int(value) <= last else None

    return read


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value) and 0.1 <= float(value) <= 60 else None


_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_CODECS = {codec: codec for codec in get_args(TestCodec)}
_PARAMETERS: dict[str, tuple[Callable[[str], object], str]] = {
    "size": (_size, "WIDTHxHEIGHT, both even, 64x64 to 7680x4320"),
    "rate": (_whole(1, 120), "1 to 120 frames per second"),
    "gop_s": (_seconds, "0.1 to 60 seconds"),
    "audio": (_SWITCH.__getitem__, "1 or 0"),
    "bframes": (_whole(0, 16), "0 to 16"),
    "codec": (_CODECS.__getitem__, " or ".join(_CODECS)),
    "bit_rate_kbps": (_whole(50, 200_000), "50 to 200000"),
}
