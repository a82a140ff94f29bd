import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovtune.report.chart import Chart
from ovtune.report.drawing import draw_duel, draw_front
from ovtune.report.number import Amount
from ovtune.report.view import view_of
from tests.report import sample


def chart_of(places: list[tuple[float, float]]) -> Chart:
    """A chart with points at these places, all of them on the front."""
    chart = view_of(sample.result()).chart
    points = [
        dataclasses.replace(
            chart.points[0],
            x=Amount(text="", value=x, low=x / 1.1, high=x * 1.1),
            y=Amount(text="", value=y, low=y / 1.1, high=y * 1.1),
        )
        for x, y in places
    ]
    return dataclasses.replace(chart, points=tuple(points), line=tuple(places), limits=())


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


def test_duel() -> None:
    """The duel shows two dots per pair, a strong line at 1 and two at the margin."""
    duel = view_of(sample.result()).duel
    assert duel is not None
    drawing = draw_duel(duel)
    assert len(drawing.dots) == 2 * len(duel.pairs)
    assert [rule.strong for rule in drawing.rules] == [False, True, False]
