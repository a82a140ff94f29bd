"""What the chart of the front shows, for each latency metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ovtune import goal as goals
from ovtune.estimate import Quantity
from ovtune.measurement import LATENCY_METRICS, LatencyMetric
from ovtune.objective import objective_of
from ovtune.report.number import Amount, amount, given, weighed
from ovtune.report.palette import ROLES, Role
from ovtune.report.row import Row, first_trials
from ovtune.result import Result

_FAR = 1.5
"""A limit farther outside of the points than this factor would squeeze them: it is said instead of drawn."""
_WIDE = 8.0
_HOVERED = (
    "EXECUTION_DEVICES",
    "PERFORMANCE_HINT",
    "NUM_STREAMS",
    "INFERENCE_NUM_THREADS",
    "INFERENCE_PRECISION_HINT",
    "OPTIMAL_NUMBER_OF_INFER_REQUESTS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured config on the front's chart.

    Attributes:
        trial: The trial that proposed it.
        role: How it is drawn.
        letter: What stands on its mark; "" for most.
        words: The config in words.
        settings: What the runtime made of it, shortly.
        x: The latency.
        y: What it is weighed against.
    """

    trial: int
    role: Role
    letter: str
    words: str
    settings: tuple[str, ...]
    x: Amount
    y: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of the goal that is drawn as a line: on the latency's axis, or on the other one."""

    on_latency: bool
    value: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The front for one latency metric.

    Attributes:
        metric: The latency.
        x_title: The latency axis's title.
        y_title: The other axis's title.
        points: The configs, those that matter most last, so that they are drawn on top.
        line: The front's points by rising latency.
        front: Their trials.
        balanced: The trial of the balanced point: the most throughput / latency; None where a cost is weighed.
        limits: The goal's limits that lie near enough to be drawn.
        note: What is not drawn, in words; "" where everything is.
    """

    metric: LatencyMetric
    x_title: str
    y_title: str
    points: tuple[Point, ...]
    line: tuple[tuple[float, float], ...]
    front: tuple[int, ...]
    balanced: int | None
    limits: tuple[Limit, ...]
    note: str

    @property
    def logarithmic(self) -> bool:
        """Whether the latencies reach over so wide a range that a straight axis would squeeze the front."""
        values = [point.x.value for point in self.points if point.x.value]
        return max(values) > _WIDE * min(values)


def charts_of(result: Result, rows: Sequence[Row], letters: Mapping[str, str]) -> tuple[Chart, ...]:
    """The front for each latency metric that at least one config has; ``letters`` mark baselines, by config key."""
    trials = _rows_by_config(result, rows)
    charts = [_chart(result, metric, trials, letters) for metric in LATENCY_METRICS]
    return tuple(chart for chart in charts if chart.points)


def _rows_by_config(result: Result, rows: Sequence[Row]) -> dict[str, Row]:
    by_number = {row.number: row for row in rows}
    return {key: by_number[trial] for key, trial in first_trials(result.study.visits).items()}


def _chart(result: Result, metric: LatencyMetric, trials: Mapping[str, Row], letters: Mapping[str, str]) -> Chart:
    against, objective = result.goal.against, objective_of(result.goal, result.estimates.values())
    told = {k: e for k, e in result.estimates.items() if isinstance(e.latency_ms[metric], Quantity) and k in trials}
    front = goals.front(told.values(), metric, against)
    ahead = {e.config.key for e in front}
    unbeaten = {e.config.key for e in goals.unbeaten(told.values(), metric, against)}
    best = result.study.owner(result.recommended)
    points = []
    for key, estimate in told.items():
        role: Role = "front" if key in ahead else "unbeaten" if key in unbeaten else "other"
        if key in letters:
            role = "baseline"
        if key == best:
            role = "recommended"
        latency = amount(estimate.latency_ms[metric], " ms")
        points.append(_point(trials[key], role, letters.get(key, ""), latency, weighed(estimate, objective)))
    points.sort(key=lambda p: list(ROLES).index(p.role))
    by_trial = {p.trial: p for p in points}
    on_line = tuple(trials[e.config.key].number for e in reversed(front))
    drawn, said = _limits(result, metric, points)
    missing = len(result.estimates) - len(told)
    if missing:
        said.insert(
            0, f"{missing} of {len(result.estimates)} configs have too few samples for {metric} and are left out."
        )
    return Chart(
        metric=metric,
        x_title=f"{metric} latency (ms)",
        y_title=objective.title,
        points=tuple(points),
        line=tuple(_place(by_trial[trial]) for trial in on_line),
        front=on_line,
        balanced=trials[max(front, key=lambda e: goals.merit(e, "balanced", metric)).config.key].number
        if front and against == "throughput"
        else None,
        limits=drawn,
        note=" ".join(said),
    )


def _point(row: Row, role: Role, letter: str, latency: Amount, other: Amount) -> Point:
    effective = {s.name: s.effective for s in row.settings if s.effective}
    return Point(
        trial=row.number,
        role=role,
        letter=letter,
        words=row.words,
        settings=tuple(f"{name} {effective[name]}" for name in _HOVERED if name in effective),
        x=latency,
        y=other,
    )


def _place(point: Point) -> tuple[float, float]:
    return point.x.value or 0.0, point.y.value or 0.0


def _limits(result: Result, metric: LatencyMetric, points: Sequence[Point]) -> tuple[tuple[Limit, ...], list[str]]:
    """The limits that lie near the points, and sentences about those that do not."""
    goal = result.goal
    wanted: list[tuple[Limit, list[float]]] = []
    if goal.max_latency_ms is not None and metric == goal.latency:
        text = f"{metric} at most {given(goal.max_latency_ms)} ms"
        limit = Limit(on_latency=True, value=goal.max_latency_ms, text=text)
        wanted.append((limit, [_place(p)[0] for p in points]))
    if goal.min_throughput_per_s is not None and goal.against == "throughput":
        text = f"at least {given(goal.min_throughput_per_s)}/s"
        limit = Limit(on_latency=False, value=goal.min_throughput_per_s, text=text)
        wanted.append((limit, [_place(p)[1] for p in points]))
    near = tuple(one for one, values in wanted if values and min(values) / _FAR <= one.value <= max(values) * _FAR)
    far = [f"The limit of {one.text} lies outside of this chart." for one, _ in wanted if one not in near]
    if goal.max_latency_ms is not None and metric != goal.latency:
        far.append(f"The limit of {given(goal.max_latency_ms)} ms is for {goal.latency}: it is no line here.")
    return near, far
