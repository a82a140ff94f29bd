"""Two studies beside each other: who wins for each goal, what changed around them, and what is more than noise."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from ovtune import goal as goals
from ovtune import stats
from ovtune.duel import LEAST_PAIRS, Ratio
from ovtune.estimate import Estimate, Quantity, comparable
from ovtune.field import survey_field
from ovtune.goal import Goal, Prefer
from ovtune.measurement import LatencyMetric
from ovtune.model import Shapes
from ovtune.objective import Objective, objective_of
from ovtune.result import Result
from ovtune.study import Setup
from ovtune.workload import describe, searched_under

Winner = Literal["first", "second", "neither", "open", "incomparable"]
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The best config of each study for one preference.

    Attributes:
        prefer: What is preferred, within the limits of the first study's goal.
        first: The first study's best.
        second: The second study's best.
        ratio: How many times as good the second one is, with its 95 % interval: above 1 the second study wins. None
            where the loads differ, under which the figures tell of different things.
        winner: Who is shown to be ahead; ``neither`` where both are within the margin of each other,
            ``incomparable`` where the loads differ, else ``open``.
    """

    prefer: Prefer
    first: Estimate
    second: Estimate
    ratio: Ratio | None
    winner: Winner


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The configs that both studies measured: how many, and the typical ratios second / first of what they do."""

    configs: int
    weighed: Ratio
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
        objective: What that goal weighs the latency against.
        alike: Whether both were searched under the same load, without which nothing is compared.
        contests: A contest for each preference.
        common: What the configs that both measured do; None where these are fewer than a signed-rank interval needs,
            or the loads differ.
        circumstances: What the studies were made of and where, equal or not.
    """

    first: Result
    second: Result
    goal: Goal
    metric: LatencyMetric
    objective: Objective
    alike: bool
    contests: tuple[Contest, ...]
    common: Common | None
    circumstances: tuple[Circumstance, ...]


def compare(first: Result, second: Result) -> Comparison:
    """Compares what two studies measured, by their estimates from search and elimination."""
    first, second = _with_the_same_costs(first, second)
    goal = first.goal
    both = [*first.estimates.values(), *second.estimates.values()]
    metric = goals.common_metric(both, goal.latency)
    objective = objective_of(goal, both)
    alike = len({searched_under(result.study.setup.workload) for result in (first, second)}) == 1
    prefers: tuple[Prefer, ...] = ("throughput", "latency", "balanced")
    if goal.against == "efficiency":
        prefers = ("efficiency", "latency")
    contests = [_contest(first, second, replace(goal, prefer=prefer), metric) for prefer in prefers]
    return Comparison(
        first=first,
        second=second,
        goal=goal,
        metric=metric,
        objective=objective,
        alike=alike,
        contests=tuple(one if alike else replace(one, ratio=None, winner="incomparable") for one in contests),
        common=_common(first, second, metric, objective) if alike else None,
        circumstances=tuple(_circumstances(first.study.setup, second.study.setup, first, second)),
    )


def _with_the_same_costs(first: Result, second: Result) -> tuple[Result, Result]:
    """Both with their energies where each config of both tells it, else both without."""
    sides = [result.estimates for result in (first, second)]
    told = comparable({f"{place} {key}": e for place, side in enumerate(sides) for key, e in side.items()})
    one, other = ({key: told[f"{place} {key}"] for key in side} for place, side in enumerate(sides))
    return replace(first, estimates=one), replace(second, estimates=other)


def _contest(first: Result, second: Result, goal: Goal, metric: LatencyMetric) -> Contest:
    one, other = (goals.ranked(result.estimates.values(), goal, metric)[0] for result in (first, second))
    ahead = goals.merit(other, goal.prefer, metric) - goals.merit(one, goal.prefer, metric)
    reach = _Z * math.hypot(*(goals.error(estimate, goal.prefer, metric) for estimate in (one, other)))
    ratio = Ratio(value=math.exp(ahead), low=math.exp(ahead - reach), high=math.exp(ahead + reach))
    winner: Winner = "open"
    if abs(ahead) + reach < math.log(1 + goal.margin):
        winner = "neither"
    elif abs(ahead) > reach:
        winner = "second" if ahead > 0 else "first"
    return Contest(prefer=goal.prefer, first=one, second=other, ratio=ratio, winner=winner)


def _common(first: Result, second: Result, metric: LatencyMetric, objective: Objective) -> Common | None:
    keys = [key for key in first.estimates if key in second.estimates]
    if len(keys) < LEAST_PAIRS:
        return None
    one, other = _alone(first), _alone(second)
    pairs = [(one[key], other[key]) for key in keys]
    weighed = [math.log(objective.of(b).value / objective.of(a).value) for a, b in pairs]
    latencies = [(a.latency_ms[metric], b.latency_ms[metric]) for a, b in pairs]
    slow = [math.log(b.value / a.value) for a, b in latencies if isinstance(a, Quantity) and isinstance(b, Quantity)]
    return Common(configs=len(keys), weighed=_typical(weighed), latency=_typical(slow))


def _alone(result: Result) -> dict[str, Estimate]:
    """The estimates of each config by its own blocks alone: what others tell of it would be in all ratios at once."""
    alone = survey_field(result.study, result.goal).alone
    energies = {key: known.energy_mj_per_inference for key, known in result.estimates.items()}
    return {key: replace(alone[key], energy_mj_per_inference=energy) for key, energy in energies.items()}


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
    for name, value in _asked(first.goal).items():
        yield both(name, value, _asked(second.goal)[name])
    yield both("shapes", _pairs(one.shapes), _pairs(other.shapes))
    yield both("inputs", one.feed.sha256 or "random values", other.feed.sha256 or "random values")
    yield both("in the background", one.beside, other.beside)
    yield both("configs in the space", f"{one.space.size:,}", f"{other.space.size:,}")
    yield both("trials", first.study.trials, second.study.trials)
    yield both("measured in", *("a recording" if s.recording else "this host" for s in (one, other)))
    yield both("begun", first.study.created, second.study.created)


def _asked(goal: Goal) -> dict[str, str]:
    """What a goal asks for; what it weighs the latency against follows from the load."""
    return {
        "latency of the goal": goal.latency,
        "preferred": goal.prefer,
        "limits": "; ".join(goals.limits(goal)),
        "differences count from": f"{100 * goal.margin:g} %",
    }


def _pairs(shapes: Shapes) -> str:
    return ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())


def _shown(value: object) -> str:
    return "none" if value is None or value == "" else str(value)


def notes_of(comparison: Comparison, names: tuple[str, str]) -> tuple[str, ...]:
    """What is to be known before the outcomes are believed, as sentences; ``names`` are the studies'."""
    first, second = comparison.first, comparison.second
    asked, asked_of_second = _asked(first.goal), _asked(second.goal)
    words = "; ".join((f"{first.goal.latency} latency", *goals.limits(first.goal)))
    said = [f"Both are compared under the goal of {names[0]} ({words}), by the estimates of search and elimination."]
    if asked != asked_of_second:
        different = ", ".join(name for name in asked if asked[name] != asked_of_second[name])
        said.append(f"The goal of {names[1]} is another one ({different}) and is not used.")
    if comparison.metric != comparison.goal.latency:
        said.append(
            f"Not every config of both has enough samples for {comparison.goal.latency}, which the goal asks for: "
            f"latencies are compared by {comparison.metric}."
        )
    if not _same_model(first.study.setup, second.study.setup):
        said.append(
            "The models differ: what is told of the studies is told of two models, each with its own outputs, and no "
            "host or runtime is shown to be better."
        )
    if not comparison.alike:
        loads = [describe(result.study.setup.workload) for result in (first, second)]
        return (*said, f"The loads differ ({loads[0]}; {loads[1]}): nothing is compared, and there is no winner.")
    said.append(
        "The intervals hold the noise between blocks, not a change of the host from one study to the other: run both "
        "anew, or let ovtune check --against decide in one job."
    )
    return tuple(said)


def _same_model(one: Setup, other: Setup) -> bool:
    """Whether both measured the same model, by its content; a file that one of them knows as a variant counts too."""
    known, known_to_other = ({m.sha256 for m in (s.model, *s.variants.values())} for s in (one, other))
    return one.model.sha256 in known_to_other or other.model.sha256 in known


def contest_words(contest: Contest, names: tuple[str, str]) -> str:
    """What came of a contest, in words; ``names`` are the studies'."""
    if contest.ratio is None:
        return "the loads differ: nothing is compared"
    low, value, high = contest.ratio.low, contest.ratio.value, contest.ratio.high
    match contest.winner:
        case "second":
            return f"{names[1]}, {value - 1:.0%} better ({low - 1:.0%} to {high - 1:.0%})"
        case "first":
            return f"{names[0]}, {1 / value - 1:.0%} better ({1 / high - 1:.0%} to {1 / low - 1:.0%})"
        case "neither":
            return f"no difference that counts ({low - 1:+.1%} to {high - 1:+.1%})"
    return f"not more than the noise ({low - 1:+.0%} to {high - 1:+.0%} for {names[1]})"


def common_words(comparison: Comparison, names: tuple[str, str]) -> str:
    """What the configs that both studies measured tell, in words."""
    common = comparison.common
    if not comparison.alike:
        return "The loads differ: what the configs do in one study tells nothing about the other."
    if common is None:
        return (
            "Fewer than eight configs were measured in both: what the host or the runtime changed cannot be told apart."
        )
    return (
        f"The {common.configs} configs that were measured in both: in {names[1]} {_times(common.weighed)} the "
        f"{comparison.objective.name} and {_times(common.latency)} the {comparison.metric} latency."
    )


def _times(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})"


def tree(comparison: Comparison, names: tuple[str, str]) -> dict[str, object]:
    """A comparison as plain values, for JSON; ``names`` are the studies' in the notes.

    The ``winner`` of a contest is one of :data:`Winner`; where it is ``incomparable``, ``ratio`` is null. Each side's
    ``figures`` hold throughput and latency with their 95 % intervals, or why the latency is unavailable, and the costs
    of an inference.
    """
    return {
        "studies": [comparison.first.study.name, comparison.second.study.name],
        "notes": list(notes_of(comparison, names)),
        "latency": comparison.metric,
        "contests": [
            {
                "prefer": one.prefer,
                "winner": one.winner,
                "ratio": None if one.ratio is None else asdict(one.ratio),
                "configs": [_config(side) for side in (one.first, one.second)],
                "figures": [_figures(side, comparison.metric) for side in (one.first, one.second)],
            }
            for one in comparison.contests
        ],
        "common": _common_tree(comparison),
        "circumstances": [asdict(one) | {"differs": one.differs} for one in comparison.circumstances],
    }


def _common_tree(comparison: Comparison) -> dict[str, object] | None:
    common = comparison.common
    if common is None:
        return None
    return {
        "configs": common.configs,
        comparison.objective.key: asdict(common.weighed),
        "latency": asdict(common.latency),
    }


def _config(estimate: Estimate) -> dict[str, object]:
    config = estimate.config
    return {name: getattr(config, name) for name in config.__slots__}


def _figures(estimate: Estimate, metric: LatencyMetric) -> dict[str, object]:
    latency, energy = estimate.latency_ms[metric], estimate.energy_mj_per_inference
    return {
        "throughput_per_s": _interval(estimate.throughput_per_s),
        "latency_ms": {
            metric: _interval(latency) if isinstance(latency, Quantity) else {"unavailable": latency.text},
        },
        "cpu_ms_per_inference": estimate.cpu_ms_per_inference.value,
        "energy_mj_per_inference": None if energy is None else energy.value,
    }


def _interval(told: Quantity) -> dict[str, float]:
    return {"value": told.value, "low": told.low, "high": told.high}
