"""How good the configs are that a search recommends, beside what people tune with today, on recordings.

    python studies/benchmarks/search_quality.py --recording FILE... [--seeds 30] [--trials 15,30,50] [--json] [--check]

Each seed is, for each aim, a whole search by the code that a real one runs, elimination and duel included, in three of
each five neighbouring rounds of a recording. The other rounds tell the truth (see truth.py). The rivals (see rivals.py)
see the same rounds and believe each reading; they get as many trials, and once more as much simulated time as the
search took in all. Two more stand beside: ovtune's search alone, which believes its estimates after the last trial, as
the rivals do; what it recommends in the end is OpenVINO's own answer, unless a duel shows another one to be better. And
who measured every config in all these rounds, and believes the very estimate that the truth is made with (exhaustive);
that is no bound, since the best of many estimates is a lucky one.

The rounds come in an order of their own for each seed (see rounds.py, which tells why).

For each recording, aim and number of trials, against the truth:

- visited: the regret of the best config that the search measured at all;
- regret: how much worse the recommended config is than the best one, in percent; a config over the latency limit by
  more than twice the truth's error is worth as much less as it is over, one over by less counts as within;
- worse: the share of searches that recommend a config worse than OpenVINO's strongest own answer by more than 1 % and
  the error of that difference: as many times as leaves 2.3 % of doubt for all answers together, 2.3 times for two and
  2.7 for seven, since the best of many that are alike is a lucky one. An answer that may break the limit, by the
  truth's error, is no rival where another one is sure to keep it;
- gap: what is claimed for the aim's own objective over what the same config comes to in the truth's rounds, located
  there as published figures are, in percent: throughput, latency, or their ratio; above 0 it promises too much. The
  mean over the seeds is that of logarithms;
- front: the true hypervolume of what the search takes for the front, over the corner of the lowest throughput and the
  highest latency of all configs, as a share of the whole space's, and how many configs that are;
- or unbeaten: the same of the front and of what ovtune says may belong to it, since it is beaten by less than twice the
  joint error. The more configs, the larger it is: it tells whether what is missing on the front was found at all;
- to 95 %: trials and simulated seconds until a config within 5 % of the best has been visited.

Figures stand with 95 % intervals over the seeds: they hold for this recording, and for the truth as it is estimated. A
rival is called worse or better where a signed rank test over the seeds says so at 5 %, corrected for all comparisons of
a recording (Holm 1979); once aim by aim, and once for the mean regret over all aims, by which it is judged who is
better on a recording. Truth's own error, that of the difference of two of the best ten configs, stands beside: regret
below it cannot be told from none. Below each table stands what is asked of ovtune's search, at 30 trials and against
the rivals: met; open, where the figure is beyond what is asked and its interval is not, so that other seeds might show
it met; or MISSED, each with an error of one in forty. With --check the exit status is 1 where something is MISSED.

It takes any recording of a closed loop with three rounds or more: where not all visits tell a p95, the p50 is the
latency. Needs scipy, as `pip install ovtune[bench]` brings it.
"""

import argparse
import itertools
import json
import math
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from judge import NEVER, Claim, judged
from rivals import RIVALS, Host, Reading, merit_of
from rivals import search as rival_search
from rounds import rounds_of, split
from scoreboard import ALONE, EXHAUSTIVE, OURS, About, Found, lines, rival_targets, targets
from truth import AIMS, Aim, Truth, truth_of

from ovtune import recording_file
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.errors import OvtuneError
from ovtune.estimate import Unavailable
from ovtune.goal import Goal, unbeaten
from ovtune.ledger import Watch
from ovtune.measurement import LatencyMetric
from ovtune.recording import Recording
from ovtune.replay import Replay, setup_of
from ovtune.result import conclude
from ovtune.store import Store
from ovtune.study import Study
from ovtune.tuning import Tuning
from ovtune.workload import ClosedLoop

LEAST_ROUNDS, ENOUGH_ROUNDS = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One seed in one recording."""

    name: str
    seed: int
    trials: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What one seed searches in, and what is true of it."""

    task: Task
    recording: Recording
    metric: LatencyMetric
    truth: Truth
    replay: Callable[[], Replay]


@dataclass(slots=True, kw_only=True)
class _Process:
    """What a process holds that makes the searches."""

    recordings: dict[str, Recording]
    rivals: tuple[str, ...]
    store: Store


_processes: list[_Process] = []


class _Memory(Store):
    """A store that is gone with its process, Optuna's trials in no database at all: half a replay's time goes there."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self._storage = optuna.storages.InMemoryStorage()


def main() -> int:
    """Searches, prints what was found, and returns the exit status."""
    asked = _asked()
    names = [str(path) for path in dict.fromkeys(asked.recording)]
    for name in names:
        _check(name, _read(name))
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    tasks = [Task(name=name, seed=seed, trials=asked.trials) for seed in seeds for name in names]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    began = time.monotonic()
    start = (names, () if asked.ours_alone else tuple(RIVALS))
    with multiprocessing.get_context("spawn").Pool(asked.processes, initializer=_open, initargs=start) as pool:
        parts = pool.map(searched, tasks, chunksize=1)
    found = [one for part, _ in parts for one in part]
    abouts = [one for _, part in parts for one in part]
    print(f"{len(tasks)} seeds in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.json:
        print(json.dumps({"found": [asdict(one) for one in found], "truth": [asdict(one) for one in abouts]}))
    missed = 0
    for name in names:
        own, about = [f for f in found if f.recording == name], [a for a in abouts if a.recording == name]
        asked_for = [target for aim in AIMS for target in targets(own, about, aim.name)] + rival_targets(own)
        missed += sum(target.standing == "missed" for target in asked_for)
        if not asked.json:
            print(f"\n{name}")
            print("\n".join(lines(own, about)))
    return int(asked.check and missed > 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=_count, default=30, help="how many searches for each (30)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--trials", type=_counts, default=(15, 30, 50), metavar="N,N...", help="(15,30,50)")
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1, help="(one per CPU)")
    parser.add_argument("--ours-alone", action="store_true", help="leave the rivals out")
    parser.add_argument("--json", action="store_true", help="print each searcher's outcome for each seed")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({_count(part.strip()) for part in text.split(",")}))


def _read(name: str) -> Recording:
    try:
        return recording_file.read(name)
    except OvtuneError as error:
        sys.exit(f"search_quality.py: {error}")


def _check(name: str, recording: Recording) -> None:
    """Ends the program with one line where nothing can be told in ``recording``; says so where little can."""
    rounds = rounds_of(recording)
    ran = {record.config.key for record in recording.records if record.ok}
    if not isinstance(recording.header.workload, ClosedLoop):
        sys.exit(
            f"search_quality.py: recording {name} is not of a closed loop, which alone has a throughput to search for"
        )
    if len(rounds) < LEAST_ROUNDS or len(ran) < 2:
        sys.exit(
            f"search_quality.py: recording {name} has {len(rounds)} rounds of {len(ran)} configs that ran, too few to "
            f"hold some out for the truth: record {LEAST_ROUNDS} rounds of 2 configs at least, better "
            f"{ENOUGH_ROUNDS} and more"
        )
    if len(rounds) < ENOUGH_ROUNDS:
        print(f"{name} has {len(rounds)} rounds: one of them tells the truth, which is not sure then", file=sys.stderr)


def searched(task: Task) -> tuple[list[Found], list[About]]:
    """One seed: our search and the rivals, judged for every aim."""
    own = split(_processes[0].recordings[task.name], task.seed)
    ground = Ground(
        task=task,
        recording=own.recording,
        metric=own.metric,
        truth=truth_of(own.recording, own.held_out, own.metric),
        replay=lambda: Replay(own.recording, rounds=own.seen),
    )
    truth, found = ground.truth, []
    every = truth_of(own.recording, own.seen, own.metric)
    for aim in AIMS:
        ours, until_s = _ours(ground, aim)
        found += [
            *ours,
            _exhaustive(ground, aim, every),
            *(one for rival in _processes[0].rivals for one in _theirs(ground, aim, rival, until_s)),
        ]
    abouts = [
        About(
            recording=task.name,
            aim=aim.name,
            error=truth.error(aim),
            near=truth.within_5_percent(aim),
            on_front=len(truth.front),
        )
        for aim in AIMS
    ]
    return found, abouts


def _ours(ground: Ground, aim: Aim) -> tuple[list[Found], dict[int, float]]:
    """A whole search for each number of trials, and the simulated time that each took."""
    found, until_s = [], {}
    goal = Goal(latency=ground.metric, prefer=aim.prefer, max_latency_ms=ground.truth.limit_ms(aim))
    for trials in ground.task.trials:
        evaluator = ground.replay()
        study = run(ground.recording, evaluator, goal, trials, ground.task.seed)
        until_s[trials] = evaluator.now_s
        for searcher, known in ((OURS, study), (ALONE, _unconfirmed(study))):
            told = judged(_recommended(known, goal), aim, ground.truth)
            found.append(_found(ground, searcher, aim, trials, "trials", told))
    return found, until_s


def _exhaustive(ground: Ground, aim: Aim, every: Truth) -> Found:
    """The best of all configs by ``every``, what the rounds that a search draws from tell, within the same limit."""
    limit_ms = ground.truth.limit_ms(aim) or np.inf
    merits = every.worth(Aim(prefer=aim.prefer))
    best = max(range(len(merits)), key=lambda i: (min(np.log(limit_ms) - every.slow.mean[i], 0.0), merits[i]))
    claim = Claim(
        recommended=every.configs[best],
        gain=every.again[best][0],
        slow=every.again[best][1],
        front=every.front,
        tried=[(config, 0.0) for config in every.configs],
    )
    known = judged(claim, aim, ground.truth) | NEVER
    return _found(ground, EXHAUSTIVE, aim, len(every.configs), "rounds", known)


def _theirs(ground: Ground, aim: Aim, rival: str, until_s: dict[int, float]) -> list[Found]:
    """A rival's search, looked at after each number of trials and after as much time."""
    merit = merit_of(aim.prefer, ground.truth.limit_ms(aim))
    host = Host(ground.replay(), setup_of(ground.recording), ground.metric, merit)
    most, longest_s = max(ground.task.trials), max(until_s.values())
    readings = rival_search(host, RIVALS[rival], ground.task.seed, trials=most, until_s=longest_s)
    found = []
    for trials in ground.task.trials:
        in_time = [r for r in readings if r.until_s <= until_s[trials]]
        for equal, known in (("trials", readings[:trials]), ("time", in_time)):
            best = max(known, key=merit, default=None)
            told = judged(_read_off(known, best), aim, ground.truth)
            found.append(_found(ground, rival, aim, trials, equal, told))
    return found


def _found(  # noqa: PLR0913, PLR0917 - whose it is, by its columns
    ground: Ground, searcher: str, aim: Aim, trials: int, equal: str, told: dict[str, object]
) -> Found:
    known = {"recording": ground.task.name, "seed": ground.task.seed, "searcher": searcher}
    return Found(**known, aim=aim.name, trials=trials, equal=equal, **told)


def run(recording: Recording, evaluator: Replay, goal: Goal, trials: int, seed: int) -> Study:
    """One search, elimination and duel included, as the command makes it."""
    store = _processes[0].store
    store.create("s", setup_of(recording), goal)
    watch = Watch(clock=lambda: evaluator.now_s)
    study = Tuning(store, "s", evaluator, goal=goal, budget=Budget(trials=trials, seed=seed), watch=watch).run()
    store.delete("s")
    return study


def _unconfirmed(study: Study) -> Study:
    """The study as it was after the last trial."""
    made = tuple(v for v in study.visits if v.phase not in {"elimination", "duel"})
    return replace(study, visits=made, duels={})


def _recommended(study: Study, goal: Goal) -> Claim:
    """What a study says."""
    result = conclude(study, goal)
    latency = result.measured.latency_ms[goal.latency]
    return Claim(
        recommended=result.recommended,
        gain=math.log(result.measured.throughput_per_s.value),
        slow=None if isinstance(latency, Unavailable) else math.log(latency.value),
        front=[e.config for e in result.front],
        unbeaten=[e.config for e in unbeaten(result.estimates.values(), result.metric, goal.against)],
        tried=_tried(study),
        verdict=result.verdict.kind,
    )


def _tried(study: Study) -> list[tuple[Config, float]]:
    """The configs of the trials, each with the time that all visits had taken by its end, in seconds."""
    ends_s = itertools.accumulate(v.outcome.cost_s for v in study.visits)
    return [(v.config, end_s) for v, end_s in zip(study.visits, ends_s, strict=True) if v.phase == "search"]


def _read_off(readings: Sequence[Reading], best: Reading | None) -> Claim:
    """The config of the best single reading, as people take it."""
    ran = [r for r in readings if r.gain is not None and r.slow is not None]
    return Claim(
        recommended=None if best is None else best.config,
        gain=best.gain if best in ran else None,
        slow=best.slow if best in ran else None,
        front=[r.config for r in ran if not any(o.gain > r.gain and o.slow < r.slow for o in ran)],
        tried=[(r.config, r.until_s) for r in readings],
    )


def _open(names: Sequence[str], rivals: tuple[str, ...]) -> None:
    """In each process: what is searched in, and where searches are kept."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    recordings = {name: recording_file.read(name) for name in names}
    _processes[:] = [_Process(recordings=recordings, rivals=rivals, store=_Memory())]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("search_quality.py: interrupted, nothing was found")
