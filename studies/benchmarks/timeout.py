"""What AUTO_BATCH_TIMEOUT does to the latency of items that come slowly, and whether a search sees it.

    python studies/benchmarks/timeout.py [--rounds N] [--trials N] [--quick]

demo:mobilenet, one item each 300 ms, real runtime. BATCH:CPU(4) with timeouts of 1000, 100 and 20 ms, and CPU without
batching, are visited in shuffled rounds, 6 s in a fresh process each. A batch of four would take 900 ms to fill, so
that an item waits for the rest of a timeout that the runtime has begun at some moment: for half of it at the median,
if the moments are spread evenly. They are not where the interval is a multiple of the timeout, and so a median may lie
anywhere between none and all of it; shown is the p50 over all rounds, and the lowest and the highest of a round.

Then a search over CPU and BATCH:CPU(4) under that load, for the lowest p50: what it recommends, and how long
that waits.

Exits with 1 where the rounds of one timeout overlap those of the next, a median lies above timeout plus plain latency,
a block lacks the caveat that says why, or the search recommends automatic batching or more than twice the plain p50
plus 5 ms. About 5 minutes; with --quick one round and 4 trials in two minutes, by which nothing is judged.
"""

import argparse
import platform
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import openvino as ov

from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.environment import describe_host
from ovtune.figures import Interval
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan, pooled
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.result import Result
from ovtune.session import Search, run
from ovtune.trial_process import TrialProcess
from ovtune.workload import ConstantRate

MODEL = "demo:mobilenet"
INTERVAL_S, BATCH = 0.3, 4
TIMEOUTS_MS = (1000, 100, 20)
PLAN = Plan(duration_s=6.0, longest_s=7.0)
CONFIRM_S = 120.0
PLAIN = Config(device="CPU", nireq=BATCH)


def main() -> None:
    """Measures, prints, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=14)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    rounds, trials = (1, 4) if asked.quick else (asked.rounds, asked.trials)
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, OpenVINO {ov.get_version()}, Python {platform.python_version()}")
    configs = {
        t: Config(device=f"BATCH:CPU({BATCH})", properties={"AUTO_BATCH_TIMEOUT": t}, nireq=BATCH) for t in TIMEOUTS_MS
    }
    blocks = visited({0: PLAIN, **configs}, rounds)
    plain_ms = pooled([b.latencies for b in blocks[0]], "p50")
    met = followed(blocks, plain_ms)
    result = searched(trials)
    met &= chosen(result, plain_ms)
    sys.exit(not met and not asked.quick)


def visited(configs: dict[int, Config], rounds: int) -> dict[int, list[Block]]:
    """The blocks of each config, by its timeout; 0 stands for no batching."""
    evaluator = TrialProcess(files={"FP32": MODEL}, plugins={}, workload=ConstantRate(interval_s=INTERVAL_S))
    found: defaultdict[int, list[Block]] = defaultdict(list)
    for round_ in range(rounds):
        for timeout in np.random.default_rng(round_).permutation(list(configs)):
            outcome = evaluator.evaluate(configs[int(timeout)], PLAN)
            if not isinstance(outcome, Block):
                sys.exit(f"{configs[int(timeout)].words}: {outcome}")
            found[int(timeout)].append(outcome)
    return found


def followed(blocks: dict[int, list[Block]], plain_ms: float) -> bool:
    """Prints the medians; whether they follow the timeouts and the caveats say why."""
    print(f"\n{'':<30}{'p50, ms':>10}{'rounds, ms':>18}{'items':>8}  caveat")
    met, above = True, float("inf")
    for timeout in (*TIMEOUTS_MS, 0):
        own = blocks[timeout]
        each = [b.latency_ms("p50") for b in own]
        middle = pooled([b.latencies for b in own], "p50")
        texts = [c.text for b in own for c in b.caveats if c.kind == "partial_batch"]
        name = f"BATCH:CPU({BATCH}), timeout {timeout} ms" if timeout else "CPU, no batching"
        reach = f"{min(each):.1f} to {max(each):.1f}"
        print(f"{name:<30}{middle:>10.1f}{reach:>18}{sum(b.count for b in own):>8}  {texts[0] if texts else 'none'}")
        met &= max(each) < above and middle <= timeout + 2 * plain_ms and (len(texts) == len(own)) == bool(timeout)
        above = min(each)
    print("the median follows the timeout" if met else "NOT SHOWN that the median follows the timeout")
    return met


def searched(trials: int) -> Result:
    """A search over both device strings under the same load."""
    search = Search(
        wish=Wish(
            model=MODEL,
            workload=ConstantRate(interval_s=INTERVAL_S),
            device_strings=("CPU", f"BATCH:CPU({BATCH})"),
        ),
        goal=Goal(latency="p50", prefer="latency"),
        budget=Budget(trials=trials, confirm_s=CONFIRM_S),
        wait=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        result, _ = run(search, Place(folder=Path(folder)))
    return result


def chosen(result: Result, plain_ms: float) -> bool:
    """Prints what the search recommends; whether it is free of the wait."""
    study, config = result.study, result.recommended
    space = study.setup.space.configs
    waiting = sum(c.auto_batch_size > 1 for c in space)
    tried = sum(v.config.auto_batch_size > 1 for v in study.visits if v.phase == "search")
    print(
        f"\nsearch: {study.trials} trials, {tried} of them with automatic batching, "
        f"as are {waiting} of the {len(space)} configs"
    )
    print(f"recommended: {config.words}; {result.verdict.kind}: {result.verdict.text}")
    told = result.measured.latency_ms["p50"]
    if not isinstance(told, Interval):
        print(f"its p50 is not known: {told.text}")
        return False
    free = config.auto_batch_size == 1 and told.value <= 2 * plain_ms + 5
    print(
        f"its p50: {told.value:.1f} ms ({told.low:.1f} to {told.high:.1f}) from {result.measured.blocks} blocks; "
        f"{'without the wait' if free else 'NOT free of the wait'}"
    )
    return free


if __name__ == "__main__":
    main()
