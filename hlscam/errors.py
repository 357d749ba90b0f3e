"""The error tree: small, and each class says who can mend it.

Every message is one sentence that names the thing and, where there is one, what to do. `hint` holds the
"what to do" when it is longer. The server maps classes to HTTP statuses in one table (`server/problems.py`), the
command line maps them to exit codes; nothing else decides by class.
"""

from __future__ import annotations


class HlscamError(Exception):
    """Anything that hlscam refuses or cannot do, told to a person."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(HlscamError):
    """The configuration cannot be used. The message carries file, line and key."""


class InvalidRequest(HlscamError):
    """A request that no state of the server could answer (HTTP 400)."""


class NotFound(HlscamError):
    """What was asked for never was (HTTP 404)."""


class Gone(HlscamError):
    """What was asked for existed, and retention removed it (HTTP 410)."""


class NotReady(HlscamError):
    """What was asked for will exist soon: a camera with no footage yet (HTTP 503, Retry-After)."""


class ArchiveError(HlscamError):
    """The archive cannot be read or written."""


class FileMissing(ArchiveError):
    """A recording is not in its camera's folder: somebody removed it, or will put it back."""


class CatalogError(HlscamError):
    """The catalog database cannot be used. Unless it is one of the classes below: not now, so try later."""


class CatalogLost(CatalogError):
    """The catalog is gone, replaced, cut or damaged: it must be made anew, and no retry helps."""


class CatalogNewer(CatalogError):
    """The catalog was written by a newer hlscam: a person decides, so it stays as it is."""


class CatalogRefused(CatalogError):
    """What was to be written breaks a rule of the catalog's schema."""


class SourceError(HlscamError):
    """A camera's source cannot be recorded; `reason` is one of `GapReason`'s words."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class MediaError(HlscamError):
    """A recording's bytes are not what ISO/IEC 14496-12 says.

    `box_type` names the box that was refused (four characters) and `offset` its first byte in the file.
    """

    def __init__(self, message: str, *, box_type: str, offset: int) -> None:
        super().__init__(f"{message} (box {box_type!r} at byte {offset})")
        self.box_type = box_type
        self.offset = offset


class DecodingError(HlscamError):
    """No picture comes out of footage that should have some."""
