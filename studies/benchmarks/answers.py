"""How many blocks it takes to tell which of OpenVINO's own answers is the best, on recordings.

    python studies/benchmarks/answers.py --recording FILE... [--seeds 300] [--blocks 2,4,8,12,18]

What is not shown to be better is not recommended, but the best of OpenVINO's own answers is; on a noisy host that is
hard to tell by itself. For each seed and aim, as in search_quality.py: of each answer as many blocks, drawn from the
rounds that a search may draw from, and nothing else. Prints how often the one that leads then, by the estimates of a
search, is truly worse than the strongest by more than 1 % and the error of that difference, in percent; and how many
visits that many blocks of all answers are. It bounds what a search can come to that spends fewer visits on them.
"""

import argparse
import itertools
import multiprocessing
import os
from pathlib import Path

import numpy as np
from judge import worse
from rounds import split
from truth import AIMS, truth_of

from ovtune import goal as goals
from ovtune import recording_file
from ovtune.estimate import estimate, spread_of
from ovtune.goal import Goal
from ovtune.recording import block_of

Shares = dict[tuple[str, int], float]
"""For an aim and a number of blocks, 1 where the one that leads is worse, else 0."""


def main() -> None:
    """Prints a table for each recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--blocks", default="2,4,8,12,18", metavar="N,N...", help="(2,4,8,12,18)")
    asked = parser.parse_args()
    counts = tuple(int(part) for part in asked.blocks.split(","))
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    with multiprocessing.get_context("spawn").Pool() as pool:
        for path in asked.recording:
            tasks = itertools.product([path], range(asked.seeds), [counts])
            found = pool.starmap(led, tasks, chunksize=4)
            answers, most = (min(column) for column in list(zip(*found, strict=True))[:2])
            print(f"\n{path}: {answers} of OpenVINO's own answers, {most} blocks of each at most")
            print(f"  blocks of each{'visits':>8}  worse, %: {', '.join(aim.name for aim in AIMS)}")
            for count in (count for count in counts if count <= most):
                shares = [100 * np.mean([one[aim.name, count] for *_, one in found]) for aim in AIMS]
                print(f"  {count:>14}{answers * count:>8}  {' '.join(f'{share:>6.1f}' for share in shares)}")


def led(path: Path, seed: int, counts: tuple[int, ...]) -> tuple[int, int, Shares]:
    """How many answers there are, of how many blocks each, and whether the one that leads is worse, for one seed."""
    own = split(recording_file.read(path), seed)
    truth = truth_of(own.recording, own.held_out, own.metric)
    configs = {truth.configs[place].key: truth.configs[place] for place in truth.answers}
    blocks = {
        key: [
            block_of(record, own.recording.header, started_at=0.0)
            for record in own.recording.records
            if record.ok and record.config.key == key and record.round in own.seen
        ]
        for key in configs
    }
    most = min(map(len, blocks.values()), default=0)
    generator = np.random.default_rng([seed, 9])
    found: Shares = {}
    for count in (count for count in counts if count <= most):
        drawn = {key: [made[int(i)] for i in generator.permutation(len(made))[:count]] for key, made in blocks.items()}
        spread = spread_of(drawn.values())
        known = [estimate(configs[key], made, spread) for key, made in drawn.items()]
        for aim in AIMS:
            goal = Goal(latency=own.metric, prefer=aim.prefer, max_latency_ms=truth.limit_ms(aim))
            first = goals.ranked(known, goal, goals.common_metric(known, own.metric))[0]
            found[aim.name, count] = worse(truth.place(first.config), aim, truth)
    return len(configs), most, found


if __name__ == "__main__":
    main()
