"""What to measure next: a pure function of the goal and of what is known.

OpenVINO's own answers come first, then what lies next to them, then a few configs far from all of these. From there on,
Gaussian processes over the configs tell what one more block is worth, be it of a new config or of one that was measured
before: how much better a config it is expected to let the goal choose, and how far it is expected to push the front.
"""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.points import coded, requested
from ovtune.regression import Array, Points, Regression, squared_distances
from ovtune.space import Space
from ovtune.twin import expected

Name = Literal["throughput", "latency", "efficiency"]
QUANTITIES: tuple[Name, ...] = ("throughput", "latency", "efficiency")
START = 2
"""How many configs, spread over the space, are tried after the first ones and before the model decides."""
_LEADING = 3
_AGAIN = 0.1
"""What a repeat counts beside a new config: the few best are measured again after the search, whatever it does."""
_MOST_BLOCKS = 5
_FRONT = 1.0
"""What the front counts beside the goal."""
_MOST_KNOWN = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What some blocks tell of one config: logarithms, each better when larger, and their standard errors."""

    values: Mapping[Name, float]
    errors: Mapping[Name, float]
    blocks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a search has come to know.

    Attributes:
        first: What is to be measured before anything else, in order.
        tried: What was given to a trial, by its key: measured, shared, infeasible or failed.
        readings: By the config's key; configs that share blocks share the reading.
        infeasible: The keys that could not run, or that cannot be recommended however fast they are.
        outside: The keys of what was measured beside the space, and cannot be recommended either.
        shared: For each config that runs as a measured one, by key, the key of that one. What is likely to do so, too,
            is proposed when nothing else is left.
        recent: The keys of the last visits: a block tells more of a config when it is not of the same minute.
    """

    first: tuple[Config, ...]
    tried: Mapping[str, Config]
    readings: Mapping[str, Reading]
    infeasible: frozenset[str]
    outside: frozenset[str] = frozenset()
    shared: Mapping[str, str] = field(default_factory=dict)
    recent: frozenset[str] = frozenset()


def propose(space: Space, goal: Goal, history: History, *, seed: int) -> Config | None:
    """The config to measure next, new or once more; None where every one has been."""
    for config in history.first:
        if config.key not in history.tried:
            return config
    measured = _telling(goal, history)
    candidates = space.candidates(_leading(goal, history), seed=seed + len(history.tried))
    configs = tuple({**{c.key: c for c in candidates}, **history.tried}.values())
    keys = [config.key for config in configs]
    free = np.array([key not in history.tried for key in keys])
    if not free.any():
        return None
    if history.shared:
        twins = expected(configs, [c for key, c in history.tried.items() if _measured(key, history)], history.shared)
        fresh = free & np.array([key not in twins for key in keys])
        free = fresh if fresh.any() else free
    points = requested(configs)
    place = {key: i for i, key in enumerate(keys)}
    seen = np.array([place[key] for key in history.tried], dtype=int)
    if len(seen) < len(history.first) + START or len(measured) < 3:
        return configs[_farthest(points.rows, seen, free, seed)]
    known = np.array([place[key] for key in measured], dtype=int)
    readings = [history.readings[key] for key in measured]
    fit = np.array([_fit(key, history) for key in measured], dtype=bool)
    blocked = np.array([i for i, key in enumerate(keys) if key in history.infeasible], dtype=int)
    chance = np.where(free, _hope(configs, points.rows, known[fit], blocked), 0.0)
    again = np.array([_may_again(key, history) for key in measured], dtype=bool)
    chance[known[fit & again]] = _AGAIN
    worth = _Outlook(goal, points, known, readings).worth(known[fit])
    score = sum(share * _in_shares(chance * part) for share, part in zip((1.0, _FRONT), worth, strict=True))
    return configs[int(np.argmax(np.where(chance > 0, score, -math.inf)))]


def _in_shares(values: Array) -> Array:
    """Values from 0 on as shares of the largest."""
    return values / max(float(values.max()), 1e-12)


def _measured(key: str, history: History) -> bool:
    return key in history.readings and key not in history.shared


def _fit(key: str, history: History) -> bool:
    """Whether a measured config may be recommended."""
    return key not in history.infeasible and key not in history.outside


def _may_again(key: str, history: History) -> bool:
    return key not in history.shared and key not in history.recent and history.readings[key].blocks < _MOST_BLOCKS


def _front(goal: Goal) -> tuple[Name, Name]:
    return goal.against, "latency"


def _worth(goal: Goal) -> tuple[Name, ...]:
    """The quantities whose sum the goal prefers."""
    return ("throughput", "latency") if goal.prefer == "balanced" else (goal.prefer,)


def _floors(goal: Goal) -> dict[Name, float]:
    """The least that a quantity may be."""
    floors: dict[Name, float] = {}
    if goal.max_latency_ms is not None:
        floors["latency"] = -math.log(goal.max_latency_ms)
    if goal.min_throughput_per_s is not None:
        floors["throughput"] = math.log(goal.min_throughput_per_s)
    return floors


def _leading(goal: Goal, history: History) -> list[Config]:
    """The measured configs that look best: for the goal, by each objective, and by their product."""
    best = dict.fromkeys(itertools.chain(*(order[:_LEADING] for order in _orders(goal, history))))
    return [history.tried[key] for key in best]


def _orders(goal: Goal, history: History) -> list[list[str]]:
    """The measured keys, best first: for the goal, by each objective, and by their product."""
    front, worth, floors = _front(goal), _worth(goal), _floors(goal)

    def merits(key: str) -> tuple[tuple[float, ...], ...]:
        values = history.readings[key].values
        one, other = (values[name] for name in front)
        short = sum(max(floor - values[name], 0.0) for name, floor in floors.items())
        return (short, -sum(values[name] for name in worth)), (-one,), (-other,), (-one - other,)

    known = {key: merits(key) for key in sorted(history.readings)}
    return [sorted(known, key=lambda key: known[key][place]) for place in range(4)]


def _telling(goal: Goal, history: History) -> list[str]:
    """The measured configs that a model of all is made from: of very many the best, and some of the others.

    What lies far from the best tells little of what lies near them, and takes as long.
    """
    keys = sorted(history.readings)
    if len(keys) <= _MOST_KNOWN:
        return keys
    best = dict.fromkeys(itertools.chain(*zip(*_orders(goal, history), strict=True)))
    chosen = set(itertools.islice(best, _MOST_KNOWN // 2))
    rest = [key for key in keys if key not in chosen]
    return sorted([*chosen, *rest[:: math.ceil(len(rest) / (_MOST_KNOWN - len(chosen)))]])


def _farthest(rows: Array, seen: NDArray[np.int_], free: NDArray[np.bool_], seed: int) -> int:
    """A free point about as far as any from all that were seen; the seed picks among nearly equal ones."""
    order = np.random.default_rng(seed).random(len(rows))
    if len(seen) == 0:
        return int(np.argmax(np.where(free, order, -1)))
    distance = np.sqrt(squared_distances(rows, rows[seen]).min(axis=1))
    return int(np.argmax(np.where(free, distance * (1 + 0.1 * order), -1)))


class _Outlook:
    """What is expected of each config, and what one more block of it is worth.

    Args:
        goal: What is looked for.
        points: The configs.
        known: Which of them were measured.
        readings: What that showed.
    """

    def __init__(self, goal: Goal, points: Points, known: NDArray[np.int_], readings: Sequence[Reading]) -> None:
        self._goal = goal
        self._mean: dict[Name, Array] = {}
        self._step: dict[Name, Array] = {}
        for name in dict.fromkeys((*_front(goal), *_worth(goal), *_floors(goal))):
            errors = [reading.errors[name] for reading in readings]
            fitted = Regression(points, known, [reading.values[name] for reading in readings], errors)
            block = float(np.median([e * math.sqrt(r.blocks) for e, r in zip(errors, readings, strict=True)]))
            self._mean[name] = fitted.mean
            # How far a block moves what is believed: Frazier, Powell and Dayanik (2008), equation 9.
            self._step[name] = fitted.deviation**2 / np.hypot(fitted.deviation, block)

    def worth(self, fit: NDArray[np.int_]) -> tuple[Array, Array]:
        """What one more block of each config is worth for the goal, and for the front; ``fit`` may be recommended."""
        one, other = _front(self._goal)
        if len(fit) == 0:
            unsure = self._step[one] + self._step[other]
            return unsure, unsure
        return self._choice(fit), self._volume(fit)

    def _choice(self, fit: NDArray[np.int_]) -> Array:
        """How much better a choice for the goal one more block of each config is expected to allow.

        The knowledge gradient, as if no config told of another one: what was measured well hardly moves. A config may
        be chosen while it is expected to keep the limits, and is worth as much less as it is over.
        """
        floors = _floors(self._goal)
        missing = sum((np.maximum(floor - self._mean[name], 0) for name, floor in floors.items()), np.array(0.0))
        missing = np.broadcast_to(missing, self._mean["latency"].shape)
        nearest = float(missing[fit].min())
        if nearest > 0:
            return self._closer(nearest)
        names = _worth(self._goal)
        mean = np.sum([self._mean[name] for name in names], axis=0)
        step = np.sqrt(np.sum([self._step[name] ** 2 for name in names], axis=0))
        keeps, over = np.ones(len(mean)), np.zeros(len(mean))
        for name, floor in floors.items():
            keeps *= normal((self._mean[name] - floor) / self._step[name])
            over += expected_excess(floor - self._mean[name], self._step[name])
        within = fit[missing[fit] == 0]
        best, *others = within[np.argsort(-mean[within], kind="stable")]
        value = keeps * expected_excess(mean - mean[best], step)
        back = expected_excess(mean[others[0]] - mean[best], step[best]) if others else 0.0
        value[best] = keeps[best] * back + over[best]
        return value

    def _closer(self, nearest: float) -> Array:
        """Where no measured config keeps the limits: how much closer to them each is expected to come."""
        gaps = [(self._mean[name] - floor, self._step[name]) for name, floor in _floors(self._goal).items()]
        nearer = [expected_excess(gap + nearest, step) - expected_excess(gap, step) for gap, step in gaps]
        return functools.reduce(np.minimum, nearer)

    def _volume(self, fit: NDArray[np.int_]) -> Array:
        """The area that one more block of each config is expected to add above the front of those that are known.

        A config on that front adds none by being measured again: its part of the area is there already.
        """
        one, other = _front(self._goal)
        at = np.column_stack([self._mean[one][fit], self._mean[other][fit]])
        order = np.lexsort((-at[:, 1], -at[:, 0]))
        before = np.concatenate([[-math.inf], np.maximum.accumulate(at[order, 1])[:-1]])
        on_it = order[at[order, 1] > before]
        low = at.min(axis=0) - 0.1
        edges, floors = [*at[on_it, 0], low[0]], [low[1], *at[on_it, 1]]
        area, right = np.zeros(len(self._mean[one])), np.zeros(len(self._mean[one]))
        for edge, floor in zip(edges, floors, strict=True):
            left = expected_excess(self._mean[one] - edge, self._step[one])
            area += (left - right) * expected_excess(self._mean[other] - floor, self._step[other])
            right = left
        area[fit[on_it]] = 0.0
        return area


def normal(z: Array) -> Array:
    """The standard normal distribution function, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * series
    return np.where(z > 0, 1 - tail, tail)


def expected_excess(mean: Array, deviation: Array) -> Array:
    """How far a normal variable is expected to be above zero, counting nothing where it is below."""
    z = mean / deviation
    value: Array = mean * normal(z) + deviation * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.maximum(value, 0)


def _hope(configs: tuple[Config, ...], rows: Array, known: NDArray[np.int_], blocked: NDArray[np.int_]) -> Array:
    """The chance that a config runs: by how near it lies to configs that did and that did not, and by its worst value.

    What a device refuses is most often one value of one parameter, whatever the others are.
    """
    if len(blocked) == 0:
        return np.ones(len(rows))
    ran, failed = (np.exp(-8 * squared_distances(rows, rows[some])).sum(axis=1) for some in (known, blocked))
    worst = np.ones(len(rows))
    for codes, values in coded(configs):
        good, bad = (np.bincount(codes[some], minlength=len(values)) for some in (known, blocked))
        worst = np.minimum(worst, ((good + 1) / (good + bad + 1))[codes])
    chance: Array = worst * (ran + 1) / (ran + failed + 1)
    return chance
