"""Redaction: what may be logged or shown of a text that could hold a password.

Two nets, because each has holes that the other closes:

- *structure*: whatever looks like a credential in a URL goes, known or not (`scheme://user:pass@` and query
  parameters such as `password=`). A camera that answers with a redirect can show us credentials we never saw.
- *known secrets*: every occurrence of a value that we know to be one goes, raw or percent-encoded in any mixture,
  wherever it stands. This catches a password whose own `/` or `@` breaks the structure of its URL.

A known secret shorter than `SHORTEST_KNOWN` characters is left to the first net. Replacing every `1` or `abc` would
eat timestamps and words and make logs useless (and would tell the reader the secret by what is missing), while a
secret that short is no protection. User names are left to the first net as well: `admin` is in half of all paths.

When in doubt the first net takes more than it must: a lost path in a log costs less than a password in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

MASK = "***"
SHORTEST_KNOWN = 4

_PRIVATE_NAMES = (
    "password|passwd|passphrase|pass|pwd|token|access_token|auth|apikey|api_key|key|secret|signature|sig"
    "|headers|cookies"  # ffmpeg's options of http
)
_USER_NAMES = "username|user|usr|login|account"
_SECRET_OPTION = re.compile(rf"(?:.*_)?(?:{_PRIVATE_NAMES})", re.IGNORECASE)

_URL = re.compile(r"(?<=://)[^\s\"<>]+")
_AUTHORITY_END = re.compile(r"[/?#]")
# Besides `?` and `&`, some cameras put their credentials in the path: `/user=admin_password=x_channel=1`.
_PARAMETER = re.compile(rf"(?<=[?&;/_])({_PRIVATE_NAMES}|{_USER_NAMES})=([^&\s\"'<>]*)", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(authorization\s*:\s*\w+\s+)\S.*", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without credentials: those of URLs, and each of `secrets` that has at least `SHORTEST_KNOWN` characters.

    No such secret is a substring of the result, raw or percent-encoded.
    """
    known = _known(frozenset(secrets))
    text = _without_known(text, known)
    text = _URL.sub(_without_userinfo, text)
    text = _PARAMETER.sub(rf"\1={MASK}", text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    return _without_known(text, known)


def url_secrets(url: str) -> frozenset[str]:
    """The passwords and tokens in `url`, each as written and percent-decoded; not its user name."""
    authority = _AUTHORITY_END.split(url.partition("://")[2], maxsplit=1)[0]
    userinfo = authority.rpartition("@")[0]
    user, colon, password = userinfo.partition(":")
    found = {password if colon else user}  # `scheme://token@host`: a user without a password is a token
    found.update(value for name, value in _PARAMETER.findall(url) if is_secret_option(name))
    return frozenset(form for secret in found for form in (secret, unquote(secret)) if form)


def is_secret_option(name: str) -> bool:
    """Whether an ffmpeg option or query parameter of this name holds a secret: `passphrase`, `headers`, `api_key`."""
    return _SECRET_OPTION.fullmatch(name) is not None


def _without_userinfo(url: re.Match[str]) -> str:
    """What follows `://`, its `user:pass@` replaced.

    With a `:` or an `@` before the first `/`, everything up to the *last* `@` goes, since a password that nobody
    encoded may hold `/`, `?`, `#` and `@`. Without either, an `@` further on belongs to the path.
    """
    rest = url.group()
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    userinfo, at, after = rest.rpartition("@")
    return f"{MASK}@{after}" if at and userinfo and ("@" in authority or ":" in authority) else rest


def _without_known(text: str, known: re.Pattern[str] | None) -> str:
    """Replaces until none is left: a mask and its neighbours could spell a secret that holds asterisks.

    Each pass makes the text shorter (the mask is shorter than any known secret), so this ends.
    """
    while known is not None and (spans := _spans(text, known)):
        pieces, end = [], 0
        for first, last in spans:
            pieces += [text[end:first], MASK]
            end = last
        text = "".join([*pieces, text[end:]])
    return text


def _spans(text: str, known: re.Pattern[str]) -> list[tuple[int, int]]:
    """Where secrets stand. Overlapping ones are one span, so that no rest of the second one stays behind."""
    spans: list[tuple[int, int]] = []
    for match in known.finditer(text):
        first, last = match.span(1)
        if spans and first < spans[-1][1]:
            first, last = spans[-1][0], max(last, spans.pop()[1])
        spans.append((first, last))
    return spans


@lru_cache(maxsize=64)
def _known(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """A pattern that matches at each place where a secret begins, the longest one there."""
    forms = {form for secret in secrets for form in (secret, unquote(secret)) if len(form) >= SHORTEST_KNOWN}
    if not forms:
        return None
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(f"(?=({'|'.join(''.join(map(_either_way, form)) for form in longest_first)}))")


def _either_way(character: str) -> str:
    """A pattern for one character, raw or percent-encoded (RFC 3986 2.1: hexadecimal digits of either case)."""
    encoded = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    return f"(?:{re.escape(character)}|(?i:{encoded})" + (r"|\+)" if character == " " else ")")
