"""Whether real searches find the best config, and the same one each time: their winners, measured afresh.

    python studies/benchmarks/winners.py [--model demo:mlp] [--searches 5] [--trials 30] [--rounds 15]

Searches a space of some two hundred configs several times for the highest throughput, each time with another seed and
with its default confirmation. Then every config of that space is visited once, and the best of them ten times more.
At last the winners, the three best of the sweep and OpenVINO's strongest own answer meet in shuffled rounds of fresh
blocks, which took no part in choosing any of them. Targets: the first search's winner does at least 95 % of the best of
the sweep, and all winners lie within 5 % of the best of them. Nothing else should run meanwhile.

Takes about twenty minutes. Ends with 1 where a target is missed.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ovtune import asset, stats
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.environment import describe_host
from ovtune.goal import Goal
from ovtune.host import exclusive
from ovtune.measurement import Block, Plan
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.result import Result
from ovtune.session import Search, run
from ovtune.study import Setup
from ovtune.trial_process import TrialProcess
from ovtune.wanted import UNSET, Wanted

SPACE = Wanted(
    only={
        "nireq": (1, 2, 4, 8, 16),
        "batch_size": (1, 2, 4, 8, 16, 32),
        "auto_batch_size": (1,),
        "precision": ("FP32",),
        "INFERENCE_PRECISION_HINT": (UNSET,),
        "INFERENCE_NUM_THREADS": (UNSET,),
    }
)
BEST, AGAIN, FINALISTS = 12, 10, 3
DRAWN = 10_000
"""So many draws hold every config of the space."""
Logs = dict[Config, dict[int, float]]
"""The logarithms of each config's throughput, by round."""
OF_SWEEP, WITHIN = 0.95, 0.95
RESAMPLES = 2000


def main() -> int:
    """Searches, sweeps, compares, prints; returns how many targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo:mlp")
    parser.add_argument("--searches", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs; {asked.model}")
    with tempfile.TemporaryDirectory() as folder:
        results = [
            searched(asked.model, asked.trials, seed, Path(folder) / str(seed)) for seed in range(asked.searches)
        ]
        setup = results[0].study.setup
        with exclusive(wait=True) as lock:
            evaluator = TrialProcess(
                files=asset.files(setup, Path(folder) / "model"),
                plugins=setup.plugins,
                workload=setup.workload,
                keep_open=(lock,),
                feed=setup.feed,
            )
            best = swept(evaluator, setup)
            winners = [result.recommended for result in results]
            sides = [*winners, *best, results[0].baseline.config]
            logs = measured(evaluator, tuple(dict.fromkeys(sides)), asked.rounds, seed=1)
    return judged(winners, best, results[0].baseline.config, logs)


def searched(model: str, trials: int, seed: int, folder: Path) -> Result:
    """A whole search for the highest throughput, as the command makes it."""
    request = Search(
        wish=Wish(model=model, device_strings=("CPU",), space=SPACE),
        goal=Goal(prefer="throughput"),
        budget=Budget(trials=trials, seed=seed),
        wait=True,
    )
    result, _ = run(request, Place(folder=folder))
    size = result.study.setup.space.size
    print(f"search {seed}, {trials} of {size} configs: {result.recommended.words}: {result.verdict.text}", flush=True)
    return result


def swept(evaluator: TrialProcess, setup: Setup) -> list[Config]:
    """The best configs of the whole space: each once, the best of these again, the best of those."""
    every = [*setup.space.configs, *setup.space.draw(DRAWN, seed=0), *(b.config for b in setup.baselines)]
    once = measured(evaluator, tuple(dict.fromkeys(every)), 1, seed=2)
    leading = best_of(once, BEST)
    found = best_of(measured(evaluator, leading, AGAIN, seed=3), FINALISTS)
    print(f"sweep of {len(once)} configs: {'; '.join(config.words for config in found)}", flush=True)
    return list(found)


def measured(evaluator: TrialProcess, configs: Sequence[Config], rounds: int, *, seed: int) -> Logs:
    """The throughputs in shuffled rounds of fresh blocks, without those that came to nothing."""
    logs: defaultdict[Config, dict[int, float]] = defaultdict(dict)
    for round_ in range(rounds):
        for place in np.random.default_rng([seed, round_]).permutation(len(configs)):
            outcome = evaluator.evaluate(configs[int(place)], Plan(seed=round_))
            if isinstance(outcome, Block):
                logs[configs[int(place)]][round_] = float(np.log(outcome.throughput_per_s))
    return dict(logs)


def best_of(logs: Logs, count: int) -> tuple[Config, ...]:
    """The configs with the highest throughput."""
    return tuple(sorted(logs, key=lambda config: -middle(logs[config]))[:count])


def middle(made: dict[int, float]) -> float:
    """The robust location of one config's rounds."""
    return stats.location(np.array(list(made.values())))


def judged(winners: Sequence[Config], best: Sequence[Config], baseline: Config, logs: Logs) -> int:
    """Prints what the fresh blocks say, and returns how many targets are missed."""
    top = max(best, key=lambda config: middle(logs[config]))
    leader = max(winners, key=lambda config: middle(logs[config]))
    named = [*((f"winner {i}", c) for i, c in enumerate(winners)), *((f"sweep {i + 1}", c) for i, c in enumerate(best))]
    for name, config in (*named, ("OpenVINO's strongest", baseline)):
        of_sweep, of_winners = ratio(logs[config], logs[top]), ratio(logs[config], logs[leader])
        print(
            f"{name:<22}{shown(of_sweep)} of the sweep's best, {shown(of_winners)} of the best winner: {config.words}"
        )
    missed = 0
    first = ratio(logs[winners[0]], logs[top])[0]
    least = min(ratio(logs[config], logs[leader])[0] for config in winners)
    for what, value, target in (
        ("the first winner, of the sweep's best", first, OF_SWEEP),
        ("the least of the winners, of the best one", least, WITHIN),
    ):
        missed += value < target
        print(f"{what}: {value:.1%}, target {target:.0%}: {'met' if value >= target else 'MISSED'}")
    return missed


def ratio(made: dict[int, float], others: dict[int, float]) -> tuple[float, float, float]:
    """How many times as fast in the rounds that both have, with its 95 % interval by resampling them."""
    differences = np.array([made[round_] - others[round_] for round_ in made.keys() & others.keys()])
    picks = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(np.median(differences[picks], axis=1), [0.025, 0.975])
    return float(np.exp(stats.location(differences))), float(np.exp(low)), float(np.exp(high))


def shown(value: tuple[float, float, float]) -> str:
    """As a share with its interval."""
    ratio_, low, high = value
    return f"{ratio_:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
