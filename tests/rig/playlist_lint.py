"""The strictest playlist linter that runs here: npm's hls-parser in strict mode, asked through `lint.mjs`.

    playlist = await lint(text)          # raises AssertionError in the linter's words
    playlist["segments"][0]["programDateTime"]

The keys are those that `lint.mjs` writes: `type` is "media" or "multivariant"; durations are in seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from typing import Any

import m3u8

from tests.rig.paths import REPOSITORY, RIG

WITH_NODE = REPOSITORY / "deploy/with-node.sh"
_TIMEOUT_S = 60
_WORDS_SHOWN = 600


async def lint(text: str) -> dict[str, Any]:
    """What the linter read in a playlist. Raises AssertionError with its words when it refuses it."""
    return (await lint_all([text]))[0]


async def lint_all(texts: Sequence[str]) -> list[dict[str, Any]]:
    """`lint` for many playlists in one go; the first that is refused raises."""
    assert (RIG / "node_modules/hls-parser").is_dir(), "hls-parser is not there: run tests/rig/prepare.sh"
    process = await asyncio.create_subprocess_exec(
        WITH_NODE, "node", RIG / "lint.mjs", stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=RIG
    )
    asked = "".join(json.dumps(_as_it_can_be_read(text)) + "\n" for text in texts).encode()
    try:
        out, err = await asyncio.wait_for(process.communicate(asked), _TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    answers = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0, f"lint.mjs failed: {err.decode()}"
    assert len(answers) == len(texts), f"lint.mjs answered {len(answers)} of {len(texts)} playlists"
    return [_accepted(answer, text) for answer, text in zip(answers, texts, strict=True)]


def _as_it_can_be_read(text: str) -> str:
    """It takes a hinted part for one of the segment in progress. Where it is the next one's first, the last part of
    that segment may be a short one, which it then refuses: so that one is left out."""
    found = re.search(
        r'#EXT-X-PART:[^\n]*URI="(\d+)\.\d+\.m4s"[^\n]*\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(\d+)\.', text
    )
    if found is None or found[1] == found[2]:
        return text
    return text[: found.start()] + text[text.index("#EXT-X-PRELOAD-HINT") :]


def _accepted(answer: dict[str, Any], text: str) -> dict[str, Any]:
    assert "error" not in answer, f"hls-parser refuses it: {answer['error']}; it begins\n{text[:_WORDS_SHOWN]}"
    playlist: dict[str, Any] = answer["playlist"]
    if "segments" in playlist:  # it takes the parts of the segment in progress for one more, without a URI
        playlist["segments"] = [each for each in playlist["segments"] if each["uri"]]
    return playlist


def number_of(text: str, name: str) -> float:
    """The number that a playlist says of `name`, a tag or an attribute that it has but once."""
    found = re.search(rf"{name}[=:]([0-9.]+)", text)
    assert found is not None, (name, text)
    return float(found[1])


def read_m3u8(text: str) -> m3u8.M3U8:
    """The whole segments of a playlist as the library m3u8 reads them, which counts the time of parts twice."""
    return m3u8.loads(re.sub(r"#EXT-X-(PART|PRELOAD-HINT):.*\n", "", text))
