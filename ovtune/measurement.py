"""How a config is to be measured, and what one visit to it found."""

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ovtune import stats
from ovtune.agreement import Agreement
from ovtune.caveat import Caveat
from ovtune.workload import Workload

LatencyMetric = Literal["p50", "p90", "p95", "p99", "p99.9", "mean"]
CONTENDED = 0.10
"""The share of the machine's CPU time from which on other processes' work makes a block contended."""
LATENCY_METRICS: tuple[LatencyMetric, ...] = get_args(LatencyMetric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one visit to a config is made.

    Attributes:
        duration_s: The time that is measured.
        least_requests: The infer requests that are measured at least, even where that takes longer ...
        longest_s: ... but not longer than this, except for a single request.
        warmup_s: The longest warm-up; at least ``nireq`` requests are run, however long they take.
        timeout_s: When the whole visit is given up.
        seed: Seeds the inputs and the arrivals.
        shared: The effective keys that have been measured, each with the key of its config:
            a config that turns out to be one of these is not measured again.
        workload: The load of this visit, where it is another one than the evaluator's own.
        again: Whether the config was measured before, so that its compiled model may be kept and taken from a cache.
    """

    duration_s: float = 0.8
    least_requests: int = 30
    longest_s: float = 3.0
    warmup_s: float = 1.0
    timeout_s: float = 120.0
    seed: int = 0
    shared: Mapping[str, str] = field(default_factory=dict)
    workload: Workload | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is left of a block's latencies where the samples themselves were not kept, as in a recording.

    Attributes:
        count: How many latencies there were.
        latency_ms: What was noted of them, each above zero.

    Raises:
        ValueError: there was none, or a value is not above zero.
    """

    count: int
    latency_ms: Mapping[LatencyMetric, float]

    def __post_init__(self) -> None:
        if self.count < 1 or not all(0 < value < math.inf for value in self.latency_ms.values()):
            raise ValueError(f"{dict(self.latency_ms)} of {self.count} latencies: at least one, all above zero")


Latencies = NDArray[np.floating] | Summary
"""The latencies of a block: samples in ms, in the order of completion, or their summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Which devices served from a moment on, in ms from the start of the first request; named as the runtime does."""

    from_ms: float
    devices: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One visit to one config: its samples in time order, and what else was read on the way.

    Attributes:
        started_at: When the measured time began, in seconds of the Unix epoch.
        elapsed_s: The measured time.
        items: Inferences completed in it, batch times requests.
        samples: The latencies in ms, float32, in the order of completion, compressed with zlib; one per
            request in a closed loop, one per item in an open one. Empty where there is a summary.
        summary: What a recording holds in their place; None where there are samples.
        cpu_s: CPU seconds that the process took meanwhile, without those in which the generator watched the clock.
        compile_ms: The compilation's time.
        compile_cached: Whether a model cache was used for it.
        first_inference_ms: The first inference's time.
        memory_bytes: What the process holds more than before the model was read.
        occupancy: Requests/s times mean latency / nireq, by Little's law, in a closed loop; else None.
        others_busy: The share of this machine's CPU time that other processes took, 0 to 1.
        effective: The settings as read back from the compiled model.
        effective_key: Equal for configs that the runtime runs in the same way.
        cost_s: What the visit took in all.
        energy_j: The energy that the processor packages used meanwhile, everything else on them included; None where
            their counters cannot be read.
        frequency_mhz: The processor's mean frequency at the end of it; None where the host does not tell.
        caveats: The doubts about it.
        outputs: How far its outputs are from the reference's, where that was looked at.
        timeline: When the first few hundred requests, warm-up included, began and ended: pairs in ms from the first
            start, packed as the samples are; empty where nobody noted it.
        served: Which devices served meanwhile, as often as that was seen to change.
    """

    __pydantic_config__ = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}  # noqa: RUF012

    started_at: float
    elapsed_s: float
    items: int
    samples: bytes
    cpu_s: float
    compile_ms: float
    compile_cached: bool
    first_inference_ms: float
    memory_bytes: int
    occupancy: float | None
    others_busy: float
    effective: Mapping[str, object]
    effective_key: str
    cost_s: float = 0.0
    energy_j: float | None = None
    frequency_mhz: float | None = None
    caveats: tuple[Caveat, ...] = ()
    outputs: Agreement | None = None
    summary: Summary | None = None
    timeline: bytes = b""
    served: tuple[Serving, ...] = ()

    @property
    def contended(self) -> bool:
        """Whether others used so much of the machine that the block tells less about its config."""
        return self.others_busy > CONTENDED

    @property
    def throughput_per_s(self) -> float:
        """Inferences per second."""
        return self.items / self.elapsed_s

    @property
    def latencies_ms(self) -> NDArray[np.float32]:
        """The latencies in ms, in the order of completion; none where only their summary is held."""
        return _unpacked(self.samples)

    @property
    def latencies(self) -> Latencies:
        """What is held of the latencies: the samples or their summary."""
        return self.latencies_ms if self.summary is None else self.summary

    @property
    def count(self) -> int:
        """How many latencies were measured."""
        return count_of(self.latencies)

    def effective_count(self, metric: LatencyMetric) -> float:
        """How many independent latencies tell as much about ``metric``; of a summary, as many as there were."""
        return _effective_count(self.samples, metric) if self.summary is None else float(self.summary.count)

    @property
    def error_within(self) -> float | None:
        """The relative standard error of its mean latency, as its samples show it; None where it holds a summary."""
        return _error_within(self.samples) if self.summary is None else None

    def latency_ms(self, metric: LatencyMetric) -> float:
        """The ``metric`` of the latencies, in ms.

        Raises:
            KeyError: only a summary is held, and it does not tell this one.
        """
        return latency_of(self.latencies, metric)

    @property
    def timeline_ms(self) -> NDArray[np.float32]:
        """Start and completion of each noted request in ms from the first start, one row each."""
        data = zlib.decompress(self.timeline) if self.timeline else b""
        return np.frombuffer(data, dtype=np.float32).reshape(-1, 2)

    @property
    def energy_mj_per_inference(self) -> float | None:
        """Millijoules of the processor packages per inference; None where their counters cannot be read."""
        return None if self.energy_j is None else 1000 * self.energy_j / self.items

    @property
    def cpu_ms_per_inference(self) -> float:
        """CPU milliseconds per inference."""
        return 1000 * self.cpu_s / self.items


@functools.lru_cache(maxsize=512)
def _unpacked(samples: bytes) -> NDArray[np.float32]:
    return np.frombuffer(zlib.decompress(samples) if samples else b"", dtype=np.float32)


@functools.lru_cache(maxsize=4096)
def _effective_count(samples: bytes, metric: LatencyMetric) -> float:
    """A percentile is told by which samples lie above it: they count, not how the others follow each other."""
    values = _unpacked(samples)
    return stats.effective_count(values if metric == "mean" else (values > latency_of(values, metric)).astype(float))


@functools.lru_cache(maxsize=4096)
def _error_within(samples: bytes) -> float:
    values = _unpacked(samples)
    return stats.batch_means_error(values) / float(np.mean(values))


def pack(times_ms: NDArray[np.floating]) -> bytes:
    """Times in ms as :attr:`Block.samples` and :attr:`Block.timeline` keep them."""
    return zlib.compress(times_ms.astype(np.float32).tobytes())


def count_of(latencies: Latencies, metric: LatencyMetric | None = None) -> int:
    """How many latencies there are, or with a ``metric``, how many of them tell it: all, or none."""
    if not isinstance(latencies, Summary):
        return len(latencies)
    return latencies.count if metric is None or metric in latencies.latency_ms else 0


def latency_of(latencies: Latencies, metric: LatencyMetric) -> float:
    """The ``metric`` of at least one latency, in ms.

    Raises:
        KeyError: a summary does not tell it.
    """
    if isinstance(latencies, Summary):
        return latencies.latency_ms[metric]
    if metric == "mean":
        return float(np.mean(latencies))
    return float(np.quantile(latencies, share_of(metric)))


def pooled(parts: Sequence[Latencies], metric: LatencyMetric) -> float:
    """The ``metric`` over at least one block, in ms: that of all samples together where all blocks hold samples.

    Where one holds a summary, it is the robust location of what the blocks tell each for itself, on a logarithm: a
    percentile of all samples cannot be had from percentiles. Of a tail it is a little less, since it leaves out how
    far the blocks lie apart.
    """
    samples = [part for part in parts if not isinstance(part, Summary)]
    if len(samples) == len(parts):
        return latency_of(np.concatenate(samples), metric)
    told = [latency_of(part, metric) for part in parts if count_of(part, metric)]
    return math.exp(stats.location(np.log(np.maximum(told, 1e-9))))


def share_of(metric: LatencyMetric) -> float:
    """The share of a percentile, 0 to 1: ``p99.9`` gives 0.999. The mean stands at a half."""
    return 0.5 if metric == "mean" else float(metric[1:]) / 100


def least_samples(metric: LatencyMetric) -> int:
    """How many samples a statement about ``metric`` needs."""
    return stats.least_samples(share_of(metric))
