"""The configuration table of README, written from the models so that it cannot go stale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hlscam.domain.config import CameraConfig
from hlscam.domain.config_problems import SECTIONS

_CAMERA = "cameras.<id>"


def config_keys() -> Iterator[tuple[str, FieldInfo]]:
    """Each setting with its dotted key: `server.host`, …, `cameras.<id>.source`."""
    models: dict[str, type[BaseModel]] = {**SECTIONS, _CAMERA: CameraConfig}
    for section, model in models.items():
        for name, field in model.model_fields.items():
            yield f"{section}.{name}", field


def config_table() -> str:
    """All settings as a Markdown table: key, default, what is allowed, what it is for. Ends with a line feed."""
    rows = [("Key", "Default", "Allowed", "What it is for"), ("---",) * 4]
    rows += [
        (f"`{key}`", _default(field), _extra(field)["allowed"], field.description or "") for key, field in config_keys()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if "default" in _extra(field):
        return str(_extra(field)["default"])
    default = field.default
    if default is None or default == "":
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return "`[]`" if default == () else f"`{default}`"
