"""What the user wants: the two objectives, the limits, and which point of the front is preferred."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from ovtune.agreement import Agreement, share
from ovtune.errors import UsageError
from ovtune.estimate import Estimate, Quantity, Spread
from ovtune.measurement import LatencyMetric

Prefer = Literal["throughput", "latency", "balanced", "efficiency"]
SHOWN = 2.0
"""By more than how many joint standard errors one config must be ahead of another to be shown to be."""
_UNKNOWN = Quantity(value=math.inf, error=math.inf)
_FAR = 10.0
"""How far outside a limit is what does not tell: further than most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What counts as good.

    Attributes:
        latency: The latency objective.
        against: What the latency is weighed against on the front: throughput in a closed loop; in an open one,
            where the load is given, the CPU time per inference.
        prefer: Which point of the front is recommended.
        max_latency_ms: The most that the latency objective may be.
        min_throughput_per_s: The fewest inferences per second.
        max_memory_bytes: The most memory over an idle process.
        max_error: The largest difference of an output's values from the reference's, as a share of the largest
            magnitude in that output. A config whose outputs were not compared does not keep it.
        deadline_ms: When a camera's frame is late, where a number of cameras is asked for.
        margin: The relative difference that counts as one.

    Raises:
        UsageError: a limit is not above zero, or the margin is not between 0 and 1.
    """

    latency: LatencyMetric = "p95"
    against: Literal["throughput", "efficiency"] = "throughput"
    prefer: Prefer = "balanced"
    max_latency_ms: float | None = None
    min_throughput_per_s: float | None = None
    max_memory_bytes: float | None = None
    max_error: float | None = None
    deadline_ms: float | None = None
    margin: float = 0.02

    def __post_init__(self) -> None:
        for name in ("max_latency_ms", "min_throughput_per_s", "max_memory_bytes", "max_error", "deadline_ms"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} is {value:g}: a limit must be above zero and finite")
        if not 0 < self.margin < 1:
            raise UsageError(f"margin is {self.margin:g}: it must lie between 0 and 1, such as 2%")


def usual(goal: Goal) -> Prefer:
    """What is preferred where the user leaves it open, by the limits and by what the latency is weighed against.

    In a closed loop the most throughput within a latency limit, or else the balanced point; in an open one the least
    work within any limits, or else the least latency.
    """
    if goal.against == "efficiency":
        limits = (goal.max_latency_ms, goal.min_throughput_per_s, goal.max_memory_bytes)
        return "latency" if limits == (None, None, None) else "efficiency"
    return "balanced" if goal.max_latency_ms is None else "throughput"


def limits(goal: Goal) -> tuple[str, ...]:
    """The limits of a goal, in words."""
    found = []
    if goal.max_latency_ms is not None:
        found.append(f"{goal.latency} at most {goal.max_latency_ms:,.9g} ms")
    if goal.min_throughput_per_s is not None:
        found.append(f"at least {goal.min_throughput_per_s:,.9g}/s")
    if goal.max_memory_bytes is not None:
        found.append(f"memory at most {goal.max_memory_bytes / 1e6:,.9g} MB")
    if goal.max_error is not None:
        found.append(f"outputs off by at most {share(goal.max_error)} of their largest")
    if goal.deadline_ms is not None:
        found.append(f"a frame is late after {goal.deadline_ms:,.9g} ms")
    return tuple(found)


def breaches(estimate: Estimate, goal: Goal, metric: LatencyMetric) -> tuple[str, ...]:
    """The limits that an estimate breaks, in words; ``metric`` stands in for an objective not yet available."""
    found = []
    latency = _latency(estimate, metric).value
    if goal.max_latency_ms is not None and latency > goal.max_latency_ms:
        found.append(f"{metric} latency {latency:.4g} ms is above {goal.max_latency_ms:.4g} ms")
    if goal.min_throughput_per_s is not None and estimate.throughput_per_s.value < goal.min_throughput_per_s:
        found.append(f"throughput {estimate.throughput_per_s.value:.4g}/s is below {goal.min_throughput_per_s:.4g}/s")
    if goal.max_memory_bytes is not None and estimate.memory_bytes > goal.max_memory_bytes:
        found.append(f"memory {estimate.memory_bytes / 1e6:.4g} MB is above {goal.max_memory_bytes / 1e6:.4g} MB")
    if goal.max_error is not None and not keeps(estimate.outputs, goal.max_error):
        found.append(_breach_of_error(estimate.outputs, goal.max_error))
    if not estimate.sustained:
        found.append("the load is not sustained")
    if estimate.outside:
        found.append("it is none of the configs that --space, --set and --fix ask for")
    return tuple(found)


def common_metric(estimates: Iterable[Estimate], wanted: LatencyMetric) -> LatencyMetric:
    """The latency by which all ``estimates`` can be compared: the ``wanted`` one, or p50 while one lacks it."""
    return wanted if all(isinstance(e.latency_ms[wanted], Quantity) for e in estimates) else "p50"


def front(
    estimates: Iterable[Estimate], metric: LatencyMetric, against: Literal["throughput", "efficiency"]
) -> list[Estimate]:
    """The estimates that no other one beats in latency and in what it is weighed against; the least latency last."""
    kept: list[Estimate] = []
    best = math.inf
    for estimate in sorted(estimates, key=lambda e: (-merit(e, against, metric), _latency(e, metric).value)):
        if _latency(estimate, metric).value < best:
            best = _latency(estimate, metric).value
            kept.append(estimate)
    return kept


def unbeaten(
    estimates: Iterable[Estimate], metric: LatencyMetric, against: Literal["throughput", "efficiency"]
) -> list[Estimate]:
    """The estimates that no other one is shown to beat: the front, and what may belong to it.

    One is shown to beat another where it is as good in both, and ahead in one of them by more than two joint standard
    errors: the best of many noisy estimates is mostly a lucky one, and beats some that are better. Those that lack the
    latency are left out.
    """
    told = [e for e in estimates if isinstance(e.latency_ms[metric], Quantity)]
    values = np.array([(merit(e, against, metric), merit(e, "latency", metric)) for e in told])
    errors = np.array([(error(e, against, metric), error(e, "latency", metric)) for e in told])
    kept = []
    for estimate, value, own in zip(told, values, errors, strict=True):
        ahead = values - value
        shown = np.any(ahead > SHOWN * np.hypot(errors, own), axis=1)
        if not np.any(np.all(ahead >= 0, axis=1) & shown):
            kept.append(estimate)
    return kept


def merit(estimate: Estimate, prefer: Prefer, metric: LatencyMetric) -> float:
    """How good an estimate is for ``prefer``, as a logarithm: differences of merit are relative differences.

    ``efficiency`` is the energy per inference where the estimate tells it, else the CPU time; ``balanced`` is
    Kleinrock's power, throughput / latency (ICC 1979), which does not depend on the front's ends.
    """
    throughput = math.log(estimate.throughput_per_s.value)
    match prefer:
        case "throughput":
            return throughput
        case "latency":
            return -math.log(_latency(estimate, metric).value)
        case "balanced":
            return throughput - math.log(_latency(estimate, metric).value)
        case "efficiency":
            return -math.log(work(estimate).value)
        case _:
            assert_never(prefer)


def error(estimate: Estimate, prefer: Prefer, metric: LatencyMetric) -> float:
    """The standard error of :func:`merit`.

    What slows a block lowers its throughput and raises its latency, so that in their ratio both errors add up.
    """
    throughput = estimate.throughput_per_s.error
    match prefer:
        case "throughput":
            return throughput
        case "latency":
            return _latency(estimate, metric).error
        case "balanced":
            return throughput + _latency(estimate, metric).error
        case "efficiency":
            return work(estimate).error
        case _:
            assert_never(prefer)


def deviation(spread: Spread, prefer: Prefer, metric: LatencyMetric, *, energy: bool) -> float:
    """The standard deviation of :func:`merit` between the blocks of one config; ``energy`` tells what the work is."""
    match prefer:
        case "throughput":
            return spread.throughput
        case "latency":
            return spread.latency[metric]
        case "balanced":
            return spread.throughput + spread.latency[metric]
        case "efficiency":
            return spread.energy if energy else spread.cpu_time
        case _:
            assert_never(prefer)


def work(estimate: Estimate) -> Quantity:
    """The work per inference: its energy where the estimate tells it, else its CPU time."""
    energy = estimate.energy_mj_per_inference
    return estimate.cpu_ms_per_inference if energy is None else energy


def ranked(estimates: Iterable[Estimate], goal: Goal, metric: LatencyMetric) -> list[Estimate]:
    """The estimates, best for the goal first; those that break a limit come last, the nearest to it first."""

    def order(estimate: Estimate) -> tuple[float, float]:
        return distance(estimate, goal, metric), -merit(estimate, goal.prefer, metric)

    return sorted(estimates, key=order)


def distance(estimate: Estimate, goal: Goal, metric: LatencyMetric) -> float:
    """How far outside the limits, as the sum of the logarithms of what is missing; 0 inside."""
    missing = 0.0
    if goal.max_latency_ms is not None:
        missing += max(0.0, math.log(_latency(estimate, metric).value / goal.max_latency_ms))
    if goal.min_throughput_per_s is not None:
        missing += max(0.0, math.log(goal.min_throughput_per_s / estimate.throughput_per_s.value))
    if goal.max_memory_bytes is not None:
        missing += max(0.0, math.log(max(estimate.memory_bytes, 1) / goal.max_memory_bytes))
    if goal.max_error is not None:
        missing += min(_FAR, max(0.0, math.log(max(_error(estimate.outputs), 1e-300) / goal.max_error)))
    return missing + (0.0 if estimate.sustained else 1.0) + (_FAR if estimate.outside else 0.0)


def keeps(outputs: Agreement | None, limit: float) -> bool:
    """Whether outputs are known to differ by no more than ``limit``, as a share of their largest."""
    return _error(outputs) <= limit


def _error(outputs: Agreement | None) -> float:
    """The largest difference of the outputs as a share; infinite where they were not compared, or are no numbers."""
    error = None if outputs is None else outputs.max_rel
    return math.inf if error is None else error


def _breach_of_error(outputs: Agreement | None, limit: float) -> str:
    if outputs is None:
        return "outputs were not compared with the reference's"
    if outputs.max_rel is None:
        return "outputs are no numbers where the reference's are, or the other way round"
    return f"outputs differ by {share(outputs.max_rel)} of their largest, which is above {share(limit)}"


def _latency(estimate: Estimate, metric: LatencyMetric) -> Quantity:
    quantity = estimate.latency_ms[metric]
    return quantity if isinstance(quantity, Quantity) else _UNKNOWN
