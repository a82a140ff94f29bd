import dataclasses
import json
from typing import Any

from ovtune.goal import Goal
from ovtune.report.figure import duel_figure, front_figure
from ovtune.report.palette import ROLES
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
    goal = Goal(max_latency_ms=20, min_throughput_per_s=100)
    shapes = front_figure(view_of(sample.result(goal=goal)).chart)["layout"]["shapes"]
    assert [shape["label"]["text"] for shape in shapes] == ["at most 20 ms", "at least 100/s"]
    assert (shapes[0]["x0"], shapes[1]["y0"]) == (20, 100)


def test_duel() -> None:
    """The duel's figure holds both ratios of each pair, in two shapes."""
    duel = view_of(sample.result()).duel
    assert duel is not None
    throughput, latency = duel_figure(duel)["data"]
    assert list(throughput["y"]) == [pair.throughput for pair in duel.pairs]
    assert list(latency["y"]) == [pair.latency for pair in duel.pairs]
    assert throughput["marker"]["symbol"] != latency["marker"]["symbol"]


def test_plain_json() -> None:
    """Figures are plain JSON values, numbers as numbers."""
    found = json.loads(json.dumps(front_figure(view_of(sample.result()).chart), allow_nan=False))
    assert all(isinstance(x, float) for x in traces(found)["other"]["x"])
