"""The view-model: everything that the report shows, as plain values, made from a result."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovtune.config import Config
from ovtune.content import Feed
from ovtune.figures import Measured
from ovtune.goal import Goal, limits
from ovtune.importance import importances
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric
from ovtune.objective import objective_of
from ovtune.report.chart import Chart, charts_of
from ovtune.report.course import counts_of, version
from ovtune.report.drawing import Drawing, draw_front
from ovtune.report.evidence import evidence_of
from ovtune.report.influence import influence_of
from ovtune.report.lane import Lanes, lanes_of
from ovtune.report.number import NONE, Amount, amount, gibibytes, given, interval, ratio_of, weighed
from ovtune.report.plot import Section
from ovtune.report.progress import progress_of
from ovtune.report.row import Fact, Row, error_of, facts_of, first_trials, outputs_of, rows_of, served_by
from ovtune.result import Result
from ovtune.serving import told_of
from ovtune.study import agreement_of, reason_of
from ovtune.verdict import VerdictKind
from ovtune.workload import Capacity, describe, explain

BADGES: Mapping[VerdictKind, str] = {
    "better": "▲ better",
    "trade": "⇄ a trade",
    "equal": "= OpenVINO's own answer is best",
    "undecided": "? undecided",
    "infeasible": "✕ limits not met",
    "unconfirmed": "◌ not confirmed",
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ERROR = "output error"
"""The name of the outputs' largest difference from the reference's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One line of the first table: the recommendation beside the strongest baseline.

    Attributes:
        name: What it is.
        recommended: Of the recommended config.
        baseline: Of the baseline, or None where that is the recommended config.
        ratio: Recommended / baseline with its interval, from the duel, where there is one.
        of_goal: Whether the goal is about it.
    """

    name: str
    recommended: Amount
    baseline: Amount | None
    ratio: Amount | None
    of_goal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineKey:
    """One of OpenVINO's own answers, as the front's key lists it; the words tell what was measured."""

    letter: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """A trial that was measured, and the latency metrics for which it is on the front, in words."""

    row: Row
    front: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One reason for which configs hold no numbers, and which ones."""

    state: str
    reason: str
    count: int
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The report's content, from top to bottom; see the template for what each part looks like."""

    study: str
    created: str
    version: str
    model: str
    kind: VerdictKind
    badge: str
    verdict: str
    words: str
    baseline: str
    source: str
    key_figures: tuple[KeyFigure, ...]
    promise: str
    facts: tuple[Fact, ...]
    caveats: tuple[str, ...]
    host: tuple[Fact, ...]
    about_model: tuple[Fact, ...]
    asked: tuple[Fact, ...]
    metric: LatencyMetric
    metrics: tuple[LatencyMetric, ...]
    metric_note: str
    front_title: str
    duelled: bool
    charts: tuple[Chart, ...]
    drawing: Drawing
    baselines: tuple[BaselineKey, ...]
    sections: tuple[Section, ...]
    measured: tuple[MeasuredRow, ...]
    rows: tuple[Row, ...]
    lanes: Mapping[int, Lanes]
    recommended: Row
    failures: tuple[Failure, ...]
    counts: tuple[Fact, ...]

    @property
    def chart(self) -> Chart:
        """The chart that is shown first."""
        return next(chart for chart in self.charts if chart.metric == self.metric)


def view_of(result: Result, documents: Mapping[str, str] | None = None) -> View:
    """What the report on ``result`` shows; ``documents`` holds whole documents of some configs, by key."""
    study, setup = result.study, result.study.setup
    letters = _letters(result)
    rows = rows_of(result, _names(result), documents or {})
    charts = charts_of(result, rows, letters)
    return View(
        study=study.name,
        created=study.created,
        version=version(),
        model=setup.model.name,
        kind=result.verdict.kind,
        badge=BADGES[result.verdict.kind],
        verdict=result.verdict.text,
        words=result.recommended.words,
        baseline=result.baseline.name,
        source=_source(result.measured),
        key_figures=_key_figures(result),
        promise=_promise(result.measured),
        facts=(*facts_of(result.measured), outputs_of(result, result.recommended)),
        caveats=tuple(caveat.text for caveat in result.caveats),
        host=_host(result),
        about_model=_model(result),
        asked=_asked(result),
        metric=result.metric,
        metrics=LATENCY_METRICS,
        metric_note=_metric_note(result),
        front_title=f"{objective_of(result.goal, result.estimates.values()).heading} and latency",
        duelled=result.measured.source == "duel",
        charts=charts,
        drawing=draw_front(next(c for c in charts if c.metric == result.metric)),
        baselines=_baselines(result, letters),
        sections=(influence_of(result, importances(result)), evidence_of(result), progress_of(result)),
        measured=_measured(rows, charts),
        rows=rows,
        lanes=_lanes(result),
        recommended=next((r for r in rows if r.number == result.trial), rows[0]),
        failures=_failures(result),
        counts=counts_of(result),
    )


def _lanes(result: Result) -> dict[int, Lanes]:
    """The first requests of each config's first visit that noted them, by the trial that proposed it."""
    found: dict[int, Lanes] = {}
    trials = first_trials(result.study.visits)
    for visit in result.study.visits:
        number = trials.get(visit.config.key)
        if number is not None and number not in found and isinstance(visit.outcome, Block):
            lanes = lanes_of(visit.outcome, _joined(visit.config, visit.outcome))
            found |= {} if lanes is None else {number: lanes}
    return found


def _joined(config: Config, block: Block) -> int | None:
    """How many requests the runtime joins at most; None for a GPU with a hint, which does so by itself."""
    if config.auto_batch_size > 1:
        return config.auto_batch_size
    return None if config.hint and "GPU" in served_by(block.effective) else 1


def _names(result: Result) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {result.recommended.key: ("recommended",)}
    for baseline in result.study.setup.baselines:
        names[baseline.config.key] = (*names.get(baseline.config.key, ()), baseline.name)
    return names


def _letters(result: Result) -> dict[str, str]:
    """A letter for each measured baseline, by the key under which it was measured; shared ones share it."""
    study = result.study
    keys = dict.fromkeys(study.owner(b.config) for b in study.setup.baselines)
    measured = [key for key in keys if key in result.estimates]
    return {key: _LETTERS[i] if i < len(_LETTERS) else str(i + 1) for i, key in enumerate(measured)}


def _baselines(result: Result, letters: Mapping[str, str]) -> tuple[BaselineKey, ...]:
    study = result.study
    objective = objective_of(result.goal, result.estimates.values())
    found = []
    for baseline in study.setup.baselines:
        key = study.owner(baseline.config)
        estimate = result.estimates.get(key)
        if estimate is None:
            text = "not measured"
        else:
            latency = amount(estimate.latency_ms[result.metric], " ms")
            text = f"{weighed(estimate, objective).text}, {result.metric} {latency.text}"
        found.append(BaselineKey(letter=letters.get(key, NONE), name=baseline.name, text=text))
    return tuple(found)


def _errors(result: Result, *, same: bool) -> list[KeyFigure]:
    """How far the outputs of both sides are off, where that was looked at for one of them."""
    sides = result.recommended, result.baseline.config
    if all(agreement_of(result.study, config) is None for config in sides):
        return []
    mine, its = (error_of(result, config) for config in sides)
    limited = result.goal.max_error is not None
    return [KeyFigure(name=ERROR, recommended=mine, baseline=None if same else its, ratio=None, of_goal=limited)]


def _key_figures(result: Result) -> tuple[KeyFigure, ...]:
    study, mine, its = result.study, result.measured, result.baseline_measured
    same = study.owner(result.recommended) == study.owner(result.baseline.config)
    verdict, goal = result.verdict, result.goal
    figures = _capacities(result, same=same)
    figures += [
        KeyFigure(
            name="throughput",
            recommended=amount(mine.throughput_per_s, "/s"),
            baseline=None if same else amount(its.throughput_per_s, "/s"),
            ratio=None if same else ratio_of(verdict.throughput_ratio),
            of_goal=goal.prefer in {"throughput", "balanced"} or goal.min_throughput_per_s is not None,
        )
    ]
    figures += [
        KeyFigure(
            name="mean latency" if metric == "mean" else f"{metric} latency",
            recommended=amount(mine.latency_ms[metric], " ms"),
            baseline=None if same else amount(its.latency_ms[metric], " ms"),
            ratio=ratio_of(verdict.latency_ratio) if metric == verdict.metric and not same else None,
            of_goal=metric == goal.latency,
        )
        for metric in LATENCY_METRICS
    ]
    cpu = "CPU time per inference"
    figures.append(
        KeyFigure(
            name=cpu,
            recommended=amount(mine.cpu_ms_per_inference, " ms"),
            baseline=None if same else amount(its.cpu_ms_per_inference, " ms"),
            ratio=ratio_of(verdict.cost_ratio) if verdict.work == "CPU time" and not same else None,
            of_goal=goal.prefer == "efficiency" and mine.energy_mj_per_inference is None,
        )
    )
    figures += _errors(result, same=same)
    if mine.energy_mj_per_inference is not None:
        theirs = its.energy_mj_per_inference
        figures.append(
            KeyFigure(
                name="energy per inference",
                recommended=amount(mine.energy_mj_per_inference, " mJ"),
                baseline=None if same or theirs is None else amount(theirs, " mJ"),
                ratio=ratio_of(verdict.cost_ratio) if verdict.work == "energy" and not same else None,
                of_goal=goal.prefer == "efficiency",
            )
        )
    return tuple(figures)


def _capacities(result: Result, *, same: bool) -> list[KeyFigure]:
    """What the two serve within the limit, where that was asked for."""
    study, load = result.study, result.study.setup.workload
    mine, its = (
        told_of(load, result.goal, result.bands.get(study.owner(config)))
        for config in (result.recommended, result.baseline.config)
    )
    if not isinstance(load, Capacity):
        return []
    return [
        KeyFigure(
            name="capacity",
            recommended=Amount(text=mine or "not found"),
            baseline=None if same else Amount(text=its or "not found"),
            ratio=None,
            of_goal=True,
        )
    ]


def _source(told: Measured) -> str:
    phase = "the duel" if told.source == "duel" else "search and elimination, not confirmed in a duel"
    return f"{told.blocks} {'block' if told.blocks == 1 else 'blocks'} with {told.samples:,} latencies, from {phase}"


def _measured(rows: tuple[Row, ...], charts: tuple[Chart, ...]) -> tuple[MeasuredRow, ...]:
    fronts = {chart.metric: set(chart.front) for chart in charts}
    return tuple(
        MeasuredRow(row=row, front=", ".join(metric for metric, front in fronts.items() if row.number in front))
        for row in rows
        if row.throughput is not None and row.shares is None
    )


def _promise(told: Measured) -> str:
    _, ends = interval(told.throughput_per_s.value, told.next_low, told.next_high)
    return f"{ends.replace(' to ', '/s to ')}/s" if ends else NONE


def _metric_note(result: Result) -> str:
    if isinstance(result.study.setup.workload, Capacity):
        return "Below the capacity stands what was measured in a closed loop, with all infer requests busy."
    if result.metric == result.goal.latency:
        return ""
    return (
        f"The goal asks for {result.goal.latency}. Not every config has enough samples for that yet, "
        f"so configs are compared by {result.metric}."
    )


def _host(result: Result) -> tuple[Fact, ...]:
    host = result.study.setup.environment
    quota = "" if host.quota is None else f", of which a quota allows {given(host.quota)}"
    return (
        Fact(name="processor", text=host.cpu),
        Fact(name="CPUs", text=f"{host.cpus}{quota}"),
        Fact(name="memory", text=gibibytes(host.memory_bytes)),
        Fact(name="system", text=host.system),
        Fact(name="OpenVINO", text=host.openvino),
        *(Fact(name=f"device {name}", text=text) for name, text in host.devices.items()),
    )


def _model(result: Result) -> tuple[Fact, ...]:
    model = result.study.setup.model
    return (
        Fact(name="model", text=model.name),
        Fact(name="path", text=model.path),
        Fact(name="SHA-256", text=model.sha256),
        *(Fact(name=f"input {port.name}", text=f"{port.element_type} {_shape(port.shape)}") for port in model.inputs),
        Fact(name="batches", text=", ".join(str(size) for size in model.batch_sizes)),
        Fact(name="items", text=_items(result.study.setup.feed)),
    )


def _items(feed: Feed) -> str:
    """What the model was fed with."""
    what = f"{len(feed.files)} {'file' if len(feed.files) == 1 else 'files'}" if feed.files else "random values"
    return f"{what}, written before each inference in the measured time" if feed.copying else f"{what}, written once"


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join('?' if size < 0 else str(size) for size in shape)}]"


def _asked(result: Result) -> tuple[Fact, ...]:
    workload = result.study.setup.workload
    load = f"{describe(workload)}: {explain(workload)}"
    return (Fact(name="load", text=load), Fact(name="goal", text=_goal(result.goal)))


def _goal(goal: Goal) -> str:
    against = "throughput" if goal.against == "throughput" else "CPU time per inference"
    parts = [f"{goal.latency} latency against {against}", f"prefer {goal.prefer}", *limits(goal)]
    return "; ".join([*parts, f"differences count from {100 * goal.margin:g} %"])


def _failures(result: Result) -> tuple[Failure, ...]:
    """The reasons, the most frequent first, each with the trials or rounds that it ended."""
    found: dict[tuple[str, str], list[str]] = {}
    for visit in result.study.visits:
        reason = reason_of(visit.outcome)
        if reason:
            where = f"trial {visit.trial}" if visit.trial is not None else f"{visit.phase}, round {visit.round + 1}"
            found.setdefault((type(visit.outcome).__name__.lower(), reason), []).append(where)
    for device, reason in result.study.setup.refused.items():
        found.setdefault(("not searched", reason), []).append(f"device {device}")
    order = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(
        Failure(state=state, reason=reason, count=len(places), where=_listed(places))
        for (state, reason), places in order
    )


def _listed(places: list[str], most: int = 12) -> str:
    shown = ", ".join(places[:most])
    return f"{shown} and {len(places) - most} more" if len(places) > most else shown
