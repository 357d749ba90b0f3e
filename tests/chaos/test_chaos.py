"""The short form: each kind of fault once, in an order in which the deleted catalog is missed by the next start."""

from __future__ import annotations

from tests.chaos.chaos import run_chaos
from tests.chaos.faults import KINDS
from tests.chaos.scene import SHORT

SEED = 1


async def test_each_fault_leaves_everything_well() -> None:
    report = await run_chaos(SHORT, seed=SEED, faults=len(KINDS))
    assert not report.complaints, "\n".join(report.complaints)
