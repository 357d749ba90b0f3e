"""A real RTSP camera, made of gst-rtsp-server. Run by the system's python3, whose `gi` talks to GStreamer:

    /usr/bin/python3 -m tests.rig.rtsp_server '{"port": 0, "video": "h264", "audio": "alaw", ...}'

It prints one JSON line, `{"port": 40123}`, once it listens, and ends when its stdin does. The options are the fields of
`tests.rig.rtsp.CameraOptions`; see there.

The picture is drawn here and pushed through `appsrc`, not taken from `videotestsrc`, so that it carries the clock band
(`clockface.py`): a test can then say how old the picture is that a player shows. Like a real camera it drops the
frames for which it comes too late, rather than fall behind.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gi  # type: ignore[import-not-found]

from hlscam.adapters.ffmpeg.pattern_font import code_cell_px
from tests.rig.clockface import band_rows

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

Options = dict[str, Any]
_ROLE = "viewer"
_AUDIO = {
    "alaw": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay pt=8",
    "aac": "audio/x-raw,rate=16000,channels=1 ! voaacenc bitrate=32000 ! aacparse ! rtpmp4gpay pt=97",
}
_AUDIO["mute"] = _AUDIO["alaw"]


def launch_line(options: Options) -> str:
    """The gst-launch description of the media: payloaders named pay0, pay1 are its streams."""
    branches: list[str] = []
    if options["video"] != "none":
        branches.append(f"{_picture_source(options)} ! {_video_branch(options)} name=pay{len(branches)}")
    if options["audio"] != "none":
        source = "audiotestsrc is-live=true wave=ticks samplesperbuffer=320"
        branches.append(f"{source} ! audioconvert ! {_AUDIO[options['audio']]} name=pay{len(branches)}")
    return "( " + " ".join(branches) + " )"


def _picture_source(options: Options) -> str:
    size = f"width={options['width']},height={options['height']},framerate={options['rate']}/1"
    caps = f"video/x-raw,format=I420,{size},interlace-mode=progressive"
    return f'appsrc name=picture is-live=true format=time max-buffers=2 caps="{caps}"'


def _video_branch(options: Options) -> str:
    """Encoder and payloader. The queue holds what waits for the sound's latency, which would else block the source."""
    queue = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=300000000"
    common = f"speed-preset=ultrafast bitrate={options['bit_rate_kbps']} key-int-max={options['gop']}"
    b_frames = options["b_frames"]
    if options["video"] == "hevc":
        extra = f"scenecut=0:open-gop=0:bframes={b_frames}:repeat-headers=1:pools=1:frame-threads=1:log-level=error"
        return f'x265enc {common} option-string="{extra}" ! h265parse ! {queue} ! rtph265pay pt=96 config-interval=-1'
    tune = "" if b_frames else "tune=zerolatency"
    extra = f"option-string=scenecut=0:open-gop=0 bframes={b_frames} b-adapt=false threads=1"
    profile = "video/x-h264,profile=main" if b_frames else "video/x-h264"
    return f"x264enc {common} {tune} {extra} ! {profile} ! {queue} ! rtph264pay pt=96 config-interval=-1"


class Painter:
    """Pushes a picture into one media's `appsrc` whenever it wants one and one is due."""

    def __init__(self, options: Options) -> None:
        self._width, self._height, self._rate = options["width"], options["height"], options["rate"]
        shades = b"".join(bytes([64 + row * 96 // self._height]) * self._width for row in range(self._height))
        self._canvas = (
            shades + b"\x70" * (self._width * self._height // 4) + b"\x90" * (self._width * self._height // 4)
        )
        self._started_s: float | None = None
        self._next_frame = 0

    def push(self, source: Any, _wanted_bytes: int) -> None:
        """Called by the source's own thread, which may therefore wait until the frame is due."""
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s
        frame = max(self._next_frame, int((now_s - self._started_s) * self._rate))
        time.sleep(max(0.0, self._started_s + frame / self._rate - now_s))
        buffer = Gst.Buffer.new_wrapped(self._paint(frame))
        buffer.pts = buffer.dts = frame * Gst.SECOND // self._rate
        buffer.duration = Gst.SECOND // self._rate
        self._next_frame = frame + 1
        source.emit("push-buffer", buffer)

    def _paint(self, frame: int) -> bytes:
        """An I420 picture: shades, a bar that wanders down, and the clock band in the top-left corner."""
        picture = bytearray(self._canvas)
        cell_px = code_cell_px(self._width, self._height)
        bar_row = 2 * cell_px + frame * 2 % (self._height - 3 * cell_px)
        picture[bar_row * self._width : (bar_row + cell_px) * self._width] = b"\xc8" * cell_px * self._width
        for y, row in enumerate(band_rows(time.time_ns() // 1_000_000, cell_px)):
            picture[y * self._width : y * self._width + len(row)] = row
        return bytes(picture)


def silence_after_first_packet(media: Any, stream_index: int) -> None:
    """The stream is in the SDP, and one packet of it comes (gst-rtsp-server waits for that), but no more."""
    seen = 0

    def drop(_pad: Any, _info: Any) -> Any:
        nonlocal seen
        seen += 1
        return Gst.PadProbeReturn.OK if seen == 1 else Gst.PadProbeReturn.DROP

    media.get_stream(stream_index).get_srcpad().add_probe(Gst.PadProbeType.BUFFER, drop)


def configure(_factory: Any, media: Any, options: Options) -> None:
    """Called for each new media, before it is prepared."""
    source = media.get_element().get_by_name("picture")
    if source is not None:
        source.connect("need-data", Painter(options).push)
    if options["audio"] == "mute":
        silence_after_first_packet(media, media.n_streams() - 1)


def require_password(server: Any, factory: Any, options: Options) -> None:
    """Only `user` with `password` may look."""
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", _ROLE)
    auth = GstRtspServer.RTSPAuth.new()
    if options["auth"] == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options["user"], options["password"], token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options["user"], options["password"]), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(_ROLE, permission, True)
    factory.set_permissions(permissions)


def main(options: Options) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(options["port"]))
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(launch_line(options))
    factory.set_shared(options["shared"])
    factory.connect("media-configure", configure, options)
    if options["user"]:
        require_password(server, factory, options)
    server.get_mount_points().add_factory("/stream", factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on 127.0.0.1:{options['port']}")
    print(json.dumps({"port": server.get_bound_port()}), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
