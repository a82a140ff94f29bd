"""After the search: elimination among the finalists, then the duel of the winner with the strongest baseline."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ovtune import duel
from ovtune import goal as goals
from ovtune.config import Config
from ovtune.estimate import Estimate
from ovtune.field import LEAST_COST_S, Duel, Field, beaten, contested, last_duel, survey_field
from ovtune.goal import Goal
from ovtune.ledger import Ledger, VisitStarted
from ovtune.measurement import Block, Plan
from ovtune.study import Sides, last_confirmation

_ROUNDS = 3
_FAILED_ROUNDS = 3
_LATE = 1.5
_LATEST = 3
_CHALLENGERS = 5
_ANSWERS = 3
_CLEARLY = 2.0


class Confirmation:
    """Elimination and duel over the study of a ledger.

    Args:
        ledger: The study.
        goal: What is looked for.
        plan: How each visit is made.
        seed: Seeds the order of the rounds.
        time_s: The time for both.
    """

    def __init__(self, ledger: Ledger, *, goal: Goal, plan: Plan, seed: int, time_s: float) -> None:
        self._ledger = ledger
        self._goal = goal
        self._plan = plan
        self._seed = seed
        self._time_s = time_s

    @property
    def settled(self) -> bool:
        """Whether the last duel came after the last trial and to its end, or there is nothing to duel for.

        One that stayed open is fought anew, with fresh pairs, where there is time for many more than it had.
        """
        if self._field().challenger is None:
            return True
        return self._up_to_date() and self._over() and not self._worth_another()

    def run(self) -> None:
        """Eliminates and duels; what was cut off is taken up where it stood."""
        number = last_confirmation(self._ledger.study)
        until = self._ledger.watch.clock() + _LATE * self._time_s
        if not self._up_to_date() or self._worth_another():
            if not self._fresh(number) or number in self._ledger.study.duels:
                number += 1
            now = self._ledger.watch.clock()
            self._eliminate(number, now + (1 - duel.SHARE) * self._time_s)
            self._challenge(number, now + self._time_s)
        self._fight(number, until)

    def _eliminate(self, number: int, until: float) -> None:
        """Shuffled rounds over the finalists; who is clearly beaten is not visited again."""
        watch, visits = self._ledger.watch, self._ledger.study.visits
        made = {(v.round, v.config.key) for v in visits if v.confirmation == number and v.phase == "elimination"}
        begun = min((v.number for v in visits if v.confirmation == number), default=len(visits))
        contenders = self._affordable(finalists(self._field(begun, 0), self._goal), until - watch.clock())
        generator = np.random.default_rng([self._seed, number])
        for round_ in range(_ROUNDS):
            for place, index in enumerate(generator.permutation(len(contenders))):
                config = contenders[int(index)]
                if (round_, config.key) in made:
                    continue
                if watch.stopping() or watch.clock() + self._cost_s(config) > until:
                    return
                started = VisitStarted(
                    phase="elimination",
                    number=round_ * len(contenders) + place + 1,
                    total=_ROUNDS * len(contenders),
                    config=config,
                )
                self._ledger.visit(started, plan=self._planned(1 + round_), confirmation=number, round_=round_)
            left = {e.config.key for e in unbeaten(self._field(begun, round_ + 1), self._goal)}
            contenders = [c for c in contenders if c.key in left]
            if len(contenders) < 2:
                return

    def _challenge(self, number: int, deadline: float) -> None:
        """Names the two sides of the duel and plans its looks, before its first pair."""
        field = self._field()
        if field.challenger is None or field.strongest is None or self._ledger.watch.stopping():
            return
        candidate, baseline = field.challenger.config, self._owner(field.strongest.config)
        pair_s = self._cost_s(candidate) + self._cost_s(baseline)
        cap = int((deadline - self._ledger.watch.clock()) / pair_s)
        if cap >= duel.LEAST_PAIRS:
            sides = Sides(
                candidate=candidate,
                baseline=baseline,
                goal=self._goal,
                looks=duel.looks(cap),
                earlier=self._fought(),
            )
            self._ledger.plan_duel(number, sides)

    def _fought(self) -> int:
        """How many duels for this goal there were since the last trial."""
        study = self._ledger.study
        since = max((v.number for v in study.visits if v.phase == "search"), default=-1)
        fresh = {v.confirmation for v in study.visits if v.phase == "duel" and v.number > since}
        return sum(study.duels[number].goal == self._goal for number in fresh & study.duels.keys())

    def _fight(self, number: int, until: float) -> None:
        """Pairs of fresh blocks until a planned look decides, or the last one has been made.

        A duel that takes much longer than it was planned for is cut off; the next run goes on with it.
        """
        sides = self._ledger.study.duels.get(number)
        if sides is None:
            return
        visits = self._ledger.study.visits
        made = {(v.round, v.config.key) for v in visits if v.phase == "duel" and v.confirmation == number}
        for round_ in range(2 * sides.looks[-1]):
            if self._over() or self._ledger.watch.clock() >= until:
                return
            fight = last_duel(self._ledger.study)
            done = len(fight.pairs) if fight is not None else 0
            plan = self._planned(1 + _ROUNDS + round_)
            for place, side in enumerate(duel.order(round_)):
                config = sides.candidate if side == "candidate" else sides.baseline
                if (round_, config.key) in made:
                    continue
                if self._ledger.watch.stopping():
                    return
                started = VisitStarted(
                    phase="duel", number=2 * done + place + 1, total=2 * sides.looks[-1], config=config
                )
                self._ledger.visit(started, plan=plan, confirmation=number, round_=round_)

    def _planned(self, round_: int) -> Plan:
        """How the visits of a round are made: all with the same inputs and arrivals, which no other round has."""
        return replace(self._plan, seed=self._plan.seed + round_)

    def _over(self) -> bool:
        """Whether the last duel has all its pairs, or a planned look has decided it."""
        fight = last_duel(self._ledger.study)
        if fight is None:
            return False
        if len(fight.pairs) >= fight.planned[-1] or self._failing():
            return True
        return len(fight.pairs) in fight.planned and not self._open(fight)

    def _open(self, fight: Duel) -> bool:
        """Whether the pairs of a duel, as many as at a planned look, leave it undecided."""
        field = self._field()
        prefer = contested(self._goal, field.estimates[fight.baseline.key], field.metric)
        return fight.score(prefer, self._goal).standing == "undecided"

    def _failing(self) -> bool:
        """Whether the last rounds of the last duel came to nothing, one after the other."""
        study = self._ledger.study
        rounds: dict[int, bool] = {}
        for visit in study.visits:
            if visit.phase == "duel" and visit.confirmation == max(study.duels, default=0):
                rounds[visit.round] = rounds.get(visit.round, True) and isinstance(visit.outcome, Block)
        return len(rounds) >= _FAILED_ROUNDS and not any(list(rounds.values())[-_FAILED_ROUNDS:])

    def _worth_another(self) -> bool:
        """Whether the last duel failed, or ended undecided and there is time for many more pairs than it had."""
        if self._failing():
            return True
        fight = last_duel(self._ledger.study)
        if fight is None or len(fight.pairs) < fight.planned[-1] or not self._open(fight):
            return False
        affordable = min(int(duel.SHARE * self._time_s / fight.pair_s), duel.MOST_PAIRS)
        return affordable >= duel.MORE * len(fight.pairs)

    def _up_to_date(self) -> bool:
        """Whether the last confirmation has its duel, for this goal, and no trial came after it."""
        latest = last_confirmation(self._ledger.study)
        sides = self._ledger.study.duels.get(latest)
        return sides is not None and sides.goal == self._goal and self._fresh(latest)

    def _fresh(self, number: int) -> bool:
        """Whether a confirmation has begun, and no trial came after it."""
        visits = self._ledger.study.visits
        last_trial = max((v.number for v in visits if v.phase == "search"), default=-1)
        return last_trial < min((v.number for v in visits if v.confirmation == number), default=-1)

    def _field(self, begun: int | None = None, rounds: int = 0) -> Field:
        """What is known; with ``begun`` as it was after so many rounds of the elimination that began at that visit."""
        study = self._ledger.study
        if begun is not None:
            study = replace(study, visits=tuple(v for v in study.visits if v.number < begun or v.round < rounds))
        return survey_field(study, self._goal)

    def _owner(self, config: Config) -> Config:
        """The config whose blocks stand for ``config``: itself, or the one that runs alike."""
        key = self._ledger.study.owner(config)
        return self._field().estimates[key].config

    def _cost_s(self, config: Config) -> float:
        """What a visit to a measured config takes: the last ones tell, after which its compiled model was kept."""
        visits = self._ledger.study.visits
        made = [v for v in visits if v.config.key == config.key and v.phase != "soak"]
        costs = [v.outcome.cost_s for v in made if isinstance(v.outcome, Block)]
        return max(float(np.median(costs[-_LATEST:])), LEAST_COST_S)

    def _affordable(self, configs: Iterable[Config], time_s: float) -> list[Config]:
        """As many of ``configs``, the first ones first, as all rounds have time for; two of them at least."""
        taken: list[Config] = []
        for config in configs:
            time_s -= _ROUNDS * self._cost_s(config)
            if time_s < 0 and len(taken) >= 2:
                break
            taken.append(config)
        return taken


def finalists(field: Field, goal: Goal) -> list[Config]:
    """Who goes into the elimination, the most important first: best challenger and best baseline, and so on in turn.

    The challengers are those that the best one does not clearly beat, and after them the rest of the front.
    """
    answers = {b.config.key for b in field.baselines}
    order = goals.ranked(field.estimates.values(), goal, field.metric)
    close = unbeaten(field, goal)
    on_front = goals.front(order, field.metric, goal.against)
    own = [e.config for e in order if e.config.key in answers][:_ANSWERS]
    others = {e.config.key: e.config for e in (*close, *on_front) if e.config.key not in answers}
    if field.challenger is not None:
        others = {field.challenger.config.key: field.challenger.config} | others
    challengers = list(others.values())[:_CHALLENGERS]
    turns = max(len(own), len(challengers))
    return [c for i in range(turns) for c in (*challengers[i : i + 1], *own[i : i + 1])]


def unbeaten(field: Field, goal: Goal) -> list[Estimate]:
    """The estimates, best first, that the best of them does not clearly beat: by less than twice their joint error."""
    order = goals.ranked(field.estimates.values(), goal, field.metric)
    best = order[0]
    return [e for e in order if not beaten(best, e, goal, field.metric, by=_CLEARLY)]
