"""RFC 6381 codec strings and sound parameters, out of sample entries.

A sample entry (ISO/IEC 14496-12 8.5.2) is a four-character code, fixed fields and child boxes, one of which
configures the decoder: `avcC` and `hvcC` (ISO/IEC 14496-15), `av1C` (AV1 in ISOBMFF 2.3), `esds` (ISO/IEC 14496-14).
A player decides by the string whether it can decode, so it comes from these bytes and never from a table of guesses.
What is not known here is answered with its four-character code, which is what RFC 6381 3.3 asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlscam.isobmff.boxes import BodyReader, BoxHeader, child_boxes

_VISUAL_FIELDS_BYTES = 78  # ISO/IEC 14496-12 12.1.3
_AUDIO_FIELDS_BYTES = 28  # ISO/IEC 14496-12 12.2.3
_QUICKTIME_EXTRA_BYTES = {1: 16, 2: 36}  # QuickTime File Format, sound sample description versions 1 and 2

_SAMPLE_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
_AAC_INDICATIONS = (0x40, 0x66, 0x67, 0x68)  # MPEG-4 audio; MPEG-2 AAC Main, LC, SSR (mp4ra.org)
_GENERAL_AUDIO = frozenset({1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23})
_LARGEST_AAC_CONFIG_BYTES = 512  # a program_config_element with the longest comment is shorter
_SBR, _PS = 5, 29


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """A visual sample entry: codec string, coded width and height."""

    codec: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AudioEntry:
    """An audio sample entry: codec string, sample rate after decoding, channels after decoding."""

    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class AacConfig:
    """What AudioSpecificConfig says (ISO/IEC 14496-3 1.6.2.1). 0 means that it does not say."""

    object_type: int
    sample_rate_hz: int
    channels: int


def parse_video_entry(data: bytes, entry: BoxHeader, *, base: int = 0) -> VideoEntry:
    """A visual sample entry. Raises MediaError when it is too short or a child is not a box."""
    fields = BodyReader(data, entry, base=base)
    raw = fields.take(_VISUAL_FIELDS_BYTES)
    codec = entry.type
    for child in child_boxes(data, fields.at, fields.end, base=base):
        describe = _VIDEO_CODECS.get((entry.type, child.type))
        if describe is not None:
            codec = describe(entry.type, BodyReader(data, child, base=base))
            break
    return VideoEntry(codec, int.from_bytes(raw[24:26], "big"), int.from_bytes(raw[26:28], "big"))


def parse_audio_entry(data: bytes, entry: BoxHeader, *, base: int = 0) -> AudioEntry:
    """An audio sample entry; for AAC the decoder's own configuration goes before the entry's fields.

    The entry holds rates up to 65535 only, and writers disagree on what it says of SBR and PS.
    Raises MediaError when it is too short or a child is not a box.
    """
    fields = BodyReader(data, entry, base=base)
    raw = fields.take(_AUDIO_FIELDS_BYTES)
    fields.take(_QUICKTIME_EXTRA_BYTES.get(int.from_bytes(raw[8:10], "big"), 0))
    channels = int.from_bytes(raw[16:18], "big")
    rate_hz = int.from_bytes(raw[24:26], "big")
    for child in child_boxes(data, fields.at, fields.end, base=base):
        if child.type == "esds":
            codec, config = _from_esds(entry.type, BodyReader(data, child, base=base))
            return AudioEntry(codec, config.sample_rate_hz or rate_hz, config.channels or channels)
        if child.type == "dOps" and child.size_bytes >= child.header_bytes + 2:
            return AudioEntry(entry.type, 48000, data[child.body - base + 1])  # RFC 7845 5.1: always decoded at 48 kHz
        if child.type == "dfLa" and child.size_bytes >= child.header_bytes + 26:
            # FLAC's STREAMINFO, 8 bytes in: 20 bits of rate and 3 of channels - 1 from its byte 10 on (RFC 9639 8.2).
            packed = int.from_bytes(data[child.body - base + 18 : child.body - base + 21], "big")
            return AudioEntry(entry.type, packed >> 4, (packed >> 1 & 7) + 1)
    return AudioEntry("mp4a.6B" if entry.type == ".mp3" else entry.type, rate_hz, channels)


def _avc(entry_type: str, config: BodyReader) -> str:
    """`avc1.64001f`: profile, constraint flags, level (RFC 6381 3.3; ISO/IEC 14496-15 5.3.3.1)."""
    return f"{entry_type}.{config.take(4)[1:].hex()}"


def _hevc(entry_type: str, config: BodyReader) -> str:
    """`hvc1.1.6.L93.B0` (ISO/IEC 14496-15 Annex E.3)."""
    head = config.take(13)
    space = ("", "A", "B", "C")[head[1] >> 6]
    compatible = int(f"{int.from_bytes(head[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if head[1] & 0x20 else "L"
    constraints = "".join(f".{byte:X}" for byte in head[6:12].rstrip(b"\0"))
    return f"{entry_type}.{space}{head[1] & 0x1F}.{compatible:X}.{tier}{head[12]}{constraints}"


def _av1(entry_type: str, config: BodyReader) -> str:
    """`av01.0.04M.08` (AV1 Codec ISO Media File Format Binding, section 5)."""
    head = config.take(4)
    depth = 8 if not head[2] & 0x40 else 12 if head[2] & 0x20 else 10
    return f"{entry_type}.{head[1] >> 5}.{head[1] & 0x1F:02d}{'H' if head[2] & 0x80 else 'M'}.{depth:02d}"


_VIDEO_CODECS = {
    ("avc1", "avcC"): _avc,
    ("avc3", "avcC"): _avc,
    ("hvc1", "hvcC"): _hevc,
    ("hev1", "hvcC"): _hevc,
    ("av01", "av1C"): _av1,
}


def _from_esds(entry_type: str, body: BodyReader) -> tuple[str, AacConfig]:
    """`mp4a.40.2`: object type indication, then for MPEG-4 audio the object type (RFC 6381 3.3)."""
    body.full_box()
    decoder_config = _descriptor(_descriptor(body.rest(), 0x03, 3), 0x04, 0)
    nothing = AacConfig(0, 0, 0)
    if not decoder_config:
        return entry_type, nothing
    indication = decoder_config[0]
    specific = _descriptor(decoder_config[13:], 0x05, 0)
    config = parse_aac_config(specific) if specific and indication in _AAC_INDICATIONS else nothing
    suffix = f".{config.object_type}" if indication == 0x40 and config.object_type else ""
    return f"{entry_type}.{indication:02X}{suffix}", config


def _descriptor(raw: bytes, wanted_tag: int, skip_bytes: int) -> bytes:
    """The body of the first descriptor with this tag, less `skip_bytes`; empty when there is none.

    Sizes are expandable: 7 bits a byte while the top bit is set, at most 4 bytes (ISO/IEC 14496-1 8.3.3). The
    optional fields of an ES_Descriptor (tag 3) are stepped over by its flags.
    """
    at = 0
    while at < len(raw):
        tag, at, size = raw[at], at + 1, 0
        for _ in range(4):
            if at >= len(raw):
                return b""
            byte, at = raw[at], at + 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        body, at = raw[at : at + size], at + size
        if tag == wanted_tag:
            return body[skip_bytes + (_es_options_bytes(body) if tag == 0x03 else 0) :]
    return b""


def _es_options_bytes(es_descriptor: bytes) -> int:
    """How many bytes of optional fields follow an ES_Descriptor's flags (ISO/IEC 14496-1 7.2.6.5)."""
    if len(es_descriptor) < 4:
        return 0
    flags = es_descriptor[2]
    depends_bytes = 2 if flags & 0x80 else 0
    url_bytes = 0
    if flags & 0x40 and len(es_descriptor) > 3 + depends_bytes:
        url_bytes = 1 + es_descriptor[3 + depends_bytes]
    return depends_bytes + url_bytes + (2 if flags & 0x20 else 0)


class _Bits:
    """Bits of a byte string, first to last; past the end they are zeros."""

    def __init__(self, raw: bytes) -> None:
        self._value = int.from_bytes(raw, "big")
        self.left = 8 * len(raw)

    def take(self, count: int) -> int:
        self.left -= count
        shifted = self._value >> self.left if self.left >= 0 else self._value << -self.left
        return shifted & (1 << count) - 1

    def peek(self, count: int) -> int:
        value = self.take(count)
        self.left += count
        return value


def parse_aac_config(raw: bytes) -> AacConfig:
    """AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), with both ways of signalling SBR and PS.

    `object_type` is the first one written, which is what a codec string carries; rate and channels are those after
    decoding: SBR's extension rate, and two channels for PS. A configuration that is cut short says nothing.
    """
    bits = _Bits(raw[:_LARGEST_AAC_CONFIG_BYTES])
    object_type = core_type = _object_type(bits)
    rate_hz = _sample_rate_hz(bits)
    channel_configuration = bits.take(4)
    parametric_stereo = object_type == _PS
    if object_type in (_SBR, _PS):
        rate_hz = _sample_rate_hz(bits)
        core_type = _object_type(bits)
    channels = _CHANNELS.get(channel_configuration, 0)
    if channel_configuration == 0 and core_type in _GENERAL_AUDIO:
        channels = _program_channels(bits)
    if bits.left < 0:
        return AacConfig(0, 0, 0)
    if object_type == core_type:
        rate_hz, parametric_stereo = _sync_extension(bits, rate_hz)
    return AacConfig(object_type, rate_hz, 2 if parametric_stereo and channels == 1 else channels)


def _object_type(bits: _Bits) -> int:
    short = bits.take(5)
    return 32 + bits.take(6) if short == 31 else short


def _sample_rate_hz(bits: _Bits) -> int:
    index = bits.take(4)
    if index == 15:
        return bits.take(24)
    return _SAMPLE_RATES_HZ[index] if index < len(_SAMPLE_RATES_HZ) else 0


def _program_channels(bits: _Bits) -> int:
    """Channels of the program_config_element that stands where the channel configuration is 0 (4.4.1.1)."""
    bits.take(1)  # frameLengthFlag; then dependsOnCoreCoder with its delay, and extensionFlag (4.4.1)
    if bits.take(1):
        bits.take(14)
    bits.take(1 + 4 + 2 + 4)
    elements = sum(bits.take(4) for _ in range(3))
    channels, _, _ = bits.take(2), bits.take(3), bits.take(4)
    for mixdown_bits in (4, 4, 3):
        if bits.take(1):
            bits.take(mixdown_bits)
    for _ in range(elements):
        channels += 1 + bits.take(1)
        bits.take(4)
    return channels if bits.left >= 0 else 0


def _sync_extension(bits: _Bits, rate_hz: int) -> tuple[int, bool]:
    """Rate, and whether there is PS, when both are announced behind the core's configuration (1.6.5).

    The announcement starts with a pattern, which is looked for bit by bit: what stands before it depends on the
    object type.
    """
    while bits.left > 15:
        if bits.peek(11) != 0x2B7:
            bits.take(1)
            continue
        bits.take(11)
        if _object_type(bits) != _SBR or not bits.take(1):
            break
        extended_hz = _sample_rate_hz(bits)
        return extended_hz or rate_hz, bits.left >= 12 and bits.take(11) == 0x548 and bool(bits.take(1))
    return rate_hz, False
