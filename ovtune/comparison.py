"""Two studies beside each other: who wins for each goal, what changed around them, and what is more than noise."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from ovtune import goal as goals
from ovtune import stats
from ovtune.duel import LEAST_PAIRS, Ratio
from ovtune.estimate import Estimate, Quantity
from ovtune.goal import Goal, Prefer
from ovtune.measurement import LatencyMetric
from ovtune.model import Shapes
from ovtune.result import Result
from ovtune.study import Setup
from ovtune.workload import describe

Winner = Literal["first", "second", "neither", "open"]
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The best config of each study for one preference.

    Attributes:
        prefer: What is preferred, within the limits of the first study's goal.
        first: The first study's best.
        second: The second study's best.
        ratio: How many times as good the second one is, with its 95 % interval: above 1 the second study wins.
        winner: Who is shown to be ahead; ``neither`` where both are within the margin of each other, else ``open``.
    """

    prefer: Prefer
    first: Estimate
    second: Estimate
    ratio: Ratio
    winner: Winner


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The configs that both studies measured: how many, and the typical ratios second / first of what they do."""

    configs: int
    throughput: Ratio
    latency: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """One thing that may differ between the studies."""

    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether it does."""
        return self.first != self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two studies beside each other.

    Attributes:
        first: What the first one says, under its own goal.
        second: What the second one says, under its own goal.
        goal: The first one's goal, under which both are compared.
        metric: The latency that both tell of all their configs.
        contests: A contest for each preference.
        common: What the configs that both measured do; None where these are fewer than a signed-rank interval needs.
        circumstances: What the studies were made of and where, equal or not.
    """

    first: Result
    second: Result
    goal: Goal
    metric: LatencyMetric
    contests: tuple[Contest, ...]
    common: Common | None
    circumstances: tuple[Circumstance, ...]


def compare(first: Result, second: Result) -> Comparison:
    """Compares what two studies measured, by their estimates from search and elimination."""
    goal = first.goal
    both = [*first.estimates.values(), *second.estimates.values()]
    metric = goals.common_metric(both, goal.latency)
    prefers: tuple[Prefer, ...] = ("throughput", "latency", "balanced")
    if goal.against == "efficiency":
        prefers = ("efficiency", "latency")
    return Comparison(
        first=first,
        second=second,
        goal=goal,
        metric=metric,
        contests=tuple(_contest(first, second, replace(goal, prefer=prefer), metric) for prefer in prefers),
        common=_common(first, second, metric),
        circumstances=tuple(_circumstances(first.study.setup, second.study.setup, first, second)),
    )


def _contest(first: Result, second: Result, goal: Goal, metric: LatencyMetric) -> Contest:
    one, other = (goals.ranked(result.estimates.values(), goal, metric)[0] for result in (first, second))
    ahead = goals.merit(other, goal.prefer, metric) - goals.merit(one, goal.prefer, metric)
    reach = _Z * math.hypot(_error(one, goal.prefer, metric), _error(other, goal.prefer, metric))
    ratio = Ratio(value=math.exp(ahead), low=math.exp(ahead - reach), high=math.exp(ahead + reach))
    winner: Winner = "open"
    if abs(ahead) + reach < math.log(1 + goal.margin):
        winner = "neither"
    elif abs(ahead) > reach:
        winner = "second" if ahead > 0 else "first"
    return Contest(prefer=goal.prefer, first=one, second=other, ratio=ratio, winner=winner)


def _error(estimate: Estimate, prefer: Prefer, metric: LatencyMetric) -> float:
    """The relative standard error of what is preferred."""
    latency = estimate.latency_ms[metric]
    slow = latency.error if isinstance(latency, Quantity) else 0.0
    fast = estimate.throughput_per_s.error
    return {"latency": slow, "balanced": math.hypot(fast, slow)}.get(prefer, fast)


def _common(first: Result, second: Result, metric: LatencyMetric) -> Common | None:
    keys = [key for key in first.estimates if key in second.estimates]
    if len(keys) < LEAST_PAIRS:
        return None
    pairs = [(first.estimates[key], second.estimates[key]) for key in keys]
    throughput = [math.log(b.throughput_per_s.value / a.throughput_per_s.value) for a, b in pairs]
    latencies = [(a.latency_ms[metric], b.latency_ms[metric]) for a, b in pairs]
    slow = [math.log(b.value / a.value) for a, b in latencies if isinstance(a, Quantity) and isinstance(b, Quantity)]
    return Common(configs=len(keys), throughput=_typical(throughput), latency=_typical(slow))


def _typical(logs: list[float]) -> Ratio:
    """The location of logarithms with its signed-rank interval, as ratios."""
    values = np.array(logs)
    low, high = stats.signed_rank_interval(values, alpha=0.05)
    return Ratio(value=math.exp(stats.location(values)), low=math.exp(low), high=math.exp(high))


def _circumstances(one: Setup, other: Setup, first: Result, second: Result) -> Iterator[Circumstance]:
    def both(name: str, a: object, b: object) -> Circumstance:
        return Circumstance(name=name, first=_shown(a), second=_shown(b))

    here, there = one.environment, other.environment
    yield both("model", one.model.name, other.model.name)
    yield both("SHA-256", one.model.sha256, other.model.sha256)
    yield both("OpenVINO", here.openvino, there.openvino)
    yield both("processor", here.cpu, there.cpu)
    yield both("CPUs", here.cpus, there.cpus)
    yield both("quota", here.quota, there.quota)
    yield both("kept on CPUs", here.cpu_set, there.cpu_set)
    yield both("memory", f"{here.memory_bytes / 2**30:.1f} GiB", f"{there.memory_bytes / 2**30:.1f} GiB")
    yield both("system", here.system, there.system)
    for device in dict.fromkeys((*here.devices, *there.devices)):
        yield both(f"device {device}", here.devices.get(device), there.devices.get(device))
    yield both("load", describe(one.workload), describe(other.workload))
    yield both("shapes", _pairs(one.shapes), _pairs(other.shapes))
    yield both("inputs", one.feed.sha256 or "random values", other.feed.sha256 or "random values")
    yield both("in the background", one.beside, other.beside)
    yield both("configs in the space", f"{one.space.size:,}", f"{other.space.size:,}")
    yield both("trials", first.study.trials, second.study.trials)
    yield both("measured in", *("a recording" if s.recording else "this host" for s in (one, other)))
    yield both("begun", first.study.created, second.study.created)


def _pairs(shapes: Shapes) -> str:
    return ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())


def _shown(value: object) -> str:
    return "none" if value is None or value == "" else str(value)


def contest_words(contest: Contest, names: tuple[str, str]) -> str:
    """What came of a contest, in words; ``names`` are the studies'."""
    low, value, high = contest.ratio.low, contest.ratio.value, contest.ratio.high
    match contest.winner:
        case "second":
            return f"{names[1]}, {value - 1:.0%} better ({low - 1:.0%} to {high - 1:.0%})"
        case "first":
            return f"{names[0]}, {1 / value - 1:.0%} better ({1 / high - 1:.0%} to {1 / low - 1:.0%})"
        case "neither":
            return f"no difference that counts ({low - 1:+.1%} to {high - 1:+.1%})"
        case "open":
            return f"not more than the noise ({low - 1:+.0%} to {high - 1:+.0%} for {names[1]})"


def common_words(comparison: Comparison, names: tuple[str, str]) -> str:
    """What the configs that both studies measured tell, in words."""
    common = comparison.common
    if common is None:
        return (
            "Fewer than eight configs were measured in both: what the host or the runtime changed cannot be told apart."
        )
    return (
        f"The {common.configs} configs that were measured in both: in {names[1]} {_times(common.throughput)} the "
        f"throughput and {_times(common.latency)} the {comparison.metric} latency."
    )


def _times(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})"


def tree(comparison: Comparison) -> dict[str, object]:
    """A comparison as plain values, for JSON."""
    return {
        "studies": [comparison.first.study.name, comparison.second.study.name],
        "latency": comparison.metric,
        "contests": [
            {
                "prefer": one.prefer,
                "winner": one.winner,
                "ratio": asdict(one.ratio),
                "configs": [_config(side) for side in (one.first, one.second)],
            }
            for one in comparison.contests
        ],
        "common": None if comparison.common is None else asdict(comparison.common),
        "circumstances": [asdict(one) | {"differs": one.differs} for one in comparison.circumstances],
    }


def _config(estimate: Estimate) -> dict[str, object]:
    config = estimate.config
    return {name: getattr(config, name) for name in config.__slots__}
