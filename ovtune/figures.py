"""The published figures of one config, all from the same blocks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ovtune import duel, stats
from ovtune.config import Config
from ovtune.estimate import Estimate, Quantity, Spread, Unavailable, cpu_times, energies, estimate
from ovtune.measurement import Block, Latencies, LatencyMetric, Summary, count_of, pooled, share_of

Source = Literal["search", "duel"]
_Ends = dict[LatencyMetric, tuple[float, float]]
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
        cpu_ms_per_inference: CPU time per inference, and the interval of its mean.
        energy_mj_per_inference: Energy of the processor packages per inference, and the interval of its mean; None
            where the host does not tell it.
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
    cpu_ms_per_inference: Interval
    energy_mj_per_inference: Interval | None
    effective: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the figures of one config are from.

    Attributes:
        source: The phase that the blocks are from.
        blocks: The blocks that count, at least one.
        made: With those that other work held up, which may hold up the next one too.
    """

    source: Source
    blocks: Sequence[Block]
    made: Sequence[Block]


def figures(
    config: Config, evidence: Evidence, *, known: Estimate | None = None, cold: Block, spread: Spread
) -> Measured:
    """The figures of ``config``.

    Args:
        config: The config.
        evidence: What they are from.
        known: What is known of it beside its own blocks; None where those alone tell, as they do in a duel.
        cold: The first block of the config in any phase, before which nothing was cached.
        spread: The spread between the blocks of one config.
    """
    source, blocks = evidence.source, evidence.blocks
    told = estimate(config, blocks, spread)
    if known is not None:
        told = replace(
            told,
            throughput_per_s=known.throughput_per_s,
            latency_ms=known.latency_ms,
            cpu_ms_per_inference=known.cpu_ms_per_inference,
        )
    fresh, energy = source == "duel", told.energy_mj_per_inference
    logs = np.log([b.throughput_per_s for b in evidence.made])
    centre = stats.location(logs) if known is None else math.log(known.throughput_per_s.value)
    next_low, next_high = next_block(logs, spread.throughput, centre=centre)
    occupancies = [b.occupancy for b in blocks if b.occupancy is not None]
    return Measured(
        source=source,
        blocks=told.blocks,
        samples=told.samples,
        throughput_per_s=_mean(told.throughput_per_s, np.log([b.throughput_per_s for b in blocks]), fresh=fresh),
        next_low=next_low,
        next_high=next_high,
        latency_ms=_latencies(told, blocks, resampled=fresh),
        occupancy=float(np.median(occupancies)) if occupancies else None,
        compile_ms=cold.compile_ms,
        compile_cached=cold.compile_cached,
        first_inference_ms=cold.first_inference_ms,
        memory_bytes=told.memory_bytes,
        cpu_ms_per_inference=_mean(told.cpu_ms_per_inference, cpu_times(blocks), fresh=fresh),
        energy_mj_per_inference=None if energy is None else _mean(energy, energies(blocks), fresh=fresh),
        effective=blocks[-1].effective,
    )


def _mean(told: Quantity, logs: stats.Array, *, fresh: bool) -> Interval:
    """What blocks tell, whose interval is exact where they are ``fresh``: where they took no part in choosing."""
    low, high = stats.signed_rank_interval(logs, alpha=0.05) if fresh and len(logs) else (-math.inf, math.inf)
    exact = math.isfinite(low)
    return Interval(
        value=told.value, low=math.exp(low) if exact else told.low, high=math.exp(high) if exact else told.high
    )


def _latencies(
    told: Estimate, blocks: Sequence[Block], *, resampled: bool
) -> dict[LatencyMetric, Interval | Unavailable]:
    """The pooled latencies with intervals from resampled blocks, or from the error model."""
    known: dict[LatencyMetric, Interval | Unavailable] = {
        metric: Interval(value=found.value, low=found.low, high=found.high) if isinstance(found, Quantity) else found
        for metric, found in told.latency_ms.items()
    }
    if not resampled or len(blocks) < duel.LEAST_PAIRS:
        return known
    metrics = [metric for metric, found in told.latency_ms.items() if isinstance(found, Quantity)]
    parts = [b.latencies for b in blocks]
    samples = [part for part in parts if not isinstance(part, Summary)]
    ends = _ends_of_samples(samples, metrics) if len(samples) == len(parts) else _ends_of_summaries(parts, metrics)
    for metric, (low, high) in ends.items():
        value = told.latency_ms[metric]
        if isinstance(value, Quantity):
            known[metric] = Interval(value=value.value, low=min(low, value.value), high=max(high, value.value))
    return known


def _ends_of_samples(parts: Sequence[stats.Array], metrics: Sequence[LatencyMetric]) -> _Ends:
    """The ends of the latencies of whole blocks, resampled; a block weighs as often as a draw holds it."""
    parts = [_thinned(part) for part in parts]
    values = np.concatenate(parts)
    order = np.argsort(values)
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[order]
    values = values[order]
    draws: dict[LatencyMetric, list[float]] = {metric: [] for metric in metrics}
    for weights in _draws(len(parts)):
        below = np.cumsum(weights[owners])
        for metric in metrics:
            if metric == "mean":
                draws[metric].append(float(np.average(values, weights=weights[owners])))
            else:
                draws[metric].append(float(values[np.searchsorted(below, share_of(metric) * below[-1])]))
    return {metric: _ends(found) for metric, found in draws.items()}


def _ends_of_summaries(parts: Sequence[Latencies], metrics: Sequence[LatencyMetric]) -> _Ends:
    """The same where blocks hold summaries."""
    ends: _Ends = {}
    for metric in metrics:
        telling = [part for part in parts if count_of(part, metric)]
        ends[metric] = _ends(
            [
                pooled([part for part, times in zip(telling, weights, strict=True) for _ in range(times)], metric)
                for weights in _draws(len(telling))
            ]
        )
    return ends


def _draws(count: int) -> Iterator[NDArray[np.int_]]:
    """How often each of ``count`` blocks is in a draw with replacement of as many; the same draws each time."""
    generator = np.random.default_rng(0)
    for _ in range(_RESAMPLES):
        yield np.bincount(generator.integers(0, count, count), minlength=count)


def _ends(draws: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def _thinned(latencies: stats.Array) -> stats.Array:
    """As many values as the resampling of a fast model's blocks can bear, spread as all of them are."""
    if len(latencies) <= _MOST_RESAMPLED:
        return latencies
    return np.quantile(latencies, np.linspace(0, 1, _MOST_RESAMPLED))


def next_block(logs: stats.Array, spread: float, *, centre: float) -> tuple[float, float]:
    """Where the next block's throughput falls, from the logarithms of those that were seen and what they are around.

    As far out as Student's t of their deviation says, with what held some of them up in it, since that may hold up the
    next one too; where they are few, a normal of ``spread``; and as far as any of them was.
    """
    n = len(logs)
    if n >= duel.LEAST_PAIRS:
        deviation = max(float(np.std(logs, ddof=1)), stats.scale(logs), spread / 2)
        reach = stats.student_quantile(n - 1) * deviation * math.sqrt(1 + 1 / n)
    else:
        reach = _NEXT_Z * spread * math.sqrt(1 + 1 / n)
    return math.exp(min(centre - reach, float(np.min(logs)))), math.exp(max(centre + reach, float(np.max(logs))))
