"""Which combinations of a config's own parameters make no sense, each with the reason."""

from collections.abc import Callable
from dataclasses import dataclass

from ovtune.config import Api
from ovtune.device_string import LISTS, kind_of
from ovtune.model import Model
from ovtune.workload import ClosedLoop, Workload

_MOST_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A combination of parameters that is not yet known to make sense.

    ``advised`` is the most requests that the runtime advises on the device, ``memory_bytes`` the least memory of the
    host and the devices, ``joined`` what automatic batching joins without being asked.
    """

    device: str
    hint: str
    nireq: int
    batch_size: int
    auto_batch_size: int
    timeout_ms: int | None
    precision: str
    inference_precision: str | None
    advised: int
    memory_bytes: int
    api: Api
    joined: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Why some combinations are never tried: ``forbids`` tells which, ``reason`` why."""

    name: str
    reason: str
    forbids: Callable[[Point, Model, Workload], bool]


RULES: tuple[Rule, ...] = (
    Rule(
        name="cumulative-needs-several",
        reason="CUMULATIVE_THROUGHPUT uses several devices at once: on one device it is THROUGHPUT",
        forbids=lambda p, m, w: p.hint == "CUMULATIVE_THROUGHPUT" and not p.device.startswith(("AUTO", "MULTI")),
    ),
    Rule(
        name="auto-batch-one-device",
        reason="BATCH wraps one device: it refuses a list, and AUTO behind it is the device that AUTO takes",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and kind_of(p.device) in LISTS,
    ),
    Rule(
        name="auto-batch-or-batch",
        reason="automatic batching needs a batch of 1 in the model",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and p.batch_size > 1,
    ),
    Rule(
        name="auto-batch-model",
        reason="automatic batching does not engage on a model without a batch of 1 in dimension 0, and on some others",
        forbids=lambda p, m, w: p.auto_batch_size > 1 and not m.batches_on(p.device),
    ),
    Rule(
        name="variant-of-one-batch",
        reason="this variant of the model takes a batch of 1 alone, and automatic batching does not engage on it",
        forbids=lambda p, m, w: p.precision in m.single and p.batch_size * p.auto_batch_size > 1,
    ),
    Rule(
        name="auto-batch-multiples",
        reason="with requests that are no multiple of the batch, one batch always waits for the timeout",
        forbids=lambda p, m, w: p.nireq % (p.auto_batch_size if p.auto_batch_size > 1 else p.joined) != 0,
    ),
    Rule(
        name="items-in-flight",
        reason="more than 16 items in flight for each request that the device advises only wait for each other",
        forbids=lambda p, m, w: p.nireq * p.batch_size > _MOST_IN_FLIGHT * max(p.advised, 2),
    ),
    Rule(
        name="memory",
        reason="the inputs and outputs of all requests take more than an eighth of the memory of the host or a device",
        forbids=lambda p, m, w: p.nireq * p.batch_size * m.item_bytes * 8 > p.memory_bytes,
    ),
    Rule(
        name="stateful-one-device",
        reason="a stateful model cannot be shared out over several devices: its state lives on one of them",
        forbids=lambda p, m, w: m.stateful and p.hint == "CUMULATIVE_THROUGHPUT",
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
