"""What the measured configs may come to under a goal, as far as it is sure what they do.

The best of many noisy readings is mostly one of the luckiest, and a latency within its error of a limit keeps it or
does not. So who leads is a matter of chance, and a limit is kept with some probability.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import assert_never

import numpy as np

from ovtune import goal as goals
from ovtune import stats
from ovtune.estimate import Estimate, Quantity
from ovtune.goal import Goal
from ovtune.measurement import LatencyMetric

_DRAWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a config may come to.

    Attributes:
        estimate: What is known of it, with the latency that the goal asks for, however sure that is.
        worth: What may be expected of it for the goal, as a logarithm: its merit where it keeps the limits, and that of
            the strongest baseline where it does not, which is then what one is left with.
        leads: The chance that it is the best of its kind: of the baselines, or of all others.
    """

    estimate: Estimate
    worth: float
    leads: float


def prospects(
    estimates: Mapping[str, Estimate], answers: Collection[str], goal: Goal, metric: LatencyMetric
) -> dict[str, Prospect]:
    """What each of the ``estimates`` may come to, by its key; ``answers`` are the keys of the baselines."""
    if not estimates:
        return {}
    slow = _latencies(list(estimates.values()), goal, metric)
    known = [
        replace(estimate, latency_ms={**estimate.latency_ms, goal.latency: latency})
        for estimate, latency in zip(estimates.values(), slow, strict=True)
    ]
    draws = _Draws(known, slow, goal)
    merits, missing = draws.merits(), draws.missing()
    kept = missing <= 0
    own = np.array([key in answers for key in estimates])
    worths = np.where(kept, merits, float(merits.mean(axis=1).min()) - missing)
    if own.any():
        floor = float(worths[own].mean(axis=1).max())
        worths[~own] = np.where(kept, merits, floor - missing)[~own]
    leads = np.zeros(len(known))
    for kind in (own, ~own):
        if kind.any():
            ahead = np.flatnonzero(kind)[np.argmax(worths[kind], axis=0)]
            leads += np.bincount(ahead, minlength=len(known)) / _DRAWS
    return {
        key: Prospect(estimate=known[i], worth=float(worths[i].mean()), leads=float(leads[i]))
        for i, key in enumerate(estimates)
    }


def _latencies(known: list[Estimate], goal: Goal, metric: LatencyMetric) -> list[Quantity]:
    """The latency that the goal asks for; where too few samples tell it, as far above ``metric`` as it mostly is."""
    pairs = [(estimate.latency_ms[goal.latency], estimate.latency_ms[metric]) for estimate in known]
    ratios = [
        math.log(asked.value / told.value)
        for asked, told in pairs
        if isinstance(asked, Quantity) and isinstance(told, Quantity)
    ]
    above = float(np.median(ratios)) if ratios else 0.0
    apart = stats.scale(np.array(ratios)) if ratios else 0.0
    found = []
    for asked, told in pairs:
        if isinstance(asked, Quantity):
            found.append(asked)
        elif isinstance(told, Quantity):
            found.append(Quantity(value=told.value * math.exp(above), error=math.hypot(told.error, apart)))
        else:
            raise TypeError(f"{metric} is not available for every config")
    return found


def _chances(count: int) -> stats.Array:
    """For each config the same normal deviates in an order of its own: exact for each, independent of the others."""
    steps = [NormalDist().inv_cdf((i + 0.5) / _DRAWS) for i in range(_DRAWS)]
    generator = np.random.default_rng(0)
    return np.array([generator.permutation(steps) for _ in range(count)])


def _drawn(quantities: list[Quantity], chances: stats.Array) -> stats.Array:
    drawn: stats.Array = np.array([np.log(q.value) + q.error * row for q, row in zip(quantities, chances, strict=True)])
    return drawn


class _Draws:
    """What the configs may do, drawn many times; what slows a block lowers throughput and raises latency alike."""

    def __init__(self, known: list[Estimate], slow: list[Quantity], goal: Goal) -> None:
        self._known = known
        self._goal = goal
        self._chances = _chances(len(known))
        self._fast = _drawn([estimate.throughput_per_s for estimate in known], self._chances)
        self._slow = _drawn(slow, -self._chances)

    def merits(self) -> stats.Array:
        """The merit of each config in each draw."""
        match self._goal.prefer:
            case "throughput":
                return self._fast
            case "latency":
                return -self._slow
            case "balanced":
                return self._fast - self._slow
            case "efficiency":
                told = np.array([goals.merit(e, "efficiency", self._goal.latency) for e in self._known])
                errors = np.array([goals.error(e, "efficiency", self._goal.latency) for e in self._known])
                merits: stats.Array = told[:, None] + errors[:, None] * self._chances
                return merits
            case _:
                assert_never(self._goal.prefer)

    def missing(self) -> stats.Array:
        """How far each config is outside the limits in each draw, as the sum of the logarithms of what is missing."""
        goal = self._goal
        others = replace(goal, max_latency_ms=None, min_throughput_per_s=None)
        fixed = np.array([goals.distance(estimate, others, goal.latency) for estimate in self._known])
        missing: stats.Array = np.repeat(fixed[:, None], _DRAWS, axis=1)
        if goal.max_latency_ms is not None:
            missing += np.maximum(self._slow - np.log(goal.max_latency_ms), 0)
        if goal.min_throughput_per_s is not None:
            missing += np.maximum(np.log(goal.min_throughput_per_s) - self._fast, 0)
        return missing
