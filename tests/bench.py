"""Searches on a fake evaluator and a database of their own, by fresh stores, as by one process after the other."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import optuna

from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.evaluator import Outcome
from ovtune.goal import Goal
from ovtune.ledger import Event, Watch
from ovtune.measurement import Plan
from ovtune.space import Space
from ovtune.store import file_url
from ovtune.study import Setup, Study, Visit
from ovtune.tuning import Tuning
from tests import fake
from tests.fake import FakeEvaluator
from tests.place import database, opened

NAME = "one"
GOAL = Goal(latency="p50")


@dataclass
class Bench:
    """A database with one study, and what searches it."""

    path: Path
    goal: Goal = GOAL
    evaluator: FakeEvaluator = field(default_factory=FakeEvaluator)
    events: list[Event] = field(default_factory=list)

    def search(
        self,
        trials: int,
        *,
        confirm_s: float = 90.0,
        timeout_s: float | None = None,
        seed: int = 0,
        soak_s: float | None = None,
        patience: int | None = None,
        only_front: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        dies_after: int | None = None,
        death: type[BaseException] | None = None,
    ) -> Study:
        """Searches as a new process does, one that dies after ``dies_after`` visits where a number is given."""
        budget = Budget(
            trials=trials,
            confirm_s=confirm_s,
            timeout_s=timeout_s,
            patience=patience,
            only_front=only_front,
            seed=seed,
            soak_s=soak_s,
        )
        watch = Watch(emit=self.events.append, stopping=stopping, clock=lambda: self.evaluator.now_s)
        evaluator = Dying(self.evaluator, dies_after, death or KilledError)
        with contextlib.closing(opened(file_url(self.path))) as store:
            return Tuning(store, NAME, evaluator, goal=self.goal, budget=budget, watch=watch).run()

    def load(self) -> Study:
        """The study as it is in the database."""
        with contextlib.closing(opened(file_url(self.path))) as store:
            return store.load(NAME)

    def optuna_study(self, suffix: str = "") -> optuna.Study:
        """The study as Optuna alone sees it."""
        storage = optuna.storages.RDBStorage(
            file_url(self.path), skip_compatibility_check=True, skip_table_creation=True
        )
        return optuna.load_study(study_name=NAME + suffix, storage=storage)


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class Dying:
    """An evaluator that dies after so many visits, or never."""

    inner: FakeEvaluator
    left: int | None
    death: type[BaseException]

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit, or death."""
        if self.left is not None:
            if self.left == 0:
                raise self.death
            self.left -= 1
        return self.inner.evaluate(config, plan)

    def fresh_blocks(self, config: Config, /) -> int | None:
        """As many as the inner one has."""
        return self.inner.fresh_blocks(config)


class Repeating(FakeEvaluator):
    """Answers the same for the same config each time, so that courses can be compared."""

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit."""
        self._generator = np.random.default_rng(len(config.key) * config.nireq + config.batch_size)
        return super().evaluate(config, plan)


def make(
    folder: Path, setup: Setup | None = None, *, goal: Goal = GOAL, evaluator: FakeEvaluator | None = None
) -> Bench:
    """A bench in ``folder`` with a study that was not searched yet."""
    folder.mkdir(exist_ok=True)
    bench = Bench(database(folder), goal=goal, evaluator=evaluator or FakeEvaluator())
    with contextlib.closing(opened(file_url(bench.path))) as store:
        store.create(NAME, setup or fake.setup(), goal)
    return bench


@functools.cache
def small(count: int) -> Setup:
    """A setup whose space has the two baselines and ``count`` further configs, no two of which run alike."""
    setup = fake.setup()
    known = [b.config for b in fake.BASELINES]
    others = [c for c in setup.space.configs if c not in known and c.precision == "FP32"][::9]
    return replace(setup, space=Space(configs=(*known, *others[:count])))


def of(study: Study, *phases: str) -> list[Visit]:
    """The visits of some phases."""
    return [v for v in study.visits if v.phase in phases]
