"""A queue of infer requests that a program can leave at any moment without a deadlock or an abort.

OpenVINO's own queue hands the program's callback to its threads, which hold on to it for a moment after ``wait_all()``
has returned, and need Python's lock to let it go. Whoever destroys the compiled model in that moment, which joins these
threads with the lock held, waits for ever; whoever ends the interpreter then is aborted. Both were seen under automatic
batching, the first with AUTO, too. And a callback that raises is reported by the next call, and by the one after that,
which aborts the process.

So the callback is kept in an object that the queue makes and hands over: nothing of what it raises gets into OpenVINO,
and once that object is gone no thread holds it any more, and everything may be destroyed in any order.

Three more ways to stand still were seen, and are refused with an error: an input of a wrong shape, which costs
OpenVINO's queue a request for good; starting or waiting inside of a callback of the same queue, which with one request
waits for itself; and starting while the queue is left. Threads may start inferences side by side: they take turns.
"""

import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ovtune.backend import ov
from ovtune.errors import UsageError

Callback = Callable[[Any, Any], object]
_SETTLE_S = 5.0
"""How long threads are given to let go, which takes them about a millisecond."""
_POLL_S = 0.0002
_kept: list[object] = []
"""What could not be left in that time, and is never destroyed: a model more in memory, and no deadlock."""


class _Calls:
    """What a queue knows of the calls of its callbacks.

    Attributes:
        raised: What they raised, and nobody was told.
        muted: Whether they are not called any more.
    """

    def __init__(self) -> None:
        self.raised: list[BaseException] = []
        self.muted = False
        self._thread = threading.local()

    @property
    def inside(self) -> bool:
        """Whether this thread runs one of them."""
        return getattr(self._thread, "inside", False)

    def run(self, callback: Callback, request: Any, userdata: Any) -> None:
        """Calls one; nothing comes out of it."""
        if self.muted:
            return
        self._thread.inside = True
        try:
            callback(request, userdata)
        except BaseException as error:  # noqa: BLE001 - in OpenVINO the second report of it aborts the process
            self.raised.append(error)
        finally:
            self._thread.inside = False

    def report(self) -> None:
        """Raises the first thing that was raised, once; its traceback holds the frame and so the list: emptied."""
        raised = self.raised[:1]
        self.raised.clear()
        if raised:
            try:
                raise raised[0]
            finally:
                raised.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Port:
    """An input of a model: a name, its shape and its element type."""

    name: str
    shape: tuple[int, ...]
    kind: ov.Type


class Queue(ov.AsyncInferQueue):  # type: ignore[misc]
    """OpenVINO's queue, which reports what a callback raised once, at ``wait_all()`` or when it is left.

    Args:
        model: The compiled model.
        nireq: The number of infer requests.
    """

    def __init__(self, model: ov.CompiledModel, nireq: int) -> None:
        super().__init__(model, nireq)
        self._model = model
        self._ports = _ports_of(model)
        self._calls = _Calls()
        self._given: list[weakref.ref[Callback]] = []
        self._starting = threading.Lock()
        self._left = False

    def set_callback(self, callback: Callback) -> None:
        """Calls ``callback`` with the request and its userdata whenever one is done; while none runs."""
        given = functools.partial(_Calls.run, self._calls, callback)
        self._given.append(weakref.ref(given))
        try:
            super().set_callback(given)
        finally:
            del given  # or the traceback of what was raised would hold it

    def start_async(self, inputs: Any = None, userdata: Any = None, share_inputs: bool = False) -> None:  # noqa: FBT001, FBT002 - as OpenVINO has it
        """Waits for a free request and starts it; in any thread but a callback's.

        Args:
            inputs: Arrays or tensors by the input's index, name or port; or one, or a list in order; None for what the
                request holds.
            userdata: What the callback is given.
            share_inputs: Whether arrays are used in place rather than copied, where that is possible.

        Raises:
            UsageError: an input has another shape, or as a tensor another type, than the model takes; or it is called
                in a callback of this queue, or after the queue was left.
        """
        if self._calls.inside:
            raise UsageError(
                "start_async() in a callback of the same queue waits for a request that may be its own: let another "
                "thread start the next one"
            )
        self._check(inputs)
        with self._starting:
            if self._left:
                raise UsageError("start_async() of a queue that was left: start inferences inside of the block")
            super().start_async(inputs, userdata, share_inputs)

    def wait_all(self) -> None:
        """Waits for all requests.

        Raises:
            UsageError: it is called in a callback of this queue, which it would wait for.
            BaseException: the first thing that a callback raised since the last time.
        """
        if self._calls.inside:
            raise UsageError("wait_all() in a callback of the same queue waits for itself: call it in another thread")
        super().wait_all()
        self._calls.report()

    def leave(self, *, quietly: bool) -> None:
        """Waits for all requests, and until no thread holds the callback; from then on all may be destroyed.

        Who starts one meanwhile is refused. A callback that starts its own request again and again is not called any
        more once all that ran have been waited for.

        Args:
            quietly: Whether to keep back what a callback raised.
        """
        self._left = True
        self._wait()
        settled = self._starting.acquire(timeout=_SETTLE_S)  # who was about to start one has started it
        if settled:
            self._starting.release()
            self._wait()
        self._calls.muted = True
        if not settled or not self._let_go():
            _kept.append((self, self._model))
        if quietly:
            self._calls.raised.clear()
        self._calls.report()

    def _let_go(self) -> bool:
        """Takes the callback back, and waits until no thread holds it; whether that came to be in time."""
        until = time.perf_counter() + _SETTLE_S
        taken = False
        while True:
            if not taken:
                self._wait()
                with contextlib.suppress(RuntimeError):  # a request was started again
                    super().set_callback(_nothing)
                    taken = True
            if taken and all(given() is None for given in self._given):
                return True
            if time.perf_counter() > until:
                return False
            time.sleep(_POLL_S)  # gives Python's lock to the thread that waits for it

    def _wait(self) -> None:
        for request in self:
            with contextlib.suppress(Exception):  # that one failed: which its own caller was told
                request.wait()

    def _check(self, inputs: Any) -> None:
        """Checks shapes and types while no request is taken for them: OpenVINO does not give one back."""
        for key, value in _pairs(inputs):
            port = self._ports.get(key)
            if port is None:
                continue  # which OpenVINO itself refuses, before it takes a request
            shape = tuple(value.shape if hasattr(value, "shape") else np.shape(value))
            if shape != port.shape:
                raise UsageError(f"input {port.name} has shape {list(shape)}, the model takes {list(port.shape)}")
            if isinstance(value, ov.Tensor) and value.element_type != port.kind:
                raise UsageError(
                    f"input {port.name} is a tensor of {value.element_type.to_string()}, "
                    f"the model takes {port.kind.to_string()}"
                )


def _ports_of(model: ov.CompiledModel) -> dict[int | str, _Port]:
    """The inputs of static shapes, by index and by each of their names."""
    found: dict[int | str, _Port] = {}
    for index, port in enumerate(model.inputs):
        if port.partial_shape.is_static:
            names = sorted(port.names)
            known = _Port(name=names[0] if names else str(index), shape=tuple(port.shape), kind=port.element_type)
            found |= dict.fromkeys([index, *names], known)
    return found


def _pairs(inputs: Any) -> Iterable[tuple[int | str, Any]]:
    """Each input that is given, by its index or one of its names, and what is given for it."""
    match inputs:
        case None:
            return ()
        case Mapping():
            return [(_key(key), value) for key, value in inputs.items()]
        case list() | tuple():
            return enumerate(inputs)
        case _:
            return ((0, inputs),)


def _key(key: Any) -> int | str:
    """The index or name that an input is given by, which may be a port; "" for what is neither."""
    return key if isinstance(key, int | str) else min(getattr(key, "names", ()), default="")


def _nothing(_request: Any, _userdata: Any) -> None:
    """The callback of a queue that was left."""
