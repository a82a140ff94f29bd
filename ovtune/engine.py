"""Infer requests: as the driver sees them, inputs written once, run again and again; and with items to compare."""

import contextlib
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune.backend import ov
from ovtune.compiled import Compiled
from ovtune.config import Config
from ovtune.content import Content

ITEMS = 8
"""How many items outputs are compared on."""
_WIDE = (ov.Type.f16, ov.Type.f32, ov.Type.f64)
_UPPER_BITS = np.uint32(0xFFFF0000)
_PARTIAL_MS = 100
"""How long a partial batch waits for more while items are compared."""
_BITS_OF_ONE = {"f8e4m3": 0x38, "f8e5m2": 0x3C}


class QueueEngine:
    """Infer requests of a queue as the driver sees them: inputs written once, no callback.

    Args:
        compiled: The compiled model.
        config: How many requests, and how many items each of them holds.
        content: What goes into the inputs.
    """

    def __init__(self, compiled: Compiled, config: Config, content: Content) -> None:
        self.nireq = config.nireq
        self._queue = ov.AsyncInferQueue(compiled.model, config.nireq)
        self.requests = list(self._queue)
        _fill_all(compiled, self.requests, config.batch_size, content)
        self.wait_idle = self._queue.get_idle_request_id
        self.is_idle = self._queue.is_ready
        # What lies in front of it in Python looks the idle request up and wraps it once more: 2 us of 8 per request.
        self.start = functools.partial(super(ov.AsyncInferQueue, self._queue).start_async, {}, None)  # type: ignore[misc]
        self.wait_all = self._queue.wait_all

    def latency_ms(self, request: int) -> float:
        """How long the last run of a finished request took, from start to completion."""
        return float(self.requests[request].latency)


class SyncEngine:
    """One infer request that is run and waited for, as a caller of ``infer()`` does; a start returns at its end.

    Its latency is the caller's: around the call, which hands out the outputs without copying them.

    Args:
        compiled: The compiled model.
        config: How many items the request holds.
        content: What goes into the inputs.
    """

    nireq = 1

    def __init__(self, compiled: Compiled, config: Config, content: Content) -> None:
        self.requests = [compiled.model.create_infer_request()]
        self._infer = functools.partial(self.requests[0].infer, share_outputs=True)
        self._took_ns = 0
        _fill_all(compiled, self.requests, config.batch_size, content)

    def wait_idle(self) -> int:
        """The only request: between two calls it is always free."""
        return 0

    def is_idle(self) -> bool:
        """Always."""
        return True

    def start(self) -> None:
        """Runs the request to its end."""
        began = time.perf_counter_ns()
        self._infer()
        self._took_ns = time.perf_counter_ns() - began

    def latency_ms(self, request: int) -> float:
        """How long the last call took."""
        return self._took_ns / 1e6

    def wait_all(self) -> None:
        """Nothing runs between two calls."""


class Prepared:
    """An engine that does something with a request before each start, as a client would: in the measured time.

    Args:
        engine: What runs the requests.
        steps: What is done with a request, one after the other.
    """

    def __init__(self, engine: QueueEngine | SyncEngine, steps: Sequence[Callable[[Any], None]]) -> None:
        self.nireq, self.requests = engine.nireq, engine.requests
        self.is_idle, self.wait_all = engine.is_idle, engine.wait_all
        self._engine = engine
        self._steps = steps
        self._idle = 0
        self._prepared_ms = [0.0] * engine.nireq

    def wait_idle(self) -> int:
        """The request that the next start runs."""
        self._idle = self._engine.wait_idle()
        return self._idle

    def start(self) -> None:
        """Prepares the request and runs it."""
        began = time.perf_counter_ns()
        for step in self._steps:
            step(self.requests[self._idle])
        self._prepared_ms[self._idle] = (time.perf_counter_ns() - began) / 1e6
        self._engine.start()

    def latency_ms(self, request: int) -> float:
        """How long the last run of a finished request took, what was done in front of it included."""
        return self._prepared_ms[request] + self._engine.latency_ms(request)


Requests = QueueEngine | SyncEngine | Prepared


def engine_for(compiled: Compiled, config: Config, content: Content, *, copying: bool = False) -> Requests:
    """The requests that ``config`` asks for.

    ``copying`` writes an item into a request before each start. The state of a stateful model is reset there: each
    run is one of a new sequence.
    """
    kind = SyncEngine if config.api == "sync" else QueueEngine
    engine = kind(compiled, config, content)
    steps: list[Callable[[Any], None]] = []
    if _is_stateful(engine.requests[0]):
        steps.append(lambda request: request.reset_state())
    if copying:
        steps.append(_Writer(compiled, engine.requests, config.batch_size, content))
    return Prepared(engine, steps) if steps else engine


class _Writer:
    """Writes one batch of items after the other into the inputs of whatever request it is given."""

    def __init__(self, compiled: Compiled, requests: Sequence[Any], batch_size: int, content: Content) -> None:
        self._ports = list(compiled.model.inputs)
        self._batches = itertools.cycle(_batches(requests, self._ports, batch_size, content))

    def __call__(self, request: Any) -> None:
        for port, values in zip(self._ports, next(self._batches), strict=True):
            _raw(request.get_tensor(port))[...] = values


def _is_stateful(request: Any) -> bool:
    with contextlib.suppress(RuntimeError):
        return bool(request.query_state())
    return False


def infer_items(  # noqa: PLR0913 - how much of what is run, by name
    compiled: Compiled, engine: Requests, content: Content, *, config: Config, items: int, time_s: float, limit_s: float
) -> Iterator[tuple[int, list[NDArray[Any]]]]:
    """Runs items, which depend on nothing but their number, in batches, and gives their outputs one by one.

    First one request, or as many as automatic batching takes together; then all at once but those that never fill a
    batch, until each place of each request's batch had an item and all items were run. The engine is of no use
    afterwards: its queue is not told.

    Args:
        compiled: The compiled model.
        engine: Its requests, none of them running.
        content: What the items are.
        config: How many items a request holds, and how many requests are batched.
        items: How many different items to run.
        time_s: What would not be done within this time is not begun.
        limit_s: How long the first requests are waited for.

    Yields:
        The number of an item, from 0, and its outputs, which are to be copied before the next one is asked for.

    Raises:
        TimeoutError: a request was not done in time.
    """
    with contextlib.suppress(RuntimeError):
        if "AUTO_BATCH_TIMEOUT" in compiled.model.get_property("SUPPORTED_PROPERTIES"):
            compiled.model.set_property({"AUTO_BATCH_TIMEOUT": _PARTIAL_MS})
    began = time.perf_counter()
    group = min(config.auto_batch_size, len(engine.requests))
    requests = list(engine.requests[: len(engine.requests) // group * group])
    wave, ran = requests[:group], 0
    while True:
        at = time.perf_counter()
        held = []
        for request in wave:
            held.append([(ran + i) % items for i in range(config.batch_size)])
            ran += config.batch_size
            _prepare(compiled, request, held[-1], content)
        for request in wave:
            request.start_async()
        until = at + limit_s
        for request, numbers in zip(wave, held, strict=True):
            if not request.wait_for(max(1, int(1000 * (until - time.perf_counter())))):
                raise TimeoutError(f"an inference took longer than {limit_s:.3g} s")
            outputs = [_values(request.get_tensor(port)) for port in compiled.model.outputs]
            for place, number in enumerate(numbers):
                yield number, [_share_of(values, place, config.batch_size) for values in outputs]
        took_s = (time.perf_counter() - at) * len(requests) / len(wave)
        whole = len(wave) == len(requests)
        if (whole and ran >= items) or time.perf_counter() + took_s > began + time_s:
            return
        wave = requests


def _prepare(compiled: Compiled, request: Any, items: Sequence[int], content: Content) -> None:
    for number, port in enumerate(compiled.model.inputs):
        _fill(request.get_tensor(port), number, items, content)
    if _is_stateful(request):
        request.reset_state()


def _share_of(values: NDArray[Any], place: int, batch_size: int) -> NDArray[Any]:
    """One item's part of an output, which holds one after the other in its first dimension."""
    if batch_size == 1:
        return values
    size = len(values) // batch_size
    return values[place * size : (place + 1) * size]


def _values(tensor: ov.Tensor) -> NDArray[Any]:
    """A tensor's values; NumPy knows no bf16, whose bits are the upper half of a 32-bit real's."""
    data: NDArray[Any] = tensor.data
    if tensor.element_type == ov.Type.bf16:
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return data


def _fill_all(compiled: Compiled, requests: Sequence[Any], batch_size: int, content: Content) -> None:
    """Gives each request items of its own."""
    for place, request in enumerate(requests):
        for number, port in enumerate(compiled.model.inputs):
            _fill(request.get_tensor(port), number, range(place * batch_size, (place + 1) * batch_size), content)


def _batches(
    requests: Sequence[Any], ports: Sequence[Any], batch_size: int, content: Content
) -> list[list[NDArray[Any]]]:
    """What fills the inputs of one request after the other, as the tensors hold it."""
    found = []
    for place in range(max(len(requests), math.ceil(len(content.items) / batch_size))):
        items = range(place * batch_size, (place + 1) * batch_size)
        batch = []
        for number, port in enumerate(ports):
            tensor = requests[0].get_tensor(port)
            _fill(tensor, number, items, content)
            batch.append(np.array(_raw(tensor)))
        found.append(batch)
    return found


def _raw(tensor: ov.Tensor) -> NDArray[Any]:
    """A tensor's memory, of types that NumPy does not know as the bits that they consist of."""
    kind = tensor.element_type
    data: NDArray[Any] = tensor.data
    if kind == ov.Type.bf16:
        return data.view(np.uint16)
    if (kind.bitwidth < 8 and kind != ov.Type.boolean) or (kind.is_real() and kind.bitwidth == 8):
        return data.view(np.uint8)
    return data


def _fill(tensor: ov.Tensor, port: int, items: Sequence[int], content: Content) -> None:
    """Writes items, each into an equal share of the first dimension: the user's, or random values.

    Types below a byte are packed, and all their bit patterns are values. NumPy knows no 8-bit reals: those in [0, 1)
    are the bit patterns below that of 1.
    """
    kind = tensor.element_type
    for part, item in zip(np.array_split(np.atleast_1d(_raw(tensor)), len(items)), items, strict=True):
        if content.items:
            values = _stored(kind, content.items[item % len(content.items)][port]).reshape(part.shape)
        else:
            values = _drawn(kind, part.shape, content.generator(item, port))
        if content.coarse and kind in _WIDE:
            values = _coarse(values)
        part[...] = values.astype(part.dtype)


def _stored(kind: ov.Type, values: NDArray[Any]) -> NDArray[Any]:
    """Values as a tensor of type ``kind`` holds them; what NumPy has no type for is cut off, not rounded."""
    return values.astype(np.float32).view(np.uint32) >> 16 if kind == ov.Type.bf16 else values


def _coarse(values: NDArray[Any]) -> NDArray[Any]:
    """Reals cut to the bits that bf16 has of them."""
    return (np.ascontiguousarray(values, dtype=np.float32).view(np.uint32) & _UPPER_BITS).view(np.float32)


def _drawn(kind: ov.Type, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
    """Random values: reals in [0, 1), integers in [0, 128), booleans."""
    if kind.bitwidth < 8 and kind != ov.Type.boolean:
        return generator.integers(0, 256, shape)
    if not kind.is_real() and kind != ov.Type.boolean:
        return generator.integers(0, 128, shape)
    reals = np.asarray(generator.random(shape, dtype=np.float32))
    if kind == ov.Type.boolean:
        return reals < 0.5
    if kind == ov.Type.bf16:
        return reals.view(np.uint32) >> 16
    return reals * _BITS_OF_ONE.get(kind.to_string(), 1)
