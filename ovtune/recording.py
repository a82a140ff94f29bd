"""Recordings: visits to many configs in the order of time, which replays measure in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pydantic

from ovtune import measurement
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric, Summary
from ovtune.model import Model
from ovtune.workload import ClosedLoop, Workload

_RECORDED: tuple[LatencyMetric, ...] = ("mean", "p50", "p90", "p95", "p99")

Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
Natural = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, pydantic.Field(ge=0, le=2**53)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One visit as a recording holds it; None where it does not tell.

    Attributes:
        round: The round that it belongs to.
        started_s: When it began, in seconds from the recording's beginning.
        config: What was visited.
        ok: Whether that came to numbers.
        reason: Why not.
        throughput_per_s: Inferences per second.
        latency_ms: The latency's metrics.
        samples: How many latencies those are from.
        elapsed_s: The measured time.
        cost_s: What the visit took in all.
        effective: The settings as read back.
        cpu_s: CPU seconds that the process took in the measured time.
        host_busy: The share of the machine's CPU time that was used meanwhile, by the process itself too.
        samples_ms: The latencies in the order of completion.
        baseline: What the config is called where it is one of OpenVINO's own answers.
        compile_ms: The compilation's time.
        first_inference_ms: The first inference's time.
        memory_bytes: What the process held more than before the model was read.

    Raises:
        ValueError: it is ``ok`` without a throughput, a measured time, a sample or a median.
    """

    round: Count
    started_s: Natural
    config: Config
    ok: bool
    reason: str | None = None
    throughput_per_s: Natural | None = None
    latency_ms: Mapping[str, Natural | None] | None = None
    samples: Count | None = None
    elapsed_s: Natural | None = None
    cost_s: Natural
    effective: Mapping[str, Any] | None = None
    cpu_s: Natural | None = None
    host_busy: Natural | None = None
    samples_ms: tuple[Positive, ...] | None = None
    baseline: str | None = None
    compile_ms: Natural | None = None
    first_inference_ms: Natural | None = None
    memory_bytes: Count | None = None

    def __post_init__(self) -> None:
        if not self.ok:
            return
        for name in ("throughput_per_s", "elapsed_s", "samples"):
            if not getattr(self, name):
                raise ValueError(f"{name} is missing or not above zero, and it is ok")
        if "p50" not in self.metrics:
            raise ValueError("latency_ms has no p50 above zero, and it is ok")

    @property
    def metrics(self) -> dict[LatencyMetric, float]:
        """The latency's metrics that are told, in ms."""
        told = self.latency_ms or {}
        return {metric: value for metric in LATENCY_METRICS if (value := told.get(metric))}

    def tells(self, metric: LatencyMetric) -> bool:
        """Whether ``metric`` can be told of it."""
        return bool(self.samples_ms) or metric in self.metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all lines of a recording have in common.

    Attributes:
        model: The model, as far as it is told.
        workload: The load.
        environment: The host, as far as it is told.
        created: When the recording began, ISO 8601; "" where it is not told.
    """

    model: Model
    workload: Workload
    environment: Environment
    created: str = ""

    @property
    def began_at(self) -> float:
        """When the recording began, in seconds of the Unix epoch; 0 where it is not told."""
        return datetime.fromisoformat(self.created).timestamp() if self.created else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A whole recording: what is common, and the visits in the order of time.

    Attributes:
        header: What is common.
        records: The visits.
        sha256: The digest of the file.
    """

    header: Header
    records: tuple[Record, ...]
    sha256: str

    @property
    def configs(self) -> tuple[Config, ...]:
        """The distinct configs, in the order of their first visits."""
        return tuple(dict.fromkeys(record.config for record in self.records))


def block_of(record: Record, header: Header, *, started_at: float) -> Block:
    """The block that a record which is ``ok`` tells of.

    What is not recorded is 0: CPU time, compilation, first inference, memory. What others took of the machine is
    told where both the machine's and the process's own time are.
    """
    throughput, elapsed_s = record.throughput_per_s or 0.0, record.elapsed_s or 0.0
    items = max(1, round(throughput * elapsed_s))
    samples = np.array(record.samples_ms or ())
    summary = Summary(count=record.samples or 1, latency_ms=record.metrics) if samples.size == 0 else None
    busy = record.host_busy if record.cpu_s is not None and record.host_busy is not None else 0.0
    others = min(1.0, max(0.0, busy - (record.cpu_s or 0.0) / (elapsed_s * header.environment.cpus)))
    block = Block(
        started_at=started_at,
        elapsed_s=items / throughput,
        items=items,
        samples=measurement.pack(samples) if summary is None else b"",
        summary=summary,
        cpu_s=record.cpu_s or 0.0,
        compile_ms=record.compile_ms or 0.0,
        compile_cached=False,
        first_inference_ms=record.first_inference_ms or 0.0,
        memory_bytes=record.memory_bytes or 0,
        occupancy=None,
        others_busy=others,
        effective=record.effective or {},
        effective_key=record.config.key,
        cost_s=record.cost_s,
        caveats=(Caveat(kind="contention", parameters={"others": others}),) if others > measurement.CONTENDED else (),
    )
    return replace(block, occupancy=_occupancy(block, record, header))


def record_of(block: Block, config: Config, header: Header, *, started_s: float, round_: int) -> Record:
    """A block as a record, its samples included."""
    return Record(
        round=round_,
        started_s=round(started_s, 3),
        config=config,
        ok=True,
        throughput_per_s=block.throughput_per_s,
        latency_ms={metric: block.latency_ms(metric) for metric in _RECORDED},
        samples=block.count,
        elapsed_s=block.elapsed_s,
        cost_s=block.cost_s,
        effective=block.effective,
        cpu_s=block.cpu_s,
        host_busy=min(1.0, block.others_busy + block.cpu_s / (block.elapsed_s * header.environment.cpus)),
        samples_ms=tuple(block.latencies_ms.tolist()) or None,
        compile_ms=block.compile_ms,
        first_inference_ms=block.first_inference_ms,
        memory_bytes=block.memory_bytes,
    )


def _occupancy(block: Block, record: Record, header: Header) -> float | None:
    """By Little's law, in a closed loop."""
    if not isinstance(header.workload, ClosedLoop) or not record.tells("mean"):
        return None
    config = record.config
    return block.throughput_per_s / config.batch_size * block.latency_ms("mean") / 1000 / config.nireq
