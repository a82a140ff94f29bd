"""How long it takes to decide what to measure next, beside the targets: 50 ms at trial 50, 300 ms at trial 1000.

    python studies/benchmarks/asking.py [--seeds 10] [--configs 3000]

A made-up space of so many configs over two devices, and histories of it that a search could have: at each seed other
configs are known, each with a noisy reading, one in twenty was refused, and one in ten was measured twice. Once all
configs are candidates, and once most of the space lies in further settings and the candidates are a sample. Prints the
median and the worst time over the seeds; nothing is ever decided while a block is measured.
"""

import argparse
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.proposal import History, Reading, propose
from ovtune.space import Space

TARGETS_MS = {50: 50.0, 1000: 300.0}
HINTS = ("none", "LATENCY", "THROUGHPUT")
SETTINGS = {
    "CPU": {"NUM_STREAMS": (1, 2, 4, 8), "ENABLE_CPU_PINNING": (True, False), "ENABLE_HYPER_THREADING": (True, False)},
    "GPU": {"NUM_STREAMS": (1, 2, 4), "MODEL_PRIORITY": ("LOW", "MEDIUM", "HIGH")},
}
GOAL = Goal(prefer="throughput", max_latency_ms=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How long some decisions took, in milliseconds."""

    median_ms: float
    worst_ms: float


def main() -> None:
    """Measures, and prints the times beside the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--configs", type=int, default=3000)
    asked = parser.parse_args()
    bare = Space(configs=tuple(configs(asked.configs)))
    spaces = {
        f"{asked.configs} configs": bare,
        "a sample of many more": Space(configs=bare.configs[::3], settings=SETTINGS),
    }
    for name, space in spaces.items():
        for trials, target_ms in TARGETS_MS.items():
            found = timed(space, trials, range(asked.seeds))
            verdict = "within" if found.worst_ms <= target_ms else "above"
            times = f"median {found.median_ms:.0f} ms, worst {found.worst_ms:.0f} ms"
            print(f"{name}, trial {trials}: {times}; {verdict} the {target_ms:.0f} ms that it may take")


def configs(count: int) -> list[Config]:
    """So many configs of two devices."""
    found = []
    grid = itertools.product(
        ("CPU", "GPU"), HINTS, (1, 2, 4, 8, 16, 32), ("FP32", "FP16", "INT8"), ("unset", "f32", "f16"), range(16)
    )
    for device, hint, batch, precision, computing, requests in grid:
        properties = {} if hint == "none" else {"PERFORMANCE_HINT": hint}
        if computing != "unset":
            properties["INFERENCE_PRECISION_HINT"] = computing
        found.append(
            Config(device=device, properties=properties, nireq=requests + 1, batch_size=batch, precision=precision)
        )
    if count > len(found):
        raise SystemExit(f"--configs is {count}: there are no more than {len(found)}")
    places = np.linspace(0, len(found) - 1, count).astype(int)
    return [found[place] for place in places]


def history(known: Sequence[Config], seed: int) -> History:
    """A search that knows these."""
    generator = np.random.default_rng([seed, len(known)])
    refused = {config.key for config in known if generator.random() < 0.05}
    return History(
        first=(),
        tried={config.key: config for config in known},
        readings={config.key: reading(config, generator) for config in known if config.key not in refused},
        infeasible=frozenset(refused),
        recent=frozenset(config.key for config in known[-3:]),
    )


def reading(config: Config, generator: np.random.Generator) -> Reading:
    """A smooth function of the config, and noise."""
    overlap = min(config.nireq, 4 if config.device == "CPU" else 8) ** 0.6
    speed = 100 * overlap * config.batch_size**0.2 * (1.3 if config.precision == "INT8" else 1.0)
    throughput = math.log(speed) + 0.04 * generator.standard_normal()
    latency = math.log(speed / (1000 * config.nireq * config.batch_size)) + 0.09 * generator.standard_normal()
    blocks = 2 if generator.random() < 0.1 else 1
    return Reading(
        values={"throughput": throughput, "latency": latency, "efficiency": throughput},
        errors={"throughput": 0.04, "latency": 0.09, "efficiency": 0.04},
        blocks=blocks,
    )


def timed(space: Space, trials: int, seeds: range) -> Timed:
    """How long the decision at trial number ``trials`` takes; the first, which also warms up, is not counted."""
    times = []
    for seed in (seeds[0], *seeds):
        generator = np.random.default_rng(seed)
        drawn = space.draw(2 * trials, seed=seed) if space.settings else list(space.configs)
        order = generator.permutation(len(drawn))
        known = list(dict.fromkeys(drawn[place] for place in order))[:trials]
        what = history(known, seed)
        began = time.perf_counter()
        propose(space, GOAL, what, seed=seed)
        times.append(1000 * (time.perf_counter() - began))
    return Timed(median_ms=float(np.median(times[1:])), worst_ms=max(times[1:]))


if __name__ == "__main__":
    main()
