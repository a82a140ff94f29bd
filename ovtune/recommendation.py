"""A study's result as a config document."""

import math
from collections.abc import Mapping
from dataclasses import asdict

from ovtune import document as documents
from ovtune.capacity import tolerance_of
from ovtune.config import Config
from ovtune.content import Feed
from ovtune.document import (
    BaselinePart,
    CapacityPart,
    CaveatPart,
    CoursePart,
    Document,
    EnvironmentPart,
    FrontPart,
    GoalPart,
    InputsPart,
    IntervalPart,
    LoadPart,
    MeasuredPart,
    ModelPart,
    OutputsPart,
    RatioPart,
    SoakPart,
    StudyPart,
    ThroughputPart,
    UnavailablePart,
    VerdictPart,
)
from ovtune.duel import Ratio
from ovtune.estimate import Unavailable
from ovtune.figures import Interval, Measured
from ovtune.result import Result, alternative, measured
from ovtune.soak import Course, Soak
from ovtune.study import agreement_of
from ovtune.workload import Capacity, StreamsCapacity


def document_of(result: Result) -> Document:
    """The document that deploys a result's recommendation."""
    return _document(result, _front(result))


def documents_of(result: Result) -> dict[str, Document]:
    """The documents of the recommendation and of each other config of the front, by key."""
    others = {e.config.key: alternative(result, e.config) for e in result.front}
    front = _front(result)
    return {key: _document(one, front) for key, one in (others | {result.recommended.key: result}).items()}


def _document(result: Result, front: list[FrontPart]) -> Document:
    study, goal = result.study, result.goal
    setup = study.setup
    workload, environment = setup.workload, setup.environment
    return Document(
        format="ovtune-config",
        version=1,
        model=ModelPart(name=setup.model.name, sha256=setup.model.sha256, path=setup.model.path),
        config=documents.part_of(result.recommended),
        effective=dict(result.measured.effective),
        load=LoadPart(**asdict(workload)),
        goal=GoalPart(
            latency=goal.latency,
            prefer=goal.prefer,
            max_latency_ms=goal.max_latency_ms,
            min_throughput_per_s=goal.min_throughput_per_s,
            max_memory_bytes=goal.max_memory_bytes,
            max_error=goal.max_error,
            deadline_ms=goal.deadline_ms,
            margin=goal.margin,
        ),
        measured=_measured(result.measured),
        baseline=BaselinePart(
            name=result.baseline.name,
            config=documents.part_of(result.baseline.config),
            measured=_measured(result.baseline_measured),
            outputs=_outputs(result, result.baseline.config),
            capacity=_capacity(result, result.baseline.config),
        ),
        verdict=VerdictPart(
            kind=result.verdict.kind,
            throughput_ratio=_ratio(result.verdict.throughput_ratio),
            latency_ratio=_ratio(result.verdict.latency_ratio),
            cost_ratio=_ratio(result.verdict.cost_ratio),
            metric=result.verdict.metric,
            work=result.verdict.work,
            rival=documents.part_of(result.verdict.rival) if result.verdict.rival is not None else None,
            about=result.verdict.about,
            text=result.verdict.text,
        ),
        outputs=_outputs(result, result.recommended),
        soak=_soak(result.soak) if result.soak is not None else None,
        front=front,
        caveats=[CaveatPart(kind=caveat.kind, text=caveat.text) for caveat in result.caveats],
        environment=EnvironmentPart(
            openvino=environment.openvino,
            devices=dict(environment.devices),
            cpu=environment.cpu,
            cpus=environment.cpus,
            quota=environment.quota,
            memory_bytes=environment.memory_bytes,
            system=environment.system,
            cpu_set=environment.cpu_set,
            energy=environment.energy,
            beside=setup.beside,
        ),
        study=StudyPart(
            name=study.name,
            trial=result.trial,
            created=study.created,
            like=setup.lead.study if setup.lead is not None else None,
        ),
        capacity=_capacity(result, result.recommended),
        variant=_variant(result, result.recommended),
        inputs=_inputs(setup.feed),
    )


def _inputs(feed: Feed) -> InputsPart | None:
    if not feed.files and not feed.copying:
        return None
    return InputsPart(files=list(feed.files), sha256=feed.sha256, copied=feed.copying)


def _variant(result: Result, config: Config) -> ModelPart | None:
    """The file that a config runs in place of the model's own."""
    found = result.study.setup.variants.get(config.precision)
    return ModelPart(name=found.name, sha256=found.sha256, path=found.path) if found is not None else None


def _front(result: Result) -> list[FrontPart]:
    return [
        FrontPart(
            config=documents.part_of(config),
            measured=_measured(measured(result, config)),
            outputs=_outputs(result, config),
        )
        for config in (e.config for e in result.front)
    ]


def _outputs(result: Result, config: Config) -> OutputsPart | None:
    found = agreement_of(result.study, config)
    if found is None or found.max_abs is None or found.max_rel is None:
        return None
    return OutputsPart(
        reference=found.reference,
        max_abs=found.max_abs,
        max_rel=found.max_rel,
        cosine=found.cosine,
        top1=found.top1,
        items=found.items,
        inputs="given" if result.study.setup.feed.files else "random",
    )


def _measured(figures: Measured) -> MeasuredPart:
    throughput, energy = figures.throughput_per_s, figures.energy_mj_per_inference
    return MeasuredPart(
        throughput_per_s=ThroughputPart(
            value=throughput.value,
            low=throughput.low,
            high=throughput.high,
            next_low=figures.next_low,
            next_high=figures.next_high,
        ),
        latency_ms=_latencies(figures.latency_ms),
        blocks=figures.blocks,
        samples=figures.samples,
        source=figures.source,
        occupancy=figures.occupancy,
        compile_ms=figures.compile_ms,
        compile_cached=figures.compile_cached,
        first_inference_ms=figures.first_inference_ms,
        memory_bytes=figures.memory_bytes,
        cpu_ms_per_inference=figures.cpu_ms_per_inference.value,
        energy_mj_per_inference=None if energy is None else energy.value,
    )


def _soak(soak: Soak) -> SoakPart:
    return SoakPart(
        config=_course(soak.config),
        baseline=_course(soak.opponent) if soak.opponent is not None else None,
        ratio=soak.ratio,
    )


def _course(course: Course) -> CoursePart:
    return CoursePart(
        elapsed_s=course.elapsed_s,
        throughput_per_s=course.throughput_per_s,
        remains=course.remains,
        of_short=course.of_short,
    )


def _latencies(
    latencies: Mapping[documents.Metric, Interval | Unavailable],
) -> dict[documents.Metric, IntervalPart | UnavailablePart]:
    return {
        metric: UnavailablePart(unavailable=told.text)
        if isinstance(told, Unavailable)
        else IntervalPart(value=told.value, low=told.low, high=told.high)
        for metric, told in latencies.items()
    }


def _capacity(result: Result, config: Config) -> CapacityPart | None:
    """What a config serves, where a capacity is asked for and its own is known."""
    load = result.study.setup.workload
    band = result.bands.get(result.study.owner(config))
    if band is None or not isinstance(load, Capacity):
        return None
    tolerance = tolerance_of(result.goal, load)
    cameras = isinstance(load, StreamsCapacity)
    return CapacityPart(
        kind="cameras" if cameras else "rate_per_s",
        frames_per_s=load.frames_per_s if isinstance(load, StreamsCapacity) else None,
        limit_ms=tolerance.limit_ms,
        allowed_late=tolerance.allowed,
        low=band.low,
        high=band.high,
        above=band.above,
        value=band.at_high.value,
        bound=band.at_high.high,
        blocks=band.at_high.blocks,
        samples=band.at_high.samples,
    )


def _ratio(ratio: Ratio | None) -> RatioPart | None:
    if ratio is None:
        return None
    low, high = (end if math.isfinite(end) else None for end in (ratio.low, ratio.high))
    return RatioPart(value=ratio.value, low=low, high=high)
