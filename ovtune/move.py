"""What moved from one study to another: each config that both measured, by how much, and whether that is noise."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from ovtune.comparison import Comparison
from ovtune.config import Config
from ovtune.duel import Ratio
from ovtune.estimate import Quantity
from ovtune.study import CHOOSING, Study, blocks_by_config

_ERROR = 0.05
"""How likely any of the configs is said to have moved that did not."""

Standing = Literal["moved", "alike", "held up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One config in both studies; the ratios are second / first, with intervals that hold for all configs at once.

    Attributes:
        config: The config.
        weighed: Of what the goal weighs the latency against.
        latency: Of the latency; None where one study does not tell it.
        standing: ``moved`` where one of the two is shown to have changed by more than the goal's margin, ``held up``
            where one of the studies knows nothing but measurements that other work held up, else ``alike``.
    """

    config: Config
    weighed: Ratio
    latency: Ratio | None
    standing: Standing


def moves_of(found: Comparison) -> tuple[Move, ...]:
    """The configs that both measured, in the first one's order; none where the loads differ.

    The chance of an error is shared out over all of their ratios (Bonferroni).
    """
    if not found.alike:
        return ()
    both = [(key, one) for key, one in found.first.estimates.items() if key in found.second.estimates]
    reach = NormalDist().inv_cdf(1 - _ERROR / (4 * max(len(both), 1)))
    held_up = _held_up(found.first.study) | _held_up(found.second.study)
    moves = []
    for key, one in both:
        other = found.second.estimates[key]
        before, now = (e.latency_ms[found.metric] for e in (one, other))
        costs = [found.objective.of(e) for e in (one, other)]
        weighed = _ratio(costs[1].value / costs[0].value, math.hypot(*(cost.error for cost in costs)) * reach)
        latency = None
        if isinstance(before, Quantity) and isinstance(now, Quantity):
            latency = _ratio(now.value / before.value, math.hypot(before.error, now.error) * reach)
        beyond = [_beyond(ratio, found.goal.margin) for ratio in (weighed, latency) if ratio is not None]
        standing: Standing = "held up" if key in held_up else "moved" if any(beyond) else "alike"
        moves.append(Move(config=one.config, weighed=weighed, latency=latency, standing=standing))
    return tuple(moves)


def _held_up(study: Study) -> set[str]:
    """The configs, by their keys, of which all blocks are contended."""
    blocks = blocks_by_config(study.visits, *CHOOSING)
    held = {key for key, found in blocks.items() if all(block.contended for block in found)}
    return held | {key for key, owner in study.owners.items() if owner in held}


def _ratio(value: float, reach: float) -> Ratio:
    return Ratio(value=value, low=value / math.exp(reach), high=value * math.exp(reach))


def _beyond(ratio: Ratio, margin: float) -> bool:
    return ratio.low > 1 + margin or ratio.high < 1 / (1 + margin)
