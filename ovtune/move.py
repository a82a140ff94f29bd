"""What moved from one study to another: each config that both measured, by how much, and whether that is noise."""

import math
from dataclasses import dataclass

from ovtune.comparison import Comparison
from ovtune.config import Config
from ovtune.duel import Ratio
from ovtune.estimate import Quantity

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One config in both studies; the ratios are second / first, with 95 % intervals.

    Attributes:
        config: The config.
        weighed: Of what the goal weighs the latency against.
        latency: Of the latency; None where one study does not tell it.
        moved: Whether one of the two is shown to have changed by more than the goal's margin.
    """

    config: Config
    weighed: Ratio
    latency: Ratio | None
    moved: bool


def moves_of(found: Comparison) -> tuple[Move, ...]:
    """The configs that both measured, in the first one's order; none where the loads differ."""
    if not found.alike:
        return ()
    moves = []
    for key, one in found.first.estimates.items():
        other = found.second.estimates.get(key)
        if other is None:
            continue
        before, now = (e.latency_ms[found.metric] for e in (one, other))
        errors = math.hypot(one.throughput_per_s.error, other.throughput_per_s.error)
        weighed = _ratio(found.objective.value(other) / found.objective.value(one), errors)
        latency = None
        if isinstance(before, Quantity) and isinstance(now, Quantity):
            latency = _ratio(now.value / before.value, math.hypot(before.error, now.error))
        beyond = [_beyond(ratio, found.goal.margin) for ratio in (weighed, latency) if ratio is not None]
        moves.append(Move(config=one.config, weighed=weighed, latency=latency, moved=any(beyond)))
    return tuple(moves)


def _ratio(value: float, error: float) -> Ratio:
    reach = math.exp(_Z * error)
    return Ratio(value=value, low=value / reach, high=value * reach)


def _beyond(ratio: Ratio, margin: float) -> bool:
    return ratio.low > 1 + margin or ratio.high < 1 / (1 + margin)
