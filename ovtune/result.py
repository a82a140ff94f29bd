"""What a study says under a goal: estimates, front, recommendation, verdict. Derived, never stored."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ovtune import duel, stats
from ovtune import goal as goals
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.duel import Ratio, Score
from ovtune.errors import MeasurementError
from ovtune.estimate import Estimate, Quantity, Spread, Unavailable, estimate, spread_of
from ovtune.goal import Goal, Prefer
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric, count_of, pooled
from ovtune.study import Baseline, Study, blocks_by_config, reason_of

VerdictKind = Literal["better", "trade", "equal", "undecided", "infeasible", "unconfirmed"]
_RESAMPLES = 400
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
        effective: The settings as read back, of the last block.
    """

    source: Literal["search", "duel"]
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
    effective: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of ``rival``, the best of the other configs, against the strongest baseline; ratios are its."""

    kind: VerdictKind
    text: str
    throughput_ratio: Ratio | None
    latency_ratio: Ratio | None
    pairs: int
    rival: Config | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A study's answer under a goal.

    Attributes:
        study: The study.
        goal: The goal.
        metric: The latency by which the configs are compared: the goal's, or p50 where it is not yet available.
        estimates: What each measured config does, by its key, from search and elimination.
        front: The estimates that no other one beats, by falling throughput.
        recommended: The config to deploy.
        trial: The trial that proposed it.
        measured: Its published figures.
        baseline: The strongest of OpenVINO's own answers.
        baseline_measured: Its published figures.
        verdict: What may be said.
        caveats: The doubts about the recommendation, without repetition.
    """

    study: Study
    goal: Goal
    metric: LatencyMetric
    estimates: Mapping[str, Estimate]
    front: tuple[Estimate, ...]
    recommended: Config
    trial: int
    measured: Measured
    baseline: Baseline
    baseline_measured: Measured
    verdict: Verdict
    caveats: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The measured configs of a study, compared under a goal."""

    estimates: Mapping[str, Estimate]
    metric: LatencyMetric
    spread: Spread
    baselines: tuple[Baseline, ...]
    challenger: Estimate | None
    """The best config for the goal that is none of OpenVINO's own answers."""
    strongest: Baseline | None
    """The best baseline for the goal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """The blocks of one duel, in complete pairs."""

    candidate: Config
    baseline: Config
    goal: Goal
    pairs: tuple[tuple[Block, Block], ...]
    planned: tuple[int, ...]

    @property
    def judged(self) -> tuple[tuple[Block, Block], ...]:
        """The pairs up to the last planned look that was reached: a duel that was cut off is not looked at between."""
        return self.pairs[: max((look for look in self.planned if look <= len(self.pairs)), default=0)]


def survey_field(study: Study, goal: Goal) -> Field:
    """Compares what search and elimination measured; the duel's blocks take no part in choosing."""
    blocks = blocks_by_config(study.visits, "search", "elimination")
    configs = {v.config.key: v.config for v in study.visits}
    spread = spread_of(blocks.values())
    estimates = {key: estimate(configs[key], found, spread) for key, found in blocks.items()}
    metric = goals.common_metric(estimates.values(), goal.latency)
    owners = study.owners
    measured = [
        (baseline, estimates[owner])
        for baseline in study.setup.baselines
        if (owner := owners.get(baseline.config.key, baseline.config.key)) in estimates
    ]
    answers = {e.config.key for _, e in measured}
    finals = _finalists(study)
    challengers = goals.ranked([e for key, e in estimates.items() if key not in answers], goal, metric)
    challengers.sort(key=lambda e: e.config.key not in finals)
    order = goals.ranked([e for _, e in measured], goal, metric)
    order.sort(key=lambda e: e.config.key not in finals)
    return Field(
        estimates=estimates,
        metric=metric,
        spread=spread,
        baselines=tuple(baseline for baseline, _ in measured),
        challenger=challengers[0] if challengers else None,
        strongest=next((b for b, e in measured if e is order[0]), None) if order else None,
    )


def _doubts(blocks: Sequence[Block], *, confirmed: bool) -> tuple[Caveat, ...]:
    """The doubts that at least a third of the blocks raise, each as the block in the middle of them words it."""
    found: dict[tuple[str, object], list[Caveat]] = {}
    for caveat in (c for block in blocks for c in block.caveats):
        found.setdefault((caveat.kind, caveat.parameters.get("name")), []).append(caveat)
    usual = [_middle(same) for same in found.values() if 3 * len(same) >= len(blocks)]
    return tuple(usual if confirmed else [*usual, Caveat(kind="unconfirmed")])


def _middle(caveats: Sequence[Caveat]) -> Caveat:
    """Of caveats of one kind, the one whose figures lie in the middle."""

    def figures(caveat: Caveat) -> list[float]:
        return [value for value in caveat.parameters.values() if isinstance(value, int | float)]

    return sorted(caveats, key=figures)[len(caveats) // 2]


def _finalists(study: Study) -> set[str]:
    """The keys of the configs that the last elimination visited: they come before those known from one block."""
    last = max((v.confirmation for v in study.visits), default=0)
    return {v.config.key for v in study.visits if v.phase == "elimination" and v.confirmation == last}


def last_duel(study: Study) -> Duel | None:
    """The last duel that was planned, with as many pairs as are complete; None where there is none."""
    if not study.duels:
        return None
    last = max(study.duels)
    sides = study.duels[last]
    rounds: dict[int, dict[str, Block]] = {}
    for visit in study.visits:
        if visit.phase == "duel" and visit.confirmation == last and isinstance(visit.outcome, Block):
            rounds.setdefault(visit.round, {})[visit.config.key] = visit.outcome
    return Duel(
        candidate=sides.candidate,
        baseline=sides.baseline,
        goal=sides.goal,
        pairs=tuple(
            (blocks[sides.candidate.key], blocks[sides.baseline.key])
            for _, blocks in sorted(rounds.items())
            if len(blocks) == 2
        ),
        planned=sides.looks,
    )


def contested(goal: Goal, baseline: Estimate, metric: LatencyMetric) -> Prefer:
    """What a duel is about: the goal's preference, or the limit that the baseline breaks."""
    broken = " ".join(goals.breaches(baseline, goal, metric))
    if "latency" in broken:
        return "latency"
    return "throughput" if "throughput" in broken else goal.prefer


def conclude(study: Study, goal: Goal) -> Result:
    """What ``study`` says under ``goal``.

    Raises:
        MeasurementError: nothing in it was measured; the message names the most frequent reason.
    """
    field = survey_field(study, goal)
    if not field.estimates:
        raise MeasurementError(why_nothing(study))
    best = goals.ranked(field.estimates.values(), goal, field.metric)[0]
    strongest = field.strongest or Baseline(name="the first config measured", config=_first_measured(field))
    owner = study.owners.get(strongest.config.key, strongest.config.key)
    fight = last_duel(study)
    settles = fight is not None and bool(fight.judged) and fight.goal == goal and fight.baseline.key == owner
    score = None
    recommended = best.config
    if fight is not None and settles:
        prefer = contested(goal, field.estimates[owner], field.metric)
        score = duel.score(fight.judged, prefer=prefer, goal=goal, planned=fight.planned)
        recommended = fight.candidate if score.standing in {"better", "trade"} else fight.baseline
    blocks = _published(study, fight if settles else None)
    broken = _broken(field, blocks, goal)
    verdict = _verdict(
        strongest.name,
        score,
        goal,
        leads=recommended.key == owner,
        rival=fight.candidate if settles and fight else None,
    )
    verdict = _limited(verdict, strongest.name, broken, recommended=recommended.key, baseline=owner)
    doubts = _doubts(blocks[recommended.key][1], confirmed=verdict.kind != "unconfirmed")
    return Result(
        study=study,
        goal=goal,
        metric=field.metric,
        estimates=field.estimates,
        front=tuple(goals.front(field.estimates.values(), field.metric, goal.against)),
        recommended=recommended,
        trial=_trial_of(study, recommended),
        measured=_figures(recommended, *blocks[recommended.key], field.spread),
        baseline=strongest,
        baseline_measured=_figures(strongest.config, *blocks[owner], field.spread),
        verdict=verdict,
        caveats=doubts,
    )


def alternative(result: Result, config: Config) -> Result:
    """The same study with another measured config recommended, which nobody confirmed."""
    blocks = blocks_by_config(result.study.visits, "search", "elimination")[config.key]
    return replace(
        result,
        recommended=config,
        trial=_trial_of(result.study, config),
        measured=measured(result, config),
        verdict=_verdict(result.baseline.name, None, result.goal, leads=config.key == result.baseline.config.key),
        caveats=_doubts(blocks, confirmed=False),
    )


def measured(result: Result, config: Config) -> Measured:
    """The figures of any measured config, from search and elimination."""
    study = result.study
    key = study.owners.get(config.key, config.key)
    blocks = blocks_by_config(study.visits, "search", "elimination")
    return _figures(config, "search", blocks[key], spread_of(blocks.values()))


def why_nothing(study: Study) -> str:
    """Why a study holds no measurement: the most frequent reason."""
    reasons = Counter(reason_of(v.outcome) for v in study.visits if reason_of(v.outcome))
    if not reasons:
        return f"study {study.name} holds no measurement yet: run ovtune search to make some"
    why, count = reasons.most_common(1)[0]
    return f"all {sum(reasons.values())} trials came to nothing, {count} of them because: {why}"


def _published(study: Study, fight: Duel | None) -> dict[str, tuple[Literal["search", "duel"], list[Block]]]:
    blocks: dict[str, tuple[Literal["search", "duel"], list[Block]]] = {
        key: ("search", found) for key, found in blocks_by_config(study.visits, "search", "elimination").items()
    }
    if fight is not None:
        blocks[fight.candidate.key] = ("duel", [pair[0] for pair in fight.judged])
        blocks[fight.baseline.key] = ("duel", [pair[1] for pair in fight.judged])
    return blocks


def _first_measured(field: Field) -> Config:
    return next(iter(field.estimates.values())).config


def _broken(
    field: Field, blocks: Mapping[str, tuple[Literal["search", "duel"], list[Block]]], goal: Goal
) -> dict[str, tuple[str, ...]]:
    """The limits that each config breaks by its published figures: the asked latency, where they tell it."""
    found = {}
    for key, told in field.estimates.items():
        source, latest = blocks[key]
        final = estimate(told.config, latest, field.spread) if source == "duel" else told
        found[key] = goals.breaches(final, goal, goals.common_metric([final], goal.latency))
    return found


def _limited(
    verdict: Verdict, name: str, broken: Mapping[str, tuple[str, ...]], *, recommended: str, baseline: str
) -> Verdict:
    """The verdict with what the limits add: ``infeasible`` only where no config meets them all."""
    if broken[recommended] and all(broken.values()):
        text = f"No config meets the limits; the nearest one: {'; '.join(broken[recommended])}"
        return replace(verdict, kind="infeasible", text=text)
    if broken[recommended]:
        text = f"{verdict.text}; what is recommended breaks a limit: {'; '.join(broken[recommended])}"
        return replace(verdict, text=text)
    if broken[baseline]:
        return replace(verdict, text=f"{verdict.text}; {_own(name)} breaks a limit: {'; '.join(broken[baseline])}")
    return verdict


def _verdict(baseline: str, score: Score | None, goal: Goal, *, leads: bool, rival: Config | None = None) -> Verdict:
    """The verdict without the limits; ``leads`` tells whether the baseline itself is the most promising config."""
    kind: VerdictKind
    other = rival.words if rival is not None else "any other config"
    if score is None and leads:
        kind, text = "unconfirmed", f"{_own(baseline)} is the most promising so far; nothing was confirmed against it"
    elif score is None:
        kind = "unconfirmed"
        text = f"The most promising config so far; it was not confirmed against {_own(baseline)}"
    else:
        match score.standing:
            case "better" | "trade":
                kind, text = score.standing, f"{_gains(score, goal.margin)} than {_own(baseline)}"
            case "equal":
                kind = "equal"
                text = f"{_own(baseline)} is already best here: {other} differs by no more than {goal.margin:.0%}"
            case "worse":
                kind, text = "equal", f"{_own(baseline)} is already best here: {other} has {_gains(score, 0.0)}"
            case "undecided":
                kind = "undecided"
                text = f"Whether {other} beats {_own(baseline)} stayed open after {score.pairs} pairs of measurements"
                if score.more_pairs is not None:
                    text += f"; about {score.more_pairs} more would decide it"
    return Verdict(
        kind=kind,
        text=text,
        throughput_ratio=score.throughput if score else None,
        latency_ratio=score.latency if score else None,
        pairs=score.pairs if score else 0,
        rival=rival if score else None,
    )


def _own(baseline: str) -> str:
    return baseline if baseline.startswith(("your ", "the first ")) else f"OpenVINO's {baseline}"


def _gains(score: Score, margin: float) -> str:
    throughput, latency = score.throughput, score.latency
    much = f"{_percent(throughput)} {'more' if throughput.value >= 1 else 'less'} throughput"
    if abs(latency.value - 1) <= margin:
        return f"{much} at the same {score.metric}"
    return f"{much} and {_percent(latency)} {'higher' if latency.value > 1 else 'lower'} {score.metric}"


def _percent(ratio: Ratio) -> str:
    """A ratio as a change in percent with its interval: ``31 % (27 to 36 %)``."""
    change = sorted(abs(100 * (end - 1)) for end in (ratio.low, ratio.high) if math.isfinite(end))
    shown = f"{abs(100 * (ratio.value - 1)):.0f} %"
    if len(change) < 2 or (ratio.low - 1) * (ratio.high - 1) < 0:
        return shown
    return f"{shown} ({change[0]:.0f} to {change[1]:.0f} %)"


def _figures(config: Config, source: Literal["search", "duel"], blocks: Sequence[Block], spread: Spread) -> Measured:
    told = estimate(config, blocks, spread)
    logs = np.log([b.throughput_per_s for b in blocks])
    low, high = stats.signed_rank_interval(logs, alpha=0.05)
    quantity = told.throughput_per_s
    exact = math.isfinite(low)
    next_low, next_high = _next_block(logs, spread.throughput)
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
        compile_ms=blocks[0].compile_ms,
        compile_cached=blocks[0].compile_cached,
        first_inference_ms=blocks[0].first_inference_ms,
        memory_bytes=told.memory_bytes,
        cpu_ms_per_inference=told.cpu_ms_per_inference,
        effective=blocks[-1].effective,
    )


def _latency(metric: LatencyMetric, told: Quantity | Unavailable, blocks: Sequence[Block]) -> Interval | Unavailable:
    """The pooled latency with an interval from resampled blocks, or from the error model where they are few."""
    if isinstance(told, Unavailable):
        return told
    if len(blocks) < duel.LEAST_PAIRS:
        return Interval(value=told.value, low=told.low, high=told.high)
    generator = np.random.default_rng(0)
    parts = [b.latencies for b in blocks if count_of(b.latencies, metric)]
    draws = [
        pooled([parts[i] for i in generator.integers(0, len(parts), len(parts))], metric) for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Interval(value=told.value, low=float(min(low, told.value)), high=float(max(high, told.value)))


def _next_block(logs: stats.Array, spread: float) -> tuple[float, float]:
    """Where the next block falls: as far out as a normal of the seen spread says, and as any block that was seen."""
    n = len(logs)
    centre = stats.location(logs)
    seen = stats.scale(logs) if n >= duel.LEAST_PAIRS else spread
    reach = _NEXT_Z * max(seen, spread / 2) * math.sqrt(1 + 1 / n)
    return math.exp(min(centre - reach, float(np.min(logs)))), math.exp(max(centre + reach, float(np.max(logs))))


def _trial_of(study: Study, config: Config) -> int:
    return next((v.trial for v in study.visits if v.config.key == config.key and v.trial is not None), 0)
