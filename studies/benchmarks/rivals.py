"""What people tune with today, each on raw single readings of a recording: they see a config once and believe it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from ovtune.config import Config, Scalar, parameters
from ovtune.measurement import Block, LatencyMetric, Plan
from ovtune.replay import Replay
from ovtune.sampler import distributions
from ovtune.space import UNSET, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one visit showed: logarithms of throughput and latency, None where it failed; and when it was over."""

    config: Config
    gain: float | None
    slow: float | None
    until_s: float


class Host:
    """A recording as a rival sees it: a config is asked for, one reading comes back."""

    def __init__(self, evaluator: Replay, space: Space, metric: LatencyMetric) -> None:
        self.space = space
        self.readings: list[Reading] = []
        self._evaluator = evaluator
        self._metric = metric
        self._flat = [parameters(config) for config in space.configs]
        self._scales = _scales(self._flat)

    def visit(self, place: int) -> Reading:
        """One reading of the config at ``place`` in the space."""
        config = self.space.configs[place]
        outcome = self._evaluator.evaluate(config, Plan())
        ran = isinstance(outcome, Block)
        reading = Reading(
            config=config,
            gain=float(np.log(outcome.throughput_per_s)) if isinstance(outcome, Block) else None,
            slow=float(np.log(outcome.latency_ms(self._metric))) if ran else None,
            until_s=self._evaluator.now_s,
        )
        self.readings.append(reading)
        return reading

    def nearest(self, wanted: Mapping[str, Scalar]) -> int:
        """The config of the recording that differs least from the parameters that are wanted."""
        return int(np.argmin([self.distance(wanted, flat) for flat in self._flat]))

    def distance(self, one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> float:
        """In parameters: 1 for each that differs, of numbers the share of their range on a logarithmic scale."""
        total = 0.0
        for name, scale in self._scales.items():
            a, b = one.get(name, UNSET), other.get(name, UNSET)
            if a == b:
                continue
            numbers = scale > 0 and isinstance(a, int | float) and isinstance(b, int | float)
            total += abs(np.log2(1 + a) - np.log2(1 + b)) / scale if numbers else 1.0
        return total


def _scales(flat: Sequence[Mapping[str, Scalar]]) -> dict[str, float]:
    """For each parameter the range of its logarithms; 0 where it is no number."""
    found = {}
    for name in dict.fromkeys(key for one in flat for key in one):
        values = [one[name] for one in flat if name in one]
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        found[name] = float(np.ptp(np.log2(1 + np.array(values, dtype=float)))) if numeric else 0.0
    return found


Rival = Callable[[Host, int], Iterator[int]]
"""Given a host and a seed, the places of the configs that it visits, one after the other, readings in between."""


def at_random(host: Host, seed: int) -> Iterator[int]:
    """Every config once, in random order."""
    yield from (int(i) for i in np.random.default_rng(seed).permutation(len(host.space.configs)))


def climbing(host: Host, seed: int) -> Iterator[int]:
    """Steps to the neighbour with the best product of throughput and 1/latency; begins anew where there is none."""
    generator = np.random.default_rng(seed)
    flat = [parameters(config) for config in host.space.configs]
    seen: dict[int, float] = {}

    def visit(place: int) -> Iterator[int]:
        if place not in seen:
            yield place
            last = host.readings[-1]
            seen[place] = -np.inf if last.gain is None or last.slow is None else last.gain - last.slow

    while len(seen) < len(flat):
        left = [i for i in range(len(flat)) if i not in seen]
        here = int(generator.choice(left))
        yield from visit(here)
        while True:
            distances = np.array([host.distance(flat[here], other) for other in flat])
            around = [int(i) for i in np.argsort(distances)[1:7]]
            for neighbour in generator.permutation(around):
                yield from visit(int(neighbour))
            best = max(around, key=lambda i: seen[i])
            if seen[best] <= seen[here]:
                break
            here = best


def sampled(make: Callable[[int], optuna.samplers.BaseSampler]) -> Rival:
    """One of Optuna's own samplers, with two objectives."""

    def search(host: Host, seed: int) -> Iterator[int]:
        study = optuna.create_study(directions=["maximize", "maximize"], sampler=make(seed))
        space = {name: _choices(host.space, name, usual) for name, usual in distributions(host.space).items()}
        while True:
            trial = study.ask(space)
            yield host.nearest(trial.params)
            last = host.readings[-1]
            if last.gain is None or last.slow is None:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, (last.gain, -last.slow))

    return search


def _choices(
    space: Space, name: str, usual: optuna.distributions.BaseDistribution
) -> optuna.distributions.BaseDistribution:
    """The distribution of a parameter, as a choice where some configs leave it to the runtime."""
    values = space.values[name]
    return optuna.distributions.CategoricalDistribution(sorted(values, key=str)) if UNSET in values else usual


RIVALS: Mapping[str, Rival] = {
    "random": at_random,
    "Sobol": sampled(lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True)),
    "hill climb": climbing,
    "TPE": sampled(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "TPE, multivariate": sampled(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    "NSGA-II": sampled(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=10)),
}


def search(host: Host, rival: Rival, seed: int, *, trials: int, until_s: float) -> list[Reading]:
    """The readings of a rival: at least ``trials`` of them, and on until the simulated time is over."""
    for place in rival(host, seed):
        if len(host.readings) >= trials and host.readings[-1].until_s >= until_s:
            break
        host.visit(place)
    return host.readings
