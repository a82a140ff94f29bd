"""The interactive figures: from the view-model to Plotly. Colours of text and paper are the page's business."""

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from plotly import graph_objects, offline

from ovtune.report.chart import Chart, Limit, Point
from ovtune.report.palette import BALANCED, BATCHES, LIMIT, ON_BASELINE, ROLES, SERIES, SHADES, Mark, Role
from ovtune.report.plot import Axis, Parallel, Plot, Rule, Series

_GRID = "rgba(128,128,128,0.25)"
_FAINT = 0.55
_HOVER_WIDTH = 52
_BAND = "rgba(128,128,128,0.15)"
_RULE = "#888888"
_CLEAR = 0.8
_LOG_TICKS = " ,.3~r"
"""The space before the number keeps Plotly from lowering labels that begin with 1."""
_FEW = 3
"""So many ticks of a logarithmic axis, or every digit of a decade gets one and their labels run into each other."""
_PAPER = "rgba(128,128,128,0.12)"


def script() -> str:
    """Plotly's own script, whole."""
    return str(offline.get_plotlyjs())


def front_figure(chart: Chart) -> dict[str, Any]:
    """The front for one latency metric, as plain JSON values."""
    line = graph_objects.Scatter(
        name="line",
        x=[x for x, _ in chart.line],
        y=[y for _, y in chart.line],
        mode="lines",
        line={"color": ROLES["front"].colour, "width": 1.5, "shape": "hv"},
        hoverinfo="skip",
    )
    groups = [(role, [p for p in chart.points if p.role == role]) for role in ROLES]
    balanced = graph_objects.Scatter(
        name="balanced",
        x=[p.x.value for p in chart.points if p.trial == chart.balanced],
        y=[p.y.value for p in chart.points if p.trial == chart.balanced],
        mode="markers",
        marker={
            "symbol": BALANCED.symbol,
            "size": BALANCED.size,
            "color": BALANCED.colour,
            "line": {"color": BALANCED.colour, "width": 2},
        },
        hoverinfo="skip",
    )
    selected = graph_objects.Scatter(
        name="selected",
        x=[],
        y=[],
        mode="markers",
        marker={"symbol": "circle-open", "size": 26, "line": {"width": 2}},
        hoverinfo="skip",
    )
    figure = graph_objects.Figure(
        data=[line, *(_points(role, points) for role, points in groups if points), balanced, selected],
        layout=_layout(chart.x_title, chart.y_title),
    )
    figure.update_layout(shapes=[_limit(limit) for limit in chart.limits])
    return _plain(figure)


def panel_figure(plot: Plot | Parallel) -> dict[str, Any]:
    """A panel's chart, as plain JSON values."""
    return plot_figure(plot) if isinstance(plot, Plot) else parallel_figure(plot)


def plot_figure(plot: Plot) -> dict[str, Any]:
    """A chart of series, as plain JSON values."""
    figure = graph_objects.Figure(
        data=[_series(series) for series in plot.series], layout=_layout(plot.x.title, plot.y.title)
    )
    figure.update_layout(
        xaxis=_axis(plot.x), yaxis=_axis(plot.y), shapes=[*_band(plot.band), *(_rule(rule) for rule in plot.rules)]
    )
    return _plain(figure)


def parallel_figure(chart: Parallel) -> dict[str, Any]:
    """Parallel coordinates, as plain JSON values."""
    last = len(chart.axes) - 1
    layout = _layout("", "")
    plain = {"showgrid": False, "showticklabels": False, "ticks": "", "zeroline": False}
    layout |= {
        "xaxis": layout["xaxis"] | plain | {"range": [-0.1, last + 0.8]},
        "yaxis": layout["yaxis"] | plain | {"range": [-0.06, 1.06]},
        "margin": {"l": 16, "r": 16, "t": 76, "b": 12},
    }
    figure = graph_objects.Figure(data=[_lines(chart, shade) for shade in dict.fromkeys(chart.shades)], layout=layout)
    shapes, annotations = [], []
    for place, axis in enumerate(chart.axes):
        shapes.append(
            {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": {"width": 1, "color": _RULE}}
        )
        title = {"text": html.escape(axis.title, quote=False), "x": place, "y": 1.03, "textangle": -20}
        annotations.append(title | {"showarrow": False, "xanchor": "left", "yanchor": "bottom", "font": {"size": 12}})
        for at, text in axis.ticks:
            tick = {"text": html.escape(text, quote=False), "x": place + 0.03, "y": at, "bgcolor": _PAPER}
            annotations.append(tick | {"showarrow": False, "xanchor": "left", "font": {"size": 11}})
    figure.update_layout(shapes=shapes, annotations=annotations)
    return _plain(figure)


def _lines(chart: Parallel, shade: int) -> graph_objects.Scatter:
    """The lines of one shade, with a gap after each."""
    own = [place for place, other in enumerate(chart.shades) if other == shade]
    x = [*map(float, range(len(chart.axes))), None]
    return graph_objects.Scatter(
        name=f"shade {shade}",
        x=x * len(own),
        y=[y for place in own for y in (*chart.lines[place], None)],
        customdata=[chart.trials[place] for place in own for _ in x],
        hovertext=[_told(chart.texts[place]) for place in own for _ in x],
        hovertemplate="%{hovertext}<extra></extra>",
        mode="lines+markers",
        marker={"size": 4},
        line={"color": SHADES[shade], "width": 1.6},
        opacity=_CLEAR,
    )


def _told(text: str) -> str:
    """A text of several lines as Plotly reads it."""
    return "<br>".join(html.escape(line, quote=False) for line in text.split("\n"))


def timeline_figure() -> dict[str, Any]:
    """The frame of a config's first requests; the page's script puts those of the selected one into it."""
    lanes = [
        graph_objects.Scatter(
            name=f"batches {place}",
            x=[],
            y=[],
            mode="lines",
            line={"color": colour, "width": 5},
            hovertemplate="%{text}<extra></extra>",
        )
        for place, colour in enumerate(BATCHES)
    ]
    took = graph_objects.Scatter(
        name="latency",
        x=[],
        y=[],
        yaxis="y2",
        mode="markers",
        marker={"color": SERIES["latency"].colour, "symbol": SERIES["latency"].symbol, "size": 5},
        hovertemplate="started at %{x:.4~g} ms: %{y:.4~g} ms<extra></extra>",
    )
    layout = _layout("time from the first start (ms)", "requests")
    upper = layout["yaxis"] | {"domain": [0.42, 0.9], "showgrid": False, "tickformat": ",d"}
    lower = layout["yaxis"] | {"domain": [0, 0.34], "title": {"text": "latency (ms)"}, "rangemode": "tozero"}
    layout |= {"yaxis": upper, "yaxis2": lower, "xaxis": layout["xaxis"] | {"anchor": "y2"}}
    return _plain(graph_objects.Figure(data=[*lanes, took], layout=layout))


def _series(series: Series) -> graph_objects.Scatter:
    mark, spots = series.mark, series.spots
    lined = {"color": mark.colour, "width": 2, "shape": "hv" if series.kind == "steps" else "linear"}
    return graph_objects.Scatter(
        name=series.name,
        x=[spot.x for spot in spots],
        y=[spot.y for spot in spots],
        error_y=_error([(spot.low, spot.y, spot.high) for spot in spots], mark),
        mode="markers" if series.kind == "dots" else "lines",
        marker={
            "symbol": mark.symbol,
            "size": mark.size,
            "color": mark.colour,
            "line": {"color": mark.colour, "width": 1.5 if mark.hollow else 0},
        },
        line=lined,
        customdata=[spot.trial for spot in spots],
        hovertext=[_told(spot.text) for spot in spots],
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )


def _axis(axis: Axis) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "linear"}
    if axis.logarithmic:
        made = {"type": "log", "tickformat": _LOG_TICKS, "nticks": _FEW}
    if axis.ticks:
        texts = [html.escape(text, quote=False) for _, text in axis.ticks]
        made |= {"tickmode": "array", "tickvals": [at for at, _ in axis.ticks], "ticktext": texts}
    if axis.ends is not None:
        made["range"] = [math.log10(end) if axis.logarithmic else end for end in axis.ends]
    return made


def _band(band: tuple[float, float] | None) -> list[dict[str, Any]]:
    if band is None:
        return []
    across = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": band[0], "y1": band[1]}
    return [across | {"fillcolor": _BAND, "line": {"width": 0}, "layer": "below"}]


def _rule(rule: Rule) -> dict[str, Any]:
    line = {"width": 1, "color": _RULE} if rule.strong else {"width": 1, "color": _RULE, "dash": "dot"}
    label = {"text": html.escape(rule.text, quote=False), "textposition": "end", "font": {"size": 12}}
    made = {"type": "line", "line": line, "label": label}
    if rule.vertical:
        return made | {"x0": rule.at, "x1": rule.at, "yref": "paper", "y0": 0, "y1": 1}
    return made | {"y0": rule.at, "y1": rule.at, "xref": "paper", "x0": 0, "x1": 1}


def _points(role: Role, points: Sequence[Point]) -> graph_objects.Scatter:
    mark = ROLES[role]
    width = 1.5 if mark.hollow else 1
    return graph_objects.Scatter(
        name=role,
        x=[p.x.value for p in points],
        y=[p.y.value for p in points],
        error_x=_error([(p.x.low, p.x.value, p.x.high) for p in points], mark),
        error_y=_error([(p.y.low, p.y.value, p.y.high) for p in points], mark),
        customdata=[p.trial for p in points],
        text=[p.letter for p in points],
        hovertext=[_hover(p) for p in points],
        hovertemplate="%{hovertext}<extra></extra>",
        mode="markers+text" if any(p.letter for p in points) else "markers",
        textposition="middle center",
        textfont={"color": ON_BASELINE, "size": 11},
        marker={
            "symbol": mark.symbol,
            "size": mark.size,
            "color": mark.colour,
            "line": {"color": mark.colour if mark.hollow else "#ffffff", "width": width},
        },
        opacity=_FAINT if role == "other" else 1,
        cliponaxis=False,
    )


def _error(intervals: Sequence[tuple[float | None, float | None, float | None]], mark: Mark) -> dict[str, Any] | None:
    """Whiskers of values with their lower and upper ends; None where no value has any."""
    if all(low is None for low, _, _ in intervals):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [_reach(value, high) for _, value, high in intervals],
        "arrayminus": [_reach(low, value) for low, value, _ in intervals],
        "color": mark.colour,
        "thickness": 0.6 if mark.thin else 1.4,
        "width": 0 if mark.thin else 3,
    }


def _reach(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else float(f"{high - low:.4g}")


def _hover(point: Point) -> str:
    """Plotly reads a few HTML tags in its texts, so everything is escaped."""
    lines = [f"<b>trial {point.trial}</b>", *_wrapped(point.words)]
    lines += [html.escape(point.y.full, quote=False), html.escape(f"{point.x.full}", quote=False)]
    lines += [line for setting in point.settings for line in _wrapped(setting)]
    return "<br>".join(lines)


def _wrapped(text: str) -> list[str]:
    return [html.escape(line, quote=False) for line in textwrap.wrap(text, _HOVER_WIDTH)]


def _limit(limit: Limit) -> dict[str, Any]:
    line = {"color": LIMIT, "width": 2, "dash": "dash"}
    along = {"type": "line", "line": line}
    if limit.on_latency:
        label = {"text": limit.text, "textposition": "end", "textangle": 0, "xanchor": "left", "font": {"size": 12}}
        return along | {"label": label, "x0": limit.value, "x1": limit.value, "yref": "paper", "y0": 0, "y1": 1}
    label = {"text": limit.text, "textposition": "end", "font": {"size": 12}}
    return along | {"label": label, "y0": limit.value, "y1": limit.value, "xref": "paper", "x0": 0, "x1": 1}


def _layout(x_title: str, y_title: str) -> dict[str, Any]:
    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "automargin": True,
        "exponentformat": "none",
        "separatethousands": True,
        "ticks": "outside",
        "tickcolor": _GRID,
    }
    return {
        "template": None,
        "xaxis": axis | {"title": {"text": html.escape(x_title, quote=False)}},
        "yaxis": axis | {"title": {"text": html.escape(y_title, quote=False)}},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 60, "r": 16, "t": 28, "b": 48},
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }


def _plain(figure: graph_objects.Figure) -> dict[str, Any]:
    plain: dict[str, Any] = figure.to_plotly_json()
    return plain
