"""The view-model of a comparison: two studies in one page, as plain values."""

from dataclasses import dataclass

from ovtune import goal as goals
from ovtune.comparison import Comparison, Contest, common_words, contest_words
from ovtune.estimate import Estimate, Quantity
from ovtune.report.course import version
from ovtune.report.number import amount, rounded
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
    note: str
    contests: tuple[ContestRow, ...]
    changes: tuple[Change, ...]
    fronts: Panel


def versus_of(comparison: Comparison, names: tuple[str, str]) -> Versus:
    """What the page shows of a comparison of the studies ``names``."""
    return Versus(
        version=version(),
        names=names,
        common=common_words(comparison, names),
        note=note_of(comparison, names),
        contests=tuple(_row(contest, comparison, names) for contest in comparison.contests),
        changes=tuple(
            Change(name=c.name, first=c.first, second=c.second, differs=c.differs) for c in comparison.circumstances
        ),
        fronts=_fronts(comparison, names),
    )


def note_of(comparison: Comparison, names: tuple[str, str]) -> str:
    """What is to be known before the figures are believed."""
    beginning = (
        f"Both under the goal of {names[0]}, by the estimates of search and elimination. The intervals hold the noise "
        "between blocks, not a change of the host from one study to the other: run both anew, or let ovtune check "
        "--against decide in one job."
    )
    said = [beginning]
    if comparison.metric != comparison.goal.latency:
        said.append(
            f"Not every config has enough samples for {comparison.goal.latency}: compared by {comparison.metric}."
        )
    loads = {c.name: c for c in comparison.circumstances}["load"]
    if loads.differs:
        said.append(f"The loads differ ({loads.first}; {loads.second}): their figures do not compare.")
    return " ".join(said)


def figures_of(estimate: Estimate, comparison: Comparison) -> str:
    """What a config does, in words."""
    latency = amount(estimate.latency_ms[comparison.metric], " ms")
    return f"{amount(estimate.throughput_per_s, '/s').full}, {comparison.metric} {latency.full}"


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
    both = tuple(zip(names, (comparison.first, comparison.second), SIDES, strict=True))
    rows = tuple(
        (
            name,
            e.config.words,
            amount(e.throughput_per_s, "/s").full,
            amount(e.latency_ms[comparison.metric], " ms").full,
        )
        for name, result, _ in both
        for e in goals.front(result.estimates.values(), comparison.metric, "throughput")
    )
    series = tuple(one for name, result, marks in both for one in _series(name, result, marks, comparison))
    return Panel(
        name="fronts",
        title="The fronts",
        text="Every measured config; the line joins those that no other one of the same study beats in both.",
        plot=Plot(
            label="throughput over latency of both studies",
            x=Axis(title=f"{comparison.metric} latency (ms)", logarithmic=True),
            y=Axis(title="throughput (inferences/s)", logarithmic=True),
            series=series,
        ),
        keys=tuple(Key(mark=marks[0], text=name) for name, _, marks in both),
        table=Table(columns=("study", "config on the front", "throughput", comparison.metric), rows=rows),
    )


def _series(name: str, result: Result, marks: tuple[Mark, Mark], comparison: Comparison) -> tuple[Series, Series]:
    metric = comparison.metric
    told = [e for e in result.estimates.values() if isinstance(e.latency_ms[metric], Quantity)]
    front = list(reversed(goals.front(told, metric, "throughput")))

    def spots(estimates: list[Estimate]) -> tuple[Spot, ...]:
        return tuple(
            Spot(
                x=rounded(latency.value),
                y=rounded(e.throughput_per_s.value),
                low=rounded(e.throughput_per_s.low),
                high=rounded(e.throughput_per_s.high),
                text=f"{name}\n{e.config.words}\n{figures_of(e, comparison)}",
            )
            for e in estimates
            if isinstance(latency := e.latency_ms[metric], Quantity)
        )

    return (
        Series(name=f"{name}, front", mark=marks[1], spots=spots(front), kind="steps"),
        Series(name=name, mark=marks[0], spots=spots(told)),
    )
