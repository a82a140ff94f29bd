"""The interactive figures: from the view-model to Plotly. Colours of text and paper are the page's business."""

import html
import textwrap
from collections.abc import Sequence
from typing import Any

from plotly import graph_objects, offline

from ovtune.report.chart import Chart, DuelChart, Limit, Point
from ovtune.report.number import Amount
from ovtune.report.palette import LIMIT, ON_BASELINE, ROLES, SERIES, Mark, Role

_GRID = "rgba(128,128,128,0.25)"
_FAINT = 0.55
_HOVER_WIDTH = 52
_BAND = "rgba(128,128,128,0.15)"


def script() -> str:
    """Plotly's own script, whole."""
    return str(offline.get_plotlyjs())


def front_figure(chart: Chart) -> dict[str, Any]:
    """The front for one latency metric, as plain JSON values."""
    roles: tuple[Role, ...] = ("other", "front", "baseline", "recommended")
    line = graph_objects.Scatter(
        name="line",
        x=[x for x, _ in chart.line],
        y=[y for _, y in chart.line],
        mode="lines",
        line={"color": ROLES["front"].colour, "width": 1.5, "shape": "hv"},
        hoverinfo="skip",
    )
    groups = [(role, [p for p in chart.points if p.role == role]) for role in roles]
    selected = graph_objects.Scatter(
        name="selected",
        x=[],
        y=[],
        mode="markers",
        marker={"symbol": "circle-open", "size": 26, "line": {"width": 2}},
        hoverinfo="skip",
    )
    figure = graph_objects.Figure(
        data=[line, *(_points(role, points) for role, points in groups if points), selected],
        layout=_layout(chart.x_title, chart.y_title),
    )
    figure.update_layout(shapes=[_limit(limit) for limit in chart.limits])
    return _plain(figure)


def duel_figure(chart: DuelChart) -> dict[str, Any]:
    """The duel pair by pair, as plain JSON values."""
    numbers = [pair.number for pair in chart.pairs]
    figure = graph_objects.Figure(
        data=[
            _ratios("throughput", SERIES["throughput"], numbers, [p.throughput for p in chart.pairs], chart),
            _ratios(f"{chart.metric} latency", SERIES["latency"], numbers, [p.latency for p in chart.pairs], chart),
        ],
        layout=_layout("pair", "ratio candidate / baseline"),
    )
    figure.update_layout(
        hovermode="closest",
        shapes=[
            {
                "type": "rect",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1 - chart.margin,
                "y1": 1 + chart.margin,
                "fillcolor": _BAND,
                "line": {"width": 0},
                "layer": "below",
            },
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1,
                "y1": 1,
                "line": {"width": 1, "color": "#888888"},
            },
        ],
    )
    figure.update_xaxes(range=[0, len(numbers) + 1], showgrid=False)
    return _plain(figure)


def _points(role: Role, points: Sequence[Point]) -> graph_objects.Scatter:
    mark = ROLES[role]
    faint = role == "other"
    width = 1.5 if mark.hollow else 1
    return graph_objects.Scatter(
        name=role,
        x=[p.x.value for p in points],
        y=[p.y.value for p in points],
        error_x=_error([p.x for p in points], mark, faint=faint),
        error_y=_error([p.y for p in points], mark, faint=faint),
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
        opacity=_FAINT if faint else 1,
        cliponaxis=False,
    )


def _error(amounts: Sequence[Amount], mark: Mark, *, faint: bool) -> dict[str, Any] | None:
    if all(a.low is None for a in amounts):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [_reach(a.value, a.high) for a in amounts],
        "arrayminus": [_reach(a.low, a.value) for a in amounts],
        "color": mark.colour,
        "thickness": 0.6 if faint else 1.4,
        "width": 0 if faint else 3,
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


def _ratios(
    name: str, mark: Mark, numbers: Sequence[int], values: Sequence[float], chart: DuelChart
) -> graph_objects.Scatter:
    return graph_objects.Scatter(
        name=name,
        x=numbers,
        y=values,
        mode="markers",
        marker={"symbol": mark.symbol, "size": mark.size, "color": mark.colour},
        hovertext=[
            "<br>".join(
                [
                    f"<b>pair {pair.number}</b>: {name} ratio {value:.3f}",
                    f"candidate {html.escape(pair.candidate, quote=False)}",
                    f"baseline {html.escape(pair.baseline, quote=False)}",
                ]
            )
            for pair, value in zip(chart.pairs, values, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )


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
