"""A chart as plain values: series of spots in a frame, which the page draws with scripts and without."""

from dataclasses import dataclass
from typing import Literal

from ovtune.report.palette import Mark

_MOST_STILL = 600
Kind = Literal["dots", "line", "steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a chart.

    Attributes:
        title: What it counts, with its unit.
        logarithmic: Whether equal ratios are equal distances.
        ticks: Places and what is written there, instead of round numbers.
        ends: Its ends; None for a little more than the values.
    """

    title: str
    logarithmic: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One value: where it lies, what is told of it, the ends of its interval, and the trial that it belongs to."""

    x: float
    y: float
    text: str
    low: float | None = None
    high: float | None = None
    trial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one kind: single dots, or joined by lines, or by steps that hold a value until the next."""

    name: str
    mark: Mark
    spots: tuple[Spot, ...]
    kind: Kind = "dots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line across the chart at a value of one axis, with what is written at it."""

    at: float
    text: str = ""
    strong: bool = False
    vertical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart.

    Attributes:
        label: What it shows, for those who do not see it.
        x: The axis that runs to the right.
        y: The axis that runs up.
        series: What is drawn, the last one on top.
        rules: Lines across it.
        band: Values of the upward axis that are as good as each other.
        low: Whether it is drawn lower than others.
    """

    label: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()
    band: tuple[float, float] | None = None
    low: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Parallel coordinates: an upright axis for each quantity, a line through them for each config.

    Attributes:
        label: What it shows, for those who do not see it.
        axes: The axes, each with its ticks.
        lines: For each config where it crosses the axes, from 0 at the foot to 1 at the head.
        shades: How its line is coloured: by one of :data:`palette.SHADES`, the last one for the best.
        texts: What is told of it.
        trials: Its trial.
    """

    label: str
    axes: tuple[Axis, ...]
    lines: tuple[tuple[float, ...], ...]
    shades: tuple[int, ...]
    texts: tuple[str, ...]
    trials: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a matrix: its lines, and how strongly it is shaded, 0 to 1; no lines where nothing was measured."""

    lines: tuple[str, ...] = ()
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Cells by the values of two parameters."""

    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of a chart for those who read rather than look: a row's first cell names it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of what stands below a chart: a mark, or None for the band, and what it means."""

    mark: Mark | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A chart with what belongs to it.

    Attributes:
        name: What the page calls it; letters and dashes, unlike any other panel's.
        title: Its heading.
        text: What is to be said before it.
        plot: The chart; None where there is nothing to draw, which ``text`` explains.
        matrix: What is shown as a matrix instead.
        keys: What its marks mean.
        table: Its figures.
        small: Whether several of them stand beside each other.
    """

    name: str
    title: str
    text: str
    plot: Plot | Parallel | None = None
    matrix: Matrix | None = None
    keys: tuple[Key, ...] = ()
    table: Table | None = None
    small: bool = False

    @property
    def low(self) -> bool:
        """Whether its chart is drawn lower than others."""
        return isinstance(self.plot, Plot) and self.plot.low

    @property
    def wide(self) -> bool:
        """Whether its chart needs more room to the sides than a phone has."""
        return isinstance(self.plot, Parallel)

    @property
    def drawn(self) -> Plot | None:
        """The chart where it is drawn without scripts, too: not the small ones, and not with very many spots."""
        if not isinstance(self.plot, Plot) or self.small:
            return None
        return self.plot if sum(len(series.spots) for series in self.plot.series) <= _MOST_STILL else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: panels under one heading."""

    name: str
    title: str
    panels: tuple[Panel, ...]
