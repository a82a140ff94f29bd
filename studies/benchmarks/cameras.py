"""How many cameras a box serves, and whether that is so: the number that a search finds, in an independent long run.

    python studies/benchmarks/cameras.py [--trials 8] [--confirm 3m] [--long 60s]

Searches demo:mobilenet on the CPU for the number of cameras of 30 frames/s with at most 1 % of the frames later than
33 ms. Then a fresh process with other phases and jitter serves the recommended config that number of cameras for the
long time, which should hold, and another one 15 % more, rounded up, which should not. Nothing else should run
meanwhile: the share of the machine that others used is printed beside each run.
"""

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np

from ovtune import asset
from ovtune.budget import Budget
from ovtune.capacity import LATE_SHARE, tolerance_of
from ovtune.config import Config
from ovtune.environment import describe_host
from ovtune.goal import Goal
from ovtune.host import exclusive
from ovtune.ledger import Event, VisitEnded
from ovtune.live import Progress
from ovtune.measurement import Block, Plan
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.result import Result
from ovtune.session import Search, run
from ovtune.trial_process import TrialProcess
from ovtune.unit import duration_s
from ovtune.workload import Streams, StreamsCapacity

LOAD = StreamsCapacity(frames_per_s=30)
DEADLINE_MS = 33.0
MORE = 1.15
OTHER_SEED = 7_000_000


def main() -> None:
    """Searches, confirms, prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=8)
    options.add_argument("--confirm", default="3m")
    options.add_argument("--long", default="60s")
    asked = options.parse_args()
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs")
    request = Search(
        wish=Wish(model="demo:mobilenet", workload=LOAD, device_strings=("CPU",)),
        goal=Goal(deadline_ms=DEADLINE_MS),
        budget=Budget(trials=asked.trials, confirm_s=duration_s(asked.confirm)),
        wait=True,
    )
    progress = Progress(request.goal, request.budget)

    def tell(event: Event) -> None:
        line = progress.update(event)
        if isinstance(event, VisitEnded) and event.started.workload is not None:
            print(f"  {line}{lateness(event.outcome)}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        result, _ = run(request, Place(folder=Path(folder)), emit=tell)
        print(f"{result.verdict.kind}: {result.verdict.text}")
        band = result.bands.get(result.recommended.key)
        if band is None:
            print("no number was found: nothing to confirm")
            return
        cameras = int(band.high)
        for count in (cameras, math.ceil(MORE * cameras)):
            confirm(result, result.recommended, count, duration_s(asked.long), Path(folder))


def confirm(result: Result, config: Config, cameras: int, long_s: float, folder: Path) -> None:
    """One long run of ``config`` with so many cameras, in a process of its own; prints whether it holds."""
    setup = result.study.setup
    with exclusive(wait=True) as lock:
        evaluator = TrialProcess(
            files=asset.files(setup, folder),
            plugins=setup.plugins,
            workload=Streams(cameras=cameras, frames_per_s=LOAD.frames_per_s),
            keep_open=(lock,),
        )
        plan = Plan(duration_s=long_s, longest_s=long_s, timeout_s=60 + 4 * long_s, seed=OTHER_SEED)
        outcome = evaluator.evaluate(config, plan)
    if not isinstance(outcome, Block):
        print(f"{cameras} cameras: {outcome}")
        return
    late = float(np.mean(outcome.latencies_ms > tolerance_of(result.goal, LOAD).limit_ms))
    sustained = all(caveat.kind != "not_sustained" for caveat in outcome.caveats)
    holds = sustained and late <= LATE_SHARE
    print(
        f"{cameras} cameras for {long_s:.0f} s: {late:.2%} of {outcome.count:,} frames late, p50 "
        f"{outcome.latency_ms('p50'):.3g} ms, p99 {outcome.latency_ms('p99'):.3g} ms, "
        f"{'sustained' if sustained else 'not sustained'}, others used {outcome.others_busy:.0%}: "
        f"{'holds' if holds else 'does not hold'}"
    )


def lateness(outcome: object) -> str:
    """The share of a block's frames that were late."""
    if not isinstance(outcome, Block):
        return ""
    late = float(np.mean(outcome.latencies_ms > DEADLINE_MS))
    return f", {late:.2%} of {outcome.count:,} late, others {outcome.others_busy:.0%}"


if __name__ == "__main__":
    main()
