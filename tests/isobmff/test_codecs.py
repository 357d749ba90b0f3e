"""RFC 6381 strings against values from the standards, from players' documentation, and from ffmpeg's HLS muxer."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import BoxHeader
from hlscam.isobmff.codecs import AacConfig, parse_aac_config, parse_audio_entry, parse_video_entry
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import read_events


def box(kind: str, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind.encode("latin-1")) + body


def header(data: bytes) -> BoxHeader:
    return BoxHeader(data[4:8].decode("latin-1"), 0, 8, len(data))


def video_codec(entry: str, config: str, raw: str) -> str:
    fields = bytes(24) + struct.pack(">HH", 1920, 1080) + bytes(50)
    data = box(entry, fields + box("colr", b"nclx") + box(config, bytes.fromhex(raw)) + box("pasp", bytes(8)))
    parsed = parse_video_entry(data, header(data))
    assert (parsed.width, parsed.height) == (1920, 1080)
    return parsed.codec


@pytest.mark.parametrize(
    ("entry", "config", "raw", "codec"),
    [
        ("avc1", "avcC", "01 64001f ff e1", "avc1.64001f"),
        ("avc3", "avcC", "01 42c01e ff e1", "avc3.42c01e"),
        ("avc1", "avcC", "01 4d0028 ff", "avc1.4d0028"),
        ("hvc1", "hvcC", "01 01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0"),
        ("hev1", "hvcC", "01 02 20000000 b00000000000 99", "hev1.2.4.L153.B0"),
        ("hvc1", "hvcC", "01 21 60000000 900000000000 7b", "hvc1.1.6.H123.90"),
        ("hvc1", "hvcC", "01 41 80000000 000000000000 3f", "hvc1.A1.1.L63"),
        ("hvc1", "hvcC", "01 04 08000000 9d08000001 00 78", "hvc1.4.10.L120.9D.8.0.0.1"),
        ("av01", "av1C", "81 04 0c 00", "av01.0.04M.08"),
        ("av01", "av1C", "81 2d cc 00", "av01.1.13H.10"),
        ("av01", "av1C", "81 53 60 00", "av01.2.19M.12"),
        ("vp09", "vpcC", "01 00 00 00", "vp09"),
        ("mp4v", "esds", "00", "mp4v"),
    ],
)
def test_video_strings(entry: str, config: str, raw: str, codec: str) -> None:
    assert video_codec(entry, config, raw) == codec


def test_a_cut_configuration_is_refused() -> None:
    with pytest.raises(MediaError, match="hvcC"):
        video_codec("hvc1", "hvcC", "01 01 60000000")


def descriptor(tag: int, body: bytes, *, size_bytes: int) -> bytes:
    size = [len(body) >> 7 * place & 0x7F | (0x80 if place else 0) for place in reversed(range(size_bytes))]
    return bytes([tag, *size]) + body


def audio(entry: str, *children: bytes, rate_hz: int = 44100, channels: int = 2) -> tuple[str, int, int]:
    data = box(entry, bytes(16) + struct.pack(">HHIHH", channels, 16, 0, rate_hz & 0xFFFF, 0) + b"".join(children))
    parsed = parse_audio_entry(data, header(data))
    return parsed.codec, parsed.sample_rate_hz, parsed.channels


def esds(indication: int, config: bytes = b"", *, size_bytes: int = 4, es: bytes = b"\0\1\0") -> bytes:
    specific = descriptor(5, config, size_bytes=size_bytes) if config else b""
    decoder = descriptor(4, bytes([indication]) + bytes(12) + specific, size_bytes=size_bytes)
    sync_layer = descriptor(6, b"\2", size_bytes=size_bytes)
    return box("esds", bytes(4) + descriptor(3, es + decoder + sync_layer, size_bytes=size_bytes))


@pytest.mark.parametrize("size_bytes", [1, 2, 4])
@pytest.mark.parametrize("es", [b"\0\1\0", b"\0\1\x80\0\2", b"\0\1\x60\3abc\0\4"], ids=["plain", "depends", "url+ocr"])
def test_aac_lc(size_bytes: int, es: bytes) -> None:
    found = audio("mp4a", esds(0x40, bytes.fromhex("1210"), size_bytes=size_bytes, es=es), rate_hz=1)
    assert found == ("mp4a.40.2", 44100, 2)


def test_the_decoder_configuration_goes_before_the_entry() -> None:
    assert audio("mp4a", esds(0x40, bytes.fromhex("1010")), rate_hz=96000) == ("mp4a.40.2", 96000, 2)


@pytest.mark.parametrize(
    ("entry", "children", "codec"),
    [
        ("mp4a", [esds(0x6B)], "mp4a.6B"),
        ("mp4a", [esds(0x40, bytes.fromhex("f84840"))], "mp4a.40.34"),
        ("mp4a", [esds(0x67, bytes.fromhex("1210"))], "mp4a.67"),
        ("mp4a", [box("esds", bytes(4))], "mp4a"),
        ("mp4a", [], "mp4a"),
        (".mp3", [], "mp4a.6B"),
        ("ac-3", [box("dac3", bytes(3))], "ac-3"),
        ("ec-3", [box("dec3", bytes(5))], "ec-3"),
        ("alaw", [], "alaw"),
    ],
)
def test_other_sound(entry: str, children: list[bytes], codec: str) -> None:
    assert audio(entry, *children) == (codec, 44100, 2)


def test_opus_is_always_48_khz() -> None:
    assert audio("Opus", box("dOps", bytes.fromhex("0001013800003e80000000")), rate_hz=16000) == ("Opus", 48000, 1)


SYNC, NO_SBR, SBR_44100 = "01010110111", "00101 0", "00101 1 0100"


@pytest.mark.parametrize(
    ("fields", "config"),
    [
        ("00010 0011 0010 000", AacConfig(2, 48000, 2)),
        ("00010 1000 0111 000", AacConfig(2, 16000, 8)),
        ("00010 1111 000000010111011100000000 0010 000", AacConfig(2, 96000, 2)),
        ("00101 0111 0010 0100 00010 000", AacConfig(5, 44100, 2)),
        ("11101 0111 0001 0100 00010 000", AacConfig(29, 44100, 2)),
        (f"00010 0111 0010 000 {SYNC} {SBR_44100}", AacConfig(2, 44100, 2)),
        (f"00010 0111 0001 000 {SYNC} {SBR_44100} 10101001000 1", AacConfig(2, 44100, 2)),
        (f"00010 0111 0001 000 {SYNC} {SBR_44100} 10101001000 0", AacConfig(2, 44100, 1)),
        (f"00010 0011 0001 000 {SYNC} {NO_SBR}", AacConfig(2, 48000, 1)),
        # A program_config_element: a single and a pair in front, a pair behind, one LFE.
        ("00010 0100 0000 000 0000 01 0100 0010 0000 0001 01 000 0000 000 00000 10000 10000", AacConfig(2, 44100, 6)),
        ("11111 001010 0110 0100", AacConfig(42, 24000, 4)),
        ("00010 1101 0010 000", AacConfig(2, 0, 2)),
        ("00010", AacConfig(0, 0, 0)),
        ("", AacConfig(0, 0, 0)),
    ],
)
def test_audio_specific_config(fields: str, config: AacConfig) -> None:
    bits = fields.replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    assert parse_aac_config(int(f"0{bits}", 2).to_bytes(len(bits) // 8, "big")) == config


def test_flac_keeps_its_true_rate() -> None:
    stream_info = bytes(10) + (192000 << 12 | 1 << 9 | 23 << 4).to_bytes(4, "big") + bytes(20)
    assert audio("fLaC", box("dfLa", bytes(8) + stream_info), rate_hz=0) == ("fLaC", 192000, 2)


def real_init(data: bytes) -> InitSection:
    first = next(read_events(data))
    assert isinstance(first, InitSection)
    return first


@pytest.mark.parametrize(
    ("name", "video", "sound"),
    [
        ("h264_b_aac", "avc1.4d400d", ("mp4a.40.2", 48000, 1)),
        ("h264_high_opus", "avc1.64001f", ("Opus", 48000, 2)),
        ("hevc_opus", "hvc1.1.6.L60.90", ("Opus", 48000, 1)),
        ("hevc10_silent", "hvc1.2.4.L60.90", None),
        ("av1_aac", "av01.0.00M.08", ("mp4a.40.2", 48000, 1)),
        ("ac3", "avc1.42c00a", ("ac-3", 48000, 2)),
        ("eac3", "avc1.42c00a", ("ec-3", 48000, 2)),
        ("h264_flac_96k", "avc1.42c00a", ("fLaC", 96000, 1)),
        ("h264_mp3", "avc1.42c00a", ("mp4a.6B", 48000, 2)),
        ("h264_aac_96k", "avc1.42c00a", ("mp4a.40.2", 96000, 2)),
    ],
)
def test_real_encoders(clip: Callable[[str], bytes], name: str, video: str, sound: tuple[str, int, int] | None) -> None:
    init = real_init(clip(name))
    assert init.video.codec == video
    found = init.audio and (init.audio.codec, init.audio.sample_rate_hz, init.audio.channels)
    assert found == sound


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "h264_high_opus", "av1_aac"])
def test_ffmpegs_hls_muxer_says_the_same(
    clip: Callable[[str], bytes],
    clip_path: Callable[[str], Path],
    ffmpeg: Callable[..., bytes],
    tmp_path: Path,
    name: str,
) -> None:
    hls = ["-f", "hls", "-hls_segment_type", "fmp4", "-master_pl_name", "multi.m3u8"]
    ffmpeg("-i", clip_path(name), "-c", "copy", "-tag:v", "copy", *hls, tmp_path / "media.m3u8")
    said = re.search(r'CODECS="([^"]+)"', (tmp_path / "multi.m3u8").read_text())
    assert said is not None
    init = real_init(clip(name))
    ours = [init.video.codec, *([init.audio.codec] if init.audio else [])]
    assert said[1].lower().split(",") == [codec.lower() for codec in ours]
