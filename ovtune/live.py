"""What a running search shows on a terminal: where it stands, what is best so far, and the time left."""

import time

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ovtune import goal as goals
from ovtune.budget import Budget
from ovtune.estimate import Unavailable
from ovtune.field import survey_field
from ovtune.finalist import left_s
from ovtune.goal import Goal
from ovtune.ledger import Begun, Event, VisitEnded, VisitStarted
from ovtune.objective import objective_of
from ovtune.study import Phase, Study
from ovtune.terminal import milliseconds, outcome_words, rate
from ovtune.unit import show_duration
from ovtune.workload import Capacity, ClosedLoop, describe

_CONFIRMING: frozenset[Phase] = frozenset({"elimination", "duel", "capacity", "verification"})


class Progress:
    """What is known of a running search, drawn anew whenever it is asked for.

    Args:
        goal: What is looked for.
        budget: How much it may take.
    """

    def __init__(self, goal: Goal, budget: Budget) -> None:
        self._goal = goal
        self._budget = budget
        self._current: VisitStarted | None = None
        self._study: Study | None = None
        self._standing: list[tuple[str, str]] = []
        self._phase_began = self._phase_ended = time.monotonic()
        self._phase_done = 0
        self._confirmation_began: float | None = None
        self._after_s = budget.confirmation_s(ClosedLoop())
        self._told = time.monotonic()

    def update(self, event: Event) -> str | None:
        """Takes an event in; returns the line that tells it where there is no live view."""
        match event:
            case Begun(study=study):
                self._study = study
                return f"begun with {study.setup.lead.details}" if study.setup.lead is not None else None
            case VisitStarted():
                if self._current is None or _stage(self._current) != _stage(event):
                    self._phase_began, self._phase_done = time.monotonic(), 0
                    self._phase_ended = self._phase_began
                if event.phase in _CONFIRMING and self._confirmation_began is None:
                    self._confirmation_began = self._told = time.monotonic()
                self._current = event
                return None
            case VisitEnded(started=started, study=study):
                self._study = study
                self._phase_done, self._phase_ended = self._phase_done + 1, time.monotonic()
                self._after_s, self._told = self._confirmation_s(study), time.monotonic()
                self._standing = _standing(study, self._goal)
                again = ", once more" if _seen_before(started, study) else ""
                told = outcome_words(event.outcome, self._goal.latency)
                return f"{_label(started)}: {_asked(started)}{again}: {told}"

    def left_s(self) -> float:
        """The time left: what the trials that are left take at the present pace, and what follows them."""
        if self._confirmation_began is None:
            return self._remaining_s() + self._after_s
        return max(0.0, self._after_s - (time.monotonic() - self._told))

    def _confirmation_s(self, study: Study) -> float:
        """What elimination and duel, or the search for a capacity, may take from now on."""
        load = study.setup.workload
        time_s = self._budget.confirmation_s(load)
        spent_s = 0.0 if self._confirmation_began is None else time.monotonic() - self._confirmation_began
        if isinstance(load, Capacity):
            return time_s - spent_s
        return left_s(study, self._goal, time_s=time_s, spent_s=spent_s)

    def __rich__(self) -> RenderableType:
        """The live view."""
        if self._current is None:
            return Text("asking the devices and the model what they are ...", style="dim")
        current = self._current
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text(_label(current), style="bold"),
            ProgressBar(total=current.total, completed=current.number - 1, width=30),
            Text(f"about {show_duration(max(self.left_s(), 1.0))} left"),
        )
        table = Table.grid(padding=(0, 2))
        table.add_row("now", Text(_asked(current), overflow="fold"))
        if self._study is not None and self._study.setup.lead is not None:
            table.add_row("begun with", Text(self._study.setup.lead.words, overflow="fold"))
        for name, value in self._standing:
            table.add_row(name, Text(value, overflow="fold"))
        return Group(line, table)

    def _remaining_s(self) -> float:
        """What the visits that are left of this phase take at its pace, the present one at least nothing."""
        if self._current is None:
            return 0.0
        now = time.monotonic()
        pace = (
            (self._phase_ended - self._phase_began) / self._phase_done if self._phase_done else now - self._phase_began
        )
        after = self._current.total - self._current.number
        return after * pace + max(0.0, pace - (now - self._phase_ended))


def _stage(started: VisitStarted) -> str:
    return "search" if started.phase in {"reference", "check"} else started.phase


def _label(started: VisitStarted) -> str:
    """What is being done: a trial by its number, which counts from 0 as everywhere, and how many have been begun."""
    place = f"{started.number}/{started.total}"
    match started.phase:
        case "search":
            return f"trial {started.number - 1} ({place})"
        case "reference":
            return f"reference ({place})"
        case "check":
            return f"check of a shared measurement ({place})"
        case "elimination":
            return f"elimination visit {started.number}"
        case "soak":
            return f"soak {place}"
        case "duel" | "capacity" | "verification":
            return f"{started.phase} block {place}"


def _seen_before(started: VisitStarted, study: Study) -> bool:
    """Whether an earlier trial of a search had the config of this one."""
    earlier = (v for v in study.visits if v.trial is not None and v.trial < started.number - 1)
    return started.phase == "search" and any(v.config == started.config for v in earlier)


def _asked(started: VisitStarted) -> str:
    """The config that is measured, and the load where it is not that of the search."""
    load = f" under {describe(started.workload)}" if started.workload is not None else ""
    return started.config.words + load


def _standing(study: Study, goal: Goal) -> list[tuple[str, str]]:
    field = survey_field(study, goal)
    if not field.estimates:
        return []
    order = goals.ranked(field.estimates.values(), goal, field.metric)
    weighed = objective_of(goal, list(field.estimates.values()))
    best = weighed.best(weighed.of(e).value for e in field.estimates.values())
    latencies = [q for e in field.estimates.values() if not isinstance(q := e.latency_ms[field.metric], Unavailable)]
    front = goals.front(field.estimates.values(), field.metric, goal.against)
    return [
        (f"best {weighed.short}", f"{rate(best)}{weighed.unit}"),
        (f"best {field.metric}", milliseconds(min(q.value for q in latencies))),
        ("front", f"{len(front)} configs"),
        ("leading", order[0].config.words),
    ]
