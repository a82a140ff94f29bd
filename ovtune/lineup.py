"""Whose capacity a study asks for, how far it is known, and which block is due: derived from the visits alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ovtune import goal as goals
from ovtune.capacity import Found, Nothing, Stage, Step, Try, joined_by, ladder, number_of, step, tolerance_of
from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.estimate import Estimate
from ovtune.field import Field, survey_field
from ovtune.goal import Goal
from ovtune.measurement import Block
from ovtune.study import Study, Visit, reason_of
from ovtune.tolerance import HOLDING, Judgement, Rule, Tolerance, judge
from ovtune.workload import Capacity

_CHALLENGERS, _ANSWERS = 3, 2
_SEEKING = Rule(looks=(1, 2, 3), lean=0.6, persistent=True, quiet=1)
_VERIFYING = Rule(looks=(3, 6), lean=0.9, persistent=False, quiet=2)
_VERIFYING_LONG = Rule(looks=(2, 4), lean=0.9, persistent=False, quiet=2)
_LONG_S = 8.0
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The numbers of cameras, or the rates per second, that a config serves within the limit.

    Attributes:
        low: The lowest that was verified; None where the low end was not looked at.
        high: The highest that was verified.
        above: The least one over it that was shown not to hold; None where none was.
        at_high: What the fresh blocks at the high end say.
    """

    low: float | None
    high: float
    above: float | None
    at_high: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How far the capacity of one config is known.

    Attributes:
        config: The config.
        answer: Whether it is one of OpenVINO's own.
        band: What it serves; None where that is not known, or nothing.
        settled: Whether nothing more is to be done to know its high end.
        reason: Why a settled one has no band; "" elsewhere.
        least_ms: The least latency of any item that it served; None before the first.
        due: The block that is due next; None where none is.
    """

    config: Config
    answer: bool
    band: Band | None
    settled: bool
    reason: str = ""
    least_ms: float | None = None
    due: Try | None = None


def findings(study: Study, goal: Goal) -> tuple[Finding, ...]:
    """How far the capacity of each finalist is known, in the order in which they are asked.

    The best one of each side comes first. Those after it are asked first for more than it serves: where they do not
    serve that, they are beaten and not asked again. The low end is looked at last, of the best of both sides.

    Raises:
        UsageError: the study does not ask for a capacity, or the goal has no limit for it.
    """
    load = study.setup.workload
    if not isinstance(load, Capacity):
        raise UsageError(f"study {study.name} asks for no capacity: search with --load streams:30/s or poisson:auto")
    tolerance = tolerance_of(goal, load)
    field = survey_field(study, goal)
    answers = frozenset(study.owners.get(b.config.key, b.config.key) for b in field.baselines)
    found: list[Finding] = []
    for estimate in finalists(field, answers, goal, tolerance):
        answer = estimate.config.key in answers
        rivals = [f.band.high for f in found if f.band is not None and (f.answer or not answer)]
        found.append(_finding(study, load, tolerance, estimate, answer=answer, to_beat=max(rivals, default=None)))
    if not all(finding.settled for finding in found):
        return tuple(found)
    best = [leader(f for f in found if f.answer == side) for side in (False, True)]
    return tuple(
        _finding(study, load, tolerance, field.estimates[f.config.key], answer=f.answer, low_end=True)
        if f in best
        else f
        for f in found
    )


def leader(found: Iterable[Finding]) -> Finding | None:
    """The finding with the highest band, the first of equal ones; None where none has a band."""
    bands = [(f.band.high, f) for f in found if f.band is not None]
    return max(bands, key=lambda pair: pair[0])[1] if bands else None


def finalists(field: Field, answers: frozenset[str], goal: Goal, tolerance: Tolerance) -> list[Estimate]:
    """Whose capacity is asked for: by the closed loop's throughput, within the limit already there and regardless.

    Under less than its full load a config answers sooner than in a closed loop. ``answers`` are the keys of OpenVINO's
    own: the best of them take part, and the best of the others; those that break the limit of memory do not.
    """
    closed = replace(goal, max_latency_ms=tolerance.limit_ms, prefer="throughput")
    allowed = [e for e in field.estimates.values() if e.memory_bytes <= (goal.max_memory_bytes or e.memory_bytes)]

    def best(side: list[Estimate], most: int) -> list[Estimate]:
        within = goals.ranked(side, closed, field.metric)
        fastest = goals.ranked(side, replace(closed, max_latency_ms=None), field.metric)
        return list({e.config.key: e for pair in zip(within, fastest, strict=True) for e in pair}.values())[:most]

    own = best([e for e in allowed if e.config.key in answers], _ANSWERS)
    challengers = best([e for e in allowed if e.config.key not in answers], _CHALLENGERS)
    turns = max(len(own), len(challengers))
    return [e for i in range(turns) for e in (*challengers[i : i + 1], *own[i : i + 1])]


def _finding(  # noqa: PLR0913 - one config's place in the line-up, by name
    study: Study,
    load: Capacity,
    tolerance: Tolerance,
    estimate: Estimate,
    *,
    answer: bool,
    to_beat: float | None = None,
    low_end: bool = False,
) -> Finding:
    config = estimate.config
    own = [v for v in study.visits if v.config.key == config.key and v.workload is not None]
    joined = joined_by(config)
    sought = _judged(own, "capacity", tolerance, joined)
    verified = _judged(own, "verification", tolerance, joined)
    least_ms = min((j.least_ms for j in (*sought.values(), *verified.values())), default=None)
    known = Finding(config=config, answer=answer, band=None, settled=True, least_ms=least_ms)
    failures = [reason_of(v.outcome) for v in own if reason_of(v.outcome)]
    if len(failures) >= _MOST_FAILURES:
        return replace(known, reason=failures[-1])
    throughput = estimate.throughput_per_s.value
    numbers, first = ladder(load, throughput, tolerance, joined, (*sought, *verified))
    if to_beat is not None:
        if numbers[-1] <= to_beat:
            return replace(known, reason=f"in a closed loop it is far from serving more than {to_beat:.4g}")
        first = next(n for n in numbers if n > to_beat)
        missed = any(n <= first and j.mark not in HOLDING | {"open"} for n, j in sought.items())
        if missed and not any(j.mark in HOLDING for j in sought.values()):
            return replace(known, reason=f"it does not serve {first:.4g}, more than the best so far")
    marks = [{n: j.mark for n, j in judged.items()} for judged in (sought, verified)]
    top = step(numbers, first, *marks, low_end=False)
    return _told(known, top, step(numbers, first, *marks, low_end=True) if low_end else top, verified)


def _told(known: Finding, top: Step, low_end: Step, verified: Mapping[float, Judgement]) -> Finding:
    """The finding that the next step for the high end, and the one for the low end, come to."""
    match top:
        case Try():
            return replace(known, settled=False, due=top)
        case Nothing(why="hopeless"):
            return replace(known, reason="every item was late, however few there were")
        case Nothing(why="unverified"):
            return replace(known, reason="nothing that seemed to hold was borne out by fresh blocks")
        case Nothing():
            return replace(known, reason="too many items were late at every load that was tried")
        case Found(high=high, above=above):
            low = low_end.low if isinstance(low_end, Found) else None
            band = Band(low=low, high=high, above=above, at_high=verified[high])
            return replace(known, band=band, due=low_end if isinstance(low_end, Try) else None)


def _judged(visits: list[Visit], stage: Stage, tolerance: Tolerance, joined: int) -> dict[float, Judgement]:
    """What the blocks of a stage say, by their number, in the order of the numbers' first visits."""
    blocks: dict[float, list[Block]] = {}
    for visit in visits:
        number = number_of(visit.workload)
        if visit.phase == stage and number is not None and isinstance(visit.outcome, Block):
            blocks.setdefault(number, []).append(visit.outcome)
    return {
        number: judge(made, tolerance, _SEEKING if stage == "capacity" else _verifying(made), joined=joined)
        for number, made in blocks.items()
    }


def _verifying(blocks: list[Block]) -> Rule:
    """How verifying blocks are judged: after fewer of them where each is long, as a few items per second make it."""
    return _VERIFYING_LONG if min(b.elapsed_s for b in blocks) > _LONG_S else _VERIFYING
