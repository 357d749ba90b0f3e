"""The run: fault after fault, each judged; at the end the books, and every segment once more."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence

from hlscam.adapters.catalog.store import Catalog
from tests.chaos.faults import KINDS, KINDS_OF_TWO, UNDRAWN, draw
from tests.chaos.judge import Before, Judge, decode_faults, file_faults
from tests.chaos.report import Report, Row
from tests.chaos.scene import Pace, Scene, running_scene
from tests.chaos.servers import ONE, Role
from tests.rig.paths import REPOSITORY

_MOST_TOLD = 10


async def run_chaos(
    pace: Pace, *, seed: int, faults: int, kinds: Sequence[str] = tuple(KINDS), roles: Sequence[Role] = ONE
) -> Report:
    """`faults` random faults of these kinds. The same seed gives the same faults, each by its number."""
    report = Report(seed)
    began_s = time.time()
    print(f"chaos: seed {seed}, {faults} faults\n{Report.head()}", flush=True)
    async with running_scene(pace, roles=roles) as scene:
        judge = Judge(scene, random.Random(seed))
        try:
            for number, kind in enumerate(draw(random.Random(seed), faults, list(kinds)), start=1):
                chance = random.Random(f"{seed}/{number}")
                await asyncio.sleep(chance.uniform(*pace.pauses_s))
                row = await _one_fault(scene, judge, chance, number, kind)
                report.rows.append(row)
                print("\n".join(row.lines()), flush=True)
            report.wrong += await _judge_the_end(scene, judge, began_s)
            print("the end", *(f"      ! {complaint}" for complaint in report.wrong), sep="\n", flush=True)
        finally:
            print(f"\n{report.summary()}\n", flush=True)
            _keep_log(scene, seed)
    return report


def _keep_log(scene: Scene, seed: int) -> None:
    path = REPOSITORY / "build" / f"chaos-{seed}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text(scene.servers.log_text(), encoding="utf-8")
    print(f"hlscam's log: {path}", flush=True)


async def _one_fault(scene: Scene, judge: Judge, chance: random.Random, number: int, kind: str) -> Row:
    before = Before.of(scene)
    try:
        fault = await {**KINDS_OF_TWO, **UNDRAWN}[kind](scene, chance)
        losses, wrong = await judge.judge(fault, before)
    except Exception as error:
        error.add_note(f"that was fault {number}, {kind}")
        raise
    return Row(number, fault, losses, wrong)


async def _judge_the_end(scene: Scene, judge: Judge, began_s: float) -> list[str]:
    """The server is stopped; the books must be in order, and be the same when they are made anew from the files."""
    before = Before.of(scene)
    servers = scene.servers
    for role in servers.roles:
        await servers.stop(role)
    wrong = await _audit(scene)
    for role in servers.roles:
        await servers.start(role)
    for camera, observer in scene.observers.items():
        wrong += await judge.fetch_again(observer, everything=True)  # which tells it what retention has taken
        known = set(observer.seen)
        await observer.look_back(began_s, time.time())
        await observer.fetch_all(sorted(observer.seen.keys() - known))
        kept = [number for number in observer.seen if number not in observer.removed]
        wrong += await decode_faults(observer, kept)
        wrong += await file_faults(scene, camera)
    return [*wrong, *scene.complaints[before.complaints :]]


async def _audit(scene: Scene) -> list[str]:
    code, said = await scene.servers.command("check")
    wrong = shortened(f"hlscam check: {line}" for line in said.splitlines()) if code else []
    was = await _dump(scene)
    for path in scene.archive.glob("catalog.sqlite3*"):
        path.unlink()
    code, said = await scene.servers.command("reindex")
    wrong += shortened(f"hlscam reindex: {line}" for line in said.splitlines()) if code else []
    is_now = await _dump(scene)
    wrong += shortened(f"reindex lost {_told(row)}" for row in was if row not in is_now)
    wrong += shortened(f"reindex made up {_told(row)}" for row in is_now if row not in was)
    return wrong


def shortened(complaints: Iterable[str]) -> list[str]:
    """The first few, and how many more there are."""
    all_of_them = list(complaints)
    more = len(all_of_them) - _MOST_TOLD
    return [*all_of_them[:_MOST_TOLD], *([f"… and {more} more like these"] if more > 0 else [])]


def _told(row: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in row if not isinstance(value, bytes))


async def _dump(scene: Scene) -> list[tuple[object, ...]]:
    catalog = await Catalog.open(scene.servers.config.catalog_url)
    try:
        return await catalog.dump()
    finally:
        await catalog.close()
