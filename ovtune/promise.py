"""What a config document promises that can be measured again: a ratio, an interval for the next block, and limits."""

from dataclasses import dataclass

from ovtune import codec
from ovtune.config import Config
from ovtune.document import Document, IntervalPart, RatioPart, VerdictPart, config_of
from ovtune.duel import Work
from ovtune.errors import DocumentError, UsageError
from ovtune.goal import Goal, Prefer
from ovtune.measurement import LatencyMetric
from ovtune.workload import Capacity, Load, Workload, describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """Who the config is measured beside.

    Attributes:
        name: What it is called in a sentence.
        config: Its config.
        throughput_per_s: What was published of it, where that was measured under the same circumstances as the
            config's figures; else None.
    """

    name: str
    config: Config
    throughput_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a check compares today's blocks with.

    Attributes:
        config: The config that is checked.
        opponent: Who it is compared with; None where the document compares it with nothing.
        prefer: What it is compared by.
        metric: The latency that the promise is about.
        work: What an inference was counted to cost, where the promise is about that; else None.
        goal: The latency, the limits and the margin.
        least: How many times as good as the opponent it is at least, as the document promises; 1 where that promises
            no more than not to be worse, and less where it was chosen for a limit that the opponent breaks.
        next_per_s: The interval that the next block's throughput falls into, 95 %; None where it was published under
            other circumstances than today's.
        throughput_ratio: The least ratio config / opponent of the throughputs as they were measured, or None where
            they were not measured together.
        limits: Whether the limits of the goal were met when they were measured, and so must be today.
        excused: Whether the opponent broke a limit that no speed makes up for: it may well be the faster one.
    """

    config: Config
    opponent: Opponent | None
    prefer: Prefer
    metric: LatencyMetric
    work: Work | None
    goal: Goal
    least: float
    next_per_s: tuple[float, float] | None
    throughput_ratio: float | None
    limits: bool
    excused: bool = False

    @property
    def floor(self) -> float:
        """The ratio that today's must not lie below: what is promised, reduced by the margin."""
        return self.least * (1 - self.goal.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """The ends of the intervals of a duel's ratios, candidate / baseline; None where one is not bounded."""

    throughput: tuple[float | None, float | None]
    latency: tuple[float | None, float | None]
    cost: tuple[float | None, float | None]

    def of(self, prefer: Prefer) -> tuple[float | None, float | None]:
        """The ends of the gain; of ``balanced`` the widest that they allow."""
        slower, faster = (1 / end if end else None for end in self.latency)
        match prefer:
            case "throughput":
                return self.throughput
            case "latency":
                return faster, slower
            case "balanced":
                low, high = self.throughput
                return (low * faster if low and faster else None), (high * slower if high and slower else None)
            case "efficiency":
                dearer, cheaper = (1 / end if end else None for end in self.cost)
                return cheaper, dearer


def promise_of(
    document: Document,
    against: Document | None = None,
    *,
    margin: float | None = None,
    absolute: bool = True,
    absolute_against: bool = True,
) -> Promise:
    """What ``document`` promises: against its own duel's other side, or against the config of another document.

    Args:
        document: The document.
        against: The other one.
        margin: What counts as a difference; by default what did when it was written.
        absolute: Whether the document's own figures are from circumstances as they are today.
        absolute_against: The same of the other document's.

    Raises:
        DocumentError: the two documents are about different models or loads.
    """
    goal = _goal(document, margin)
    prefer = _contested(document, goal)
    config = document.to_config()
    least, ratio = 1.0, None
    throughput = document.measured.throughput_per_s
    if against is not None:
        _check_comparable(document, against)
        other = against.measured.throughput_per_s
        comparable = absolute and absolute_against
        opponent = _distinct(config, "the other config", against.to_config(), other.value if comparable else None)
        ratio = throughput.low / other.high if comparable and other.high else None
    else:
        opponent, least, ratio = _other_side(document, config, prefer)
    return Promise(
        config=config,
        opponent=opponent,
        prefer=prefer,
        metric=document.verdict.metric or goal.latency,
        work=document.verdict.work if prefer == "efficiency" and least != 1.0 else None,
        goal=goal,
        least=least,
        next_per_s=(throughput.next_low, throughput.next_high) if absolute else None,
        throughput_ratio=(ratio or None) if opponent is not None else None,
        limits=document.verdict.kind != "infeasible",
        excused=against is None and _excused(document),
    )


def workload_of(document: Document) -> Workload:
    """The load under which a document was measured.

    Raises:
        UsageError: its rate is out of bounds, or it is no load but a capacity that was asked for.
    """
    load: Load = codec.load(document.load.model_dump_json(exclude_none=True), Load)
    if isinstance(load, Capacity):
        raise UsageError(
            f"the config promises a capacity ({describe(load)}), which a check does not measure: "
            "search for it again, as another --study"
        )
    return load


def _other_side(document: Document, config: Config, prefer: Prefer) -> tuple[Opponent | None, float, float | None]:
    """Who the document's duel was against, what it promises against it, and the least ratio of the throughputs.

    Where the baseline itself is recommended the other side is the rival that did not beat it.
    """
    verdict = document.verdict
    baseline = config_of(document.baseline.config)
    published = document.baseline.measured.throughput_per_s
    rival = config_of(verdict.rival) if verdict.rival is not None else None
    gains = _gains_of(verdict)
    if config != baseline:
        opponent = Opponent(name="the baseline", config=baseline, throughput_per_s=published.value)
        if rival == config and gains is not None:
            least = gains.of(prefer)[0]
            return opponent, (least or 1.0) if _excused(document) else max(1.0, least or 1.0), gains.throughput[0]
        if _excused(document):
            return None, 1.0, None
        return opponent, 1.0, document.measured.throughput_per_s.low / published.high if published.high else None
    if rival is None or gains is None or verdict.throughput_ratio is None:
        return None, 1.0, None
    most = gains.of(prefer)[1]
    if most is None and verdict.kind != "equal":
        return None, 1.0, None
    value = published.value * verdict.throughput_ratio.value
    highest = gains.throughput[1]
    return (
        _distinct(config, "its rival in the search", rival, value),
        1 / most if most else 1.0,
        1 / highest if highest else None,
    )


def _excused(document: Document) -> bool:
    """Whether the baseline breaks a limit that no speed makes up for: of memory, or of the outputs' error."""
    goal, baseline = document.goal, document.baseline
    memory, error = goal.max_memory_bytes, goal.max_error
    if memory is not None and baseline.measured.memory_bytes > memory:
        return True
    return error is not None and (baseline.outputs is None or baseline.outputs.max_rel > error)


def _gains_of(verdict: VerdictPart) -> Gains | None:
    if verdict.throughput_ratio is None or verdict.latency_ratio is None:
        return None
    return Gains(
        throughput=_ends(verdict.throughput_ratio),
        latency=_ends(verdict.latency_ratio),
        cost=_ends(verdict.cost_ratio),
    )


def _ends(ratio: RatioPart | None) -> tuple[float | None, float | None]:
    return (ratio.low, ratio.high) if ratio is not None else (None, None)


def _distinct(config: Config, name: str, other: Config, throughput_per_s: float | None) -> Opponent | None:
    return None if config == other else Opponent(name=name, config=other, throughput_per_s=throughput_per_s)


def _goal(document: Document, margin: float | None) -> Goal:
    part = document.goal
    return Goal(
        latency=part.latency,
        prefer=part.prefer,
        max_latency_ms=part.max_latency_ms,
        min_throughput_per_s=part.min_throughput_per_s,
        max_memory_bytes=part.max_memory_bytes,
        max_error=part.max_error,
        margin=part.margin if margin is None else margin,
    )


def _contested(document: Document, goal: Goal) -> Prefer:
    """What the document's duel was about: the goal's preference, or the limit that the baseline breaks."""
    if document.verdict.about is not None:
        return document.verdict.about
    figures = document.baseline.measured
    told = (figures.latency_ms.get(metric) for metric in (goal.latency, "p50"))
    latency = next((part.value for part in told if isinstance(part, IntervalPart)), 0.0)
    if goal.max_latency_ms is not None and latency > goal.max_latency_ms:
        return "latency"
    if goal.min_throughput_per_s is not None and figures.throughput_per_s.value < goal.min_throughput_per_s:
        return "throughput"
    return goal.prefer


def _check_comparable(document: Document, against: Document) -> None:
    if document.model.sha256 != against.model.sha256:
        ours, theirs = (f"{d.model.path} ({d.model.sha256[:8]})" for d in (document, against))
        raise DocumentError(f"the two configs are for different models ({ours}, {theirs}): give two for one model")
    if document.load != against.load:
        ours, theirs = (describe(workload_of(d)) for d in (document, against))
        raise DocumentError(f"the two configs are for different loads ({ours}, {theirs}): give two for one load")
