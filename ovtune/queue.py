"""A queue of infer requests that a program can leave at any moment without a deadlock or an abort.

OpenVINO's own queue hands the program's callback to its threads, which hold on to it for a moment after ``wait_all()``
has returned, and need Python's lock to let it go. Whoever destroys the compiled model in that moment, which joins these
threads with the lock held, waits for ever; whoever ends the interpreter then is aborted. Both were seen under automatic
batching, the first with AUTO, too. And a callback that raises is reported by the next call, and by the one after that,
which aborts the process.

So the callback is kept in an object that the queue makes and hands over: nothing of what it raises gets into OpenVINO,
and once that object is gone no thread holds it any more, and everything may be destroyed in any order.
"""

import contextlib
import functools
import time
import weakref
from collections.abc import Callable
from typing import Any

from ovtune.backend import ov

Callback = Callable[[Any, Any], object]
_SETTLE_S = 5.0
"""How long threads are given to let go, which takes them about a millisecond."""
_POLL_S = 0.0002
_kept: list[object] = []
"""What could not be left in that time, and is never destroyed: a model more in memory, and no deadlock."""


class Queue(ov.AsyncInferQueue):  # type: ignore[misc]
    """OpenVINO's queue, which reports what a callback raised once, at ``wait_all()`` or when it is left.

    Args:
        model: The compiled model.
        nireq: The number of infer requests.
    """

    def __init__(self, model: ov.CompiledModel, nireq: int) -> None:
        super().__init__(model, nireq)
        self._model = model
        self._raised: list[BaseException] = []
        self._given: list[weakref.ref[Callback]] = []

    def set_callback(self, callback: Callback) -> None:
        """Calls ``callback`` with the request and its userdata whenever one is done."""
        given = functools.partial(_call, self._raised, callback)
        self._given.append(weakref.ref(given))
        super().set_callback(given)

    def wait_all(self) -> None:
        """Waits for all requests.

        Raises:
            BaseException: the first thing that a callback raised since the last time.
        """
        super().wait_all()
        self._report()

    def leave(self, *, quietly: bool) -> None:
        """Waits for all requests, and until no thread holds the callback; from then on all may be destroyed.

        Args:
            quietly: Whether to keep back what a callback raised.
        """
        for request in self:
            with contextlib.suppress(Exception):  # that one failed: which its own caller was told
                request.wait()
        super().set_callback(_nothing)
        until = time.perf_counter() + _SETTLE_S
        while any(given() is not None for given in self._given):
            if time.perf_counter() > until:
                _kept.append((self, self._model))
                break
            time.sleep(_POLL_S)  # gives Python's lock to the thread that waits for it
        if quietly:
            self._raised.clear()
        self._report()

    def _report(self) -> None:
        """Raises what a callback raised, once. Its traceback holds the frame and so the list, which must be empty."""
        raised = self._raised[:1]
        self._raised.clear()
        if raised:
            try:
                raise raised[0]
            finally:
                raised.clear()


def _call(raised: list[BaseException], callback: Callback, request: Any, userdata: Any) -> None:
    try:
        callback(request, userdata)
    except BaseException as error:  # noqa: BLE001 - in OpenVINO the second report of it aborts the process
        raised.append(error)


def _nothing(_request: Any, _userdata: Any) -> None:
    """The callback of a queue that was left."""
