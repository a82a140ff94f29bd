"""What to measure next: a pure function of what is known.

OpenVINO's own answers come first, then what lies next to them, then a space-filling start. From there on, two
Gaussian processes over the distinct configs, one for each objective, tell where the front is likely to grow.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ovtune.config import Config, parameters
from ovtune.regression import Array, Regression
from ovtune.space import Space
from ovtune.twin import expected

START = 8
"""How many configs, spread over the space, are tried after the first ones and before the model decides."""
_LEADING = 3
_DRAWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of one config: two objectives as logarithms, both better when larger, and their errors."""

    gain: float
    speed: float
    gain_error: float
    speed_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a search has come to know.

    Attributes:
        first: What is to be measured before anything else, in order.
        tried: What is not to be proposed again, by its key: measured, shared, infeasible or failed.
        readings: By the config's key; configs that share blocks share the reading.
        infeasible: The keys that could not run.
        shared: For each config that runs as a measured one, by key, the key of that one. What is likely to do so, too,
            is proposed when nothing else is left.
    """

    first: tuple[Config, ...]
    tried: Mapping[str, Config]
    readings: Mapping[str, Reading]
    infeasible: frozenset[str]
    shared: Mapping[str, str] = field(default_factory=dict)


def propose(space: Space, history: History, *, seed: int) -> Config | None:
    """The next config to measure, or None where every one has been."""
    for config in history.first:
        if config.key not in history.tried:
            return config
    candidates = space.candidates(_leading(history), seed=seed + len(history.tried))
    configs = tuple({**{c.key: c for c in candidates}, **history.tried}.values())
    keys = [config.key for config in configs]
    free = np.array([key not in history.tried for key in keys])
    if not free.any():
        return None
    twins = expected(configs, [c for key, c in history.tried.items() if _measured(key, history)], history.shared)
    fresh = free & np.array([key not in twins for key in keys])
    free = fresh if fresh.any() else free
    points = features(configs)
    known = np.array([i for i, key in enumerate(keys) if key in history.readings], dtype=int)
    seen = np.array([i for i, key in enumerate(keys) if key in history.tried], dtype=int)
    if len(seen) < len(history.first) + START or len(known) < 3:
        return configs[_farthest(points, seen, free, seed)]
    readings = [history.readings[keys[i]] for i in known]
    score = _expected_gain(points, known, readings, np.random.default_rng([seed, len(seen)]))
    blocked = np.array([i for i, key in enumerate(keys) if key in history.infeasible], dtype=int)
    score *= _hope(configs, points, known, blocked)
    score[~free] = -math.inf
    return configs[int(np.argmax(score))]


def _measured(key: str, history: History) -> bool:
    return key in history.readings and key not in history.shared


def _leading(history: History) -> list[Config]:
    """The measured configs that look best: by each objective, and by their product."""
    merits = {key: (r.gain, r.speed, r.gain + r.speed) for key, r in history.readings.items()}
    best = [sorted(merits, key=lambda key: (-merits[key][place], key))[:_LEADING] for place in range(3)]
    return [history.tried[key] for key in dict.fromkeys(itertools.chain.from_iterable(best))]


def features(configs: Sequence[Config]) -> Array:
    """Each config as a point: numbers as logarithms between 0 and 1, the others as one coordinate per value."""
    flat = [parameters(config) for config in configs]
    columns: list[Array] = []
    for name in dict.fromkeys(key for one in flat for key in one):
        values = [one.get(name) for one in flat]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and v >= 0]
        distinct = sorted({str(v) for v in values})
        if len(distinct) < 2:
            continue
        if numbers and len(numbers) + sum(v is None for v in values) == len(values):
            logs = np.array([math.log2(1 + v) if isinstance(v, int | float) else math.nan for v in values])
            low, high = np.nanmin(logs), np.nanmax(logs)
            columns.append(np.nan_to_num((logs - low) / max(high - low, 1e-9), nan=-0.5))
        else:
            columns += [np.array([0.7 * (str(v) == value) for v in values]) for value in distinct]
    return np.column_stack(columns) if columns else np.zeros((len(configs), 1))


def _farthest(points: Array, seen: NDArray[np.int_], free: NDArray[np.bool_], seed: int) -> int:
    """A free point about as far as any from all that were seen; the seed picks among nearly equal ones."""
    order = np.random.default_rng(seed).random(len(points))
    if len(seen) == 0:
        return int(np.argmax(np.where(free, order, -1)))
    distance = np.min(np.linalg.norm(points[:, None] - points[seen][None], axis=2), axis=1)
    return int(np.argmax(np.where(free, distance * (1 + 0.1 * order), -1)))


def _expected_gain(
    points: Array, known: NDArray[np.int_], readings: Sequence[Reading], generator: np.random.Generator
) -> Array:
    """How much each point is expected to add to the front's hypervolume, and to its best product of both objectives."""
    gain = Regression(points, known, [r.gain for r in readings], [r.gain_error for r in readings])
    speed = Regression(points, known, [r.speed for r in readings], [r.speed_error for r in readings])
    draws_gain = gain.mean[:, None] + gain.deviation[:, None] * generator.standard_normal((len(points), _DRAWS))
    draws_speed = speed.mean[:, None] + speed.deviation[:, None] * generator.standard_normal((len(points), _DRAWS))
    at = np.column_stack([gain.mean[known], speed.mean[known]])
    volume = _improvement(at, draws_gain, draws_speed).mean(axis=1)
    best = float(np.max(at.sum(axis=1)))
    power = np.maximum(draws_gain + draws_speed - best, 0).mean(axis=1)
    total: Array = volume / max(float(volume.max()), 1e-12) + power / max(float(power.max()), 1e-12)
    return total


def _improvement(front: Array, gain: Array, speed: Array) -> Array:
    """The area that each draw (gain, speed) adds above the staircase of ``front``, from its worst corner on."""
    low = front.min(axis=0) - 0.1
    steps = front[np.argsort(-front[:, 0])]
    steps = steps[np.maximum.accumulate(steps[:, 1]) == steps[:, 1]]
    edges = np.concatenate([[math.inf], steps[:, 0], [low[0]]])
    floors = np.concatenate([[low[1]], steps[:, 1]])
    area = np.zeros_like(gain)
    for right, left, floor in zip(edges[:-1], edges[1:], floors, strict=True):
        area += np.maximum(np.minimum(gain, right) - left, 0) * np.maximum(speed - floor, 0)
    return area


def _hope(configs: Sequence[Config], points: Array, known: NDArray[np.int_], blocked: NDArray[np.int_]) -> Array:
    """The chance that a config runs: by how near it lies to configs that did and that did not, and by its worst value.

    What a device refuses is most often one value of one parameter, whatever the others are.
    """
    if len(blocked) == 0:
        return np.ones(len(points))
    ran, failed = (
        np.exp(-8 * np.linalg.norm(points[:, None] - points[some][None], axis=2) ** 2).sum(axis=1)
        for some in (known, blocked)
    )
    flat = [parameters(config).items() for config in configs]
    good, bad = (Counter(item for i in some for item in flat[i]) for some in (known, blocked))
    worst = np.array([min((good[item] + 1) / (good[item] + bad[item] + 1) for item in items) for items in flat])
    chance: Array = worst * (ran + 1) / (ran + failed + 1)
    return chance
