"""The search: baselines, trials, elimination, duel. It emits events and prints nothing."""

from dataclasses import replace
from typing import assert_never

import optuna
from optuna.trial import FrozenTrial, TrialState

from ovtune import codec, patience, sharing, soak
from ovtune import goal as goals
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.confirmation import Confirmation
from ovtune.errors import MeasurementError
from ovtune.estimate import Estimate, Quantity
from ovtune.evaluator import Evaluator, Failed, Infeasible, Outcome, SameAs
from ovtune.field import survey_field
from ovtune.goal import Goal, keeps
from ovtune.ledger import Begun, Event, Ledger, VisitStarted, Watch
from ovtune.measurement import Block, LatencyMetric
from ovtune.probing import Probing
from ovtune.proposal import QUANTITIES, START, History, Reading, propose
from ovtune.result import conclude, why_nothing
from ovtune.sampler import ProposalSampler
from ovtune.store import CONFIG_ATTRIBUTE, LATENCY_ATTRIBUTE, Store
from ovtune.study import Baseline, Study, agreement_of, blocks_by_config, complete, last_confirmation
from ovtune.workload import Capacity

REFER_EVERY = 8
"""After how many trials the reference config is visited again."""
APART = 3
"""How many visits lie at least between two trials of one config: neighbouring blocks err alike."""


class Tuning:
    """One run of a search over a study in a store.

    Args:
        store: Where the study is.
        name: Its name.
        evaluator: What measures.
        goal: What is looked for.
        budget: How much it may take.
        watch: Who is told, and who may ask it to stop.
    """

    def __init__(  # noqa: PLR0913 - what a run consists of, by name
        self,
        store: Store,
        name: str,
        evaluator: Evaluator,
        *,
        goal: Goal,
        budget: Budget,
        watch: Watch[Event] | None = None,
    ) -> None:
        self._store = store
        self._goal = goal
        self._budget = budget
        self._ledger = Ledger(store, name, evaluator, watch or Watch())
        setup = self._ledger.study.setup
        self._sampler = ProposalSampler(setup.space, [baseline.config for baseline in setup.baselines])
        self._trials = store.optuna_study(name, self._sampler)

    def run(self) -> Study:
        """Searches, then eliminates and duels or finds capacities; what was already done is not done again.

        Raises:
            MeasurementError: nothing could be measured at all.
        """
        ledger, stopping = self._ledger, self._ledger.watch.stopping
        ledger.note(self._goal, self._budget, "")
        ledger.watch.emit(Begun(study=ledger.study))
        with self._store.guarded():
            stopped = self._search()
        if not blocks_by_config(ledger.study.visits, "search"):
            ledger.note(self._goal, self._budget, stopped)
            raise MeasurementError(why_nothing(ledger.study))
        budget = self._budget
        load = ledger.study.setup.workload
        after = Probing if isinstance(load, Capacity) else Confirmation
        time_s = budget.confirmation_s(load)
        confirmation = after(ledger, goal=self._goal, plan=budget.plan, seed=budget.seed, time_s=time_s)
        if not stopping():
            if not confirmation.settled:
                confirmation.run()
            self._publish()
            if not confirmation.settled and stopping():
                stopped = "interrupted while confirming"
            elif budget.soak_s is not None:
                self._soak(budget.soak_s)
        ledger.note(self._goal, self._budget, stopped)
        return ledger.study

    def _search(self) -> str:
        """Finishes trials that a killed search left behind, then asks for new ones; returns why it ended."""
        watch, budget = self._ledger.watch, self._budget
        began = watch.clock()
        for trial in self._trials.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._take_up(trial)
        self._check()
        while (count := len(self._trials.get_trials(deepcopy=False))) < budget.trials:
            if watch.stopping():
                return "interrupted"
            if budget.timeout_s is not None and watch.clock() - began >= budget.timeout_s:
                return f"the time limit of {budget.timeout_s:.4g} s was reached"
            if budget.patience is not None and (idle := self._idle()) >= budget.patience:
                last = f"last {idle} trials" if idle > 1 else "last trial"
                return f"the {last} gained nothing: neither the front nor the best for the goal moved"
            self._refer(count)
            config = self._next()
            if config is None:
                return self._why_no_more()
            self._try(self._trials.ask(), config)
            self._check()
        return complete(count)

    def _idle(self) -> int:
        """How many trials in a row gained nothing, after those that come first in any case and a look around."""
        study = self._ledger.study
        return patience.idle(study, self._goal, start=len(history_of(study, self._goal).first) + START)

    def _why_no_more(self) -> str:
        setup = self._ledger.study.setup
        if self._budget.only_front and setup.lead is not None:
            return f"the front of study {setup.lead.study} was tried, and nothing else was asked for"
        return f"all {setup.space.size} configs of the space were tried"

    def _take_up(self, trial: FrozenTrial) -> None:
        """Goes on with a trial that was begun: its block may have been committed, or not yet been measured."""
        done = next((v for v in reversed(self._ledger.study.visits) if v.trial == trial.number), None)
        key = trial.user_attrs.get(CONFIG_ATTRIBUTE)
        config = self._next() if key is None else codec.load(key, Config)
        if done is not None:
            self._tell(trial.number, done.outcome)
        elif config is None:
            self._tell(trial.number, Failed(reason="its search was ended before it was given a config"))
        else:
            self._try(self._store.trial(self._trials, trial.number), config)

    def _try(self, trial: optuna.Trial, config: Config) -> None:
        self._sampler.give(trial, config)
        number, total = trial.number, max(self._budget.trials, trial.number + 1)
        started = VisitStarted(phase="search", number=number + 1, total=total, config=config)
        shared = self._shared()
        again = config.key in shared.values()  # what is measured once more is not to be told by its own first block
        plan = replace(self._budget.plan, shared={} if again else shared)
        outcome = self._ledger.visit(started, plan=plan, trial=number)
        if isinstance(outcome, SameAs) and self._alone_within(config, outcome):
            outcome = self._ledger.visit(started, plan=self._budget.plan, trial=number)
        self._tell(number, outcome)

    def _alone_within(self, config: Config, outcome: SameAs) -> bool:
        """Whether a config keeps the limit of the error, and the one that runs as fast as it breaks it."""
        limit, study = self._goal.max_error, self._ledger.study
        owner = next((v.config for v in study.visits if v.config.key == outcome.config_key), config)
        return limit is not None and keeps(outcome.outputs, limit) and not keeps(agreement_of(study, owner), limit)

    def _refer(self, count: int) -> None:
        """Visits the reference config where the last visit to it lies some trials back."""
        study = self._ledger.study
        config = study.setup.reference
        if config is None or not due(study, config):
            return
        started = VisitStarted(phase="reference", number=count, total=max(self._budget.trials, count), config=config)
        self._ledger.visit(started, plan=self._budget.plan)

    def _check(self) -> None:
        """Measures now and then what shares another one's measurement, beside that one."""
        ledger, total = self._ledger, self._budget.trials
        while (wanted := sharing.due(ledger.study)) is not None and not ledger.watch.stopping():
            count = ledger.study.trials
            started = VisitStarted(
                phase="reference" if wanted.round is None else "check",
                number=count,
                total=max(total, count),
                config=wanted.config,
            )
            ledger.visit(started, plan=self._budget.plan, round_=wanted.round or 0)

    def _tell(self, number: int, outcome: Outcome) -> None:
        """Tells Optuna what came of a trial: infeasible as PRUNED, our own faults as FAIL."""
        study = self._ledger.study
        match outcome:
            case Block():
                self._trials.tell(number, self._values(outcome))
            case SameAs(config_key=key):
                self._trials.tell(number, self._values(blocks_by_config(study.visits, "search")[key][0]))
            case Infeasible(reason=reason):
                self._store.explain(self._trials, number, reason)
                self._trials.tell(number, state=TrialState.PRUNED)
            case Failed(reason=reason):
                self._store.explain(self._trials, number, reason)
                self._trials.tell(number, state=TrialState.FAIL)
            case _:
                assert_never(outcome)

    def _values(self, block: Block) -> tuple[float, float]:
        """The two objectives as Optuna keeps them: the reading of this block."""
        latency = block.latency_ms(self._trials.user_attrs[LATENCY_ATTRIBUTE])
        first = block.throughput_per_s if self._goal.against == "throughput" else block.cpu_ms_per_inference
        return first, latency

    def _shared(self) -> dict[str, str]:
        """The effective keys that have been measured, each with the config that was."""
        visits = self._ledger.study.visits
        return {v.outcome.effective_key: v.config.key for v in reversed(visits) if isinstance(v.outcome, Block)}

    def _next(self) -> Config | None:
        study = self._ledger.study
        if self._budget.only_front:
            tried = {visit.config.key for visit in study.visits}
            return next((config for config in leading(study) if config.key not in tried), None)
        return propose(study.setup.space, self._goal, history_of(study, self._goal), seed=self._budget.seed)

    def _soak(self, soak_s: float) -> None:
        """Runs the sides of the last duel, or what is recommended without one, once each without a pause."""
        ledger = self._ledger
        number = last_confirmation(ledger.study)
        result = conclude(ledger.study, self._goal)
        sides = (result.duel.candidate, result.duel.baseline) if result.duel else (result.recommended,)
        done = {v.config.key for v in ledger.study.visits if v.phase == "soak" and v.confirmation == number}
        plan = soak.plan(self._budget.plan, soak_s)
        for place, config in enumerate(sides, start=1):
            if config.key not in done and not ledger.watch.stopping():
                started = VisitStarted(phase="soak", number=place, total=len(sides), config=config)
                ledger.visit(started, plan=plan, confirmation=number)

    def _publish(self) -> None:
        """Writes the confirmed values of the front for whoever looks at the database with Optuna's own tools."""
        field_ = survey_field(self._ledger.study, self._goal)
        found = []
        for e in goals.front(field_.estimates.values(), field_.metric, self._goal.against):
            latency = e.latency_ms[field_.metric]
            first = e.throughput_per_s if self._goal.against == "throughput" else e.cpu_ms_per_inference
            if isinstance(latency, Quantity):
                found.append((e.config, (first.value, latency.value)))
        self._store.confirm(self._ledger.study.name, found, latency=field_.metric)


def due(study: Study, reference: Config) -> bool:
    """Whether the last visit to the reference config lies :data:`REFER_EVERY` trials back; it began as a trial."""
    since = 0
    for visit in reversed(study.visits):
        if visit.config.key == reference.key:
            return since >= REFER_EVERY and isinstance(visit.outcome, Block)
        since += visit.phase == "search"
    return False


def history_of(study: Study, goal: Goal) -> History:
    """What a study knows, as a proposal wants it: by each config's own blocks, whose errors are each its own."""
    field_ = survey_field(study, goal)
    owners = study.owners
    readings: dict[str, Reading] = {}
    tried: dict[str, Config] = {}
    infeasible: set[str] = set()
    for visit in study.visits:
        key = visit.config.key
        tried[key] = visit.config
        if isinstance(visit.outcome, Infeasible | Failed):
            infeasible.add(key)
        else:
            infeasible.discard(key)
    for key in tried:
        estimate = field_.alone.get(key) or field_.alone.get(owners.get(key, key))
        if estimate is not None:
            readings[key] = _reading(estimate, field_.metric)
            if _unfit(estimate, goal):
                infeasible.add(key)
    return History(
        first=tuple(dict.fromkeys((*leading(study), *_near(study, field_.strongest)))),
        tried=tried,
        readings=readings,
        infeasible=frozenset(infeasible),
        outside=frozenset(key for key, estimate in field_.alone.items() if estimate.outside),
        shared=owners,
        recent=frozenset(visit.config.key for visit in study.visits[-APART:]),
    )


def leading(study: Study) -> tuple[Config, ...]:
    """OpenVINO's own answers, then the front of the study that this one begins with."""
    return tuple(dict.fromkeys((*(b.config for b in study.setup.baselines), *study.setup.led_by)))


def _unfit(estimate: Estimate, goal: Goal) -> bool:
    """Whether a config breaks a limit that has little to do with how fast it is."""
    memory, error = goal.max_memory_bytes, goal.max_error
    heavy = memory is not None and estimate.memory_bytes > memory
    return heavy or (error is not None and not keeps(estimate.outputs, error)) or not estimate.sustained


def _near(study: Study, strongest: Baseline | None) -> list[Config]:
    """What lies next to OpenVINO's best answer for the goal: half and double of the infer requests that it advises.

    Those of all answers would take more trials than many a search has, where there are several devices.
    """
    if strongest is None:
        return []
    known = {c.key: c for c in study.setup.space.configs}
    nireq = strongest.config.nireq
    near = [replace(strongest.config, nireq=n).key for n in (nireq // 2, 2 * nireq) if n >= 1]
    return [known[key] for key in near if key in known]


def _reading(estimate: Estimate, metric: LatencyMetric) -> Reading:
    if not isinstance(estimate.latency_ms[metric], Quantity):
        raise TypeError(f"{metric} is not available for every config")
    return Reading(
        values={name: goals.merit(estimate, name, metric) for name in QUANTITIES},
        errors={name: goals.error(estimate, name, metric) for name in QUANTITIES},
        blocks=estimate.blocks,
    )
