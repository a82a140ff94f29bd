import dataclasses
import json
from typing import Any

from ovtune.goal import Goal
from ovtune.report.figure import front_figure, plot_figure
from ovtune.report.palette import ROLES, SERIES
from ovtune.report.plot import Axis, Kind, Plot, Rule, Series, Spot
from ovtune.report.view import view_of
from tests.report import sample


def traces(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A figure's traces by their name."""
    return {trace["name"]: trace for trace in figure["data"]}


def test_one_trace_per_role() -> None:
    """Each role has a colour and a shape of its own, and what is beaten is faded."""
    found = traces(front_figure(view_of(sample.result()).chart))
    assert {"line", "other", "recommended", "baseline", "selected"} <= set(found)
    assert found["other"]["opacity"] < 1
    assert len({mark.symbol for mark in ROLES.values()}) == len({mark.colour for mark in ROLES.values()}) == len(ROLES)


def test_points_carry_trial_and_intervals() -> None:
    """Each point carries the number of its trial and an interval on both axes."""
    chart = view_of(sample.result()).chart
    found = traces(front_figure(chart))["other"]
    assert found["customdata"] == [p.trial for p in chart.points if p.role == "other"]
    assert min(*found["error_x"]["array"], *found["error_y"]["arrayminus"]) > 0


def test_hover() -> None:
    """Hovering tells the config in words and what the runtime made of it, escaped for Plotly's reading of tags."""
    chart = view_of(sample.result()).chart
    words = "<a href='javascript:alert(1)'>GPU & CPU</a>"
    chart = dataclasses.replace(chart, points=(dataclasses.replace(chart.points[0], words=words),))
    text = traces(front_figure(chart))["other"]["hovertext"][0]
    assert "&lt;a href='javascript:alert(1)'&gt;GPU &amp; CPU&lt;/a&gt;" in text
    assert "NUM_STREAMS 2" in text


def test_limits() -> None:
    """The goal's limits are lines across the chart, with their text."""
    goal = Goal(latency="p50", max_latency_ms=20, min_throughput_per_s=100)
    shapes = front_figure(view_of(sample.result(goal=goal)).chart)["layout"]["shapes"]
    assert [shape["label"]["text"] for shape in shapes] == ["p50 at most 20 ms", "at least 100/s"]
    assert (shapes[0]["x0"], shapes[1]["y0"]) == (20, 100)


def plot_of(*series: Series) -> Plot:
    """A chart of these series."""
    return Plot(label="", x=Axis(title="x"), y=Axis(title="<b>y</b>"), series=series)


def series_of(kind: Kind, *spots: Spot) -> Series:
    """A series with the mark of throughputs."""
    return Series(name="some", mark=SERIES["throughput"], kind=kind, spots=spots)


def test_series() -> None:
    """A series is markers or a line, with its values, its trials, and what is told of them escaped line by line."""
    spots = Spot(x=1, y=2, text="<i>one\ntwo", trial=7), Spot(x=3, y=4, text="three", low=3, high=6)
    modes: dict[Kind, str] = {"dots": "markers", "line": "lines", "steps": "lines"}
    for kind, mode in modes.items():
        (found,) = plot_figure(plot_of(series_of(kind, *spots)))["data"]
        assert (found["mode"], found["x"], found["y"]) == (mode, [1, 3], [2, 4])
        assert found["customdata"] == [7, None]
        assert found["hovertext"] == ["&lt;i&gt;one<br>two", "three"]
        assert (found["error_y"]["array"], found["error_y"]["arrayminus"]) == ([0, 2], [0, 1])


def test_axes() -> None:
    """An axis has its title escaped, its own ticks and ends where it has any, on a logarithmic one as powers."""
    ticks = ((1.0, "one"), (100.0, "<b>hundred"))
    axis = Axis(title="x", logarithmic=True, ticks=ticks, ends=(1.0, 100.0))
    layout = plot_figure(dataclasses.replace(plot_of(), x=axis))["layout"]
    assert layout["xaxis"]["range"] == [0, 2]
    assert layout["xaxis"]["ticktext"] == ["one", "&lt;b&gt;hundred"]
    assert layout["yaxis"]["title"]["text"] == "&lt;b&gt;y&lt;/b&gt;"


def test_rules_and_band() -> None:
    """Rules run across on their axis, and the band lies below everything."""
    rules = Rule(at=1.0, strong=True), Rule(at=5.0, text="now", vertical=True)
    shapes = plot_figure(dataclasses.replace(plot_of(), rules=rules, band=(0.9, 1.1)))["layout"]["shapes"]
    assert [(s["type"], s.get("layer")) for s in shapes] == [("rect", "below"), ("line", None), ("line", None)]
    assert (shapes[1]["y0"], shapes[2]["x0"], shapes[2]["label"]["text"]) == (1.0, 5.0, "now")


def test_plain_json() -> None:
    """Figures are plain JSON values, numbers as numbers."""
    found = json.loads(json.dumps(front_figure(view_of(sample.result()).chart), allow_nan=False))
    assert all(isinstance(x, float) for x in traces(found)["other"]["x"])
