"""How much closer to the truth estimates come that lean on each other, and how honest their errors are, on recordings.

    python studies/benchmarks/slowed.py --recording FILE... [--seeds 100] [--configs 30]

For each seed, as in search_quality.py, it draws a block of each of so many configs from the rounds that a search may
draw from, and a few blocks of the config without settings, which a search visits again and again. What these tell of
throughput, each config by its own blocks and then leaning on what the others tell of how much it was slowed
(ovtune/slowdown.py), stands beside the truth of the other rounds (truth.py):

- off: the root of the mean square of how far the estimates are off, and the same by their median;
- within one, within two: how many are off by at most that many of the joint errors of estimate and truth; of normal
  ones 68 and 95 % would be.

What all estimates of a seed are off by alike, the difference of the rounds, is left out.
"""

import argparse
import itertools
import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rounds import split
from truth import Array, Truth, truth_of

from ovtune import recording_file
from ovtune.estimate import Estimate, estimate, spread_of
from ovtune.replay import setup_of
from ovtune.slowdown import steadied

REPEATS = 4
"""How many blocks of the config without settings 30 trials see."""


def main() -> None:
    """Prints two lines for each recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--configs", type=int, default=30)
    asked = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of the processes that are started below
    print(f"{'':<44}{'off':>8}{'middle':>8}{'within one':>12}{'within two':>12}")
    with multiprocessing.get_context("spawn").Pool() as pool:
        for path in asked.recording:
            found = pool.starmap(drawn, itertools.product([path], range(asked.seeds), [asked.configs]), chunksize=4)
            for name, parts in zip(("own blocks alone", "leaning"), zip(*found, strict=True), strict=True):
                off, errors = np.concatenate(parts, axis=1)
                middle = 1.4826 * np.median(np.abs(off))
                one, two = (np.mean(np.abs(off) <= times * errors) for times in (1, 2))
                title = f"{path.name}, {name}"
                print(f"{title:<44}{np.sqrt(np.mean(off**2)):>8.1%}{middle:>8.1%}{one:>12.0%}{two:>12.0%}")


def drawn(path: Path, seed: int, count: int) -> tuple[Array, Array]:
    """How far the estimates of one seed are off, and their joint errors: by their own blocks alone, and leaning."""
    own = split(recording_file.read(path), seed)
    truth = truth_of(own.recording, own.held_out, own.metric)
    blocks = own.blocks
    generator = np.random.default_rng([seed, 11])
    reference = setup_of(own.recording).reference
    first = [reference.key] if reference is not None and reference.key in blocks else []
    others = [key for key in blocks if key not in first]
    chosen = [*first, *(others[int(i)] for i in generator.permutation(len(others))[: count - len(first)])]
    some = {
        key: [blocks[key][int(i)] for i in generator.permutation(len(blocks[key]))[: REPEATS if key in first else 1]]
        for key in chosen
    }
    configs, spread = {config.key: config for config in truth.configs}, spread_of(some.values())
    alone = {key: estimate(configs[key], made, spread) for key, made in some.items()}
    return _off(alone, truth), _off(steadied(alone, some), truth)


def _off(estimates: Mapping[str, Estimate], truth: Truth) -> Array:
    """How far throughputs are off, as logarithms around their median, and their joint errors."""
    places = [truth.configs.index(e.config) for e in estimates.values()]
    told = np.log([e.throughput_per_s.value for e in estimates.values()]) - truth.gain.mean[places]
    errors = np.hypot([e.throughput_per_s.error for e in estimates.values()], truth.gain.error[places])
    return np.array([told - np.median(told), errors])


if __name__ == "__main__":
    main()
