"""The table of faults, and what they come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.chaos.faults import Fault
from tests.chaos.judge import PROMISE_S, Loss

_HEAD = f"{'#':>4}  {'fault':<17}{'camera':<9}{'lost s':>8}{'back s':>8}  verdict"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, what it cost each camera that it hit, and what is wrong."""

    number: int
    fault: Fault
    losses: list[Loss]
    wrong: list[str]

    @property
    def is_slow(self) -> bool:
        return any(loss.recovered_s is None or loss.recovered_s > PROMISE_S for loss in self.losses)

    def lines(self) -> Iterable[str]:
        """One line per camera; what is wrong below."""
        hit = [loss for loss in self.losses if loss.camera in self.fault.hit]
        others = [loss for loss in self.losses if loss.camera not in self.fault.hit]
        for loss in hit:
            yield self._line(loss.camera, loss)
        if others:
            slowest = max(others, key=lambda loss: loss.recovered_s or float("inf"))
            yield self._line("others" if hit else "none", slowest)
        yield f"      {datetime.fromtimestamp(self.fault.began_wall_s, UTC):%H:%M:%S} {self.fault.said}"
        for complaint in self.wrong:
            yield f"      ! {complaint}"

    def _line(self, camera: str, loss: Loss) -> str:
        back = "never" if loss.recovered_s is None else f"{loss.recovered_s:.1f}"
        late = loss.recovered_s is None or loss.recovered_s > PROMISE_S
        verdict = "WRONG" if self.wrong else f"late (over {PROMISE_S} s)" if late else "well"
        return f"{self.number:>4}  {self.fault.kind:<17}{camera:<9}{loss.lost_s:>8.2f}{back:>8}  {verdict}"


@dataclass(slots=True)
class Report:
    """A whole run. `wrong` are complaints that belong to no fault: those of the end."""

    seed: int
    rows: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """All that is wrong, with the seed and the number of the fault."""
        of_rows = [f"seed {self.seed}, fault {row.number} ({row.fault.kind}: {row.fault.said}): {complaint}"
                   for row in self.rows for complaint in row.wrong]  # fmt: skip
        return [*of_rows, *(f"seed {self.seed}, at the end: {complaint}" for complaint in self.wrong)]

    @property
    def late(self) -> list[str]:
        """The faults after which a camera took longer than promised."""
        return [f"seed {self.seed}, fault {row.number} ({row.fault.kind}): a camera was back later than {PROMISE_S} s"
                for row in self.rows if row.is_slow]  # fmt: skip

    @staticmethod
    def head() -> str:
        return _HEAD

    def summary(self) -> str:
        """Medians and maxima per kind of fault, of the cameras that were hit."""
        lines = [
            f"{'fault':<17}{'times':>6}{'lost s: median':>16}{'most':>8}{'back s: median':>16}{'most':>8}{'late':>6}"
        ]
        for kind in dict.fromkeys(row.fault.kind for row in self.rows):
            rows = [row for row in self.rows if row.fault.kind == kind]
            losses = [loss for row in rows for loss in row.losses if loss.camera in row.fault.hit or not row.fault.hit]
            lost = [loss.lost_s for loss in losses]
            back = [loss.recovered_s for loss in losses if loss.recovered_s is not None] or [float("nan")]
            late = sum(row.is_slow for row in rows)
            lines.append(
                f"{kind:<17}{len(rows):>6}{statistics.median(lost):>16.2f}{max(lost):>8.2f}"
                f"{statistics.median(back):>16.1f}{max(back):>8.1f}{late:>6}"
            )
        return "\n".join(lines)
