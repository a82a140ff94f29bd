"""Whether truth.py is as sure as it may be: on made-up recordings, of which the truth is known, and on real ones.

    python studies/benchmarks/truth_error.py [--seeds 20]
    python studies/benchmarks/truth_error.py --recording FILE... [--seeds 20]

Configs on a grid have smooth true values with a part of their own. Their blocks have noise with heavy tails, mostly
one-sided, in a host that drifts from round to round and is disturbed in some; all configs ran in the first rounds, the
best and a few others in many more. In the last shape blocks tell their CPU time, in which all that slows them shows.
For each of four shapes of recording:

- within one, within two: how many of the differences from the configs' common level are off by at most that many of
  truth's errors; of normal ones 68 % and 95 % would be;
- off: how far they are off, at the median, and how far the levels of raw medians would be;
- best: by how much the best config is better in truth.py than it really is, on average, and by how much the best of
  the raw medians is.

The exit status is 1 where fewer than 60 % lie within one error or 85 % within two, or the best is off by more than the
half of one error.

Of a real recording nobody knows the truth, but two halves of its rounds, one of each two neighbours in each, must tell
the same. For the best ten configs of each preference it prints:

- within one, within two: how many of the differences between two of them differ from half to half by at most that many
  of the errors that both halves claim. More than 68 % and 95 % is no fault: both lean on the same neighbours;
- error: what a half claims for a difference, at the median;
- halves: by how much it is off, by how far the halves are apart, at the root of the mean square.

The exit status is 1 where fewer than 60 % lie within one error or 85 % within two.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rounds import rounds_of
from truth import AIMS, Aim, truth_of

from ovtune import recording_file
from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.measurement import LatencyMetric
from ovtune.model import Model
from ovtune.recording import Header, Record, Recording
from ovtune.workload import ClosedLoop

LEAST_WITHIN = 0.6, 0.85
GRID = tuple(
    Config(device="CPU", nireq=nireq, batch_size=batch, properties={"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": n})
    for nireq, batch, streams, n in itertools.product((1, 2, 4, 8, 16), (1, 4, 16), (1, 2, 4), (1, 2, 4))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many rounds all configs are in, and the best beside; noise, disturbed rounds, whether CPU time is told."""

    name: str
    rounds: int
    focus_rounds: int
    noise: float
    disturbed: float
    timed: bool = False


SHAPES = (
    Shape(name="as ovtune records", rounds=5, focus_rounds=35, noise=0.05, disturbed=0.1),
    Shape(name="six rounds of all", rounds=6, focus_rounds=0, noise=0.05, disturbed=0.0),
    Shape(name="a disturbed host", rounds=10, focus_rounds=30, noise=0.08, disturbed=0.35),
    Shape(name="it, with CPU times", rounds=10, focus_rounds=30, noise=0.08, disturbed=0.35, timed=True),
)


def main() -> int:
    """Prints a line for each shape or recording, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--recording", nargs="+", type=Path, default=[], metavar="FILE")
    asked = parser.parse_args()
    seeds = range(asked.seeds)
    if asked.recording:
        print(f"{'':<44}{'within one':>11}{'within two':>12}{'error':>8}{'halves':>8}")
        told = [halves(path, seeds) for path in asked.recording]
        return int(not all(told))
    print(f"{'':<20}{'within one':>11}{'within two':>12}{'error':>8}{'off':>8}{'raw':>8}{'best':>8}{'raw':>8}")
    honest = True
    for shape in SHAPES:
        found = np.array([judged(shape, seed) for seed in seeds])
        one, two, error, off, raw, best, raw_best = found.mean(axis=0)
        print(
            f"{shape.name:<20}{one:>11.0%}{two:>12.0%}{error:>8.1%}{off:>8.1%}{raw:>8.1%}{best:>+8.1%}{raw_best:>+8.1%}"
        )
        honest = honest and one >= LEAST_WITHIN[0] and two >= LEAST_WITHIN[1] and abs(best) <= error / 2
    return int(not honest)


def judged(shape: Shape, seed: int) -> tuple[float, ...]:
    """What a recording of ``shape`` shows."""
    generator = np.random.default_rng(seed)
    real, slow = _real(generator), _real(generator)
    recording = Recording(header=_header(), records=tuple(_records(shape, real, slow, generator)), sha256="0" * 64)
    rounds = rounds_of(recording)
    held_out = [r for i in range(0, len(rounds), 5) for r in generator.permutation(rounds[i : i + 5])[:2].tolist()]
    truth = truth_of(recording, held_out, "p50")
    real = real[[GRID.index(config) for config in truth.configs]]
    off = truth.gain.mean - real
    raw = _medians(recording, set(held_out), truth.configs) - real
    off, raw = off - np.median(off), raw - np.nanmedian(raw)
    far = np.abs(off) / truth.gain.error
    best, raw_best = (float(np.nanmax(real + wrong) - real.max()) for wrong in (off, raw))
    middle = (float(np.median(truth.gain.error)), float(np.median(np.abs(off))), float(np.nanmedian(np.abs(raw))))
    return float(np.mean(far <= 1)), float(np.mean(far <= 2)), *middle, best, raw_best


def halves(path: Path, seeds: range) -> bool:
    """Prints how far the halves of a recording are apart, for each preference; whether the errors foresee that."""
    recording = recording_file.read(path)
    rounds = rounds_of(recording)
    metric: LatencyMetric = "p95" if all(r.tells("p95") for r in recording.records if r.ok) else "p50"
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        coins = np.random.default_rng(seed).random(len(rounds) // 2) < 0.5
        one = {rounds[2 * i + int(coin)] for i, coin in enumerate(coins)}
        truths = [truth_of(recording, half, metric) for half in (one, set(rounds[: 2 * len(coins)]) - one)]
        for aim in (Aim(prefer=aim.prefer) for aim in AIMS if aim.limit in {None, 0.5}):
            best = np.argsort(-sum(truth.worth(aim) for truth in truths))[:10]
            for i, j in itertools.combinations(best.tolist(), 2):
                apart = [float(truth.worth(aim)[i] - truth.worth(aim)[j]) for truth in truths]
                error = float(np.hypot(*(truth.apart(aim, i, j) for truth in truths)))
                found.setdefault(aim.name, []).append((apart[0] - apart[1], error))
    honest = True
    for name, pairs in found.items():
        off, error = np.abs(np.array(pairs)).T
        within = [float(np.mean(off <= times * error)) for times in (1, 2)]
        told, shown = np.median(error) / 2**0.5, np.sqrt(np.mean(off**2) / 2)
        print(f"{f'{path.name}, {name}':<44}{within[0]:>11.0%}{within[1]:>12.0%}{told:>8.1%}{shown:>8.1%}")
        honest = honest and within[0] >= LEAST_WITHIN[0] and within[1] >= LEAST_WITHIN[1]
    return honest


def _real(generator: np.random.Generator) -> np.ndarray:
    """Smooth in each parameter and in some of their pairs, and a little of each config's own."""
    numbers = np.log2([[c.nireq, c.batch_size, *map(float, c.properties.values())] for c in GRID])
    scaled = numbers / numbers.max(axis=0)
    slopes, bends = generator.normal(0, 0.3, 4), generator.normal(0, 0.3, (4, 4))
    own = generator.normal(0, 0.02, len(GRID))
    return np.asarray(4 + scaled @ slopes - np.einsum("ni,ij,nj->n", scaled, bends, scaled) + own)


def _records(shape: Shape, real: np.ndarray, slow: np.ndarray, generator: np.random.Generator) -> Iterator[Record]:
    count = shape.rounds + shape.focus_rounds
    drift = 0.05 * generator.standard_normal(count)
    disturbed = generator.random(count) < shape.disturbed
    busy = 0.3 * _real(generator)
    focus = np.union1d(np.argsort(-real)[:20], generator.permutation(len(GRID))[:6])
    for number in range(count):
        for place in generator.permutation(len(GRID) if number < shape.rounds else focus):
            noise = shape.noise * (0.5 * generator.standard_t(4) + generator.exponential())
            if disturbed[number]:
                noise += generator.exponential(0.5)
            yield Record(
                round=number,
                started_s=float(number),
                config=GRID[int(place)],
                ok=True,
                throughput_per_s=float(np.exp(real[place] + drift[number] - noise)),
                latency_ms={"p50": float(np.exp(slow[place] - drift[number] + noise))},
                samples=100,
                elapsed_s=1.0,
                cost_s=2.0,
                cpu_s=float(np.exp(busy[place])) if shape.timed else None,
            )


def _medians(recording: Recording, rounds: set[int], configs: tuple[Config, ...]) -> np.ndarray:
    """The logarithm of each config's median throughput in some rounds; NaN without a block."""
    blocks: dict[str, list[float]] = {config.key: [] for config in configs}
    for record in recording.records:
        if record.round in rounds:
            blocks[record.config.key].append(float(np.log(record.throughput_per_s or np.nan)))
    return np.array([np.median(found) if found else np.nan for found in blocks.values()])


def _header() -> Header:
    return Header(
        model=Model(name="made up", path="made-up", sha256="0" * 64, inputs=()),
        workload=ClosedLoop(),
        environment=Environment(openvino="", devices={}, cpu="", cpus=2, quota=None, memory_bytes=0, system=""),
    )


if __name__ == "__main__":
    sys.exit(main())
