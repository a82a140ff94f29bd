"""Visits of a running search: asked of the evaluator, committed one by one, and told to whoever watches."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.evaluator import Evaluator, Failed, Outcome
from ovtune.goal import Goal
from ovtune.measurement import Block, Plan
from ovtune.store import Store
from ovtune.study import Phase, Sides, Study, Visit
from ovtune.workload import Workload

REPEATED = 0.2
"""The share of all visits that may be repeats of contended ones."""
_ROUNDS, _COMPILATIONS = 8, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A search begins, or goes on: the study as it stands."""

    study: Study


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitStarted:
    """A config is about to be measured: the ``number``-th of ``total`` in its phase, counted from 1.

    ``workload`` is its load, where it is not that of the study's search.
    """

    phase: Phase
    number: int
    total: int
    config: Config
    workload: Workload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitEnded:
    """What came of it, and the study as it now stands."""

    started: VisitStarted
    outcome: Outcome
    study: Study


Event = Begun | VisitStarted | VisitEnded
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Generic[Told]):
    """What a running search or check tells and asks its surroundings.

    Attributes:
        emit: Told of every event.
        stopping: Whether the user asked to stop; looked at between two visits.
        clock: Seconds that only move forward.
    """

    emit: Callable[[Told], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic


class Ledger:
    """A study in a store, and the only way to add to it.

    Args:
        store: Where the study is.
        name: Its name.
        evaluator: What measures.
        watch: Who is told.
    """

    def __init__(self, store: Store, name: str, evaluator: Evaluator, watch: Watch[Event]) -> None:
        self.study = store.load(name)
        self.watch = watch
        self._store = store
        self._evaluator = evaluator
        self._repeats = 0

    def fresh_blocks(self, config: Config) -> int | None:
        """How many blocks of ``config`` can still be measured; None for any number."""
        return self._evaluator.fresh_blocks(config)

    def visit(  # noqa: PLR0913 - what a visit is for, by name
        self,
        started: VisitStarted,
        *,
        plan: Plan,
        trial: int | None = None,
        confirmation: int = 0,
        round_: int = 0,
        reserved: int = 0,
    ) -> Outcome:
        """One visit, committed before anything else is done; where it went wrong, it is made again, once.

        Where others held it up, for as long as the repeats are no more than a fifth of all visits: on a host that is
        never quiet they would tell nothing new; and where more than the ``reserved`` fresh blocks of it are left. And
        where one of OpenVINO's own answers failed, against which all else is weighed.
        """
        outcome = self._visit(started, plan=plan, trial=trial, confirmation=confirmation, round_=round_)
        if not self.watch.stopping() and self._went_wrong(started, outcome, reserved):
            outcome = self._visit(started, plan=plan, trial=trial, confirmation=confirmation, round_=round_)
        return outcome

    def _went_wrong(self, started: VisitStarted, outcome: Outcome, reserved: int) -> bool:
        match outcome:
            case Failed():
                baselines = {baseline.config.key for baseline in self.study.setup.baselines}
                return started.phase == "search" and started.config.key in baselines
            case Block(contended=True) if started.phase != "soak" and self._may_repeat():
                fresh = self.fresh_blocks(started.config)
                spare = fresh is None or fresh > reserved
                self._repeats += spare
                return spare
            case _:
                return False

    def _may_repeat(self) -> bool:
        return self._repeats < REPEATED * len(self.study.visits)

    def _visit(
        self, started: VisitStarted, *, plan: Plan, trial: int | None, confirmation: int, round_: int
    ) -> Outcome:
        self.watch.emit(started)
        key = started.config.key
        again = any(v.config.key == key and isinstance(v.outcome, Block) for v in self.study.visits)
        timeout_s = plan.timeout_s + slack_s(self.study, started.config)
        plan = replace(plan, again=again, workload=started.workload, timeout_s=timeout_s)
        outcome = self._evaluator.evaluate(started.config, plan)
        visit = Visit(
            number=len(self.study.visits),
            phase=started.phase,
            trial=trial,
            confirmation=confirmation,
            round=round_,
            config=started.config,
            outcome=outcome,
            workload=started.workload,
        )
        self._store.record(self.study.name, visit)
        count = self.study.trials if trial is None else max(self.study.trials, trial + 1)
        self.study = replace(self.study, visits=(*self.study.visits, visit), trials=count)
        self.watch.emit(VisitEnded(started=started, outcome=outcome, study=self.study))
        return outcome

    def plan_duel(self, confirmation: int, sides: Sides) -> None:
        """Commits who meets in a duel and when it is looked at."""
        self._store.plan_duel(self.study.name, confirmation, sides)
        self.study = replace(self.study, duels={**self.study.duels, confirmation: sides})

    def note(self, goal: Goal, budget: Budget, stopped: str) -> None:
        """Commits the goal, what the search may take, and why it ended; "" while it runs."""
        self._store.note(self.study.name, goal=goal, budget=budget, stopped=stopped)
        self.study = replace(self.study, goal=goal, budget=budget, stopped=stopped)


def slack_s(study: Study, config: Config) -> float:
    """What a visit to ``config`` may take beyond its plan's limit, by the slowest that the study has seen.

    Some rounds of all of the config's requests, one item after the other, and a few compilations: a model that takes
    seconds per inference, or minutes to compile, is no model that hangs.
    """
    seen = [(v.config, v.outcome) for v in study.visits if isinstance(v.outcome, Block)]
    item_ms = max((block.first_inference_ms / (c.batch_size * c.auto_batch_size) for c, block in seen), default=0.0)
    compile_ms = max((block.compile_ms for _, block in seen), default=0.0)
    return (_ROUNDS * config.nireq * config.batch_size * item_ms + _COMPILATIONS * compile_ms) / 1000
