"""What a search promises against what its config does later, over hundreds of searches replayed in recordings.

    python studies/benchmarks/promise.py RECORDING... [--searches N] [--seed N] [--quick]
    python studies/benchmarks/promise.py --simulate

Each search is whole: 30 trials, elimination, duel, by the code that a real one runs, with an order of the rounds (see
rounds.py), a seed and a preference of its own. Of each two neighbouring rounds it measures in one, drawn for each
search anew; the other rounds, which it never sees, tell the truth: the robust location of the recommended config's
throughput there, and its pooled p95 (p50 where the recording does not tell p95). Compared with it is what `best.json`
publishes. Rounds that are drawn so have the same host, so what is left is the error of measuring and of choosing, not
the host's course. A second search of the same preference measures in just the rounds that the first one left, and the
other way round: where half of a recording's blocks happen to be faster than the other half, one gains what the other
loses.

Blocks that other work held up are no part of the truth, as they are none of what is claimed where a config has others;
the prediction interval must take them in all the same.

Printed is the mean of the logarithm of claimed / true with its standard error over those pairs of searches, and the
same for the share of held-out blocks in the prediction interval. They hold for the noise of these recordings. Searches
whose config has fewer than 8 held-out blocks are counted and left out: their truth is worse than what is asked.

Exits with 1 where, over all searches, the mean of throughput or latency is off by more than 1 % or less than 90 % of
the held-out blocks fall into the prediction interval. On two cores 8 to 13 minutes for 240 searches; with --quick 24,
by which nothing is judged. A quarter of the time goes into committing visits: a TMPDIR in memory saves that.
"""

import argparse
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simulated
from rounds import reordered

from ovtune import measurement, recording_file, stats
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.figures import Interval
from ovtune.goal import Goal, Prefer
from ovtune.ledger import Watch
from ovtune.measurement import Block
from ovtune.recording import Recording, block_of
from ovtune.replay import Replay, setup_of
from ovtune.result import conclude
from ovtune.store import Store, file_url
from ovtune.tuning import Tuning

SEARCHES, QUICK_SEARCHES = 240, 24
TRIALS = 30
PREFERENCES: tuple[Prefer, ...] = ("throughput", "latency", "balanced")
LEAST_TRUTH = 8
MOST_OFF, LEAST_COVERED = 0.01, 0.90
PROCESSES = 2

_recordings: list[Recording] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A search to make: in which recording, for what, and in which of the two halves that its pair shares out."""

    place: int
    prefer: Prefer
    pair: int
    mirrored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one search; the errors are logarithms of claimed / true, None where the truth is too thin."""

    task: Task
    config: str
    kind: str
    source: str
    blocks: int
    throughput: float | None
    latency: float | None
    inside: int
    held_out: int
    took_s: float


def main() -> None:
    """Searches, prints, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--simulate", action="store_true", help="make three recordings up instead")
    parser.add_argument("--searches", type=int, default=SEARCHES, help="over all recordings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if not asked.recordings and not asked.simulate:
        parser.error("name a recording, or --simulate")
    paths = [*asked.recordings, *(range(3) if asked.simulate else ())]
    searches = QUICK_SEARCHES if asked.quick else asked.searches
    tasks = [
        Task(
            place=pair % len(paths),
            prefer=PREFERENCES[pair // len(paths) % len(PREFERENCES)],
            pair=asked.seed + pair,
            mirrored=mirrored,
        )
        for pair in range(searches // 2)
        for mirrored in (False, True)
    ]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES, initializer=_open, initargs=(paths,)) as pool:
        found = pool.map(search, tasks, chunksize=1)
    print(
        f"{len(found)} searches in {time.monotonic() - began:.0f} s, {np.median([o.took_s for o in found]):.2f} s each"
    )
    print(f"verdicts: {dict(Counter(o.kind for o in found))}; figures from: {dict(Counter(o.source for o in found))}")
    print(f"left out for their truth: {sum(o.throughput is None for o in found)}\n")
    head = f"{'mean of log(claimed / true), %':<42}{'throughput':>18}{'latency':>18}{'covered, %':>18}"
    print(f"{head}{'searches':>10}{'configs':>9}")
    for place, path in enumerate(paths):
        for prefer in PREFERENCES:
            shown([o for o in found if (o.task.place, o.task.prefer) == (place, prefer)], f"{_name(path)}, {prefer}")
    met = shown(found, "all")
    sys.exit(not met and not asked.quick)


def search(task: Task) -> Outcome:
    """One whole search in one half of a recording's rounds, judged by the other."""
    recording, began = _recordings[task.place], time.perf_counter()
    seen = half(recording, task)
    evaluator = Replay(reordered(recording, np.random.default_rng([task.pair, 3])), rounds=seen)
    told = all(r.tells("p95") for r in recording.records if r.ok)
    goal = Goal(prefer=task.prefer, latency="p95" if told else "p50")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(file_url(Path(folder) / "ovtune.db"))
        store.create("s", setup_of(recording), goal)
        watch = Watch(clock=lambda: evaluator.now_s)
        budget = Budget(trials=TRIALS, seed=2 * task.pair + task.mirrored)
        study = Tuning(store, "s", evaluator, goal=goal, budget=budget, watch=watch).run()
        store.close()
    result = conclude(study, goal)
    held_out = _held_out(recording, result.recommended, seen)
    truth = [block for block in held_out if not block.contended]
    claimed, latency = result.measured, result.measured.latency_ms[result.metric]
    enough = len(truth) >= LEAST_TRUTH
    return Outcome(
        task=task,
        config=result.recommended.key,
        kind=result.verdict.kind,
        source=claimed.source,
        blocks=claimed.blocks,
        throughput=math.log(claimed.throughput_per_s.value) - _location(truth) if enough else None,
        latency=math.log(latency.value / measurement.pooled([b.latencies for b in truth], result.metric))
        if enough and isinstance(latency, Interval)
        else None,
        inside=sum(claimed.next_low <= b.throughput_per_s <= claimed.next_high for b in held_out),
        held_out=len(held_out),
        took_s=time.perf_counter() - began,
    )


def shown(found: Sequence[Outcome], name: str) -> bool:
    """Prints one row; whether it meets the targets."""
    found = [o for o in found if o.throughput is not None and o.latency is not None]
    if not found:
        print(f"{name:<42}{'-':>18}{'-':>18}{'-':>18}{0:>10}")
        return False
    throughput, throughput_error = clustered([(o, o.throughput or 0.0) for o in found])
    latency, latency_error = clustered([(o, o.latency or 0.0) for o in found])
    covered, covered_error = clustered([(o, o.inside / o.held_out) for o in found])
    columns = [(100 * throughput, throughput_error), (100 * latency, latency_error), (100 * covered, covered_error)]
    cells = "".join(f"{f'{value:.2f} +- {100 * error:.2f}':>18}" for value, error in columns)
    print(f"{name:<42}{cells}{len(found):>10}{len({(o.task.place, o.config) for o in found}):>9}")
    return max(abs(throughput), abs(latency)) <= MOST_OFF and covered >= LEAST_COVERED


def clustered(values: Sequence[tuple[Outcome, float]]) -> tuple[float, float]:
    """The mean, and its standard error where the two searches of a pair go together."""
    mean = float(np.mean([value for _, value in values]))
    sums: defaultdict[int, float] = defaultdict(float)
    for outcome, value in values:
        sums[outcome.task.pair] += value - mean
    groups = len(sums)
    if groups < 2:
        return mean, math.inf
    error = math.sqrt(sum(s * s for s in sums.values()) * groups / (groups - 1)) / len(values)
    return mean, error


def half(recording: Recording, task: Task) -> set[int]:
    """Of each two neighbouring rounds one, by a coin; the other one in the mirrored search of the pair."""
    rounds = sorted({r.round for r in recording.records})
    coins = np.random.default_rng([task.pair, 4]).random(len(rounds)) < 0.5
    return {round_ for i, round_ in enumerate(rounds) if (coins[i // 2] == (i % 2 == 0)) != task.mirrored}


def _held_out(recording: Recording, config: Config, seen: set[int]) -> list[Block]:
    """The config's blocks in the other rounds."""
    return [
        block_of(r, recording.header, started_at=r.started_s)
        for r in recording.records
        if r.ok and r.round not in seen and r.config.key == config.key
    ]


def _location(blocks: Sequence[Block]) -> float:
    return stats.location(np.log([b.throughput_per_s for b in blocks]))


def _open(paths: Sequence[Path | int]) -> None:
    """In each process: what is searched in; a number is the seed of a recording made up."""
    _recordings[:] = [simulated.recording(p) if isinstance(p, int) else recording_file.read(p) for p in paths]


def _name(path: Path | int) -> str:
    return f"simulated {path}" if isinstance(path, int) else path.name


if __name__ == "__main__":
    main()
