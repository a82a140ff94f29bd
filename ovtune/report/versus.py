"""The view-model of a comparison: two studies in one page, as plain values."""

from dataclasses import dataclass

from ovtune import goal as goals
from ovtune.comparison import Comparison, Contest, common_words, contest_words, notes_of
from ovtune.estimate import Estimate, Quantity
from ovtune.report.course import version
from ovtune.report.number import amount, rounded, weighed
from ovtune.report.palette import SIDES, Mark
from ovtune.report.plot import Axis, Key, Panel, Plot, Series, Spot, Table
from ovtune.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestRow:
    """One preference: its name, who wins, and each side's config and figures in words."""

    name: str
    outcome: str
    first: str
    first_figures: str
    second: str
    second_figures: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One circumstance: its name and what it was in each study."""

    name: str
    first: str
    second: str
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """The content of the page that compares two studies."""

    version: str
    names: tuple[str, str]
    common: str
    notes: tuple[str, ...]
    contests: tuple[ContestRow, ...]
    changes: tuple[Change, ...]
    fronts: Panel


def versus_of(comparison: Comparison, names: tuple[str, str]) -> Versus:
    """What the page shows of a comparison of the studies ``names``."""
    return Versus(
        version=version(),
        names=names,
        common=common_words(comparison, names),
        notes=notes_of(comparison, names),
        contests=tuple(_row(contest, comparison, names) for contest in comparison.contests),
        changes=tuple(
            Change(name=c.name, first=c.first, second=c.second, differs=c.differs) for c in comparison.circumstances
        ),
        fronts=_fronts(comparison, names),
    )


def figures_of(estimate: Estimate, comparison: Comparison) -> str:
    """What a config does, in words."""
    latency = amount(estimate.latency_ms[comparison.metric], " ms")
    objective = comparison.objective
    return f"{objective.prefix}{weighed(estimate, objective).full}, {comparison.metric} {latency.full}"


def _row(contest: Contest, comparison: Comparison, names: tuple[str, str]) -> ContestRow:
    return ContestRow(
        name=contest.prefer,
        outcome=contest_words(contest, names),
        first=contest.first.config.words,
        first_figures=figures_of(contest.first, comparison),
        second=contest.second.config.words,
        second_figures=figures_of(contest.second, comparison),
    )


def _fronts(comparison: Comparison, names: tuple[str, str]) -> Panel:
    """The fronts over each other, with all measured configs behind them."""
    objective = comparison.objective
    both = tuple(zip(names, (comparison.first, comparison.second), SIDES, strict=True))
    rows = tuple(
        (
            name,
            e.config.words,
            weighed(e, objective).full,
            amount(e.latency_ms[comparison.metric], " ms").full,
        )
        for name, result, _ in both
        for e in goals.front(result.estimates.values(), comparison.metric, comparison.goal.against)
    )
    series = tuple(one for name, result, marks in both for one in _series(name, result, marks, comparison))
    return Panel(
        name="fronts",
        title="The fronts",
        text="Every measured config; the line joins those that no other one of the same study beats in both.",
        plot=Plot(
            label=f"{objective.short} over latency of both studies",
            x=Axis(title=f"{comparison.metric} latency (ms)", logarithmic=True),
            y=Axis(title=objective.title, logarithmic=True),
            series=series,
        ),
        keys=tuple(Key(mark=marks[0], text=name) for name, _, marks in both),
        table=Table(columns=("study", "config on the front", objective.short, comparison.metric), rows=rows),
    )


def _series(name: str, result: Result, marks: tuple[Mark, Mark], comparison: Comparison) -> tuple[Series, Series]:
    metric = comparison.metric
    told = [e for e in result.estimates.values() if isinstance(e.latency_ms[metric], Quantity)]
    front = list(reversed(goals.front(told, metric, comparison.goal.against)))

    def spot(estimate: Estimate, latency: Quantity) -> Spot:
        told_of = weighed(estimate, comparison.objective)
        return Spot(
            x=rounded(latency.value),
            y=rounded(comparison.objective.of(estimate).value),
            low=told_of.low,
            high=told_of.high,
            text=f"{name}\n{estimate.config.words}\n{figures_of(estimate, comparison)}",
        )

    def spots(estimates: list[Estimate]) -> tuple[Spot, ...]:
        return tuple(spot(e, latency) for e in estimates if isinstance(latency := e.latency_ms[metric], Quantity))

    return (
        Series(name=f"{name}, front", mark=marks[1], spots=spots(front), kind="steps"),
        Series(name=name, mark=marks[0], spots=spots(told)),
    )
