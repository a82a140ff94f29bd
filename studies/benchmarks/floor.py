"""How many blocks it takes to tell the front, and which of OpenVINO's own answers is the best, on recordings.

    python studies/benchmarks/floor.py --recording FILE... [--seeds 300] [--blocks 1,2,4,8,12,18]

What a search can come to is bounded by how many visits it makes. For each seed, as in search_quality.py, it draws so
many blocks of each config from the rounds that a search may draw from, and believes the estimates of a search:

- front: the share of the true front's hypervolume that the configs hold which no estimate beats, at the median, where
  every config of the recording is measured; of those that the recording visits less often, as many blocks as there are;
- worse: how often the best of OpenVINO's own answers, where nothing else is measured, is truly worse than the strongest
  by more than 1 % and the error of that difference, in percent, for each aim. Where nothing is shown to be better, that
  answer is what a search recommends.

Beside each stand the visits that it takes, on average. And for each aim, at the median:

- behind: by how much the strongest of OpenVINO's own answers is worse than the best config, which is what a search's
  regret comes to where a duel stays open;
- pairs: after how many pairs a duel of these two mostly shows it, in nine of ten (duel.py).
"""

import argparse
import itertools
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from judge import worse
from rounds import split
from truth import AIMS, Aim, Truth, truth_of

from ovtune import duel, recording_file
from ovtune import goal as goals
from ovtune.estimate import Estimate, Spread, estimate, spread_of
from ovtune.goal import Goal
from ovtune.measurement import Block, LatencyMetric
from ovtune.slowdown import steadied


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What so many blocks of each config tell in one seed.

    Attributes:
        visits: How many blocks of all configs these are.
        front: The share of the hypervolume.
        answered: How many blocks of OpenVINO's own answers these are.
        worse: For each aim 1 where the best of the answers is worse, else 0.
    """

    visits: int
    front: float
    answered: int
    worse: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """By how much the best config is ahead of OpenVINO's strongest answer, as a logarithm, and what shows it.

    Attributes:
        ahead: The lead.
        pairs: The pairs that a duel needs.
    """

    ahead: float
    pairs: int


def main() -> None:
    """Prints a table for each recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--blocks", default="1,2,4,8,12,18", metavar="N,N...", help="(1,2,4,8,12,18)")
    asked = parser.parse_args()
    if not all(part.isdecimal() and int(part) for part in asked.blocks.split(",")):
        parser.error(f"--blocks is {asked.blocks}: give numbers from 1 on, such as 1,2,4")
    counts = tuple(int(part) for part in asked.blocks.split(","))
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    with multiprocessing.get_context("spawn").Pool() as pool:
        for path in asked.recording:
            found = pool.starmap(drawn, itertools.product([path], range(asked.seeds), [counts]), chunksize=4)
            print(f"\n{path}\n  worse for: {', '.join(aim.name for aim in AIMS)}")
            print("  blocks   visits   front   visits  worse, %")
            for count, told in zip(counts, zip(*(one for one, _ in found), strict=True), strict=True):
                visits, answered = (np.mean([getattr(one, name) for one in told]) for name in ("visits", "answered"))
                shares = " ".join(f"{100 * share:>6.1f}" for share in np.mean([one.worse for one in told], axis=0))
                front = np.median([one.front for one in told])
                print(f"  {count:>6}{visits:>9.0f}{front:>8.3f}{answered:>9.0f}  {shares}")
            by_aim = zip(*(own for _, own in found), strict=True)
            for aim, leads in zip(AIMS, by_aim, strict=False):  # none where the recording has no answers
                behind, pairs = (np.median([getattr(one, name) for one in leads]) for name in ("ahead", "pairs"))
                print(f"  {aim.name}: {1 - np.exp(-behind):.1%} behind, {pairs:.0f} pairs")


def drawn(path: Path, seed: int, counts: Sequence[int]) -> tuple[list[Told], list[Lead]]:
    """What each of the numbers of blocks tells, for one seed, and the leads for each aim."""
    own = split(recording_file.read(path), seed)
    truth = truth_of(own.recording, own.held_out, own.metric)
    blocks = own.blocks
    generator = np.random.default_rng([seed, 9])
    found = []
    for count in counts:
        some = {key: [made[int(i)] for i in generator.permutation(len(made))[:count]] for key, made in blocks.items()}
        found.append(_told(truth, own.metric, some))
    spread = spread_of(blocks.values())
    return found, [_lead(truth, aim, spread, own.metric) for aim in AIMS] if truth.answers else []


def _lead(truth: Truth, aim: Aim, spread: Spread, metric: LatencyMetric) -> Lead:
    worth = truth.worth(aim)
    ahead = float(worth.max() - worth[list(truth.answers)].max())
    deviation = np.sqrt(2) * goals.deviation(spread, aim.prefer, metric, energy=False)
    return Lead(ahead=ahead, pairs=duel.needed(ahead, float(deviation)))


def _told(truth: Truth, metric: LatencyMetric, blocks: Mapping[str, Sequence[Block]]) -> Told:
    known = _known(truth, blocks)
    own = {truth.configs[place].key for place in truth.answers} & blocks.keys()
    answers = _known(truth, {key: blocks[key] for key in sorted(own)})
    front = goals.front(known, goals.common_metric(known, metric), "throughput")
    return Told(
        visits=sum(e.blocks for e in known),
        front=truth.front_share([truth.configs.index(e.config) for e in front]),
        answered=sum(e.blocks for e in answers),
        worse=tuple(_worse(answers, aim, truth, metric) for aim in AIMS),
    )


def _known(truth: Truth, blocks: Mapping[str, Sequence[Block]]) -> list[Estimate]:
    """What the blocks of some configs tell of them, where nothing else is measured."""
    spread = spread_of(blocks.values())
    configs = {config.key: config for config in truth.configs}
    return list(steadied({key: estimate(configs[key], made, spread) for key, made in blocks.items()}, blocks).values())


def _worse(answers: Sequence[Estimate], aim: Aim, truth: Truth, metric: LatencyMetric) -> float:
    """Whether the best of the answers is truly worse than the strongest; of none it is not."""
    if not answers:
        return 0.0
    goal = Goal(latency=metric, prefer=aim.prefer, max_latency_ms=truth.limit_ms(aim))
    best = goals.ranked(answers, goal, goals.common_metric(answers, metric))[0]
    return worse(truth.place(best.config), aim, truth)


if __name__ == "__main__":
    main()
