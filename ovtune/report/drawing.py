"""Static drawings of the charts: places in pixels, for readers without scripts and for print."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ovtune.report.chart import Chart
from ovtune.report.number import given, number
from ovtune.report.palette import BALANCED, ROLES, Mark
from ovtune.report.plot import Axis, Plot, Series

_TICKS = 6
_ROOM = 0.06
_LETTER = 6.6
"""How wide a letter of an axis is at most, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One mark with the ends of its intervals, in pixels; a faint one matters less."""

    mark: Mark
    faint: bool
    letter: str
    title: str
    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line across the drawing, with what is written at it."""

    x1: float
    y1: float
    x2: float
    y2: float
    text: str
    strong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line through a series, as an SVG path."""

    colour: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A shaded rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart in pixels: ``left`` to ``right`` and ``top`` to ``bottom`` is where the points lie."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    shade: Box | None
    strokes: tuple[Stroke, ...]
    rules: tuple[Rule, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A scale from values to pixels, straight or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The pixel of ``value``, kept inside of the axis."""
        low, high, place = (self._scaled(v) for v in (self.low, self.high, min(max(value, self.low), self.high)))
        return round(self.start + (place - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """Round values along the axis: 1, 2, 5, 10 ... where it spans a power of ten or more, else evenly spaced."""
        if self.logarithmic and self.high >= 10 * self.low:
            powers = range(_exponent(self.low), _exponent(self.high) + 1)
            values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            kept = [v for v in values if self.low <= v <= self.high]
            return tuple(Tick(at=self.at(v), text=given(v)) for v in kept)
        step = _step((self.high - self.low) / _TICKS)
        places = max(0, -_exponent(step))
        steps = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return tuple(Tick(at=self.at(k * step), text=number(k * step, places=places)) for k in steps)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def draw_front(chart: Chart) -> Drawing:
    """The front for one metric."""
    width, height = 760.0, 420.0
    left, right, top, bottom = 70.0, width - 16, 16.0, height - 52
    wide = chart.logarithmic
    xs = [v for p in chart.points for v in (p.x.low, p.x.value, p.x.high)]
    ys = [v for p in chart.points for v in (p.y.low, p.y.value, p.y.high)]
    x_axis = _axis([*xs, *(one.value for one in chart.limits if one.on_latency)], left, right, logarithmic=wide)
    y_axis = _axis([*ys, *(one.value for one in chart.limits if not one.on_latency)], bottom, top, logarithmic=wide)
    dots = []
    for point in chart.points:
        x, y = point.x.value or 0.0, point.y.value or 0.0
        dots.append(
            Dot(
                mark=ROLES[point.role],
                faint=point.role == "other",
                letter=point.letter,
                title=f"trial {point.trial}: {point.words}; {point.y.full}; {point.x.full}",
                x=x_axis.at(x),
                y=y_axis.at(y),
                x_low=x_axis.at(_or(point.x.low, x)),
                x_high=x_axis.at(_or(point.x.high, x)),
                y_low=y_axis.at(_or(point.y.low, y)),
                y_high=y_axis.at(_or(point.y.high, y)),
            )
        )
    around = next((dot for dot, p in zip(dots, chart.points, strict=True) if p.trial == chart.balanced), None)
    if around is not None:
        x, y = around.x, around.y
        ends = {"x_low": x, "x_high": x, "y_low": y, "y_high": y}
        dots.append(replace(around, mark=BALANCED, faint=False, letter="", title=BALANCED.label, **ends))
    rules = tuple(
        Rule(x1=x_axis.at(one.value), y1=top, x2=x_axis.at(one.value), y2=bottom, text=one.text, strong=True)
        if one.on_latency
        else Rule(x1=left, y1=y_axis.at(one.value), x2=right, y2=y_axis.at(one.value), text=one.text, strong=True)
        for one in chart.limits
    )
    return Drawing(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_title=chart.x_title,
        y_title=chart.y_title,
        x_ticks=x_axis.ticks(),
        y_ticks=y_axis.ticks(),
        shade=None,
        strokes=(
            Stroke(colour=ROLES["front"].colour, path=_stairs([(x_axis.at(x), y_axis.at(y)) for x, y in chart.line])),
        ),
        rules=rules,
        dots=tuple(dots),
    )


def draw_plot(plot: Plot) -> Drawing:
    """A chart of series."""
    width, height = 760.0, 300.0 if plot.low else 420.0
    widest = max((len(text) for _, text in plot.y.ticks), default=0)
    left, right, top, bottom = max(70.0, 34 + _LETTER * widest), width - 16, 16.0, height - 52
    spots = [spot for series in plot.series for spot in series.spots]
    ends = [v for s in spots for v in (s.y, s.low, s.high)]
    x_axis = _scale(plot.x, [s.x for s in spots] + [r.at for r in plot.rules if r.vertical], left, right)
    levels = [*ends, *(plot.band or ()), *(r.at for r in plot.rules if not r.vertical)]
    y_axis = _scale(plot.y, levels, bottom, top)
    rules = tuple(
        Rule(x1=x_axis.at(rule.at), y1=top, x2=x_axis.at(rule.at), y2=bottom, text=rule.text, strong=rule.strong)
        if rule.vertical
        else Rule(x1=left, y1=y_axis.at(rule.at), x2=right, y2=y_axis.at(rule.at), text=rule.text, strong=rule.strong)
        for rule in plot.rules
    )
    shade = None
    if plot.band is not None:
        low, high = (y_axis.at(value) for value in plot.band)
        shade = Box(x=left, y=high, width=right - left, height=round(low - high, 1))
    return Drawing(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_title=plot.x.title,
        y_title=plot.y.title,
        x_ticks=_ticks(plot.x, x_axis),
        y_ticks=_ticks(plot.y, y_axis),
        shade=shade,
        strokes=tuple(_stroke(series, x_axis, y_axis) for series in plot.series if series.kind != "dots"),
        rules=rules,
        dots=tuple(dot for series in plot.series if series.kind == "dots" for dot in _dots(series, x_axis, y_axis)),
    )


def _scale(axis: Axis, values: Sequence[float | None], start: float, end: float) -> _Axis:
    if axis.ends is not None:
        return _Axis(low=axis.ends[0], high=axis.ends[1], start=start, end=end, logarithmic=axis.logarithmic)
    return _axis(values, start, end, logarithmic=axis.logarithmic)


def _ticks(axis: Axis, scale: _Axis) -> tuple[Tick, ...]:
    if not axis.ticks:
        return scale.ticks()
    return tuple(Tick(at=scale.at(at), text=text) for at, text in axis.ticks if scale.low <= at <= scale.high)


def _stroke(series: Series, x_axis: _Axis, y_axis: _Axis) -> Stroke:
    places = [(x_axis.at(spot.x), y_axis.at(spot.y)) for spot in series.spots]
    if series.kind == "steps":
        return Stroke(colour=series.mark.colour, path=_stairs(places))
    path = " ".join(f"{'L' if i else 'M'}{x},{y}" for i, (x, y) in enumerate(places))
    return Stroke(colour=series.mark.colour, path=path)


def _dots(series: Series, x_axis: _Axis, y_axis: _Axis) -> Iterable[Dot]:
    for spot in series.spots:
        x, y = x_axis.at(spot.x), y_axis.at(spot.y)
        low, high = y_axis.at(_or(spot.low, spot.y)), y_axis.at(_or(spot.high, spot.y))
        yield Dot(
            mark=series.mark,
            faint=series.mark.hollow,
            letter="",
            title=spot.text,
            x=x,
            y=y,
            x_low=x,
            x_high=x,
            y_low=low,
            y_high=high,
        )


def _axis(values: Iterable[float | None], start: float, end: float, *, logarithmic: bool = False) -> _Axis:
    """An axis with a little room on both sides of the values."""
    known = [v for v in values if v is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if logarithmic:
        room = (high / low) ** _ROOM if high > low else 1 + _ROOM
        return _Axis(low=low / room, high=high * room, start=start, end=end, logarithmic=True)
    room = _ROOM * (high - low) or _ROOM * abs(high) or 1.0
    return _Axis(low=max(low - room, 0.0) if low >= 0 else low - room, high=high + room, start=start, end=end)


def _step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least ``least``."""
    power = 10.0 ** _exponent(least)
    return next(k * power for k in (1, 2, 5, 10) if k * power >= least * (1 - 1e-9))


def _exponent(value: float) -> int:
    return math.floor(math.log10(value))


def _stairs(places: Sequence[tuple[float, float]]) -> str:
    """A path that goes right, then up or down, from each place to the next."""
    if not places:
        return ""
    path = f"M{places[0][0]},{places[0][1]}"
    return path + "".join(f"H{x}V{y}" for x, y in places[1:])


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value
