"""How the search went: what was known after each trial."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ovtune import goal as goals
from ovtune.estimate import Estimate, Unavailable
from ovtune.report.number import number, rounded
from ovtune.report.palette import SERIES, Mark
from ovtune.report.plot import Axis, Key, Panel, Plot, Section, Series, Spot, Table
from ovtune.report.row import first_trials
from ovtune.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was known after a trial.

    Attributes:
        trial: The trial.
        minutes: The time that all visits up to its end took.
        best: The best config's merit for the goal as a share of that of the best in the end, 0 to 1.
        front: The area that the front dominates as a share of that of the last front, 0 to 1.
        leader: The best config in words; "" while none keeps the limits.
    """

    trial: int
    minutes: float
    best: float
    front: float
    leader: str


def progress_of(result: Result) -> Section:
    """The best config and the front after each trial, over trials and over time."""
    steps = steps_of(result)
    rows = tuple(
        (str(step.trial), number(step.minutes), f"{step.best:.1%}", f"{step.front:.1%}", step.leader) for step in steps
    )
    keys = (
        Key(mark=SERIES["best"], text="best for the goal, as a share of the best in the end"),
        Key(mark=SERIES["front"], text="area below the front (hypervolume, on logarithms), as a share of the last one"),
    )
    columns = ("trial", "minutes", "best for the goal", "hypervolume", "leading")
    why = f" It ended because {result.study.stopped}." if result.study.stopped else ""
    shared = f" {result.sharing.words}." if result.sharing.words else ""
    text = (
        "What was known after each trial, by the estimates of the end: no luck of a single reading is in it."
        f"{why}{shared}"
    )
    return Section(
        name="progress",
        title="The search",
        panels=(
            Panel(
                name="progress-trials",
                title="Over trials",
                text=text,
                plot=_plot(steps, "trial", [float(step.trial) for step in steps]),
                keys=keys,
                table=Table(columns=columns, rows=rows),
            ),
            Panel(
                name="progress-time",
                title="Over time",
                text="The same over the time that the visits took.",
                plot=_plot(steps, "time (minutes)", [step.minutes for step in steps]),
                keys=keys,
            ),
        ),
    )


def steps_of(result: Result) -> tuple[Step, ...]:
    """What was known after each trial that was measured, by the estimates of the end."""
    trials = {number: key for key, number in first_trials(result.study.visits).items()}
    spent, minutes = 0.0, {}
    for visit in result.study.visits:
        spent += visit.outcome.cost_s
        if visit.trial is not None:
            minutes[visit.trial] = spent / 60
    goal, metric = result.goal, result.metric
    final = _merit(goals.ranked(result.estimates.values(), goal, metric)[0], result)
    corner = _corner(result)
    whole = _area(result.front, corner, result)
    steps: list[Step] = []
    front: list[Estimate] = []
    best: Estimate | None = None
    for trial, spent_minutes in minutes.items():
        estimate = result.estimates.get(trials.get(trial, ""))
        if estimate is not None:
            front = goals.front([*front, estimate], metric, goal.against)
            if not goals.breaches(estimate, goal, metric):
                best = estimate if best is None else goals.ranked([best, estimate], goal, metric)[0]
        steps.append(
            Step(
                trial=trial,
                minutes=rounded(spent_minutes),
                best=0.0 if best is None else min(rounded(math.exp(_merit(best, result) - final)), 1.0),
                front=rounded(_area(front, corner, result) / whole) if whole else 1.0,
                leader="" if best is None else best.config.words,
            )
        )
    return tuple(steps)


def _plot(steps: Sequence[Step], title: str, places: Sequence[float]) -> Plot:
    def series(name: str, shares: Sequence[float], mark: Mark) -> Series:
        spots = tuple(
            Spot(
                x=place,
                y=share,
                trial=step.trial,
                text=f"trial {step.trial}, {number(step.minutes)} min: {name} {share:.1%}\n{step.leader}",
            )
            for place, share, step in zip(places, shares, steps, strict=True)
        )
        return Series(name=name, mark=mark, spots=spots, kind="steps")

    return Plot(
        label=f"the best for the goal and the hypervolume of the front over {title}",
        x=Axis(title=title),
        y=Axis(title="share of the end's", ends=(0.0, 1.05)),
        series=(
            series("hypervolume", [step.front for step in steps], SERIES["front"]),
            series("best for the goal", [step.best for step in steps], SERIES["best"]),
        ),
        low=True,
    )


def _merit(estimate: Estimate, result: Result) -> float:
    return goals.merit(estimate, result.goal.prefer, result.metric)


def _place(estimate: Estimate, result: Result) -> tuple[float, float]:
    """How good it is on the front's two axes, on logarithms."""
    latency = estimate.latency_ms[result.metric]
    slow = math.inf if isinstance(latency, Unavailable) else math.log(latency.value)
    return goals.merit(estimate, result.goal.against, result.metric), -slow


def _corner(result: Result) -> tuple[float, float]:
    """The worst of both axes, from which the area is counted."""
    places = [_place(estimate, result) for estimate in result.estimates.values()]
    return min(y for y, _ in places), min((x for _, x in places if math.isfinite(x)), default=0.0)


def _area(front: Sequence[Estimate], corner: tuple[float, float], result: Result) -> float:
    """The area that a front dominates beyond the corner."""
    area = reached = 0.0
    for high, right in sorted((_place(estimate, result) for estimate in front), reverse=True):
        width = right - corner[1]
        if width > reached:
            area += (high - corner[0]) * (width - reached)
            reached = width
    return area
