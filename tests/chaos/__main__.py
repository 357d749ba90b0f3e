"""The long form. `SEED=… FAULTS=… python -m tests.chaos [KIND...]`; exit code 1 when anything was wrong, or late."""

from __future__ import annotations

import asyncio
import os
import random
import sys

from tests.chaos.chaos import run_chaos
from tests.chaos.faults import KINDS
from tests.chaos.scene import LONG, SHORT

PACES = {"long": LONG, "short": SHORT}


def main(kinds: list[str]) -> int:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        print(f"no such fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
        return 2
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    faults = int(os.environ.get("FAULTS") or 100)
    pace = PACES[os.environ.get("PACE") or "long"]
    report = asyncio.run(run_chaos(pace, seed=seed, faults=faults, kinds=kinds or tuple(KINDS)))
    for complaint in [*report.complaints, *report.late]:
        print(complaint)
    failed = bool(report.complaints or report.late)
    print(f"chaos: {'FAILED' if failed else 'well'}; SEED={seed} FAULTS={faults} gives the same faults again")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
