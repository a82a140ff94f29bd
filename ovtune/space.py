"""Which configs a search may try: those that make sense for these devices, this model and this load."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ovtune.cap import capped
from ovtune.config import APIS, Api, Config, Scalar, parameters, split_batch
from ovtune.environment import Device
from ovtune.model import Model
from ovtune.workload import ClosedLoop, Workload

HINTS = ("none", "LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT")
UNSET = "unset"
"""The value of a parameter that a config leaves to the runtime."""
AUTO_BATCH_SIZES = (1, 2, 4, 8, 16)
AUTO_BATCH_TIMEOUTS_MS = (1, 3, 10, 30, 100, 1000)
_MOST_IN_FLIGHT = 16
_PRECISIONS = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What OpenVINO itself makes of a device string and a hint.

    Attributes:
        device: The device string.
        hint: The hint; ``none`` for no settings at all.
        nireq: The infer requests that it advises.
        effective: The settings as read back.
        effective_key: Equal for answers that run alike.
        threads: What its CPU devices had to be held to for the sake of a CPU quota; None where they take no more.
    """

    device: str
    hint: str
    nireq: int
    effective: Mapping[str, object]
    effective_key: str
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the space is derived from.

    Attributes:
        devices: The devices that the runtime lists.
        device_strings: The device strings to search.
        advice: OpenVINO's own answers for each of them that compiles.
        refused: The device strings that do not compile, each with the reason.
    """

    devices: tuple[Device, ...]
    device_strings: tuple[str, ...]
    advice: tuple[Advice, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The distinct feasible configs, in a fixed order; frozen with the study."""

    configs: tuple[Config, ...]

    @property
    def dimensions(self) -> dict[str, tuple[Scalar, ...]]:
        """The parameters that the configs differ in, each with its values in ascending order."""
        flat = [parameters(config) for config in self.configs]
        names = dict.fromkeys(name for one in flat for name in one)
        found = {name: {one.get(name, UNSET) for one in flat} for name in names}
        return {
            name: tuple(sorted(values, key=lambda v: (isinstance(v, str), v)))
            for name, values in found.items()
            if len(values) > 1
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A combination of parameters that is not yet known to make sense; ``advised`` is the most requests advised."""

    device: str
    hint: str
    nireq: int
    batch_size: int
    auto_batch_size: int
    timeout_ms: int | None
    precision: str
    inference_precision: str | None
    advised: int
    api: Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Why some combinations are never tried: ``forbids`` tells which, ``reason`` why."""

    name: str
    reason: str
    forbids: Callable[[_Point, Model, Workload], bool]


RULES: tuple[Rule, ...] = (
    Rule(
        name="cumulative-needs-several",
        reason="CUMULATIVE_THROUGHPUT uses several devices at once: on one device it is THROUGHPUT",
        forbids=lambda p, m, w: p.hint == "CUMULATIVE_THROUGHPUT" and not p.device.startswith(("AUTO", "MULTI")),
    ),
    Rule(
        name="auto-batch-one-device",
        reason="BATCH wraps one device, not a list",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and (":" in p.device or p.device in {"AUTO", "MULTI"}),
    ),
    Rule(
        name="auto-batch-or-batch",
        reason="automatic batching needs a batch of 1 in the model",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and p.batch_size > 1,
    ),
    Rule(
        name="auto-batch-model",
        reason="automatic batching does not engage on a model without a batch of 1 in dimension 0",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and not m.auto_batchable,
    ),
    Rule(
        name="auto-batch-multiples",
        reason="with requests that are no multiple of the batch, one batch always waits for the timeout",
        forbids=lambda p, m, w: p.nireq % p.auto_batch_size != 0,
    ),
    Rule(
        name="items-in-flight",
        reason="more than 16 items in flight for each request that the device advises only wait for each other",
        forbids=lambda p, m, w: p.nireq * p.batch_size > _MOST_IN_FLIGHT * max(p.advised, 2),
    ),
    Rule(
        name="sync-no-throughput-hint",
        reason="hints for throughput plan for several requests at once, which a synchronous caller has not",
        forbids=lambda p, m, w: p.api == "sync" and p.hint.endswith("THROUGHPUT"),
    ),
    Rule(
        name="timeout-with-auto-batch",
        reason="AUTO_BATCH_TIMEOUT belongs to BATCH, and acts only where the load can leave a batch partial",
        forbids=lambda p, m, w: (p.timeout_ms is not None) != (p.auto_batch_size > 1 and not isinstance(w, ClosedLoop)),
    ),
)


def build(host: Host, model: Model, workload: Workload, shapes: Mapping[str, tuple[int, ...]]) -> Space:
    """Every distinct config that makes sense on ``host`` for ``model`` under ``workload``."""
    advised: dict[str, set[int]] = {}
    for advice in host.advice:
        advised.setdefault(advice.device, set()).add(advice.nireq)
    threads = {(advice.device, advice.hint): advice.threads for advice in host.advice}
    configs: dict[str, Config] = {}
    for device, counts in advised.items():
        for point in _points(device, counts, host, model, workload):
            if not any(rule.forbids(point, model, workload) for rule in RULES):
                config = capped(_config(point, shapes), threads.get((device, point.hint)), host.devices)
                configs[config.key] = config
    return Space(configs=tuple(configs.values()))


def request_counts(advised: set[int]) -> tuple[int, ...]:
    """The infer requests to try: the advised numbers, their halves and doubles, and 1, 2, 3, 4, 6, 8, ... between."""
    top = max(4, 4 * max(advised))
    ladder = {n for k in range(math.ceil(math.log2(top)) + 1) for n in (2**k, 3 * 2**k) if n <= top}
    near = {n for a in advised for n in (a // 2, a, 2 * a) if n >= 1}
    return tuple(sorted(ladder | near))


def device_strings(devices: tuple[Device, ...]) -> tuple[str, ...]:
    """Each device alone; with two or more also AUTO over them, in every order, and with each one left out."""
    names = tuple(device.name for device in devices)
    if len(names) < 2:
        return names
    lists = [
        "AUTO:" + ",".join(order)
        for size in range(2, min(len(names), 3) + 1)
        for order in itertools.permutations(names, size)
    ]
    exclusions = [f"AUTO:-{name}" for name in names]
    return (*names, "AUTO", *lists, *exclusions)


def _points(device: str, advised: set[int], host: Host, model: Model, workload: Workload) -> Iterator[_Point]:
    named, asked_batch = split_batch(device)
    auto_batches = (asked_batch,) if asked_batch > 1 else AUTO_BATCH_SIZES
    counts = set(request_counts(advised))
    timeouts = (None,) if isinstance(workload, ClosedLoop) else (None, *AUTO_BATCH_TIMEOUTS_MS)
    for auto_batch in auto_batches:
        multiples = {auto_batch, 2 * auto_batch} if auto_batch > 1 else set()
        for hint, nireq, batch, timeout, precision, inference, api in itertools.product(
            HINTS,
            sorted(counts | multiples),
            model.batch_sizes,
            timeouts,
            model.precisions,
            (None, *_inference_precisions(named, host.devices)),
            APIS,
        ):
            if api == "sync" and nireq > 1:  # a config that cannot be: Config refuses it
                continue
            yield _Point(
                device=named,
                hint=hint,
                nireq=nireq,
                batch_size=batch,
                auto_batch_size=auto_batch,
                timeout_ms=timeout,
                precision=precision,
                inference_precision=inference,
                advised=max(advised),
                api=api,
            )


def _inference_precisions(device: str, devices: tuple[Device, ...]) -> tuple[str, ...]:
    """What the named devices can compute in, without what each of them takes by itself."""
    listed = device.partition(":")[2].split(",")
    named = [d for d in devices if d.name == device or d.name in listed] or list(devices)
    offered = {_PRECISIONS[c] for d in named for c in d.capabilities if c in _PRECISIONS}
    defaults = {d.precision for d in named}
    return tuple(sorted(offered - defaults if len(defaults) == 1 else offered))


def _config(point: _Point, shapes: Mapping[str, tuple[int, ...]]) -> Config:
    properties: dict[str, Scalar] = {}
    if point.hint != "none":
        properties["PERFORMANCE_HINT"] = point.hint
    if point.inference_precision is not None:
        properties["INFERENCE_PRECISION_HINT"] = point.inference_precision
    if point.timeout_ms is not None:
        properties["AUTO_BATCH_TIMEOUT"] = point.timeout_ms
    batched = f"BATCH:{point.device}({point.auto_batch_size})"
    return Config(
        device=batched if point.auto_batch_size > 1 else point.device,
        properties=properties,
        nireq=point.nireq,
        batch_size=point.batch_size,
        precision=point.precision,
        shapes=shapes,
        api=point.api,
    )
