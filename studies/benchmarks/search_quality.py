"""How good the configs are that a search recommends, beside what people tune with today, on recordings.

    python studies/benchmarks/search_quality.py --recording FILE... [--seeds 30] [--trials 15,30,50] [--json]

Each seed is, for each aim, a whole search by the code that a real one runs, elimination and duel included, in three of
each five neighbouring rounds of a recording, from a random place in the recorded time on. The other rounds tell the
truth (see truth.py). The rivals (see rivals.py) see the same rounds from the same place and believe each reading; they
get as many visits, and once more as much simulated time as the search took in all.

For each recording, aim and number of trials:

- visited: the regret of the best config that the search measured at all;
- regret: how much worse the recommended config is than the best one, in truth, in percent; a config over the latency
  limit by more than twice the truth's error is worth as much less as it is over;
- worse: the share of searches that recommend a config worse than OpenVINO's strongest own answer by more than 1 % and
  twice the truth's error;
- gap: the claimed value over the true one, in percent;
- front: the true hypervolume of what the search takes for the front, as a share of the whole space's;
- to 95 %: trials and simulated seconds until a config within 5 % of the best has been visited.

Medians with 95 % intervals by resampling seeds. A rival is called worse or better where a signed rank test over the
seeds says so at 5 %, corrected for all comparisons of a recording (Holm 1979). Truth's own error stands beside: regret
below it cannot be told from none.

Needs scipy for Sobol's sequence. A seed takes about 10 s per recording; 300 of them with --trials 30 an hour on two
cores. A TMPDIR in memory saves a quarter.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import optuna
from rivals import RIVALS, Host, Reading
from rivals import search as rival_search
from scipy.stats import wilcoxon
from truth import AIMS, Aim, Truth, truth_of, volume

from ovtune import goal as goals
from ovtune import recording_file
from ovtune.config import Config
from ovtune.field import survey_field
from ovtune.goal import Goal
from ovtune.ledger import Watch
from ovtune.measurement import LatencyMetric
from ovtune.recording import Recording
from ovtune.replay import Replay, setup_of
from ovtune.result import conclude
from ovtune.store import Store
from ovtune.study import Study
from ovtune.tuning import Budget, Tuning

OURS = "ovtune"
WORSE = 0.01
PROCESSES = 2

_recordings: list[Recording] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One seed in one recording."""

    place: int
    seed: int
    trials: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How one searcher did for one aim; logarithms, None where it does not apply."""

    recording: str
    seed: int
    searcher: str
    aim: str
    trials: int
    equal: str
    visited: float
    regret: float
    verdict: str
    worse: float
    gap: float | None
    front: float
    trials_to_95: float | None
    seconds_to_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the truth of one seed can tell."""

    recording: str
    aim: str
    error: float
    near: float


def main() -> None:
    """Searches, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", nargs="+", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", default="15,30,50")
    parser.add_argument("--ours-alone", action="store_true", help="leave the rivals out")
    parser.add_argument("--json", action="store_true", help="print each searcher's outcome for each seed")
    asked = parser.parse_args()
    trials = tuple(sorted(int(text) for text in asked.trials.split(",")))
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    tasks = [Task(place=place, seed=seed, trials=trials) for seed in seeds for place in range(len(asked.recording))]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    began = time.monotonic()
    start = (asked.recording, () if asked.ours_alone else tuple(RIVALS))
    with multiprocessing.get_context("spawn").Pool(PROCESSES, initializer=_open, initargs=start) as pool:
        parts = pool.map(searched, tasks, chunksize=1)
    found = [one for part, _ in parts for one in part]
    abouts = [one for _, part in parts for one in part]
    print(f"{len(tasks)} searches in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.json:
        print(json.dumps({"found": [asdict(one) for one in found], "truth": [asdict(one) for one in abouts]}))
    else:
        for path in asked.recording:
            shown(
                path.name,
                [f for f in found if f.recording == path.name],
                [a for a in abouts if a.recording == path.name],
            )


def searched(task: Task) -> tuple[list[Found], list[About]]:
    """One seed: our search and the rivals, judged for every aim."""
    recording, name = _recordings[task.place], _names[task.place]
    rounds = sorted({r.round for r in recording.records})
    seen = set(rounds) - _held_out(rounds, task.seed)
    metric: LatencyMetric = "p95" if all(r.tells("p95") for r in recording.records if r.ok) else "p50"
    truth = truth_of(recording, set(rounds) - seen, metric)
    start_s = float(np.random.default_rng([task.seed, 3]).uniform(0, recording.records[-1].started_s))

    def replay() -> Replay:
        return Replay(recording, rounds=seen, start_s=start_s)

    space = setup_of(recording).space
    found, until_s = _ours(recording, name, task, truth, metric, replay)
    for rival in _rivals:
        host = Host(replay(), space, metric)
        longest = max(until_s.values())
        readings = rival_search(host, RIVALS[rival], task.seed, trials=max(task.trials), until_s=longest)
        for trials in task.trials:
            for aim in AIMS:
                in_time = [r for r in readings if r.until_s <= until_s[trials, aim.name]]
                for equal, known in (("trials", readings[:trials]), ("time", in_time)):
                    judged = _judged_raw(known, aim, truth)
                    found.append(
                        Found(
                            recording=name,
                            seed=task.seed,
                            searcher=rival,
                            aim=aim.name,
                            trials=trials,
                            equal=equal,
                            **judged,
                        )
                    )
    abouts = [
        About(recording=name, aim=aim.name, error=truth.error(aim), near=truth.within_5_percent(aim)) for aim in AIMS
    ]
    return found, abouts


def _held_out(rounds: Sequence[int], seed: int) -> set[int]:
    """Of each five neighbouring rounds two, drawn at random."""
    generator = np.random.default_rng([seed, 4])
    groups = [rounds[i : i + 5] for i in range(0, len(rounds), 5)]
    return {int(round_) for group in groups for round_ in generator.permutation(group)[:2]}


def _ours(  # noqa: PLR0913, PLR0917 - what a seed consists of
    recording: Recording,
    name: str,
    task: Task,
    truth: Truth,
    metric: LatencyMetric,
    replay: Callable[[], Replay],
) -> tuple[list[Found], dict[tuple[int, str], float]]:
    """A whole search for each aim and number of trials."""
    found, until_s = [], {}
    for trials in task.trials:
        for aim in AIMS:
            evaluator = replay()
            goal = Goal(latency=metric, prefer=aim.prefer, max_latency_ms=truth.limit_ms(aim))
            study = _run(recording, evaluator, goal, trials, task.seed)
            until_s[trials, aim.name] = evaluator.now_s
            found.append(
                Found(
                    recording=name,
                    seed=task.seed,
                    searcher=OURS,
                    aim=aim.name,
                    trials=trials,
                    equal="trials",
                    **_judged(study, goal, aim, truth),
                )
            )
    return found, until_s


def _run(recording: Recording, evaluator: Replay, goal: Goal, trials: int, seed: int) -> Study:
    """One search, elimination and duel included, as the command makes it."""
    store = _stores[0]
    store.create("s", setup_of(recording), goal)
    watch = Watch(clock=lambda: evaluator.now_s)
    study = Tuning(store, "s", evaluator, goal=goal, budget=Budget(trials=trials, seed=seed), watch=watch).run()
    store.delete("s")
    return study


class _Memory(Store):
    """A store that is gone with its process, Optuna's trials in no database at all: half a replay's time goes there."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self._storage = optuna.storages.InMemoryStorage()


def _judged(study: Study, goal: Goal, aim: Aim, truth: Truth) -> dict[str, float | None]:
    result = conclude(study, goal)
    place = truth.place(result.recommended)
    worth = truth.worth(aim)
    field = survey_field(study, goal)
    front = goals.front(field.estimates.values(), field.metric, "throughput")
    order = [v.config for v in study.visits if v.phase == "search"]
    ends = np.cumsum([v.outcome.cost_s for v in study.visits if v.phase == "search"])
    claimed = np.log(result.measured.throughput_per_s.value)
    return {
        "visited": _visited(order, truth, worth),
        "regret": _regret(place, worth),
        "verdict": result.verdict.kind,
        "worse": _worse(place, aim, truth),
        "gap": None if place is None else float(claimed - truth.gain[place]),
        "front": _front(truth, [e.config for e in front]),
        **_to_95(order, list(ends), aim, truth),
    }


def _judged_raw(known: Sequence[Reading], aim: Aim, truth: Truth) -> dict[str, float | None]:
    """The config of the best single reading, as people take it."""
    ran = [r for r in known if r.gain is not None and r.slow is not None]
    limit_ms = truth.limit_ms(aim)
    limit = np.inf if limit_ms is None else np.log(limit_ms)
    value = {
        "throughput": lambda r: (-max(r.slow - limit, 0.0), r.gain),
        "latency": lambda r: -r.slow,
        "balanced": lambda r: r.gain - r.slow,
    }[aim.prefer]
    best = max(ran, key=value, default=None)
    place = None if best is None else truth.place(best.config)
    front = [r for r in ran if not any(o.gain > r.gain and o.slow < r.slow for o in ran)]
    return {
        "visited": _visited([r.config for r in known], truth, truth.worth(aim)),
        "regret": _regret(place, truth.worth(aim)),
        "verdict": "none",
        "worse": _worse(place, aim, truth),
        "gap": None if best is None or place is None else float(best.gain - truth.gain[place]),
        "front": _front(truth, [r.config for r in front]),
        **_to_95([r.config for r in known], [r.until_s for r in known], aim, truth),
    }


def _regret(place: int | None, worth: np.ndarray) -> float:
    return float(worth.max() - worth[place]) if place is not None else float(np.ptp(worth))


def _visited(configs: Iterable[Config], truth: Truth, worth: np.ndarray) -> float:
    return min(_regret(truth.place(config), worth) for config in configs)


def _worse(place: int | None, aim: Aim, truth: Truth) -> float:
    """1 where the config is worse than the strongest of OpenVINO's own answers, beyond doubt, else 0."""
    if not truth.answers or place is None:
        return float(place is None)
    worth = truth.worth(aim)
    strongest = max(worth[answer] for answer in truth.answers)
    return float(worth[place] < strongest - WORSE - 2 * truth.error(aim) / np.sqrt(2))


def _front(truth: Truth, configs: Iterable[Config]) -> float:
    places = [p for config in configs if (p := truth.place(config)) is not None]
    return volume(truth, places) / volume(truth, range(len(truth.configs)))


def _to_95(order: Sequence[Config], ends_s: Sequence[float], aim: Aim, truth: Truth) -> dict[str, float | None]:
    worth = truth.worth(aim)
    for number, (config, end_s) in enumerate(zip(order, ends_s, strict=True), start=1):
        place = truth.place(config)
        if place is not None and worth[place] >= worth.max() + np.log(0.95):
            return {"trials_to_95": float(number), "seconds_to_95": float(end_s)}
    return {"trials_to_95": None, "seconds_to_95": None}


def shown(name: str, found: Sequence[Found], abouts: Sequence[About]) -> None:
    """Prints the tables of one recording."""
    print(f"\n{name}")
    tests = _tests(found)
    for aim in dict.fromkeys(f.aim for f in found):
        truths = [a for a in abouts if a.aim == aim]
        error, near = (100 * float(np.median([getattr(a, field) for a in truths])) for field in ("error", "near"))
        print(f"\n  {aim}: truth's error {error:.1f} %, {near:.0f} % of the configs within 5 % of the best")
        head = f"{'visited':>9}{'regret, median':>22}{'90th':>8}{'worse':>8}{'gap':>8}{'front':>8}{'to 95 %':>14}"
        print(f"    {'trials':>6}  {'searcher':<28}{head}  against ours")
        for trials in sorted({f.trials for f in found}):
            for searcher, equal in dict.fromkeys((f.searcher, f.equal) for f in found):
                own = [f for f in found if (f.aim, f.trials, f.searcher, f.equal) == (aim, trials, searcher, equal)]
                label = searcher if searcher == OURS else f"{searcher}, equal {equal}"
                print(f"    {trials:>6}  {label:<28}{_row(own)}  {tests.get((aim, trials, searcher, equal), '')}")


def _row(found: Sequence[Found]) -> str:
    regrets = 100 * np.array([f.regret for f in found])
    low, high = _resampled(regrets)
    gaps = [f.gap for f in found if f.gap is not None]
    reached = [(f.trials_to_95, f.seconds_to_95) for f in found]
    steps = [np.inf if trials is None else trials for trials, _ in reached]
    times = [np.inf if seconds is None else seconds for _, seconds in reached]
    cells = (
        f"{100 * np.median([f.visited for f in found]):>9.1f}",
        f"{f'{np.median(regrets):.1f} ({low:.1f} to {high:.1f})':>22}",
        f"{np.quantile(regrets, 0.9):>8.1f}",
        f"{100 * np.mean([f.worse for f in found]):>8.1f}",
        f"{100 * np.mean(gaps):>8.1f}" if gaps else f"{'-':>8}",
        f"{np.median([f.front for f in found]):>8.3f}",
        f"{f'{np.median(steps):.0f}, {np.median(times):.0f} s':>14}",
    )
    return "".join(cells)


def _resampled(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the median."""
    picks = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(np.median(values[picks], axis=1), [0.025, 0.975])
    return float(low), float(high)


def _tests(found: Sequence[Found]) -> dict[tuple[str, int, str, str], str]:
    """For each rival, aim and number of trials, whether its regret is shown to be larger or smaller than ours."""
    ours = {(f.aim, f.trials, f.seed): f.regret for f in found if f.searcher == OURS}
    pairs: dict[tuple[str, int, str, str], list[float]] = {}
    for f in found:
        if f.searcher != OURS:
            pairs.setdefault((f.aim, f.trials, f.searcher, f.equal), []).append(
                f.regret - ours[f.aim, f.trials, f.seed]
            )
    chances = {key: float(wilcoxon(d, zero_method="zsplit").pvalue) for key, d in pairs.items()}
    told, open_ = {}, True
    for rank, key in enumerate(sorted(chances, key=chances.__getitem__)):
        open_ = open_ and chances[key] <= 0.05 / (len(chances) - rank)
        told[key] = ("worse" if np.mean(pairs[key]) > 0 else "BETTER") if open_ else "not told apart"
    return told


_names: list[str] = []
_stores: list[Store] = []
_rivals: list[str] = []


def _open(paths: Sequence[Path], rivals: Sequence[str]) -> None:
    """In each process: what is searched in."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    _stores[:] = [_Memory()]
    _recordings[:] = [recording_file.read(path) for path in paths]
    _names[:] = [path.name for path in paths]
    _rivals[:] = rivals


if __name__ == "__main__":
    main()
