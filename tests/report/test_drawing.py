import dataclasses
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovtune.report.chart import Chart
from ovtune.report.drawing import draw_front, draw_plot
from ovtune.report.number import Amount
from ovtune.report.palette import SERIES
from ovtune.report.plot import Axis, Kind, Plot, Rule, Series, Spot
from ovtune.report.view import view_of
from tests.report import sample


@functools.cache
def chart() -> Chart:
    """The chart of the usual study."""
    return view_of(sample.result()).chart


def chart_of(places: list[tuple[float, float]]) -> Chart:
    """A chart with points at these places, all of them on the front."""
    points = [
        dataclasses.replace(
            chart().points[0],
            x=Amount(text="", value=x, low=x / 1.1, high=x * 1.1),
            y=Amount(text="", value=y, low=y / 1.1, high=y * 1.1),
        )
        for x, y in places
    ]
    return dataclasses.replace(chart(), points=tuple(points), line=tuple(places), limits=())


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-4, 1e6), st.floats(1e-2, 1e7)), min_size=1, max_size=8))
def test_everything_lies_inside(places: list[tuple[float, float]]) -> None:
    """Whatever the values, each dot and whisker lies inside of the frame, and so do the ticks."""
    drawing = draw_front(chart_of(places))
    for dot in drawing.dots:
        assert drawing.left <= dot.x_low <= dot.x <= dot.x_high <= drawing.right
        assert drawing.top <= dot.y_high <= dot.y <= dot.y_low <= drawing.bottom
    assert all(drawing.left <= tick.at <= drawing.right for tick in drawing.x_ticks)
    assert all(drawing.top <= tick.at <= drawing.bottom for tick in drawing.y_ticks)
    assert drawing.y_ticks


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-4, 1e6), st.floats(1e-2, 1e7)), min_size=1, max_size=8))
def test_ticks_are_readable(places: list[tuple[float, float]]) -> None:
    """No two ticks of an axis have the same text."""
    drawing = draw_front(chart_of(places))
    for ticks in (drawing.x_ticks, drawing.y_ticks):
        assert len({tick.text for tick in ticks}) == len(ticks)


def test_higher_throughput_is_higher() -> None:
    """More throughput is drawn higher, more latency farther right."""
    slow, fast = draw_front(chart_of([(1.0, 10.0), (2.0, 20.0)])).dots
    assert fast.y < slow.y
    assert fast.x > slow.x


@pytest.mark.parametrize(("widest", "logarithmic"), [(4.0, False), (400.0, True)])
def test_wide_range(widest: float, logarithmic: bool) -> None:
    """Latencies over a wide range are drawn on logarithmic axes, where equal ratios are equal distances."""
    chart = chart_of([(1.0, 10.0), (widest**0.5, 12.0), (widest, 14.0)])
    one, two, three = draw_front(chart).dots
    assert chart.logarithmic is logarithmic
    assert (abs((two.x - one.x) - (three.x - two.x)) < 1) is logarithmic


def plot_of(*series: Series) -> Plot:
    """A chart of these series."""
    return Plot(label="", x=Axis(title="x"), y=Axis(title="y"), series=series)


spots = st.builds(
    lambda x, y: Spot(x=x, y=y, low=y - 1, high=y + 1, text=""), st.floats(-1e3, 1e6), st.floats(-1e3, 1e6)
)


@settings(deadline=None)
@given(st.lists(spots, min_size=1, max_size=8))
def test_series_lie_inside(made: list[Spot]) -> None:
    """Whatever the values, dots, whiskers, rules and the band lie inside of the frame."""
    plot = plot_of(Series(name="", mark=SERIES["latency"], spots=tuple(made)))
    drawing = draw_plot(dataclasses.replace(plot, rules=(Rule(at=2e6), Rule(at=5.0, vertical=True)), band=(-5.0, 7.0)))
    assert len(drawing.dots) == len(made)
    for dot in drawing.dots:
        assert drawing.left <= dot.x <= drawing.right
        assert drawing.top <= dot.y_high <= dot.y <= dot.y_low <= drawing.bottom
    across, along = drawing.rules
    assert drawing.top <= across.y1 == across.y2 <= drawing.bottom
    assert drawing.left <= along.x1 == along.x2 <= drawing.right
    assert drawing.shade is not None
    assert drawing.top <= drawing.shade.y <= drawing.shade.y + drawing.shade.height <= drawing.bottom + 0.1


def test_strokes() -> None:
    """A line joins its values, steps hold each until the next; neither has dots."""
    made = (Spot(x=0, y=0, text=""), Spot(x=1, y=1, text=""))
    kinds: tuple[Kind, ...] = ("line", "steps")
    line, steps = draw_plot(
        plot_of(*(Series(name="", mark=SERIES["latency"], kind=kind, spots=made) for kind in kinds))
    ).strokes
    assert "L" in line.path
    assert "H" in steps.path
    assert "L" not in steps.path


def test_room_for_names() -> None:
    """An axis of long names has room for them, and only ticks inside of its ends are drawn."""
    axis = Axis(title="", ticks=((0.0, "INFERENCE_PRECISION_HINT"), (1.0, "nireq"), (9.0, "far")), ends=(-0.5, 1.5))
    drawing = draw_plot(dataclasses.replace(plot_of(), y=axis, x=Axis(title="", ends=(0.0, 1.0))))
    assert drawing.left > 150
    assert [tick.text for tick in drawing.y_ticks] == ["INFERENCE_PRECISION_HINT", "nireq"]
