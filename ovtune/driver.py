"""Puts a load on infer requests and records when each of them was done; the clock is injected.

No callback runs while measuring, and the inputs are already in place: in the loop stand one wait, one read and one
start per request.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ovtune.measurement import Plan

_WINDOW_NS = 100_000_000
_WINDOWS = 3
_SETTLE_NS = 50_000_000
_AGREE = 0.05
_WATCH_NS = 100_000


class Engine(Protocol):
    """A fixed number of infer requests, each run again and again on inputs of its own."""

    nireq: int

    def wait_idle(self) -> int:
        """Waits until a request is free and tells which one the next :meth:`start` runs."""
        ...

    def is_idle(self) -> bool:
        """Whether a request is free at this moment."""
        ...

    def start(self) -> None:
        """Runs the request that :meth:`wait_idle` named."""
        ...

    def latency_ms(self, request: int) -> float:
        """How long the last run of a free request took, from its start to its completion."""
        ...

    def wait_all(self) -> None:
        """Waits until no request runs."""
        ...


class Clock(Protocol):
    """A clock that only moves forward."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""
        ...

    def sleep_until(self, moment_ns: int) -> None:
        """Returns at ``moment_ns`` or, where that has passed, at once."""
        ...


class SystemClock:
    """The host's monotonic clock.

    A sleeper wakes late by some 60 microseconds, which a small model's latency would hold: so it sleeps until shortly
    before its moment and watches the clock from then on.

    Attributes:
        watched_ns: How long it has watched in all: CPU time that is the generator's, not the inferences'.
    """

    def __init__(self) -> None:
        self.watched_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()

    def sleep_until(self, moment_ns: int) -> None:
        """Returns at ``moment_ns`` or, where that has passed, at once."""
        left = moment_ns - _WATCH_NS - time.perf_counter_ns()
        if left > 0:
            time.sleep(left / 1e9)
        began = now = time.perf_counter_ns()
        while now < moment_ns:
            now = time.perf_counter_ns()
        self.watched_ns += now - began


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one measured stretch of load found.

    Attributes:
        latencies_ms: In the order of completion; per request in a closed loop, per item in an open one.
        requests: How many requests were completed.
        elapsed_s: The measured time.
        late_ms: The p99 of how late the generator was although a request was free, and had been while it was due;
            0 in a closed loop.
        backlog_ms: How far behind its arrivals the load was served at the end, above the beginning; 0 in a
            closed loop, or where it did not grow all along.
        runs: In an open loop a row for each run of a request, in the order of their starts: which request it was, what
            it took from its start to its end, and when that was, in ms.
    """

    latencies_ms: NDArray[np.float64]
    requests: int
    elapsed_s: float
    late_ms: float = 0.0
    backlog_ms: float = 0.0
    runs: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))


class ClosedLoopDriver:
    """Keeps every request busy, from the warm-up into the measurement without a pause.

    Args:
        engine: The requests.
        clock: Where the time comes from.
        group: Requests that complete together, as automatic batching makes them: only whole groups are counted.
    """

    def __init__(self, engine: Engine, clock: Clock, *, group: int = 1) -> None:
        self._engine = engine
        self._clock = clock
        self._group = group
        self._ran: set[int] = set()
        self._started = 0
        self._completed_ns = 0

    def warm_up(self, plan: Plan) -> tuple[bool, float]:
        """Runs at least ``nireq`` requests, then until three windows of time agree within 5 %.

        Returns:
            Whether they agreed before the plan's time was over, and how long it took in seconds.
        """
        started = self._clock.now_ns()
        self._steps(self._engine.nireq + self._group, math.inf)
        rates: list[float] = []
        while True:
            begin = self._clock.now_ns()
            if (begin - started) / 1e9 >= plan.warmup_s:
                return False, (begin - started) / 1e9
            done = self._steps(max(self._engine.nireq, self._group), begin + _WINDOW_NS)
            rates.append(done / max(self._clock.now_ns() - begin, 1))
            last = rates[-_WINDOWS:]
            if len(last) == _WINDOWS and max(last) - min(last) <= _AGREE * max(last):
                return True, (self._clock.now_ns() - started) / 1e9

    def measure(self, plan: Plan, *, at_end: Callable[[], None] = lambda: None) -> Run:
        """Measures for the plan's time, and on until it has its least requests; then waits for what still runs.

        What is to be read when the time is over, with every request still busy as it was at the beginning, ``at_end``
        reads.

        The time goes from one completion to another, and unless the plan's longest time is over as many are counted of
        each request: requests that complete together would else be counted or not by which of them comes first.
        """
        engine, now, ran, group = self._engine, self._clock.now_ns, self._ran, self._group
        wait_idle, start, latency_ms = engine.wait_idle, engine.start, engine.latency_ms
        self._steps(1, math.inf)
        latencies: list[float] = []
        append = latencies.append
        begin = moment = self._completed_ns
        enough, at_most = begin + int(plan.duration_s * 1e9), begin + int(plan.longest_s * 1e9)
        least, nireq = plan.least_requests, engine.nireq
        while True:
            request = wait_idle()
            moment = now()
            if request in ran:
                append(latency_ms(request))
                if moment >= enough:
                    count = len(latencies)
                    whole = count >= least and count % nireq == 0
                    if count % group == 0 and (whole or moment >= at_most):
                        break
            else:
                ran.add(request)
            start()
            self._started += 1
        at_end()
        self._finish()
        return Run(latencies_ms=np.array(latencies), requests=len(latencies), elapsed_s=max(moment - begin, 1) / 1e9)

    def _finish(self) -> None:
        """Fills the last group, which would else wait for its timeout, and waits for what still runs."""
        while self._started % self._group:
            self._engine.wait_idle()
            self._engine.start()
            self._started += 1
        self._engine.wait_all()

    def _steps(self, least: int, until_ns: float) -> int:
        """Completes requests and starts them again: at least ``least``, and on until ``until_ns`` where that is finite.

        Ends with whole groups started, of which none waits for its timeout.
        """
        engine, now, ran = self._engine, self._clock.now_ns, self._ran
        done = 0
        while True:
            request = engine.wait_idle()
            if request in ran:
                done += 1
            ran.add(request)
            self._completed_ns = now()
            engine.start()
            self._started += 1
            whole = self._started % self._group == 0
            if done >= least and whole and (until_ns == math.inf or now() >= until_ns):
                return done


def first_inference_ms(engine: Engine, clock: Clock, *, group: int) -> float:
    """The time of the first inference; of a whole group at once where requests wait for each other.

    A queue with automatic batching is given a moment to settle: its first batch can else take a whole timeout.
    """
    if group > 1:
        clock.sleep_until(clock.now_ns() + _SETTLE_NS)
    began = clock.now_ns()
    for _ in range(group):
        engine.wait_idle()
        engine.start()
    engine.wait_all()
    return (clock.now_ns() - began) / 1e6


def open_loop(  # noqa: PLR0913 - what a run consists of, by name
    engine: Engine,
    clock: Clock,
    arrivals_s: NDArray[np.float64],
    *,
    batch: int,
    interval_s: float,
    patience_s: float = math.inf,
) -> Run:
    """Items arrive at ``arrivals_s``, whatever the system does; ``batch`` of them are gathered into a request.

    An item's latency runs from its scheduled arrival to the completion of its request: gathering the batch and
    waiting for a free request are part of it. Items that fill no batch at the end are left out, and so are those that
    a system far behind has not begun ``patience_s`` after the last arrival. Where the generator was held because all
    requests were busy, or by a start that comes back at its end, what comes next is late by that, not by the generator.
    The measured time ends no sooner than the next item could have come, ``interval_s`` (the mean one) after the last.
    """
    arrivals = (arrivals_s[: len(arrivals_s) // batch * batch] * 1e9).astype(np.int64).reshape(-1, batch)
    completed = np.zeros(len(arrivals), dtype=np.int64)
    runs = np.zeros((len(arrivals), 3))
    served_by: dict[int, tuple[int, int]] = {}
    late: list[int] = []
    origin = held_until = clock.now_ns()
    given_up = origin + int(arrivals[-1, -1]) + patience_s * 1e9

    def harvest(request: int) -> None:
        row, submitted = served_by.pop(request)
        took_ms = engine.latency_ms(request)
        completed[row] = submitted + round(took_ms * 1e6)
        runs[row] = request, took_ms, (completed[row] - origin) / 1e6

    for row, last_arrival in enumerate(arrivals[:, -1]):
        due = origin + int(last_arrival)
        clock.sleep_until(due)
        own_delay = clock.now_ns() - max(due, held_until)
        was_free = engine.is_idle()
        request = engine.wait_idle()
        if request in served_by:
            harvest(request)
        submitted = clock.now_ns()
        if row and submitted > given_up:
            arrivals, completed, runs = arrivals[:row], completed[:row], runs[:row]
            break
        served_by[request] = (row, submitted)
        engine.start()
        if was_free:
            late.append(submitted - max(due, held_until))
        held_until = clock.now_ns() - own_delay
    engine.wait_all()
    for request in tuple(served_by):
        harvest(request)
    order = np.argsort(completed, kind="stable")
    latencies = (completed[:, None] - origin - arrivals)[order].ravel() / 1e6
    end = max(int(completed.max()) - origin, int(arrivals[-1, -1] + 1e9 * interval_s))
    return Run(
        latencies_ms=latencies,
        requests=len(arrivals),
        elapsed_s=end / 1e9,
        late_ms=float(np.quantile(late, 0.99)) / 1e6 if late else 0.0,
        backlog_ms=_backlog_ms(completed - origin, arrivals[:, -1]),
        runs=runs,
    )


def _backlog_ms(completed_ns: NDArray[np.int64], due_ns: NDArray[np.int64]) -> float:
    """How much the system fell behind its schedule, above what the schedule itself is uneven.

    Items that come in a rush wait for each other even in a system that keeps up with them on average: no more than
    behind a single server that is busy with each for just the mean gap (Lindley's recursion).
    """
    behind = completed_ns - due_ns
    gap = (due_ns[-1] - due_ns[0]) / max(len(due_ns) - 1, 1)
    ahead = due_ns - gap * np.arange(len(due_ns))
    waited = np.maximum.accumulate(ahead) - ahead
    return min(_growth_ms(behind), _growth_ms(behind - waited))


def _growth_ms(behind_ns: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """How much the delay of completions grew, in both halves alike: a stall or a busy neighbour is no growing backlog.

    Completions, not submissions: many requests hold a backlog long before one of them has to wait. By the medians of
    the first, the middle and the last fifth.
    """
    fifth = max(len(behind_ns) // 5, 1)
    starts = (0, (len(behind_ns) - fifth) // 2, len(behind_ns) - fifth)
    first, middle, last = (float(np.median(behind_ns[start : start + fifth])) for start in starts)
    return max(0.0, 2 * min(middle - first, last - middle)) / 1e6
