"""After the search: elimination among the finalists, then the duel of the winner with the strongest baseline."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ovtune import duel
from ovtune import goal as goals
from ovtune.config import Config
from ovtune.estimate import Estimate
from ovtune.field import Duel, Field, contested, failing, last_duel, survey_field
from ovtune.finalist import affordable, begun, cost_s, finalists, hopeful, lead
from ovtune.goal import Goal
from ovtune.ledger import Ledger, VisitStarted
from ovtune.measurement import Plan
from ovtune.study import Sides, last_confirmation

_MOST_ROUNDS = 12
_LATE = 1.5
_CHOOSING = 0.25


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
            if not begun(self._ledger.study, number) or number in self._ledger.study.duels:
                number += 1
            now = self._ledger.watch.clock()
            self._eliminate(number, now + self._time_s)
            self._challenge(number, now + self._time_s)
        self._fight(number, until)

    def _eliminate(self, number: int, deadline: float) -> None:
        """Shuffled rounds over the finalists, until one of each kind is left or the duel needs the rest of the time.

        Who has no chance to be the best of its kind is not visited again.
        """
        visits = self._ledger.study.visits
        first = min((v.number for v in visits if v.confirmation == number), default=len(visits))
        field = self._field(first, 0)
        until = deadline - self._duel_s(field)
        contenders = affordable(self._ledger.study, finalists(field), until - self._ledger.watch.clock())
        generator = np.random.default_rng([self._seed, number])
        for round_ in range(_MOST_ROUNDS):
            contenders = [c for c in contenders if round_ < self._rounds_of(c, number)]
            order = [contenders[int(index)] for index in generator.permutation(len(contenders))]
            if not order or not self._round(order, number, round_, deadline - self._duel_s(field)):
                return
            field = self._field(first, round_ + 1)
            left = [[c for c in contenders if c.key in kind] for kind in hopeful(field)]
            contenders = [c for c in contenders if any(c in kind for kind in left if len(kind) > 1)]

    def _round(self, order: Sequence[Config], number: int, round_: int, until: float) -> bool:
        """One round of an elimination, without the visits that were made before; whether it came to its end."""
        watch = self._ledger.watch
        eliminated = [v for v in self._ledger.study.visits if v.confirmation == number and v.phase == "elimination"]
        made = {v.config.key for v in eliminated if v.round == round_}
        before = sum(v.round < round_ for v in eliminated)
        for place, config in enumerate(order, start=1):
            if config.key in made:
                continue
            if watch.stopping() or watch.clock() + cost_s(self._ledger.study, config) > until:
                return False
            started = VisitStarted(phase="elimination", number=before + place, total=before + len(order), config=config)
            self._ledger.visit(
                started,
                plan=self._planned(1 + round_),
                confirmation=number,
                round_=round_,
                reserved=duel.LEAST_PAIRS,
            )
        return True

    def _rounds_of(self, config: Config, number: int) -> int:
        """In how many rounds of an elimination a config may be visited, so that its fresh blocks last for the duel.

        Where they do not last for any, all of them are for choosing.
        """
        fresh = self._ledger.fresh_blocks(config)
        if fresh is None:
            return _MOST_ROUNDS
        fresh += sum(v.confirmation == number and v.config.key == config.key for v in self._ledger.study.visits)
        return fresh if fresh < duel.LEAST_PAIRS else min(fresh - duel.LEAST_PAIRS, int(_CHOOSING * fresh))

    def _duel_s(self, field: Field) -> float:
        """The time that the duel of those that lead now needs to decide, and its share where that is less."""
        share_s = duel.SHARE * self._time_s
        if field.challenger is None or field.strongest is None:
            return share_s
        sides = [field.challenger.config, self._owner(field.strongest.config)]
        pair_s = sum(cost_s(self._ledger.study, side) for side in sides)
        ahead, error, deviation = lead(field)
        return min(pair_s * duel.needed(ahead - error, deviation), share_s)

    def _challenge(self, number: int, deadline: float) -> None:
        """Names the two sides of the duel and plans its looks, before its first pair."""
        field = self._field()
        if field.challenger is None or field.strongest is None or self._ledger.watch.stopping():
            return
        baseline = self._owner(field.strongest.config)
        candidate = self._confirmable(field, field.challenger, baseline)
        pair_s = cost_s(self._ledger.study, candidate) + cost_s(self._ledger.study, baseline)
        possible = int((deadline - self._ledger.watch.clock()) / pair_s)
        cap = min(possible, self._fresh_pairs(candidate, baseline))
        if cap >= duel.LEAST_PAIRS:
            sides = Sides(
                candidate=candidate,
                baseline=baseline,
                goal=self._goal,
                looks=duel.looks(cap),
                earlier=self._fought(),
                wanted=min(possible, duel.MOST_PAIRS),
            )
            self._ledger.plan_duel(number, sides)

    def _confirmable(self, field: Field, challenger: Estimate, baseline: Config) -> Config:
        """The challenger; where a recording has too few blocks of it, the next as good one that it has them of."""
        order = (e.config for e in (challenger, *field.close(challenger, by=goals.SHOWN)))
        enough = (config for config in order if self._fresh_pairs(config, baseline) >= duel.LEAST_PAIRS)
        return next(enough, challenger.config)

    def _fresh_pairs(self, candidate: Config, baseline: Config) -> int:
        """How many pairs of fresh blocks of two configs can be had, and no more than a duel makes."""
        fresh = [self._ledger.fresh_blocks(config) for config in (candidate, baseline)]
        return min([duel.MOST_PAIRS, *(count for count in fresh if count is not None)])

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
            plan = self._planned(1 + _MOST_ROUNDS + round_)
            for place, side in enumerate(duel.order(round_)):
                config = sides.candidate if side == "candidate" else sides.baseline
                if (round_, config.key) in made:
                    continue
                if self._ledger.watch.stopping():
                    return
                started = VisitStarted(
                    phase="duel", number=2 * done + place + 1, total=2 * sides.looks[-1], config=config
                )
                left = sides.looks[-1] - done - 1
                self._ledger.visit(started, plan=plan, confirmation=number, round_=round_, reserved=left)

    def _planned(self, round_: int) -> Plan:
        """How the visits of a round are made: all with the same inputs and arrivals, which no other round has."""
        return replace(self._plan, seed=self._plan.seed + round_)

    def _over(self) -> bool:
        """Whether the last duel has all its pairs, or a planned look has decided it."""
        fight = last_duel(self._ledger.study)
        if fight is None:
            return False
        if len(fight.pairs) >= fight.planned[-1] or failing(self._ledger.study):
            return True
        if self._fresh_pairs(fight.candidate, fight.baseline) == 0:
            return True
        return len(fight.pairs) in fight.planned and not self._open(fight)

    def _open(self, fight: Duel) -> bool:
        """Whether the pairs of a duel, as many as at a planned look, leave it undecided."""
        field = self._field()
        prefer = contested(self._goal, field.estimates[fight.baseline.key], field.metric)
        return fight.score(prefer, self._goal).standing == "undecided"

    def _worth_another(self) -> bool:
        """Whether the last duel failed, or ended undecided and there is time for many more pairs than it had.

        Or its candidate broke a limit that the baseline kept, and another one promises more than the baseline.
        """
        if failing(self._ledger.study):
            return True
        fight = last_duel(self._ledger.study)
        if fight is not None and fight.candidate.key in self._field().lost:
            return lead(self._field())[0] > 0
        if fight is None or len(fight.pairs) < fight.planned[-1] or not self._open(fight):
            return False
        fresh = self._fresh_pairs(fight.candidate, fight.baseline)
        possible = min(int(duel.SHARE * self._time_s / fight.pair_s), fresh)
        return possible >= duel.MORE * len(fight.pairs)

    def _up_to_date(self) -> bool:
        """Whether the last confirmation has its duel, for this goal, and no trial came after it."""
        latest = last_confirmation(self._ledger.study)
        sides = self._ledger.study.duels.get(latest)
        return sides is not None and sides.goal == self._goal and begun(self._ledger.study, latest)

    def _field(self, first: int | None = None, rounds: int = 0) -> Field:
        """What is known; with ``first``, what was after so many rounds of the elimination that began at that visit."""
        study = self._ledger.study
        if first is not None:
            study = replace(study, visits=tuple(v for v in study.visits if v.number < first or v.round < rounds))
        return survey_field(study, self._goal)

    def _owner(self, config: Config) -> Config:
        """The config whose blocks stand for ``config``: itself, or the one that runs alike."""
        study = self._ledger.study
        key = study.owner(config)
        return next(visit.config for visit in study.visits if visit.config.key == key)
