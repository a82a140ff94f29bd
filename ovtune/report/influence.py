"""Why: what each parameter does to latency and to what that is weighed against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ovtune.config import Scalar, parameters
from ovtune.estimate import Quantity
from ovtune.importance import ENOUGH, Importance
from ovtune.measurement import LatencyMetric
from ovtune.objective import Objective, objective_of
from ovtune.report.number import number, rounded
from ovtune.report.palette import SERIES, SHADES, Mark
from ovtune.report.plot import (
    Axis,
    Cell,
    Key,
    Matrix,
    Panel,
    Parallel,
    Plot,
    Section,
    Series,
    Spot,
    Table,
)
from ovtune.report.row import first_trials
from ovtune.result import Result
from ovtune.wanted import UNSET

_MOST_AXES = 8
_TICKS = 20
"""As many fit beside an axis of the parallel coordinates."""
_ASIDE = 0.12
"""How far beside a value's place its two kinds of dots stand."""
_MATRICES = (("device", "hint"), ("nireq", "batch_size"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A measured config: its parameters, what it does, and its trial."""

    values: dict[str, Scalar]
    words: str
    trial: int | None
    weighed: float
    latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measures:
    """By what the configs are told: the latency, and what that is weighed against."""

    metric: LatencyMetric
    objective: Objective

    def words(self, weighed: float) -> str:
        """A value of the latter with its unit."""
        return f"{number(weighed)}{self.objective.unit}"

    def both(self, one: _Seen) -> str:
        """What a config does, in words."""
        return f"{self.objective.prefix}{self.words(one.weighed)}, {self.metric} {number(one.latency_ms)} ms"


def influence_of(result: Result, found: Sequence[Importance]) -> Section:
    """The importance of each parameter, what its values come to, and how they go together."""
    by = _Measures(metric=result.metric, objective=objective_of(result.goal, result.estimates.values()))
    seen = _seen(result, by.objective)
    varied = [one.parameter for one in found] or _varied(seen)
    panels = [_importance(found, len(seen), by)]
    if len(seen) > 1 and varied:
        panels += [_parameter(place, name, seen, by) for place, name in enumerate(varied)]
        panels.append(_parallel(varied[:_MOST_AXES], seen, by))
        panels += [_matrix(row, column, seen, by) for row, column in _MATRICES]
    return Section(name="influence", title="Why", panels=tuple(panels))


def _seen(result: Result, objective: Objective) -> list[_Seen]:
    trials = first_trials(result.study.visits)
    return [
        _Seen(
            values=parameters(e.config),
            words=e.config.words,
            trial=trials.get(key),
            weighed=objective.of(e).value,
            latency_ms=latency.value,
        )
        for key, e in result.estimates.items()
        if isinstance(latency := e.latency_ms[result.metric], Quantity)
    ]


def _varied(seen: Sequence[_Seen]) -> list[str]:
    names = dict.fromkeys(name for one in seen for name in one.values)
    return [name for name in names if len(_values(name, seen)) > 1]


def _values(name: str, seen: Sequence[_Seen]) -> list[Scalar]:
    """The values of a parameter that were measured, numbers by size and before others."""
    found = {one.values.get(name, UNSET) for one in seen}
    return sorted(found, key=lambda v: (isinstance(v, str), str(v) if isinstance(v, str) else "", _size(v)))


def _size(value: Scalar) -> float:
    return 0.0 if isinstance(value, str) else float(value)


def _importance(found: Sequence[Importance], measured: int, by: _Measures) -> Panel:
    title = "What matters most"
    if not found:
        text = f"{measured} configs are too few to tell which parameters matter."
        return Panel(name="importance", title=title, text=text)
    text = (
        f"How much each parameter decides whether a config is among the best, for {by.objective.name} and for "
        f"{by.metric} latency, by PED-ANOVA; all parameters together make 100 %."
    )
    if measured < ENOUGH:
        text += f" From {measured} configs: below {ENOUGH}, take this as a hint and not as a finding."
    order = list(reversed(found))
    ticks = tuple((float(place), one.parameter) for place, one in enumerate(order))

    def series(name: str, mark: Mark, shares: Sequence[float]) -> Series:
        spots = tuple(
            Spot(x=rounded(share), y=float(place), text=f"{one.parameter}: {share:.0%} for {name}")
            for place, (one, share) in enumerate(zip(order, shares, strict=True))
        )
        return Series(name=name, mark=mark, spots=spots)

    both = (
        series(by.objective.name, SERIES["throughput"], [one.weighed for one in order]),
        series(f"{by.metric} latency", SERIES["latency"], [one.latency for one in order]),
    )
    return Panel(
        name="importance",
        title=title,
        text=text,
        plot=Plot(
            label=f"the importance of each parameter for {by.objective.short} and latency",
            x=Axis(title="importance", ends=(-0.02, 1.02), ticks=tuple((k / 4, f"{k / 4:.0%}") for k in range(5))),
            y=Axis(title="", ticks=ticks, ends=(-0.6, len(order) - 0.4)),
            series=both,
        ),
        keys=tuple(Key(mark=one.mark, text=one.name) for one in both),
        table=Table(
            columns=("parameter", f"for {by.objective.name}", f"for {by.metric} latency"),
            rows=tuple((one.parameter, f"{one.weighed:.0%}", f"{one.latency:.0%}") for one in found),
        ),
    )


def _parameter(nth: int, name: str, seen: Sequence[_Seen], by: _Measures) -> Panel:
    """What the values of one parameter come to."""
    values = _values(name, seen)
    objective = by.objective
    top, quickest = objective.best(one.weighed for one in seen), min(one.latency_ms for one in seen)
    fast: list[Spot] = []
    quick: list[Spot] = []
    for one in seen:
        place = float(values.index(one.values.get(name, UNSET)))
        own = f"trial {one.trial}, {name} {one.values.get(name, UNSET)}"
        told = f"{objective.prefix}{by.words(one.weighed)}"
        fast.append(_spot(place - _ASIDE, objective.share(one.weighed, top), f"{own}: {told}", one))
        told = f"{by.metric} {number(one.latency_ms)} ms"
        quick.append(_spot(place + _ASIDE, quickest / one.latency_ms, f"{own}: {told}", one))
    rows = []
    for value in values:
        those = [one for one in seen if one.values.get(name, UNSET) == value]
        best, least = objective.best(one.weighed for one in those), min(one.latency_ms for one in those)
        rows.append((str(value), str(len(those)), by.words(best), f"{number(least)} ms"))
    return Panel(
        name=f"parameter-{nth}",
        title=name,
        text="",
        small=True,
        plot=Plot(
            label=f"{objective.short} and latency of the configs by {name}",
            x=Axis(
                title="",
                ticks=tuple((float(place), str(value)) for place, value in enumerate(values)),
                ends=(-0.6, len(values) - 0.4),
            ),
            y=Axis(title="share of the best", ends=(0.0, 1.05)),
            series=(
                Series(name=objective.short, mark=SERIES["throughput"], spots=tuple(fast)),
                Series(name="latency", mark=SERIES["latency"], spots=tuple(quick)),
            ),
            low=True,
        ),
        table=Table(columns=(name, "configs", objective.best_words, f"least {by.metric}"), rows=tuple(rows)),
    )


def _spot(x: float, share: float, text: str, one: _Seen) -> Spot:
    return Spot(x=x, y=rounded(share), text=text, trial=one.trial)


def _parallel(names: Sequence[str], seen: Sequence[_Seen], by: _Measures) -> Panel:
    """A line for each config through its parameters, its latency and what that is weighed against, the best on top."""
    objective = by.objective
    order = sorted(seen, key=lambda one: objective.merit(one.weighed))
    axes, columns = [], []
    for name in names:
        values = _values(name, seen)
        places = np.linspace(0, 1, len(values))
        ticks = tuple((rounded(at), str(value)) for at, value in zip(places, values, strict=True))
        axes.append(Axis(title=name, ticks=ticks[:: len(ticks) // _TICKS + 1]))
        columns.append([rounded(places[values.index(one.values.get(name, UNSET))]) for one in order])
    for title, figures in (
        (f"{by.metric} (ms)", [one.latency_ms for one in order]),
        (f"{objective.short} ({objective.unit.strip()})", [one.weighed for one in order]),
    ):
        logs = np.log(figures)
        low, high = float(logs.min()), float(logs.max())
        ticks = tuple((share, number(math.exp(low + share * (high - low)))) for share in (0.0, 0.5, 1.0))
        axes.append(Axis(title=title, ticks=ticks))
        columns.append([rounded((log - low) / (high - low or 1.0)) for log in logs])
    told = [f"{one.words}\n{by.both(one)}" for one in order]
    return Panel(
        name="parallel",
        title="How they go together",
        text=(
            f"A line for each measured config, the lighter the {'more' if objective.more else 'less'} "
            f"{objective.short}."
        ),
        plot=Parallel(
            label=f"parameters, latency and {objective.short} of each measured config",
            axes=tuple(axes),
            lines=tuple(zip(*columns, strict=True)),
            shades=tuple(int(place * len(SHADES) / len(order)) for place in range(len(order))),
            texts=tuple(told),
            trials=tuple(one.trial for one in order),
        ),
    )


def _matrix(row: str, column: str, seen: Sequence[_Seen], by: _Measures) -> Panel:
    """The least latency, and the best of what that is weighed against, for each pair of values."""
    objective = by.objective
    top = objective.best(one.weighed for one in seen)
    columns = _values(column, seen)
    rows = []
    for value in _values(row, seen):
        cells = []
        for other in columns:
            those = [
                one for one in seen if (one.values.get(row, UNSET), one.values.get(column, UNSET)) == (value, other)
            ]
            if not those:
                cells.append(Cell())
                continue
            best, least = objective.best(one.weighed for one in those), min(one.latency_ms for one in those)
            share = rounded(objective.share(best, top))
            cells.append(Cell(lines=(by.words(best), f"{number(least)} ms"), share=share))
        rows.append((str(value), tuple(cells)))
    return Panel(
        name=f"matrix-{row}-{column}".replace("_", "-"),
        title=f"{row} and {column}",
        text=(
            f"The {objective.best_words} and the least {by.metric} that were measured for each pair of values, not "
            f"always by the same config; a stronger colour is {'more' if objective.more else 'less'} "
            f"{objective.short}."
        ),
        matrix=Matrix(corner=f"{row} \\ {column}", columns=tuple(str(value) for value in columns), rows=tuple(rows)),
    )
