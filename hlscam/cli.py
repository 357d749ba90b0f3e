"""The command line: `hlscam run | record | serve | check | reindex | bench`.

Exit codes: 0 well, 1 something is wrong, 2 bad usage.

What takes long to import (web server, database) is imported by the commands that need it, after the sockets listen:
while a server restarts, players are refused as shortly as can be (`adapters/listener.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlscam import __version__
from hlscam.adapters.config_file import load_config
from hlscam.adapters.listener import open_listeners
from hlscam.bench.arguments import add_bench, plan_of
from hlscam.domain.config import Config
from hlscam.errors import ConfigError, HlscamError
from hlscam.logs import set_up_logging

if TYPE_CHECKING:
    from hlscam.app import Running
    from hlscam.bench.report import Report

_DEFAULT_CONFIG = Path("hlscam.yaml")
_EPILOG = """\
examples:
  hlscam run --demo                 a test pattern and a looped clip, nothing to configure
  hlscam run -c hlscam.yaml         record and serve your cameras
  hlscam record & hlscam serve      the same as two processes: either may restart without the other
  hlscam run --check-config         say what is wrong with hlscam.yaml, and do nothing
  hlscam check                      verify the archive: files, catalog, numbers, times
  hlscam reindex                    make the catalog anew from the recordings alone
  hlscam bench latency              how old is the picture on the screen? (needs Chromium)
"""


def main(argv: Sequence[str] | None = None) -> None:
    """The `hlscam` command."""
    options = _parser().parse_args(argv)
    try:
        code = options.command(options)
    except HlscamError as error:
        print(f"hlscam: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        code = 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hlscam",
        description="Records cameras once and plays them for ever: live and past as one HLS stream.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hlscam {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="record and serve", description="Record every camera and serve the page.")
    _add_config(run)
    run.add_argument("--demo", action="store_true", help="run two cameras of our own; needs no configuration")
    run.add_argument("--demo-folder", type=Path, default=Path("demo"), help="where the demo keeps its clip and archive")
    run.add_argument("--check-config", action="store_true", help="read the configuration, say what is wrong, and end")
    _add_port(run)
    run.set_defaults(command=_run)
    record = commands.add_parser(
        "record",
        help="record only",
        description="Record every camera, and serve nothing: `hlscam serve` does, in processes of its own. Recording"
        " goes on while these restart.",
    )
    _add_config(record)
    record.set_defaults(command=_record)
    serve = commands.add_parser(
        "serve",
        help="serve what `hlscam record` records",
        description="Serve the page, playlists and footage of an archive that another process records. It only reads,"
        " so it may restart at any time, or run several times on different ports.",
    )
    _add_config(serve)
    _add_port(serve)
    serve.set_defaults(command=_serve)
    check = commands.add_parser(
        "check",
        help="verify the archive",
        description="Verify every recording against the catalog and the invariants. Ends with 1 when anything is wrong."
        " May run beside a recording server.",
    )
    _add_config(check)
    check.set_defaults(command=_check)
    reindex = commands.add_parser(
        "reindex",
        help="make the catalog anew from the recordings",
        description="Rebuild an equal catalog from the files alone. The server must be stopped. Footage is only read;"
        " a recording that was never closed gets its own box.",
    )
    _add_config(reindex)
    reindex.set_defaults(command=_reindex)
    add_bench(commands, _bench_latency)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--config", type=Path, default=_DEFAULT_CONFIG, help="the configuration file (default: hlscam.yaml)"
    )


def _add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="listen on this port instead of server.port (0: any free one)")


def _run(options: argparse.Namespace) -> int:
    config = _demo(options) if options.demo else _load(options)
    if options.check_config:
        count = len(config.cameras)
        print(f"{'the demo' if options.demo else options.config}: good, {count} camera{'' if count == 1 else 's'}")
        return 0
    config = _with_port(config, options.port)
    _set_up_logging(config)
    listeners = open_listeners(config.server.host, config.server.port, os.environ)
    from hlscam.app import running_server

    return _until_stopped(running_server(config, listeners))


def _record(options: argparse.Namespace) -> int:
    config = _load(options)
    _set_up_logging(config)
    from hlscam.app import running_recorder

    return _until_stopped(running_recorder(config))


def _serve(options: argparse.Namespace) -> int:
    config = _with_port(_load(options), options.port)
    _set_up_logging(config)
    listeners = open_listeners(config.server.host, config.server.port, os.environ)
    from hlscam.app import running_reader

    return _until_stopped(running_reader(config, listeners))


def _until_stopped(running: AbstractAsyncContextManager[Running]) -> int:
    import uvloop

    from hlscam.app import run_until_stopped

    uvloop.run(run_until_stopped(running, announce=_announce))
    return 0


def _demo(options: argparse.Namespace) -> Config:
    from hlscam.demo import prepare_demo

    return asyncio.run(prepare_demo(options.demo_folder.absolute(), tell=_tell))


def _set_up_logging(config: Config) -> None:
    set_up_logging(config.log.level, as_json=config.log.format == "json", secrets=config.secrets)


def _check(options: argparse.Namespace) -> int:
    from hlscam.services.books import check_archive
    from hlscam.services.progress import Progress

    config = _load(options)
    set_up_logging("warning", as_json=False, secrets=config.secrets)
    return _told(check_archive(config, Progress(sys.stderr)), well="nothing is wrong")


def _reindex(options: argparse.Namespace) -> int:
    from hlscam.services.books import reindex_archive
    from hlscam.services.progress import Progress

    config = _load(options)
    set_up_logging("info", as_json=False, secrets=config.secrets)
    return _told(reindex_archive(config, Progress(sys.stderr)), well="the catalog is made anew")


def _bench_latency(options: argparse.Namespace) -> int:
    from hlscam.bench.latency import measure

    report = asyncio.run(_until_interrupted(measure(plan_of(options), tell=_tell)))
    print(report.json() if options.json else report.table())
    return 0 if any(not row.missing for row in report.rows) else 1


async def _until_interrupted(work: Coroutine[Any, Any, Report]) -> Report:
    """Ctrl-C reaches Playwright's own process too, whose end it would lament at length while ours goes on."""
    try:
        return await work
    except asyncio.CancelledError:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        raise


def _told(work: Coroutine[Any, Any, list[str]], *, well: str) -> int:
    """Run a command that returns what is wrong; print that, or that all is well."""
    wrong = asyncio.run(work)
    for line in wrong or [well]:
        print(line)
    return 1 if wrong else 0


def _load(options: argparse.Namespace) -> Config:
    return load_config(options.config, os.environ)


def _with_port(config: Config, port: int | None) -> Config:
    if port is None:
        return config
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port is 0 to 65535, not {port}")
    return config.model_copy(update={"server": config.server.model_copy(update={"port": port})})


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _announce(running: Running) -> None:
    """Tell where to look, once there is something to see."""
    if running.url is None:
        count = len(running.config.cameras)
        where = running.config.archive.path
        print(f"\n  hlscam is ready: it records {count} camera{'' if count == 1 else 's'} into {where}", flush=True)
        print("  `hlscam serve` shows them. Ctrl-C stops it; recordings are kept.\n", flush=True)
        return
    print(f"\n  hlscam is ready: open {running.url}\n", flush=True)
    for camera_id in running.config.cameras:
        print(f"  VLC: {running.url}hls/{camera_id}/index.m3u8", flush=True)
    print("\n  Ctrl-C stops it; recordings are kept.\n", flush=True)


if __name__ == "__main__":
    main()
