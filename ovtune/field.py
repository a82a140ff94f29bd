"""The measured configs of a study, compared under a goal: who leads, who stands against it, and their duel."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ovtune import duel
from ovtune import goal as goals
from ovtune.config import Config
from ovtune.duel import Score
from ovtune.estimate import Estimate, Spread, comparable, estimate, spread_of
from ovtune.goal import Goal, Prefer, keeps
from ovtune.measurement import Block, LatencyMetric
from ovtune.prospect import Prospect, prospects
from ovtune.slowdown import steadied
from ovtune.stability import off_the_cliff
from ovtune.study import CHOOSING, Baseline, Study, blocks_by_config
from ovtune.workload import ClosedLoop

_FAILED_ROUNDS = 3
LEAST_COST_S = 0.01
"""The least that a visit is taken to cost: a recording may tell of none."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """The measured configs of a study, compared under a goal.

    Attributes:
        goal: The goal.
        estimates: What each config does, by its key.
        alone: What its own blocks alone tell of each, whatever those of others do.
        metric: The latency by which they are compared.
        spread: The spread between the blocks of one config.
        baselines: Those of OpenVINO's own answers that were measured.
        owners: For each config that shares another one's blocks, the key of that one.
        finals: The keys of those that the last elimination visited: they come before those known from one block.
        lost: The keys of those that broke a limit in a duel, to its end, whose other side kept it: they challenge no
            more.
    """

    goal: Goal
    estimates: Mapping[str, Estimate]
    alone: Mapping[str, Estimate]
    metric: LatencyMetric
    spread: Spread
    baselines: tuple[Baseline, ...]
    owners: Mapping[str, str]
    finals: frozenset[str]
    lost: frozenset[str] = frozenset()

    @property
    def answers(self) -> dict[str, Baseline]:
        """The baselines by the key of the config whose blocks tell of them."""
        keys = [(self.owners.get(b.config.key, b.config.key), b) for b in self.baselines]
        return dict(reversed(keys))

    @cached_property
    def prospects(self) -> dict[str, Prospect]:
        """What each config may come to, by its key."""
        return prospects(self.estimates, self.answers.keys(), self.goal, self.metric)

    @cached_property
    def best(self) -> Estimate:
        """The most promising config of all, a baseline or not: a finalist, where one keeps the limits."""

        def doubts(estimate: Estimate) -> tuple[bool, bool]:
            key = estimate.config.key
            breaks = key in self.lost or bool(goals.breaches(estimate, self.goal, self.metric))
            return breaks, key not in self.finals

        return min(goals.ranked(self.estimates.values(), self.goal, self.metric), key=doubts)

    @cached_property
    def challenger(self) -> Estimate | None:
        """The most promising config that is none of OpenVINO's own answers."""
        return _steadiest(self.challengers, self)

    @cached_property
    def challengers(self) -> list[Estimate]:
        """All that are none of OpenVINO's own answers, the most promising first."""
        others = [e for key, e in self.estimates.items() if key not in self.answers and key not in self.lost]
        return sorted(others, key=self._promise, reverse=True)

    def close(self, best: Estimate, *, by: float) -> list[Estimate]:
        """The challengers that promise as much as ``best`` but for so many joint standard errors, in order."""
        return [e for e in self.challengers if not _promises_less(best, e, self, by=by)]

    @cached_property
    def strongest(self) -> Baseline | None:
        """The best baseline for the goal."""
        answers = self.answers
        order = goals.ranked([self.estimates[key] for key in answers], self.goal, self.metric)
        order.sort(key=lambda e: e.config.key not in self.finals)
        return answers[order[0].config.key] if order else None

    def _promise(self, estimate: Estimate) -> tuple[bool, float]:
        key = estimate.config.key
        return key in self.finals, self.prospects[key].worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """The blocks of one duel, in complete pairs."""

    candidate: Config
    baseline: Config
    goal: Goal
    pairs: tuple[tuple[Block, Block], ...]
    planned: tuple[int, ...]
    earlier: int

    @property
    def pair_s(self) -> float:
        """What a pair takes, by those that were made."""
        costs = [candidate.cost_s + baseline.cost_s for candidate, baseline in self.pairs]
        return max(float(np.median(costs)), LEAST_COST_S)

    def score(self, prefer: Prefer, goal: Goal) -> Score:
        """Where it stands at the last planned look that was reached."""
        last = self.reached == self.planned[-1]
        return duel.score(self.judged, prefer=prefer, goal=goal, alpha=self._alpha, last=last)

    def decided(self, prefer: Prefer) -> bool:
        """Whether it came to its last look, or to one that leaves nothing open."""
        if self.reached == self.planned[-1]:
            return True
        return self.reached > 0 and self.score(prefer, self.goal).standing != "undecided"

    @property
    def reached(self) -> int:
        """How many pairs the last planned look takes in that was reached: one that was cut off is not looked at."""
        return max((look for look in self.planned if look <= len(self.pairs)), default=0)

    @property
    def judged(self) -> tuple[tuple[Block, Block], ...]:
        """The pairs that count at that look.

        Without those of which other work held up a side, where half of all are left, and enough for an interval. Who
        works beside does not know who leads, so that a look errs no more often for it.
        """
        pairs = self.pairs[: self.reached]
        quiet = tuple(pair for pair in pairs if not any(block.contended for block in pair))
        return quiet if len(quiet) >= max(duel.least(self._alpha), len(pairs) / 2) else pairs

    @property
    def made(self) -> tuple[list[Block], list[Block]]:
        """The blocks of each side up to that look."""
        one, other = ([pair[side] for pair in self.pairs[: self.reached]] for side in (0, 1))
        return one, other

    @property
    def undisturbed(self) -> tuple[list[Block], list[Block]]:
        """The blocks of each side that other work did not hold up; all of both, unless half of each are such."""
        one, other = ([block for block in side if not block.contended] for side in self.made)
        return (one, other) if 2 * min(len(one), len(other)) >= self.reached else self.made

    @property
    def _alpha(self) -> float:
        """What that look may err by."""
        return duel.level(self.planned, self.reached, earlier=self.earlier)


def survey_field(study: Study, goal: Goal) -> Field:
    """Compares what search and elimination measured; the duel's blocks take no part in choosing."""
    blocks = blocks_by_config(study.visits, *CHOOSING)
    configs = {v.config.key: v.config for v in study.visits}
    spread = spread_of(blocks.values())
    blocks |= {key: blocks[owner] for key, owner in _exacter(study, goal).items()}
    outside, outputs = _outside(study), study.outputs
    told = {
        key: replace(estimate(configs[key], found, spread), outputs=outputs.get(key), outside=key in outside)
        for key, found in blocks.items()
    }
    alone = comparable(told)
    estimates = steadied(alone, blocks) if isinstance(study.setup.workload, ClosedLoop) else alone
    metric = goals.common_metric(estimates.values(), goal.latency)
    owners = study.owners
    return Field(
        goal=goal,
        estimates=estimates,
        alone=alone,
        metric=metric,
        spread=spread,
        baselines=tuple(b for b in study.setup.baselines if owners.get(b.config.key, b.config.key) in estimates),
        owners=owners,
        finals=frozenset(_finalists(study, goal)),
        lost=frozenset(_lost(study, goal, estimates, metric, spread)),
    )


def fresh(known: Estimate, blocks: Sequence[Block], spread: Spread) -> Estimate:
    """What is known of a config with its fresh ``blocks`` in place of those that it was measured by before."""
    return replace(estimate(known.config, blocks, spread), outputs=known.outputs, outside=known.outside)


def _lost(
    study: Study, goal: Goal, estimates: Mapping[str, Estimate], metric: LatencyMetric, spread: Spread
) -> Iterator[str]:
    """The keys of those that broke a limit in a duel for ``goal``, to its end, whose other side kept it."""
    for number, sides in study.duels.items():
        keys = sides.candidate.key, sides.baseline.key
        fight = _duel(study, number) if sides.goal == goal and estimates.keys() >= set(keys) else None
        if fight is not None and fight.decided(contested(goal, estimates[keys[1]], metric)):
            told = [fresh(estimates[key], made, spread) for key, made in zip(keys, fight.undisturbed, strict=True)]
            breaks, kept = (goals.breaches(e, goal, goals.common_metric([e], goal.latency)) for e in told)
            if breaks and not kept:
                yield keys[0]


def _exacter(study: Study, goal: Goal) -> dict[str, str]:
    """For each config that keeps the limit of the error, the key of the one that it runs alike, which breaks it."""
    limit = goal.max_error
    if limit is None:
        return {}
    keeping = {key for key, outputs in study.outputs.items() if keeps(outputs, limit)}
    return {key: owner for key, owner in study.owners.items() if key in keeping and owner not in keeping}


def _outside(study: Study) -> set[str]:
    """The keys of OpenVINO's own answers that are none of the configs that were asked for, and run as none of them."""
    if not study.setup.wanted.only:
        return set()
    inside = {config.key for config in study.setup.space.configs}
    answers = {baseline.config.key for baseline in study.setup.baselines}
    as_asked = {owner for key, owner in study.owners.items() if key in inside or key not in answers}
    return answers - inside - as_asked


def _steadiest(order: Sequence[Estimate], field: Field) -> Estimate | None:
    """The first of ``order``, or one that is equal to it, visited as a finalist as it was, and on no cliff."""
    if not order:
        return None
    best = order[0]
    same = [e for e in field.close(best, by=1.0) if (e.config.key in field.finals) == (best.config.key in field.finals)]
    return off_the_cliff(same, field.estimates.values())


def beaten(best: Estimate, other: Estimate, goal: Goal, metric: LatencyMetric, *, by: float) -> bool:
    """Whether ``best`` is ahead of ``other`` for the goal by more than so many joint standard errors."""
    behind = goals.merit(best, goal.prefer, metric) - goals.merit(other, goal.prefer, metric)
    return behind > by * math.hypot(*(goals.error(one, goal.prefer, metric) for one in (best, other)))


def _promises_less(best: Estimate, other: Estimate, field: Field, *, by: float) -> bool:
    """Whether ``best`` promises more than ``other`` by more than so many joint standard errors."""
    more, less = (field.prospects[estimate.config.key] for estimate in (best, other))
    errors = (goals.error(one.estimate, field.goal.prefer, field.goal.latency) for one in (more, less))
    return more.worth - less.worth > by * math.hypot(*errors)


def last_duel(study: Study) -> Duel | None:
    """The last duel that was planned, with as many pairs as are complete; None where there is none.

    In a recording a block that was given before is no fresh one, and its pair is left out.
    """
    return _duel(study, max(study.duels)) if study.duels else None


def _recorded_as(config: Config, block: Block) -> tuple[object, ...]:
    """What tells one recorded block of a config from another: a recording that has no more begins again."""
    latencies = block.samples if block.summary is None else tuple(block.summary.latency_ms.values())
    return config.key, block.elapsed_s, block.items, block.cpu_s, latencies


def failing(study: Study) -> bool:
    """Whether the last rounds of the last duel came to nothing, one after the other."""
    rounds: dict[int, bool] = {}
    for visit in study.visits:
        if visit.phase == "duel" and visit.confirmation == max(study.duels, default=0):
            rounds[visit.round] = rounds.get(visit.round, True) and isinstance(visit.outcome, Block)
    return len(rounds) >= _FAILED_ROUNDS and not any(list(rounds.values())[-_FAILED_ROUNDS:])


def deciding_duel(study: Study, goal: Goal, baseline: str) -> Duel | None:
    """The last duel for ``goal`` against the baseline of that key that came to a look; None where none did."""
    for number in sorted(study.duels, reverse=True):
        found = _duel(study, number)
        if found.judged and found.goal == goal and found.baseline.key == baseline:
            return found
    return None


def _duel(study: Study, last: int) -> Duel:
    sides = study.duels[last]
    rounds: dict[int, dict[str, Block]] = {}
    seen: set[tuple[object, ...]] = set()
    for visit in study.visits:
        if not isinstance(visit.outcome, Block):
            continue
        again = _recorded_as(visit.config, visit.outcome) in seen
        if study.setup.recording:
            seen.add(_recorded_as(visit.config, visit.outcome))
        if visit.phase == "duel" and visit.confirmation == last and not again:
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
        earlier=sides.earlier,
    )


def contested(goal: Goal, baseline: Estimate, metric: LatencyMetric) -> Prefer:
    """What a duel is about: the goal's preference, or the limit that the baseline breaks."""
    broken = " ".join(goals.breaches(baseline, goal, metric))
    if "latency" in broken:
        return "latency"
    return "throughput" if "throughput" in broken else goal.prefer


def _finalists(study: Study, goal: Goal) -> set[str]:
    """The keys of the configs that the last elimination visited: they come before those known from one block.

    None after further trials, which it did not know of, or where it was for another goal.
    """
    last = max((v.confirmation for v in study.visits), default=0)
    made = [v for v in study.visits if v.phase == "elimination" and v.confirmation == last]
    since = max((v.number for v in study.visits if v.phase == "search"), default=-1)
    other = last in study.duels and study.duels[last].goal != goal
    return set() if other or any(v.number < since for v in made) else {v.config.key for v in made}
