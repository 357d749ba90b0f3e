"""JPEGs out of a stream of JPEGs end to end, as ffmpeg's `image2pipe` writes them (ISO/IEC 10918-1 B.1.1). Sans-IO."""

from __future__ import annotations

from hlscam.errors import DecodingError

_START, _SCAN, _END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


class JpegSplitter:
    """Feed it bytes as they come; it gives whole JPEGs.

    The segments in front of the scan tell their lengths. In the scan itself an FF that is no marker has a 00 behind
    it, so that the end marker is found by looking for it.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0  # how far what is held has been looked at
        self._in_scan = False

    def feed(self, data: bytes) -> list[bytes]:
        """The JPEGs that these bytes complete. Raises DecodingError for a stream of something else."""
        self._held += data
        whole = []
        while (end := self._find_end()) is not None:
            whole.append(bytes(self._held[:end]))
            del self._held[:end]
            self._at, self._in_scan = 0, False
        return whole

    def _find_end(self) -> int | None:
        """Where the JPEG that is held ends, if that is there yet."""
        held = self._held
        while not self._in_scan:
            if len(held) < self._at + 4:
                return None
            marker = bytes(held[self._at : self._at + 2])
            if self._at == 0:
                if marker != _START:
                    raise DecodingError("this is no JPEG")
                self._at = 2
                continue
            self._in_scan = marker == _SCAN
            self._at += 2 + int.from_bytes(held[self._at + 2 : self._at + 4], "big")
        found = held.find(_END, self._at)
        if found < 0:
            self._at = max(self._at, len(held) - 1)
            return None
        return found + 2
