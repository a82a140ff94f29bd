"""What may be said of capacities: which config serves more within the limit, and in which words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ovtune.capacity import LATE_SHARE, RATIO, tolerance_of
from ovtune.config import Config
from ovtune.goal import Goal
from ovtune.lineup import Band, Finding, findings, leader
from ovtune.study import Baseline, Study
from ovtune.verdict import Verdict, VerdictKind, own_answer
from ovtune.workload import Capacity, Load, StreamsCapacity

_MORE = "give more --confirm"
_NOT_ALL = f"not all configs were tried in time: {_MORE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a study that asks for a capacity says.

    Attributes:
        recommended: The config to deploy; None where nothing was asked or found yet.
        baseline: The strongest of OpenVINO's own answers; None where none was asked.
        verdict: What may be said.
        bands: What each config serves, by its key, as far as it is known.
    """

    recommended: Config | None
    baseline: Baseline | None
    verdict: Verdict
    bands: Mapping[str, Band]


def serve(study: Study, goal: Goal) -> Service | None:
    """What ``study`` says of capacities; None where it does not ask for one, or measured nothing yet."""
    load = study.setup.workload
    if not isinstance(load, Capacity):
        return None
    found = findings(study, goal)
    best, answer = (leader([f for f in found if f.answer == side]) for side in (False, True))
    named = answer or next((f for f in found if f.answer), None)
    baseline = _baseline(study, named.config) if named is not None else None
    words = Words(load=load, goal=goal)
    name = own_answer(baseline.name) if baseline is not None else "OpenVINO's own answers"
    kind, text = _judged(found, best, answer, words, name)
    ahead = kind == "unconfirmed" and best is leader([f for f in (answer, best) if f is not None])
    recommended = best if kind == "better" or ahead or answer is None else answer
    return Service(
        recommended=recommended.config if recommended is not None else None,
        baseline=baseline,
        verdict=Verdict(
            kind=kind,
            text=text,
            throughput_ratio=None,
            latency_ratio=None,
            pairs=0,
            rival=best.config if best is not None and kind in {"better", "equal", "undecided"} else None,
        ),
        bands={f.config.key: f.band for f in found if f.band is not None},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a capacity is said."""

    load: Capacity
    goal: Goal

    @property
    def cameras(self) -> bool:
        """Whether cameras are counted."""
        return isinstance(self.load, StreamsCapacity)

    @property
    def verb(self) -> str:
        """What a config does with its load."""
        return "serves" if self.cameras else "sustains"

    @property
    def limit(self) -> str:
        """What the limit is."""
        limit_ms = f"{tolerance_of(self.goal, self.load).limit_ms:.4g} ms"
        if self.cameras:
            return f"at most {LATE_SHARE:.0%} late within {limit_ms}"
        return f"{'mean latency' if self.goal.latency == 'mean' else self.goal.latency} within {limit_ms}"

    @property
    def nothing(self) -> str:
        """What is served where nothing is."""
        return "not a single camera" if self.cameras else "no rate that was tried"

    def full(self, band: Band | None) -> str:
        """What a config serves, as a predicate."""
        if band is None:
            return f"{self.verb} {self.nothing} with {self.limit}"
        frames = f" of {self.load.frames_per_s:.4g} frames/s" if isinstance(self.load, StreamsCapacity) else ""
        return f"{self.verb} {self.short(band)}{frames} with {self.limit}"

    def short(self, band: Band) -> str:
        """The band alone."""
        if self.cameras:
            low = f"{band.low:.0f} to " if band.low is not None and 1 < band.low < band.high else ""
            return f"{low}{band.high:.0f} camera{'s' if band.high > 1 else ''}"
        return f"{f'{band.low:.4g}' if band.low is not None else 'up'} to {band.high:.4g}/s"


def told_of(load: Load, goal: Goal, band: Band | None) -> str | None:
    """The band of a config with what was verified, in one line; None where none is known."""
    if band is None or not isinstance(load, Capacity):
        return None
    words, seen = Words(load=load, goal=goal), band.at_high
    value = f"{seen.value:.2%} late" if tolerance_of(goal, load).allowed is not None else f"mean {seen.value:.3g} ms"
    bound = f"{seen.high:.2%}" if tolerance_of(goal, load).allowed is not None else f"{seen.high:.3g} ms"
    return (
        f"{words.short(band)} with {words.limit} "
        f"(verified: {value} of {seen.samples:,} in {seen.blocks} blocks, at most {bound})"
    )


def _judged(
    found: tuple[Finding, ...], best: Finding | None, answer: Finding | None, words: Words, name: str
) -> tuple[VerdictKind, str]:
    """The kind of the verdict and its text; ``best`` and ``answer`` lead their sides, ``name`` is the latter's."""
    answers_done, others_done = (all(f.settled for f in found if f.answer == side) for side in (True, False))
    mine = best.band if best is not None else None
    its = answer.band if answer is not None else None
    kind: VerdictKind
    if mine is None and its is None:
        if not (answers_done and others_done):
            return "unconfirmed", f"How much is served with {words.limit} was not found in time: {_MORE}"
        least = min((f.least_ms for f in found if f.least_ms is not None), default=None)
        quickest = f"; the quickest answer of all took {least:.4g} ms" if least is not None else ""
        return "infeasible", f"No config keeps the limit: {words.nothing} with {words.limit}{quickest}"
    if mine is None or best is None:
        text = f"{name} is already best here: it {words.full(its)}; no other config that was tried does so"
        return ("equal", text) if others_done else ("unconfirmed", f"{text}, but not all were: {_MORE}")
    if its is None:
        if answers_done:
            return "better", f"It {words.full(mine)}; {name} {words.verb} {words.nothing}"
        return "unconfirmed", f"It {words.full(mine)}; how much {name} {words.verb} was not found in time: {_MORE}"
    other = f"{best.config.words} {words.verb} {words.short(mine)}"
    match _standing(mine, its, words):
        case "more":
            kind, done = "better", answers_done
            text = f"It {words.full(mine)}; {name} {words.verb} {words.short(its)}"
        case "same":
            kind, done = "equal", others_done
            text = f"{name} is already best here: it {words.full(its)}; {other}"
        case "open":
            kind, done = "undecided", True
            text = f"{name} {words.full(its)}; {other}; whether that is truly more stayed open"
    return (kind, text) if done else ("unconfirmed", f"{text}; {_NOT_ALL}")


def _standing(mine: Band, its: Band, words: Words) -> Literal["more", "same", "open"]:
    """Whether one serves more than the other can, by more than the margin; no more, as exactly as was looked; or open.

    What was shown not to hold bounds what the other can serve: one camera less, or for rates less than that rate.
    """
    margin = words.goal.margin
    if its.above is not None:
        at_most = its.above - 1 if words.cameras else its.above
        if mine.high > at_most * (1 + margin):
            return "more"
    within = 1 + margin if words.cameras else max(1 + margin, RATIO * (1 + 1e-3))
    return "same" if mine.high <= its.high * within else "open"


def _baseline(study: Study, config: Config) -> Baseline:
    owners = study.owners
    return next(
        (b for b in study.setup.baselines if owners.get(b.config.key, b.config.key) == config.key),
        Baseline(name=config.words, config=config),
    )
