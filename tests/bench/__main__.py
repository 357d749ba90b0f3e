"""Run the benchmarks that are named, or all, one after the other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from tests.bench import (
    cpu,
    first_picture,
    latency,
    ll_hls_viewers,
    long_playlist,
    stills,
    write_amplification,
    ws_clients,
)
from tests.bench.figure import Figure

BENCHES: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "long_playlist": long_playlist.measure,
    "write_amplification": write_amplification.measure,
    "first_picture": first_picture.measure,
    "stills": stills.measure,
    "latency": latency.measure,
    "ll_hls_viewers": ll_hls_viewers.measure,
    "ws_clients": ws_clients.measure,
    "cpu": cpu.measure,
}


async def main(names: list[str]) -> None:
    for name in names or list(BENCHES):
        print(f"{name} ...", flush=True)
        for figure in await BENCHES[name]():
            print(figure.line(), flush=True)


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in BENCHES]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    asyncio.run(main(sys.argv[1:]))
