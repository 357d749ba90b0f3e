"""The long form: `python -m tests.chaos [KIND | day]...`, and from the environment SEED, FAULTS, PACE and PROCESSES.

Without names, faults of all kinds and then the day. The exit code is 1 when anything was wrong, or late.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.chaos import run_chaos
from tests.chaos.day import MOST_GROWN_KIB, ROLLS_OF_A_DAY, live_a_day
from tests.chaos.faults import KINDS, KINDS_OF_TWO, UNDRAWN
from tests.chaos.scene import LONG, SHORT
from tests.chaos.servers import ONE, TWO

PACES = {"long": LONG, "short": SHORT}
PROCESSES = {"one": (ONE, KINDS), "two": (TWO, KINDS_OF_TWO)}


def main(names: list[str]) -> int:
    roles, table = PROCESSES[os.environ.get("PROCESSES") or "one"]
    unknown = [name for name in names if name not in {*table, *UNDRAWN, "day"}]
    if unknown:
        print(f"no such fault: {', '.join(unknown)}; there are {', '.join([*table, *UNDRAWN])}, and day")
        return 2
    kinds = [name for name in names or table if name != "day"]
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    faults = int(os.environ.get("FAULTS") or 100)
    pace = PACES[os.environ.get("PACE") or "long"]
    wrong: list[str] = []
    if kinds:
        report = asyncio.run(run_chaos(pace, seed=seed, faults=faults, kinds=kinds, roles=roles))
        wrong += [*report.complaints, *report.late]
    if not names or "day" in names:
        wrong += _day()
    for complaint in wrong:
        print(complaint)
    print(f"chaos: {'FAILED' if wrong else 'well'}; SEED={seed} FAULTS={faults} gives the same faults again")
    return 1 if wrong else 0


def _day() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="chaos-day-") as folder:
        day = asyncio.run(live_a_day(Path(folder), rolls=ROLLS_OF_A_DAY))
    print("\n".join(day.lines()), flush=True)
    return day.faults(MOST_GROWN_KIB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
