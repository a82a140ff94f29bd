"""From the blocks of a study to what each config does, and how sure that is."""

import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ovtune import stats
from ovtune.agreement import Agreement
from ovtune.config import Config
from ovtune.measurement import (
    LATENCY_METRICS,
    Block,
    LatencyMetric,
    count_of,
    least_samples,
    pooled,
    share_of,
)

_PRIOR = 0.04
_LATENCY_PRIOR: Mapping[LatencyMetric, float] = {
    "p50": 0.06,
    "mean": 0.06,
    "p90": 0.08,
    "p95": 0.09,
    "p99": 0.12,
    "p99.9": 0.2,
}
_WORK_PRIOR = 0.06
"""Standard deviations between blocks of one config, on a logarithm, seen on shared 2-core virtual machines."""
_MIDDLE = frozenset({"p50", "mean"})
_PRIOR_WEIGHT = 6.0
_LEAST_MS = 1e-9
"""Stands for a CPU time that no block tells: of a block too short to count any, or in a recording without it."""
_Name = Literal["throughput", "cpu_time", "energy"] | LatencyMetric
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A positive value with its relative standard error, the part between blocks included."""

    value: float
    error: float

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.value * math.exp(-_Z * self.error)

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval."""
        return self.value * math.exp(_Z * self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A latency that too few samples tell about: how many there are, and how many it needs."""

    samples: int
    needed: int

    @property
    def text(self) -> str:
        """The reason, as it is shown and written."""
        return f"{self.samples} of {self.needed} samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The standard deviation between the blocks of one config, on a logarithm; that of a tail is wider."""

    throughput: float = _PRIOR
    latency: Mapping[LatencyMetric, float] = field(default_factory=lambda: dict(_LATENCY_PRIOR))
    cpu_time: float = _WORK_PRIOR
    energy: float = _WORK_PRIOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one config does, over all its blocks.

    Attributes:
        config: The config.
        blocks: How many blocks tell it.
        samples: How many latencies they hold.
        throughput_per_s: Inferences per second.
        latency_ms: Each latency metric, where there are enough samples.
        cpu_ms_per_inference: CPU time per inference.
        energy_mj_per_inference: Energy of the processor packages per inference; None where a block does not tell it.
        memory_bytes: The most memory over an idle process.
        sustained: Whether the load was sustained in most blocks.
        outputs: How far its outputs are from the reference's, where that is known.
        outside: Whether it is none of the configs that were asked for, and measured all the same.
    """

    config: Config
    blocks: int
    samples: int
    throughput_per_s: Quantity
    latency_ms: Mapping[LatencyMetric, Quantity | Unavailable]
    cpu_ms_per_inference: Quantity
    energy_mj_per_inference: Quantity | None
    memory_bytes: int
    sustained: bool
    outputs: Agreement | None = None
    outside: bool = False


def estimate(config: Config, blocks: Sequence[Block], spread: Spread) -> Estimate:
    """The estimate of ``config`` from at least one of its blocks.

    Throughput is the robust location of the blocks' logarithms. A percentile is that of the pooled samples, or of
    the summaries that tell it; p50 and the mean take as few as one, a tail as many independent ones as
    :func:`measurement.least_samples` says. The error joins the part between blocks, ``spread``, and the part within;
    of summaries, and of the work per inference, there is only the first, which repeats have shown with the second in
    it.
    """
    told = _told(Group(blocks), config.batch_size, config.auto_batch_size)
    n = len(blocks)
    within = spread.latency["p50"] if math.isinf(told.within) else told.within

    def latency(metric: LatencyMetric) -> Quantity | Unavailable:
        value = told.latency_ms[metric]
        if isinstance(value, Unavailable):
            return value
        return Quantity(value=value, error=math.hypot(spread.latency[metric], within) / math.sqrt(n))

    return Estimate(
        config=config,
        blocks=n,
        samples=told.samples,
        throughput_per_s=Quantity(
            value=told.throughput_per_s,
            error=math.hypot(spread.throughput, within if told.closed else 0.0) / math.sqrt(n),
        ),
        latency_ms={metric: latency(metric) for metric in LATENCY_METRICS},
        cpu_ms_per_inference=Quantity(value=told.cpu_ms_per_inference, error=spread.cpu_time / math.sqrt(n)),
        energy_mj_per_inference=None
        if told.energy_mj_per_inference is None
        else Quantity(value=told.energy_mj_per_inference, error=spread.energy / math.sqrt(n)),
        memory_bytes=told.memory_bytes,
        sustained=told.sustained,
    )


class Group:
    """Blocks of one config, equal to a group of the very same ones, so that what they tell is worked out once.

    A search asks for its estimates after each visit, and a visit adds a block to one config of them all.
    """

    __slots__ = ("blocks",)

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Group) or len(self.blocks) != len(other.blocks):
            return False
        return all(map(operator.is_, self.blocks, other.blocks))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.blocks)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What an estimate has from its own blocks alone: as there, and the error ``within`` a block."""

    samples: int
    throughput_per_s: float
    latency_ms: Mapping[LatencyMetric, float | Unavailable]
    within: float
    closed: bool
    cpu_ms_per_inference: float
    energy_mj_per_inference: float | None
    memory_bytes: int
    sustained: bool


@functools.lru_cache(maxsize=2048)
def _told(group: Group, batch_size: int, auto_batch_size: int) -> _Told:
    blocks = group.blocks
    parts = [block.latencies for block in blocks]
    count = sum(count_of(part) for part in parts)
    # Items of one batch finish together, whoever joined them: they count as one sample.
    per_item = count == sum(b.items for b in blocks)
    joined = auto_batch_size * (batch_size if per_item else 1)
    cpu = cpu_times(blocks)

    def latency(metric: LatencyMetric) -> float | Unavailable:
        needed = 1 if metric in _MIDDLE else least_samples(metric)
        independent = int(sum(_independent(block, metric, joined) for block in blocks))
        return pooled(parts, metric) if independent >= needed else Unavailable(samples=independent, needed=needed)

    return _Told(
        samples=count,
        throughput_per_s=math.exp(stats.location(np.log([b.throughput_per_s for b in blocks]))),
        latency_ms={metric: latency(metric) for metric in LATENCY_METRICS},
        within=_within(blocks),
        closed=any(b.occupancy is not None for b in blocks),
        cpu_ms_per_inference=math.exp(stats.location(cpu)) if len(cpu) else _LEAST_MS,
        energy_mj_per_inference=_energy(blocks),
        memory_bytes=max(b.memory_bytes for b in blocks),
        sustained=sum(any(c.kind == "not_sustained" for c in b.caveats) for b in blocks) * 2 <= len(blocks),
    )


def _independent(block: Block, metric: LatencyMetric, joined: int) -> float:
    """How many independent samples of a block tell ``metric``."""
    telling = count_of(block.latencies, metric)
    return max(min(block.effective_count(metric), telling / joined), 1.0) if telling else 0.0


def comparable(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The estimates with their energy where all of them tell it, else all of them without."""
    if all(e.energy_mj_per_inference is not None for e in estimates.values()):
        return dict(estimates)
    return {
        key: e if e.energy_mj_per_inference is None else replace(e, energy_mj_per_inference=None)
        for key, e in estimates.items()
    }


def cpu_times(blocks: Sequence[Block]) -> stats.Array:
    """Milliseconds of CPU time per inference, as logarithms, of the blocks that tell it."""
    return np.log([told for block in blocks if (told := block.cpu_ms_per_inference)])


def energies(blocks: Sequence[Block]) -> stats.Array:
    """Millijoules per inference, as logarithms, of the blocks that tell it."""
    return np.log([told for block in blocks if (told := block.energy_mj_per_inference)])


def _energy(blocks: Sequence[Block]) -> float | None:
    """Millijoules per inference, where all blocks tell it."""
    logs = energies(blocks)
    return math.exp(stats.location(logs)) if len(logs) == len(blocks) else None


def _within(blocks: Sequence[Block]) -> float:
    """The relative error within a block, as samples show it on average; 0 of summaries, infinite of one sample."""
    seen = [error for block in blocks if (error := block.error_within) is not None]
    return float(np.mean(seen)) if seen else 0.0


def spread_of(groups: Iterable[Sequence[Block]]) -> Spread:
    """The spread between blocks that the repeats in ``groups`` (one per config) show, leaning on a prior.

    The median of all differences within a config, pooled over the configs that were visited again.
    """
    repeated = [Group(group) for group in groups if len(group) > 1]
    return Spread(
        throughput=_pooled(repeated, "throughput", _PRIOR),
        latency={metric: _pooled(repeated, metric, prior) for metric, prior in _LATENCY_PRIOR.items()},
        cpu_time=_pooled(repeated, "cpu_time", _WORK_PRIOR),
        energy=_pooled(repeated, "energy", _WORK_PRIOR),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Differences:
    """How far the blocks of one config lie apart, each two of them, on a logarithm; and how many ``blocks`` tell it."""

    apart: stats.Array
    blocks: int


@functools.lru_cache(maxsize=8192)
def _differences(group: Group, name: _Name) -> _Differences:
    """Of what is named; of a tail, among those that have samples above it."""
    match name:
        case "throughput":
            logs = np.log([b.throughput_per_s for b in group.blocks])
        case "cpu_time":
            logs = cpu_times(group.blocks)
        case "energy":
            logs = energies(group.blocks)
        case metric:
            needed = 1 if metric in _MIDDLE else 1 / (1 - share_of(metric))
            telling = [b for b in group.blocks if count_of(b.latencies, metric) >= needed]
            logs = np.log([b.latency_ms(metric) for b in telling])
    apart = np.abs(logs[:, None] - logs)[np.triu_indices(len(logs), 1)]
    return _Differences(apart=apart, blocks=len(logs))


def _pooled(repeated: Iterable[Group], name: _Name, prior: float) -> float:
    """The pooled deviation, joined with the prior by weight.

    From differences, not from deviations from a centre, which few values pull towards themselves: the difference of
    two of them, divided by the root of 2, spreads as one of them does, however few there are.
    """
    found = [_differences(group, name) for group in repeated]
    told = [group for group in found if group.blocks > 1]
    if not told:
        return prior
    freedom = sum(group.blocks - 1 for group in told)
    seen = 1.4826 * float(np.median(np.concatenate([group.apart for group in told]))) / math.sqrt(2)
    return math.sqrt((_PRIOR_WEIGHT * prior**2 + freedom * seen**2) / (_PRIOR_WEIGHT + freedom))
