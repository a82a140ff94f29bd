"""Infer requests as the driver sees them: inputs written once, run again and again, no callback."""

import functools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune.backend import ov
from ovtune.config import Config
from ovtune.runtime import Compiled

_BITS_OF_ONE = {"f8e4m3": 0x38, "f8e5m2": 0x3C}


class QueueEngine:
    """Infer requests of a queue as the driver sees them: inputs written once, no callback.

    Args:
        compiled: The compiled model.
        nireq: How many requests.
        seed: Seeds the inputs' values.
    """

    def __init__(self, compiled: Compiled, nireq: int, seed: int) -> None:
        self.nireq = nireq
        self._queue = ov.AsyncInferQueue(compiled.model, nireq)
        self._requests = list(self._queue)
        _fill_all(compiled, self._requests, seed)
        self.wait_idle = self._queue.get_idle_request_id
        self.is_idle = self._queue.is_ready
        # What lies in front of it in Python looks the idle request up and wraps it once more: 2 us of 8 per request.
        self.start = functools.partial(super(ov.AsyncInferQueue, self._queue).start_async, {}, None)  # type: ignore[misc]
        self.wait_all = self._queue.wait_all

    def latency_ms(self, request: int) -> float:
        """How long the last run of a finished request took, from start to completion."""
        return float(self._requests[request].latency)


class SyncEngine:
    """One infer request that is run and waited for, as a caller of ``infer()`` does; a start returns at its end.

    Its latency is the caller's: around the call, which hands out the outputs without copying them.

    Args:
        compiled: The compiled model.
        seed: Seeds the inputs' values.
    """

    nireq = 1

    def __init__(self, compiled: Compiled, seed: int) -> None:
        self._request = compiled.model.create_infer_request()
        self._took_ns = 0
        _fill_all(compiled, [self._request], seed)

    def wait_idle(self) -> int:
        """The only request: between two calls it is always free."""
        return 0

    def is_idle(self) -> bool:
        """Always."""
        return True

    def start(self) -> None:
        """Runs the request to its end."""
        began = time.perf_counter_ns()
        self._request.infer(share_outputs=True)
        self._took_ns = time.perf_counter_ns() - began

    def latency_ms(self, request: int) -> float:
        """How long the last call took."""
        return self._took_ns / 1e6

    def wait_all(self) -> None:
        """Nothing runs between two calls."""


def engine_for(compiled: Compiled, config: Config, seed: int) -> QueueEngine | SyncEngine:
    """The requests that ``config`` asks for."""
    return SyncEngine(compiled, seed) if config.api == "sync" else QueueEngine(compiled, config.nireq, seed)


def _fill_all(compiled: Compiled, requests: Sequence[Any], seed: int) -> None:
    generator = np.random.default_rng(seed)
    for request in requests:
        for port in compiled.model.inputs:
            _fill(request.get_tensor(port), generator)


def _fill(tensor: ov.Tensor, generator: np.random.Generator) -> None:
    """Writes random values of the tensor's type: reals in [0, 1), integers in [0, 128), booleans.

    Types below a byte are packed, and all their bit patterns are values. NumPy knows no 8-bit reals: those in [0, 1)
    are the bit patterns below that of 1.
    """
    kind, data = tensor.element_type, tensor.data
    reals = np.asarray(generator.random(data.shape, dtype=np.float32))
    values: NDArray[Any]
    if kind.bitwidth < 8 and kind != ov.Type.boolean:
        data, values = data.view(np.uint8), generator.integers(0, 256, data.shape)
    elif kind == ov.Type.boolean:
        values = reals < 0.5
    elif kind == ov.Type.bf16:
        data, values = data.view(np.uint16), reals.view(np.uint32) >> 16
    elif kind.is_real() and kind.bitwidth == 8:
        data, values = data.view(np.uint8), reals * _BITS_OF_ONE.get(kind.to_string(), 1)
    elif kind.is_real():
        values = reals
    else:
        values = generator.integers(0, 128, data.shape)
    data[...] = np.asarray(values).astype(data.dtype)
