"""The published figures of one config, all from the same blocks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ovtune import duel, stats
from ovtune.config import Config
from ovtune.estimate import Quantity, Spread, Unavailable, estimate
from ovtune.measurement import LATENCY_METRICS, Block, Latencies, LatencyMetric, Summary, count_of, pooled

Source = Literal["search", "duel"]
_RESAMPLES = 400
_MOST_RESAMPLED = 2000
_NEXT_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The published figures of one config, all from the same blocks.

    Attributes:
        source: The phase that the blocks are from: figures of the two in the duel are from the duel alone.
        blocks: How many blocks.
        samples: How many latencies they hold.
        throughput_per_s: Inferences per second, and the interval of its mean.
        next_low: The lower end of the interval that the next block's throughput falls into, 95 %.
        next_high: The upper end.
        latency_ms: Each latency metric.
        occupancy: Of the infer requests, in a closed loop.
        compile_ms: The first compilation's time.
        compile_cached: Whether a model cache was used for it.
        first_inference_ms: The first inference's time.
        memory_bytes: Over an idle process.
        cpu_ms_per_inference: CPU time per inference.
        energy_mj_per_inference: Energy of the processor packages per inference; None where the host does not tell it.
        effective: The settings as read back, of the last block.
    """

    source: Source
    blocks: int
    samples: int
    throughput_per_s: Interval
    next_low: float
    next_high: float
    latency_ms: Mapping[LatencyMetric, Interval | Unavailable]
    occupancy: float | None
    compile_ms: float
    compile_cached: bool
    first_inference_ms: float
    memory_bytes: int
    cpu_ms_per_inference: float
    energy_mj_per_inference: float | None
    effective: Mapping[str, object]


def figures(config: Config, source: Source, blocks: Sequence[Block], *, cold: Block, spread: Spread) -> Measured:
    """The figures of ``config`` from at least one of its blocks.

    Args:
        config: The config.
        source: The phase that the blocks are from.
        blocks: What was measured in it.
        cold: The first block of the config in any phase, before which nothing was cached.
        spread: The spread between the blocks of one config.
    """
    told = estimate(config, blocks, spread)
    logs = np.log([b.throughput_per_s for b in blocks])
    low, high = stats.signed_rank_interval(logs, alpha=0.05)
    quantity = told.throughput_per_s
    exact = math.isfinite(low)
    next_low, next_high = next_block(logs, spread.throughput)
    occupancies = [b.occupancy for b in blocks if b.occupancy is not None]
    return Measured(
        source=source,
        blocks=told.blocks,
        samples=told.samples,
        throughput_per_s=Interval(
            value=quantity.value,
            low=math.exp(low) if exact else quantity.low,
            high=math.exp(high) if exact else quantity.high,
        ),
        next_low=next_low,
        next_high=next_high,
        latency_ms={metric: _latency(metric, told.latency_ms[metric], blocks) for metric in LATENCY_METRICS},
        occupancy=float(np.median(occupancies)) if occupancies else None,
        compile_ms=cold.compile_ms,
        compile_cached=cold.compile_cached,
        first_inference_ms=cold.first_inference_ms,
        memory_bytes=told.memory_bytes,
        cpu_ms_per_inference=told.cpu_ms_per_inference,
        energy_mj_per_inference=told.energy_mj_per_inference,
        effective=blocks[-1].effective,
    )


def _latency(metric: LatencyMetric, told: Quantity | Unavailable, blocks: Sequence[Block]) -> Interval | Unavailable:
    """The pooled latency with an interval from resampled blocks, or from the error model where they are few."""
    if isinstance(told, Unavailable):
        return told
    if len(blocks) < duel.LEAST_PAIRS:
        return Interval(value=told.value, low=told.low, high=told.high)
    generator = np.random.default_rng(0)
    parts = [_thinned(b.latencies) for b in blocks if count_of(b.latencies, metric)]
    draws = [
        pooled([parts[i] for i in generator.integers(0, len(parts), len(parts))], metric) for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Interval(value=told.value, low=float(min(low, told.value)), high=float(max(high, told.value)))


def _thinned(latencies: Latencies) -> Latencies:
    """As many values as the resampling of a fast model's blocks can bear, spread as all of them are."""
    if isinstance(latencies, Summary) or len(latencies) <= _MOST_RESAMPLED:
        return latencies
    return np.quantile(latencies, np.linspace(0, 1, _MOST_RESAMPLED))


def next_block(logs: stats.Array, spread: float) -> tuple[float, float]:
    """Where the next block's throughput falls, from the logarithms of those that were seen.

    As far out as Student's t of their deviation says, with what held some of them up in it, since that may hold up the
    next one too; where they are few, a normal of ``spread``; and as far as any of them was.
    """
    n = len(logs)
    centre = stats.location(logs)
    if n >= duel.LEAST_PAIRS:
        deviation = max(float(np.std(logs, ddof=1)), stats.scale(logs), spread / 2)
        reach = stats.student_quantile(n - 1) * deviation * math.sqrt(1 + 1 / n)
    else:
        reach = _NEXT_Z * spread * math.sqrt(1 + 1 / n)
    return math.exp(min(centre - reach, float(np.min(logs)))), math.exp(max(centre + reach, float(np.max(logs))))
