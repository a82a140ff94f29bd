"""After a search that asks for a capacity: blocks under one load after the other, until each finalist's is known."""

from dataclasses import replace

from ovtune.capacity import Try, joined_by, load_at, seconds, tolerance_of
from ovtune.goal import Goal
from ovtune.ledger import Ledger, VisitStarted
from ovtune.lineup import Finding, findings
from ovtune.measurement import Plan
from ovtune.workload import Capacity

_USUAL_BLOCKS = 15
"""About how many blocks one finalist takes: for the view of how far a search is."""
_VISIT_S, _SLACK = 3.0, 4.0
_VERIFYING_SEED = 1_000_000


class Probing:
    """The capacity search over the study of a ledger, whose load asks for one.

    Args:
        ledger: The study.
        goal: What is looked for, with its limit.
        plan: How each visit is made, but for its load and its length.
        seed: Seeds the arrivals.
        time_s: The time for it.
    """

    def __init__(self, ledger: Ledger, *, goal: Goal, plan: Plan, seed: int, time_s: float) -> None:
        load = ledger.study.setup.workload
        if not isinstance(load, Capacity):
            raise TypeError(f"{load} asks for no capacity")
        self._ledger = ledger
        self._goal = goal
        self._plan = plan
        self._seed = seed
        self._time_s = time_s
        self._load: Capacity = load
        self._tolerance = tolerance_of(goal, load)

    @property
    def settled(self) -> bool:
        """Whether no further block is due."""
        return self._next() is None

    def run(self) -> None:
        """Makes the blocks that are due; what was cut off is taken up where it stood."""
        watch = self._ledger.watch
        until = watch.clock() + self._time_s
        while (due := self._next()) is not None and not watch.stopping():
            finding, wanted = due
            duration_s = seconds(self._load, wanted, self._tolerance, joined_by(finding.config))
            if watch.clock() + duration_s + _VISIT_S > until:
                return
            self._visit(finding, wanted, duration_s)

    def _visit(self, finding: Finding, wanted: Try, duration_s: float) -> None:
        study, workload = self._ledger.study, load_at(self._load, wanted.number)
        made = [v for v in study.visits if v.phase == wanted.stage]
        same = sum(v.config.key == finding.config.key and v.workload == workload for v in made)
        total = max(_USUAL_BLOCKS * len(findings(study, self._goal)), len(made) + 1)
        started = VisitStarted(
            phase=wanted.stage, number=len(made) + 1, total=total, config=finding.config, workload=workload
        )
        fresh = _VERIFYING_SEED if wanted.stage == "verification" else 0
        plan = replace(
            self._plan,
            duration_s=duration_s,
            longest_s=max(duration_s, self._plan.longest_s),
            timeout_s=self._plan.timeout_s + _SLACK * duration_s,
            seed=self._seed + fresh + same,
        )
        self._ledger.visit(started, plan=plan, round_=same)

    def _next(self) -> tuple[Finding, Try] | None:
        """The first finalist of which a block is due, and which one."""
        return next(((f, f.due) for f in findings(self._ledger.study, self._goal) if f.due is not None), None)
