"""What slowed or sped the blocks of each config more than those of others, as far as that is known, taken out.

Where the processors limit, whatever slows a block, such as a busy neighbour on the same core, raises its CPU time per
inference and lowers its throughput by as much: their product, how many CPUs were busy, hardly differs between blocks of
one config (by 0.2 to 0.9 % where the throughput differs by 3 to 17 %, in the recordings of this project). And configs
that run alike, with as many threads and streams at the same precision, take much the same CPU time. So where a config
took more of it than those do, its blocks were slowed more, and where it took less, less: its estimate is what it does
when it is slowed as they are on average.

In the field's terms CPU time per inference is a control variate (Lavenberg and Welch, Management Science 27, 1981),
whose mean a Gaussian process over the configs tells; how far the throughput follows it is a regression over the blocks
of one config. Where it does not, as on a GPU that works by itself, nothing changes. Latencies are as much shorter as
the throughput is higher, by Little's law: in a closed loop as many requests are always under way.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ovtune.config import Config
from ovtune.estimate import Estimate, Group, Quantity, cpu_times
from ovtune.measurement import Block
from ovtune.points import as_run, served_by
from ovtune.regression import Regression

_FEW = 5
"""From how many configs on they tell what one of them costs."""
_MOST = 250
_OWN = 0.03
"""How far a config's CPU time lies from that of those that run alike: 0 to 0.04 in this project's recordings."""
_LEAN = 0.01
"""What the blocks must differ by until they tell more than that nothing follows: six blocks that are 4 % off."""


def steadied(estimates: Mapping[str, Estimate], blocks: Mapping[str, Sequence[Block]]) -> dict[str, Estimate]:
    """The estimates without what slowed their blocks more than those of others, as far as it is known.

    Args:
        estimates: What the blocks of each config tell, by its key.
        blocks: Those blocks.
    """
    found = dict(estimates)
    alike: dict[str, list[str]] = {}
    for key in estimates:
        alike.setdefault(served_by(blocks[key][-1].effective), []).append(key)
    for keys in alike.values():
        groups = tuple(Group(blocks[key]) for key in keys)
        if len(keys) < _FEW or not all(block.cpu_ms_per_inference for group in groups for block in group.blocks):
            continue
        share = _share(groups)
        costs = tuple(estimates[key].cpu_ms_per_inference for key in keys)
        expected = _expected(tuple(estimates[key].config for key in keys), groups, costs)
        for key, sure in zip(keys, expected, strict=True):
            found[key] = _without(estimates[key], sure, share)
    return found


def _share(groups: Sequence[Group]) -> float:
    """How much of a slowdown the throughput loses between the blocks of one config: 0 to 1."""
    sums = [_products(group) for group in groups]
    slope = sum(both for both, _ in sums) / (_LEAN + sum(own for _, own in sums))
    return min(max(-slope, 0.0), 1.0)


@functools.lru_cache(maxsize=2048)
def _products(group: Group) -> tuple[float, float]:
    """The sums of products of throughput and CPU time per inference, and of its squares, around their means."""
    logs = np.log([block.throughput_per_s for block in group.blocks])
    costs = cpu_times(group.blocks)
    apart = costs - np.mean(costs)
    return float(apart @ logs), float(apart @ apart)


@functools.lru_cache(maxsize=8)
def _expected(
    configs: tuple[Config, ...], groups: tuple[Group, ...], costs: tuple[Quantity, ...]
) -> tuple[Quantity, ...]:
    """The CPU time per inference of each config by what the blocks of all tell; of very many some tell of all.

    What a config shares with those that lie near it, and a part of its own.
    """
    points = as_run(configs, [group.blocks[-1].effective for group in groups])
    seen, errors = np.log([cost.value for cost in costs]), np.array([cost.error for cost in costs])
    some = np.arange(len(seen))[:: math.ceil(len(seen) / _MOST)]
    fitted = Regression(points, some, seen[some].tolist(), np.hypot(errors, _OWN)[some].tolist())
    told = np.zeros(len(seen), dtype=bool)
    told[some] = True  # what these share is told with their own blocks in it
    shared = fitted.deviation**2
    unknown = _OWN**2 + np.where(told, 0.0, shared)
    own = unknown / (unknown + errors**2)
    mean = fitted.mean + own * (seen - fitted.mean)
    deviation = np.sqrt((1 - own) ** 2 * np.where(told, shared, 0.0) + own * errors**2)
    found = zip(mean, np.minimum(deviation, errors), strict=True)
    return tuple(Quantity(value=math.exp(value), error=float(error)) for value, error in found)


def _without(estimate: Estimate, expected: Quantity, share: float) -> Estimate:
    cost = estimate.cpu_ms_per_inference
    quicker = (cost.value / expected.value) ** share

    def part(told: Quantity, times: float) -> Quantity:
        rest = math.sqrt(max(told.error**2 - share**2 * (cost.error**2 - expected.error**2), 0.0))
        return Quantity(value=told.value * times, error=min(max(rest, share * expected.error), told.error))

    return replace(
        estimate,
        throughput_per_s=part(estimate.throughput_per_s, quicker),
        latency_ms={
            metric: part(told, 1 / quicker) if isinstance(told, Quantity) else told
            for metric, told in estimate.latency_ms.items()
        },
        cpu_ms_per_inference=part(cost, 1 / quicker),
    )
