"""What people tune with today, each on raw single readings of a recording: they see a config once and believe it.

Each rival is made as strong as its users would have it. It searches for the aim itself, one objective, as Optuna's
samplers then do better than with two; under a latency limit what exceeds it comes after all that keeps it, by how far
it does, which for samplers that go by ranks is the strictest way to handle a constraint. It draws from the space of the
recording: where a sampler asks for parameters that no config has together, it gets the config that differs least. A
config that fails is told as pruned. The hill climb begins where people begin, at OpenVINO's default; the others are
told nothing beforehand, as their users do not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from ovtune.config import Config, Scalar, parameters
from ovtune.goal import Prefer
from ovtune.measurement import Block, LatencyMetric, Plan
from ovtune.replay import Replay
from ovtune.sampler import distributions
from ovtune.space import UNSET, Space
from ovtune.study import Setup

_BEYOND = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one visit showed: logarithms of throughput and latency, None where it failed; and when it was over."""

    config: Config
    gain: float | None
    slow: float | None
    until_s: float


Merit = Callable[[Reading], float]
"""How good a reading is for the aim of a search: larger is better, -inf where it failed."""


def merit_of(prefer: Prefer, limit_ms: float | None) -> Merit:
    """The merit of a reading under a preference and a latency limit; what exceeds the limit comes after all else."""

    def merit(reading: Reading) -> float:
        if reading.gain is None or reading.slow is None:
            return -np.inf
        value = {"latency": -reading.slow, "balanced": reading.gain - reading.slow}.get(prefer, reading.gain)
        over = 0.0 if limit_ms is None else reading.slow - float(np.log(limit_ms))
        return value if over <= 0 else -_BEYOND - over

    return merit


class Host:
    """A recording as a rival sees it: a config is asked for, one reading comes back."""

    def __init__(self, evaluator: Replay, setup: Setup, metric: LatencyMetric, merit: Merit) -> None:
        self.space = setup.space
        self.reference = setup.reference
        self.merit = merit
        self.readings: list[Reading] = []
        self._evaluator = evaluator
        self._metric = metric
        self._flat = [parameters(config) for config in setup.space.configs]
        self._columns = _columns(self._flat)

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
        return int(np.argmin(self.distances(wanted)))

    def distances(self, wanted: Mapping[str, Scalar]) -> np.ndarray:
        """Of each config, in parameters: 1 for each that differs, of numbers the share of their logarithms' range."""
        total = np.zeros(len(self._flat))
        for name, column in self._columns.items():
            value = wanted.get(name, UNSET)
            if column.scale > 0 and _is_number(value):
                apart = np.abs(column.logs - np.log2(1 + float(value))) / column.scale
                total += np.where(np.isnan(apart), 1.0, apart)
            else:
                total += np.array([other != value for other in column.values], dtype=float)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One parameter of all configs: its values, and the range of their logarithms; 0 where it is no number."""

    values: list[Scalar]
    logs: np.ndarray
    scale: float


def _columns(flat: Sequence[Mapping[str, Scalar]]) -> dict[str, _Column]:
    found = {}
    for name in dict.fromkeys(key for one in flat for key in one):
        values = [one.get(name, UNSET) for one in flat]
        logs = np.array([np.log2(1 + float(v)) if _is_number(v) else np.nan for v in values])
        numeric = all(_is_number(v) or v == UNSET for v in values)
        scale = float(np.nanmax(logs) - np.nanmin(logs)) if numeric else 0.0
        found[name] = _Column(values=values, logs=logs, scale=scale)
    return found


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


Rival = Callable[[Host, int], Iterator[int]]
"""Given a host and a seed, the places of the configs that it visits, one after the other, readings in between."""


def at_random(host: Host, seed: int) -> Iterator[int]:
    """Every config once, in random order."""
    yield from (int(i) for i in np.random.default_rng(seed).permutation(len(host.space.configs)))


def climbing(host: Host, seed: int) -> Iterator[int]:
    """From OpenVINO's default step by step to the best of the six nearest configs; begins anew where none is better."""
    generator = np.random.default_rng(seed)
    flat = [parameters(config) for config in host.space.configs]
    seen: dict[int, float] = {}

    def visit(place: int) -> Iterator[int]:
        if place not in seen:
            yield place
            seen[place] = host.merit(host.readings[-1])

    start = [i for i, config in enumerate(host.space.configs) if config == host.reference]
    while len(seen) < len(flat):
        left = [i for i in range(len(flat)) if i not in seen]
        here = start.pop() if start else int(generator.choice(left))
        yield from visit(here)
        while True:
            around = [int(i) for i in np.argsort(host.distances(flat[here]), kind="stable") if i != here][:6]
            for neighbour in generator.permutation(around):
                yield from visit(int(neighbour))
            best = max(around, key=lambda i: seen[i], default=here)
            if seen[best] <= seen[here]:
                break
            here = best


def sampled(make: Callable[[int], optuna.samplers.BaseSampler]) -> Rival:
    """One of Optuna's own samplers."""

    def search(host: Host, seed: int) -> Iterator[int]:
        study = optuna.create_study(direction="maximize", sampler=make(seed))
        space = {name: _choices(host.space, name, usual) for name, usual in distributions(host.space).items()}
        while True:
            trial = study.ask(space)
            yield host.nearest(trial.params)
            merit = host.merit(host.readings[-1])
            if np.isfinite(merit):
                study.tell(trial, merit)
            else:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)

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
    "TPE": sampled(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=False)),
    "TPE, multivariate": sampled(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True)),
    "NSGA-II": sampled(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=10)),
}


def search(host: Host, rival: Rival, seed: int, *, trials: int, until_s: float) -> list[Reading]:
    """The readings of a rival: at least ``trials`` of them, and on until the simulated time is over.

    In a recording that tells of no costs there is no time: then no more than ``trials``.
    """
    for place in rival(host, seed):
        last_s = host.readings[-1].until_s if host.readings else 0.0
        if len(host.readings) >= trials and (last_s >= until_s or last_s <= 0):
            break
        host.visit(place)
    return host.readings
