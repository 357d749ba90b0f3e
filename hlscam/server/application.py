"""The aiohttp application: routes, middlewares, headers. Nothing is decided here but what goes where."""

from __future__ import annotations

from aiohttp import hdrs, web

from hlscam.server import api, media, mjpeg, playlists, snapshots, timelines, websocket
from hlscam.server.audience import AUDIENCE, Audience
from hlscam.server.cors import Cors, answer_options
from hlscam.server.page_files import PageFiles
from hlscam.server.problems import problems
from hlscam.server.services import SERVICES, Services

_API = "/api/v1"
_CAMERA = r"/{camera:[a-z0-9][a-z0-9_-]*}"


def make_application(services: Services, page: PageFiles) -> web.Application:
    """The whole of HTTP for a set of services."""
    application = web.Application(middlewares=[answer_options, problems])
    application[SERVICES] = services
    application[AUDIENCE] = Audience(services)
    application.on_shutdown.append(_send_home)
    application.on_response_prepare.append(Cors(services.config.server.cors_origins).add_headers)
    application.on_response_prepare.append(_name_server)
    mjpeg.prepare(application)
    application.add_routes(
        [
            # Tried in this order, so what low latency asks for twice a second comes first.
            web.get(f"/hls{_CAMERA}/live.m3u8", playlists.live),
            web.get(f"/hls{_CAMERA}" + r"/{media_sequence:[0-9]+}.{part:[0-9]+}.m4s", media.part),
            web.get(f"/hls{_CAMERA}" + r"/{media_sequence:[0-9]+}.m4s", media.segment),
            web.get(f"/hls{_CAMERA}/index.m3u8", playlists.multivariant),
            web.get(f"/hls{_CAMERA}/timeline.m3u8", timelines.timeline),
            web.get(f"/hls{_CAMERA}" + "/init-{hash}.mp4", media.init_section),
            web.get(f"/ws{_CAMERA}", websocket.watch, allow_head=False),
            web.get(f"/recordings{_CAMERA}" + "/{name}.mp4", media.whole_recording),
            web.get(f"/mjpeg{_CAMERA}", mjpeg.mjpeg),
            web.get(f"{_API}/cameras", api.cameras),
            web.get(f"{_API}/cameras{_CAMERA}", api.camera),
            web.get(f"{_API}/cameras{_CAMERA}/recordings", api.recordings),
            web.get(f"{_API}/cameras{_CAMERA}/recordings/at", api.recording_at),
            web.get(f"{_API}/cameras{_CAMERA}/timeline", api.timeline),
            web.get(f"{_API}/cameras{_CAMERA}/snapshot.jpg", snapshots.snapshot),
            web.get(f"{_API}/status", api.status),
            web.get("/healthz", api.healthz),
            web.get("/readyz", api.readyz),
            web.get("/{path:.*}", page.serve),
        ]
    )
    return application


async def _name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Who answers, but not in which version of what: that is nobody's business."""
    response.headers[hdrs.SERVER] = "hlscam"


async def _send_home(application: web.Application) -> None:
    """Whoever watches over WebSocket would stay for ever."""
    await application[AUDIENCE].close()
