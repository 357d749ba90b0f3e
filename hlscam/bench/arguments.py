"""`hlscam bench` on the command line: what can be asked, and the plan that it makes.

What takes long to import is imported when it is asked for, as in `cli.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from hlscam.errors import ConfigError

if TYPE_CHECKING:
    from hlscam.bench.plan import Plan

_DESCRIPTION = """\
How old is the picture that a viewer sees? Opens Chromium on the test pattern, which carries its time in its picture,
and compares that with the clock at the moment a picture comes on the screen: glass to glass. Tells it for every way to
a picture, with the time from an empty page to the first picture. Also compared with the clock in the pictures: the
time that the page tells, and EXT-X-PROGRAM-DATE-TIME in the playlist.

Without --url it runs a server of its own in a temporary folder on a free port of loopback. It needs Chromium, and
Playwright (pip install 'hlscam[bench]').
"""
_EPILOG = """\
examples:
  hlscam bench latency                                   every way, with the defaults of hlscam
  hlscam bench latency --ways ll-hls,ws --part-duration 0.2
  hlscam bench latency --ways hls --starts 1 --samples 20      a quick look
  hlscam bench latency --url http://127.0.0.1:8080/ --camera pattern    a server that runs (hlscam run --demo)

columns:
  median, p95, worst   age of the pictures, from the clock in them to the screen
  first picture        from the navigation of a page that nothing is cached of, median of the starts
  date error           what the page takes for the picture's time, less the clock in it: median, and the worst one
"""


def add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser], run: Callable[..., int]) -> None:
    """Add `bench` with its instruments; `run` runs the latency instrument with the options."""
    bench = commands.add_parser("bench", help="measure", description="Instruments that measure a server.")
    instruments = bench.add_subparsers(required=True, metavar="INSTRUMENT")
    latency = instruments.add_parser(
        "latency",
        help="how old is the picture on the screen?",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    latency.add_argument("--ways", default="hls,ll-hls,ws,mjpeg", help="which ways (default: %(default)s)")
    latency.add_argument("--starts", type=int, default=5, help="how often each is begun anew (default: %(default)s)")
    latency.add_argument("--samples", type=int, default=100, help="pictures of each start (default: %(default)s)")
    latency.add_argument("--part-duration", type=float, metavar="SECONDS", help="hls.part_duration_s of our own server")
    latency.add_argument("--source", metavar="test:...", help="the test pattern of our own server")
    latency.add_argument("--url", help="measure the server that runs there")
    latency.add_argument("--camera", metavar="ID", help="its test pattern (with --url)")
    latency.add_argument("--chromium", metavar="PROGRAM", help="the browser (default: $CHROMIUM, or what is installed)")
    latency.add_argument("--json", action="store_true", help="print JSON instead of a table")
    latency.set_defaults(command=run)


def plan_of(options: argparse.Namespace) -> Plan:
    """What the options of `bench latency` ask for. Raises ConfigError."""
    from hlscam.bench.own_server import CAMERA
    from hlscam.bench.plan import SOURCE, Plan
    from hlscam.bench.ways import parse_ways

    if bool(options.url) != bool(options.camera):
        raise ConfigError("--url and --camera go together: a server, and the id of its test pattern")
    if options.url and (options.source or options.part_duration is not None):
        raise ConfigError("--source and --part-duration are for a server of our own, not for one that runs")
    if options.url and not options.url.startswith(("http://", "https://")):
        raise ConfigError(f"--url is where the page is, such as http://127.0.0.1:8080/, not {options.url}")
    if min(options.starts, options.samples) < 1:
        raise ConfigError("--starts and --samples are 1 or more")
    return Plan(
        ways=parse_ways(options.ways),
        starts=options.starts,
        samples=options.samples,
        source=options.source or SOURCE,
        part_duration_s=options.part_duration,
        url=options.url and options.url.rstrip("/") + "/",
        camera=options.camera or CAMERA,
        chromium=options.chromium,
    )
