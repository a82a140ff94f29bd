"""The page itself: templates, the data inside of it, and what a browser is allowed to do with it."""

import base64
import functools
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from ovtune import template
from ovtune.report import figure
from ovtune.report.drawing import draw_plot
from ovtune.report.lane import Lanes
from ovtune.report.palette import BALANCED, LIMIT, ON_BASELINE, ROLES
from ovtune.report.plot import Panel
from ovtune.report.row import Row
from ovtune.report.sheet import sheet_of
from ovtune.report.versus import Versus
from ovtune.report.view import View

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(view: View, *, document: str, command: str, python: str) -> str:
    """The report as one HTML text that fetches nothing."""
    return _rendered(
        "report",
        _figures(view),
        view=view,
        document=document,
        command=command,
        python=python,
        roles=ROLES,
        balanced=BALANCED,
        trials=island({row.number: _details(row) for row in view.rows}),
        sheet=packed(sheet_of(view.rows)),
    )


def comparison_page(view: Versus) -> str:
    """The comparison of two studies as one HTML text that fetches nothing."""
    return _rendered("comparison", {"panels": _panels([view.fronts])}, view=view)


def _rendered(name: str, figures: Mapping[str, Any], **values: object) -> str:
    """The template of that name with its script, the figures, and what every page has."""
    environment = templates()
    scripts = _text(environment, "page.js") + _text(environment, f"{name}.js")
    return environment.get_template(f"{name}.html.j2").render(
        limit=LIMIT,
        on_baseline=ON_BASELINE,
        style=Markup(_text(environment, "report.css")),  # noqa: S704 (a file of ours)
        script=Markup(scripts),  # noqa: S704 (likewise)
        policy=policy(scripts, figure.script()),
        figures=packed(json.dumps(figures, ensure_ascii=False, separators=(",", ":"))),
        plotly=_packed_plotly(),
        **values,
    )


@functools.cache
def templates() -> jinja2.Environment:
    """The environment that the report's templates are rendered in: everything is escaped, nothing may be missing."""
    environment = template.environment(escaped=True)
    environment.filters["drawing"] = draw_plot
    return environment


def policy(*scripts: str) -> str:
    """The content security policy: these scripts and no others run, and nothing is fetched from anywhere."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def island(values: object) -> Markup:
    """``values`` as JSON that can stand inside of a script element whatever texts it holds."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPED.items():
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 (escaped for its place)


def packed(text: str) -> str:
    """``text`` compressed and in base64."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@functools.cache
def _packed_plotly() -> str:
    return packed(figure.script())


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(environment: jinja2.Environment, name: str) -> str:
    if environment.loader is None:
        raise jinja2.TemplateNotFound(name)
    return environment.loader.get_source(environment, name)[0]


def _figures(view: View) -> Mapping[str, Any]:
    return {
        "front": {chart.metric: figure.front_figure(chart) for chart in view.charts},
        "notes": {chart.metric: chart.note for chart in view.charts},
        "timeline": figure.timeline_figure(),
        "lanes": {number: _compact(lanes) for number, lanes in view.lanes.items()},
        "panels": _panels([panel for section in view.sections for panel in section.panels]),
    }


def _panels(panels: Iterable[Panel]) -> dict[str, Any]:
    return {panel.name: figure.panel_figure(panel.plot) for panel in panels if panel.plot is not None}


def _compact(lanes: Lanes) -> dict[str, object]:
    """Requests as the page's script draws them."""
    return {
        "begin": lanes.begin_ms,
        "end": lanes.end_ms,
        "lane": lanes.lane,
        "batch": lanes.batch,
        "served": lanes.served,
        "words": lanes.words,
    }


def _details(row: Row) -> dict[str, object]:
    """What the page shows of a trial that is selected."""
    return {
        "words": row.words,
        "names": row.names,
        "state": row.state_text,
        "shares": row.shares,
        "reason": row.reason,
        "caveats": row.caveats,
        "throughput": row.throughput.full if row.throughput else "",
        "latency": {metric: [a.value, a.text, a.range, a.full] for metric, a in row.latency.items()},
        "facts": [[fact.name, fact.text] for fact in row.facts],
        "settings": [[s.name, s.requested, s.effective, s.differs] for s in row.settings],
        "json": row.json,
        "deployable": row.deployable,
        "file": row.file,
    }
