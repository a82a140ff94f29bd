"""What slowed the blocks of each config, as far as configs that run alike tell, taken out of its estimate.

Where the processors limit, whatever slows a block, such as a busy neighbour on the same core, raises its CPU time per
inference and lowers its throughput by as much: their product, how many CPUs were busy, hardly differs between blocks of
one config (by 0.2 to 0.9 % where the throughput differs by 3 to 17 %, in the recordings of this project). And configs
that run alike, with as many threads and streams at the same precision, take much the same CPU time. So where a config
took more of it than those do, its blocks were slowed, and it is faster than they say.

In the field's terms CPU time per inference is a control variate (Lavenberg and Welch, Management Science 27, 1981),
whose mean a Gaussian process over the configs tells; how far the throughput follows it is a regression over the blocks
of one config. Where it does not, as on a GPU that works by itself or under a given load, nothing changes. Latencies are
as much shorter as the throughput is higher, by Little's law, with as many requests under way.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ovtune.config import Config
from ovtune.estimate import LEAST_MS, Estimate, Group, Quantity, cpu_times
from ovtune.measurement import Block
from ovtune.points import as_run, served_by
from ovtune.regression import Array, Points, Regression

_FEW = 5
"""From how many configs on they tell what one of them costs."""
_MOST = 250
_LEAN = 0.01
"""What the blocks must differ by until they tell more than that nothing follows: six blocks that are 4 % off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slowdown:
    """By how much the blocks of a config were slowed, as a logarithm, and how sure that is.

    Attributes:
        by: The CPU time per inference that they tell, over what is expected of the config.
        error: The standard error of what is expected.
        known: The variance of what they tell, less that of what is expected.
    """

    by: float
    error: float
    known: float


def steadied(estimates: Mapping[str, Estimate], blocks: Mapping[str, Sequence[Block]]) -> dict[str, Estimate]:
    """The estimates without what slowed their blocks, as far as it is known.

    Args:
        estimates: What the blocks of each config tell, by its key.
        blocks: Those blocks.
    """
    if len(estimates) < _FEW or any(e.cpu_ms_per_inference.value <= LEAST_MS for e in estimates.values()):
        return dict(estimates)
    groups = {key: Group(blocks[key]) for key in estimates}
    alike: dict[str, list[Group]] = {}
    for group in groups.values():
        alike.setdefault(_served_by(group), []).append(group)
    shares = {device: _share(some) for device, some in alike.items()}
    configs, costs = zip(*((e.config, e.cpu_ms_per_inference) for e in estimates.values()), strict=True)
    slowdowns = _slowdowns(configs, tuple(groups.values()), costs)
    return {
        key: _without(estimate, slowdown, shares[_served_by(groups[key])])
        for (key, estimate), slowdown in zip(estimates.items(), slowdowns, strict=True)
    }


def _served_by(group: Group) -> str:
    return served_by(group.blocks[-1].effective)


def _share(groups: Sequence[Group]) -> float:
    """How much of a slowdown the throughput loses between the blocks of one config: 0 to 1."""
    sums = [_products(group) for group in groups if len(group.blocks) > 1]
    slope = sum(both for both, _ in sums) / (_LEAN + sum(own for _, own in sums))
    return min(max(-slope, 0.0), 1.0)


@functools.lru_cache(maxsize=2048)
def _products(group: Group) -> tuple[float, float]:
    """The sums of products of throughput and CPU time per inference, and of its squares, around their means."""
    told = [block for block in group.blocks if block.cpu_ms_per_inference]
    if len(told) < 2:
        return 0.0, 0.0
    logs = np.log([block.throughput_per_s for block in told])
    apart = cpu_times(told) - np.mean(cpu_times(told))
    return float(apart @ logs), float(apart @ apart)


@functools.lru_cache(maxsize=8)
def _slowdowns(
    configs: tuple[Config, ...], groups: tuple[Group, ...], costs: tuple[Quantity, ...]
) -> tuple[_Slowdown, ...]:
    """Of each config, by what its blocks tell of the CPU time per inference and what those of all do."""
    points = as_run(configs, [group.blocks[-1].effective for group in groups])
    seen, errors = np.log([cost.value for cost in costs]), np.array([cost.error for cost in costs])
    mean, deviation = _expected(points, seen, errors)
    return tuple(
        _Slowdown(by=float(told - expected), error=float(sure), known=float(error**2 - sure**2))
        for told, expected, sure, error in zip(seen, mean, deviation, errors, strict=True)
    )


def _expected(points: Points, seen: Array, errors: Array) -> tuple[Array, Array]:
    """What is expected of each config, its own blocks included, and how sure that is; of very many some tell of all."""
    some = np.arange(len(seen))[:: math.ceil(len(seen) / _MOST)]
    fitted = Regression(points, some, seen[some].tolist(), errors[some].tolist())
    own = fitted.deviation**2 / (fitted.deviation**2 + errors**2)
    own[some] = 0.0  # their blocks are in it
    deviation: Array = np.minimum(fitted.deviation * np.sqrt(1 - own), errors)
    return fitted.mean + own * (seen - fitted.mean), deviation


def _without(estimate: Estimate, slowdown: _Slowdown, share: float) -> Estimate:
    def part(told: Quantity, sign: int) -> Quantity:
        rest = math.sqrt(max(told.error**2 - share**2 * slowdown.known, 0.0))
        error = min(max(rest, share * slowdown.error), told.error)
        return Quantity(value=told.value * math.exp(sign * share * slowdown.by), error=error)

    return replace(
        estimate,
        throughput_per_s=part(estimate.throughput_per_s, 1),
        latency_ms={
            metric: part(told, -1) if isinstance(told, Quantity) else told
            for metric, told in estimate.latency_ms.items()
        },
        cpu_ms_per_inference=part(estimate.cpu_ms_per_inference, -1),
    )
