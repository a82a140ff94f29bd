"""What a search promises against what its config does later, over hundreds of searches replayed in recordings.

    python studies/benchmarks/promise.py RECORDING... [--searches N] [--seed N] [--quick]
    python studies/benchmarks/promise.py --simulate

Each search is whole: 30 trials, elimination, duel, by the code that a real one runs, with a place in the recorded time,
a seed and a preference of its own. It measures in the even rounds of the recording and never sees the odd ones, which
tell the truth: the robust location of the recommended config's throughput there, and its pooled p95 (p50 where the
recording does not tell p95). Compared with it is what `best.json` publishes. Rounds that lie between each other have
the same host, so what is left is the error of measuring and of choosing, not the host's course.

Printed is the mean of the logarithm of claimed / true. The searches of a recording share its blocks, and those that
recommend the same config share its truth's error: so the standard error is one over distinct configs of a recording
(cluster-robust), and the share of held-out blocks in the prediction interval comes with one, too. Searches whose
config has fewer than 8 held-out blocks are counted and left out: their truth is worse than what is asked.

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

from ovtune import measurement, recording_file, stats
from ovtune.config import Config
from ovtune.figures import Interval
from ovtune.goal import Goal, Prefer
from ovtune.ledger import Watch
from ovtune.measurement import Block
from ovtune.recording import Recording, block_of
from ovtune.replay import Replay, setup_of
from ovtune.result import conclude
from ovtune.store import Store, file_url
from ovtune.tuning import Budget, Tuning

SEARCHES, QUICK_SEARCHES = 240, 24
TRIALS = 30
PREFERENCES: tuple[Prefer, ...] = ("throughput", "latency", "balanced")
LEAST_TRUTH = 8
MOST_OFF, LEAST_COVERED = 0.01, 0.90
PROCESSES = 2

_recordings: list[Recording] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one search; the errors are logarithms of claimed / true, None where the truth is too thin."""

    place: int
    prefer: Prefer
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
    tasks = [(i % len(paths), asked.seed + i, PREFERENCES[i // len(paths) % 3]) for i in range(searches)]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES, initializer=_open, initargs=(paths,)) as pool:
        found = pool.starmap(search, tasks, chunksize=1)
    print(
        f"{len(found)} searches in {time.monotonic() - began:.0f} s, {np.median([o.took_s for o in found]):.2f} s each"
    )
    print(f"verdicts: {dict(Counter(o.kind for o in found))}; figures from: {dict(Counter(o.source for o in found))}")
    print(f"left out for their truth: {sum(o.throughput is None for o in found)}\n")
    head = f"{'mean of log(claimed / true), %':<42}{'throughput':>18}{'latency':>18}{'covered, %':>18}"
    print(f"{head}{'searches':>10}{'configs':>9}")
    for place, path in enumerate(paths):
        for prefer in PREFERENCES:
            shown([o for o in found if (o.place, o.prefer) == (place, prefer)], f"{_name(path)}, {prefer}")
    met = shown(found, "all")
    sys.exit(not met and not asked.quick)


def search(place: int, seed: int, prefer: Prefer) -> Outcome:
    """One whole search in the even rounds of a recording, judged by the odd ones."""
    recording, began = _recordings[place], time.perf_counter()
    even = {r.round for r in recording.records if r.round % 2 == 0}
    last_s = recording.records[-1].started_s
    evaluator = Replay(recording, rounds=even, start_s=float(np.random.default_rng([seed, 3]).uniform(0, last_s)))
    told = all(r.tells("p95") for r in recording.records if r.ok)
    goal = Goal(prefer=prefer, latency="p95" if told else "p50")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(file_url(Path(folder) / "ovtune.db"))
        store.create("s", setup_of(recording), goal)
        watch = Watch(clock=lambda: evaluator.now_s)
        study = Tuning(store, "s", evaluator, goal=goal, budget=Budget(trials=TRIALS, seed=seed), watch=watch).run()
        store.close()
    result = conclude(study, goal)
    truth = _held_out(recording, result.recommended)
    claimed, latency = result.measured, result.measured.latency_ms[result.metric]
    enough = len(truth) >= LEAST_TRUTH
    return Outcome(
        place=place,
        prefer=prefer,
        config=result.recommended.key,
        kind=result.verdict.kind,
        source=claimed.source,
        blocks=claimed.blocks,
        throughput=math.log(claimed.throughput_per_s.value) - _location(truth) if enough else None,
        latency=math.log(latency.value / measurement.pooled([b.latencies for b in truth], result.metric))
        if enough and isinstance(latency, Interval)
        else None,
        inside=sum(claimed.next_low <= b.throughput_per_s <= claimed.next_high for b in truth),
        held_out=len(truth),
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
    print(f"{name:<42}{cells}{len(found):>10}{len({(o.place, o.config) for o in found}):>9}")
    return max(abs(throughput), abs(latency)) <= MOST_OFF and covered >= LEAST_COVERED


def clustered(values: Sequence[tuple[Outcome, float]]) -> tuple[float, float]:
    """The mean, and its standard error where the searches that recommend one config of a recording go together."""
    mean = float(np.mean([value for _, value in values]))
    sums: defaultdict[tuple[int, str], float] = defaultdict(float)
    for outcome, value in values:
        sums[outcome.place, outcome.config] += value - mean
    groups = len(sums)
    if groups < 2:
        return mean, math.inf
    error = math.sqrt(sum(s * s for s in sums.values()) * groups / (groups - 1)) / len(values)
    return mean, error


def _held_out(recording: Recording, config: Config) -> list[Block]:
    return [
        block_of(r, recording.header, started_at=r.started_s)
        for r in recording.records
        if r.ok and r.round % 2 == 1 and r.config.key == config.key
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
