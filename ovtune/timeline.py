"""When the first requests of a visit began and ended, and who served them, for a chart: noted on the way."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ovtune.driver import Clock, Engine
from ovtune.measurement import Serving

MOST = 300
"""How many requests are noted."""


class Recorder:
    """An engine that notes when its first :data:`MOST` requests began and ended.

    Args:
        engine: What runs the requests.
        clock: Where the time comes from.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.nireq = engine.nireq
        self.is_idle = engine.is_idle
        self.latency_ms = engine.latency_ms
        self.wait_all = engine.wait_all
        self._engine = engine
        self._clock = clock
        self._next = 0
        self._began_ns: list[int] = []
        self._took_ms: list[float] = []
        self._running: dict[int, int] = {}
        self._served: list[tuple[int, str]] = []

    def wait_idle(self) -> int:
        """Waits until a request is free, and notes how long it took."""
        self._next = request = self._engine.wait_idle()
        if request in self._running:
            self._note(request)
        return request

    def start(self) -> None:
        """Notes the moment and runs the request that :meth:`wait_idle` named."""
        if len(self._began_ns) < MOST:
            self._running[self._next] = len(self._began_ns)
            self._began_ns.append(self._clock.now_ns())
            self._took_ms.append(0.0)
        self._engine.start()

    def serves(self, devices: Sequence[str]) -> None:
        """Notes which devices serve at this moment, where that is news."""
        text = ", ".join(devices)
        if not self._served or self._served[-1][1] != text:
            self._served.append((self._clock.now_ns(), text))

    def servings(self) -> tuple[Serving, ...]:
        """Which devices served from when on; what was noted before the first start counts from that."""
        first = min(self._began_ns, default=0)
        return tuple(Serving(from_ms=max(0.0, (at - first) / 1e6), devices=text) for at, text in self._served)

    def times_ms(self) -> NDArray[np.float64]:
        """Start and completion of each noted request, in ms from the first start, in the order of the starts.

        To be asked while no request runs. A completion is the submission and the latency behind it.
        """
        for request in tuple(self._running):
            self._note(request)
        began = (np.array(self._began_ns, dtype=np.int64) - min(self._began_ns, default=0)) / 1e6
        return np.column_stack((began, began + np.array(self._took_ms)))

    def _note(self, request: int) -> None:
        self._took_ms[self._running.pop(request)] = self._engine.latency_ms(request)
