"""Build hook: a wheel without the page would serve an empty `/`, so refuse to build one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Checks that `make page` has put the built page into the package."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        if not (Path(self.root) / "hlscam" / "server" / "page" / "index.html").is_file():
            raise FileNotFoundError("hlscam/server/page/index.html is missing: build the wheel with `make wheel`")
