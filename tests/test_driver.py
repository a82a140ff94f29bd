import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.driver import ClosedLoopDriver, Run, SystemClock, open_loop
from ovtune.measurement import Plan
from ovtune.workload import ConstantRate, OpenLoop, Poisson, Streams

MS = 1_000_000


@dataclass
class FakeClock:
    """A clock that moves only when it is told to; ``stalls`` hold back a sleeper that wakes at or after a moment."""

    now: int = 0
    stalls: list[tuple[int, int]] = field(default_factory=list)

    def now_ns(self) -> int:
        """The moment."""
        return self.now

    def sleep_until(self, moment_ns: int) -> None:
        """Moves to ``moment_ns``, and through the first stall that is due."""
        self.now = max(self.now, moment_ns)
        for stall in self.stalls:
            if self.now >= stall[0]:
                self.now += stall[1]
                self.stalls.remove(stall)
                break


class FakeEngine:
    """Requests served in the order of their starts by a fixed number of streams; groups of them run together.

    A group waits until it is full; when nothing else is left to happen it waits for its timeout, which is counted.
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        nireq: int,
        service_ms: Callable[[int], float] | float = 10.0,
        streams: int | None = None,
        group: int = 1,
        timeout_ms: float = 1000.0,
    ) -> None:
        self.nireq = nireq
        self.timeouts = 0
        self.served: list[int] = []
        self._clock = clock
        self._service = service_ms if callable(service_ms) else lambda _: service_ms
        self._free_at = [clock.now] * (streams or nireq)
        self._group = group
        self._timeout_ns = int(timeout_ms * MS)
        self._idle = deque(range(nireq))
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self._running: list[tuple[int, int, int]] = []
        self._latencies = [0.0] * nireq
        self._runs = 0

    def wait_idle(self) -> int:
        """Moves the clock until a request is free."""
        self._settle()
        while not self._idle:
            self._advance()
        return self._idle[0]

    def is_idle(self) -> bool:
        """Whether one is free now."""
        self._settle()
        return bool(self._idle)

    def start(self) -> None:
        """Starts the request that has been free for longest."""
        request = self._idle.popleft()
        group = self._waiting.setdefault(request // self._group, [])
        group.append((request, self._clock.now))
        if len(group) == self._group:
            self._run(self._waiting.pop(request // self._group))

    def latency_ms(self, request: int) -> float:
        """How long its last run took from its start, its time in the queue included."""
        return self._latencies[request]

    def wait_all(self) -> None:
        """Moves the clock until nothing runs and no group waits."""
        while self._running or self._waiting:
            self._advance()

    def _run(self, members: Sequence[tuple[int, int]]) -> None:
        begin = max(self._clock.now, heapq.heappop(self._free_at))
        done = begin + round(self._service(self._runs) * MS)
        self._runs += 1
        heapq.heappush(self._free_at, done)
        for request, started in members:
            heapq.heappush(self._running, (done, request, started))

    def _settle(self) -> None:
        while self._running and self._running[0][0] <= self._clock.now:
            done, request, started = heapq.heappop(self._running)
            self._latencies[request] = (done - started) / MS
            self._idle.append(request)
            self.served.append(request)

    def _advance(self) -> None:
        if self._running:
            self._clock.now = max(self._clock.now, self._running[0][0])
            self._settle()
            return
        self.timeouts += 1
        _, members = self._waiting.popitem()
        self._clock.now = max(self._clock.now, members[0][1] + self._timeout_ns)
        for member in members:
            self._run([member])


def _closed(engine: FakeEngine, clock: FakeClock, plan: Plan, *, group: int = 1) -> Run:
    driver = ClosedLoopDriver(engine, clock, group=group)
    driver.warm_up(plan)
    return driver.measure(plan)


def _occupancy(run: Run, nireq: int) -> float:
    return run.requests / run.elapsed_s * float(np.mean(run.latencies_ms)) / 1000 / nireq


@given(
    streams=st.integers(1, 4),
    deep=st.integers(1, 4),
    service_ms=st.floats(0.5, 90),
    duration_s=st.floats(0.1, 0.6),
    least=st.integers(1, 40),
)
def test_closed_loop_is_exact(streams: int, deep: int, service_ms: float, duration_s: float, least: int) -> None:
    """With a fixed service time the throughput is streams by service time, also where requests complete together."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=streams * deep, service_ms=service_ms, streams=streams)
    plan = Plan(duration_s=duration_s, least_requests=least, longest_s=100)
    run = _closed(engine, clock, plan)
    assert run.requests / run.elapsed_s == pytest.approx(1000 * streams / service_ms, rel=1e-6)
    assert run.latencies_ms.tolist() == pytest.approx([service_ms * deep] * run.requests, rel=1e-4)
    assert _occupancy(run, engine.nireq) == pytest.approx(1, rel=1e-4)
    assert run.requests >= least
    assert run.elapsed_s >= duration_s - 1e-9
    assert (run.late_ms, run.backlog_ms) == (0, 0)


@given(st.integers(1, 6), st.integers(1, 3), st.lists(st.floats(1, 30), min_size=3, max_size=12))
def test_closed_loop_counts_what_was_completed(nireq: int, streams: int, services: list[float]) -> None:
    """Whatever the service times, the count is off from what the streams did by less than one completion each."""
    clock = FakeClock()
    engine = FakeEngine(
        clock, nireq=nireq, service_ms=lambda i: services[i % len(services)], streams=min(streams, nireq)
    )
    run = _closed(engine, clock, Plan(duration_s=2.0, least_requests=1, longest_s=10))
    rate = min(streams, nireq) / (float(np.mean(services)) / 1000)
    assert abs(run.requests - rate * run.elapsed_s) <= 2 * len(services) + nireq
    assert _occupancy(run, nireq) == pytest.approx(1, abs=0.15)


def test_latencies_are_in_the_order_of_completion() -> None:
    """Samples stand in the order of time, not sorted: a slow one among fast ones stays where it was."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=1, service_ms=lambda i: 30.0 if i % 5 == 0 else 10.0)
    run = _closed(engine, clock, Plan(duration_s=0.5, least_requests=20, warmup_s=0))
    slow = np.flatnonzero(run.latencies_ms == 30)
    assert set(np.diff(slow)) == {5}
    assert set(run.latencies_ms) == {10, 30}


@pytest.mark.parametrize(
    ("service_ms", "requests", "elapsed_s"),
    [(10, 80, 0.8), (100, 30, 3.0), (25, 32, 0.8), (27, 30, 0.81), (1000, 3, 3.0), (2000, 2, 4.0), (10_000, 1, 10.0)],
)
def test_length_of_a_block(service_ms: float, requests: int, elapsed_s: float) -> None:
    """A block lasts its time, on until it has its requests, but not beyond its longest time except for one request."""
    clock = FakeClock()
    run = _closed(FakeEngine(clock, nireq=1, service_ms=service_ms), clock, Plan())
    assert run.requests == requests
    assert run.elapsed_s == pytest.approx(elapsed_s)


def test_the_longest_time_ends_a_block_of_many_slow_requests() -> None:
    """Where many requests wait on slow streams, a block does not go on until each of them was counted."""
    clock = FakeClock()
    run = _closed(FakeEngine(clock, nireq=16, service_ms=1000, streams=1), clock, Plan())
    assert run.elapsed_s == pytest.approx(3)
    assert run.requests == 3


@pytest.mark.parametrize(
    ("group", "nireq", "streams"), [(2, 2, 1), (4, 4, 1), (4, 8, 1), (4, 8, 2), (8, 16, 1), (16, 32, 2)]
)
@pytest.mark.parametrize("service_ms", [3.0, 70.0])
def test_groups_are_counted_whole(group: int, nireq: int, streams: int, service_ms: float) -> None:
    """Under automatic batching the throughput is exact, only whole groups count, and none is left to its timeout."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=nireq, service_ms=service_ms, streams=streams, group=group)
    run = _closed(engine, clock, Plan(), group=group)
    assert run.requests % group == 0
    assert run.requests / run.elapsed_s == pytest.approx(1000 * group * streams / service_ms, rel=1e-6)
    assert engine.timeouts == 0
    assert len(engine._idle) == nireq
    assert clock.now < 10_000 * MS


def test_the_longest_time_does_not_cut_a_group() -> None:
    """Where the longest time ends a block, it ends with the group that is then complete."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=16, service_ms=1000, streams=1, group=4)
    run = _closed(engine, clock, Plan(), group=4)
    assert run.requests == 12
    assert run.elapsed_s == pytest.approx(3)
    assert engine.timeouts == 0


@pytest.mark.parametrize(("group", "nireq"), [(2, 2), (4, 4), (4, 8), (8, 16)])
def test_warm_up_leaves_no_partial_group(group: int, nireq: int) -> None:
    """After the warm-up every group that was begun is full, so that an open loop can begin without a timeout."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=nireq, streams=1, group=group)
    ClosedLoopDriver(engine, clock, group=group).warm_up(Plan())
    engine.wait_all()
    assert engine.timeouts == 0


def test_groups_that_the_driver_does_not_know_run_into_their_timeout() -> None:
    """The fake engine would notice: driven one by one, its groups are left partial at the end."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=8, streams=1, group=4)
    _closed(engine, clock, Plan(), group=1)
    assert engine.timeouts > 0


def test_warm_up_ends_when_windows_agree() -> None:
    """A steady engine is warm after its first requests and three windows of a tenth of a second."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=2, service_ms=10)
    steady, took_s = ClosedLoopDriver(engine, clock).warm_up(Plan())
    assert steady
    assert took_s == pytest.approx(0.32)


def test_warm_up_waits_for_a_change_to_end() -> None:
    """An engine that is slow at first is warm only after three windows at its later speed."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=1, service_ms=lambda i: 40.0 if i < 10 else 10.0)
    steady, took_s = ClosedLoopDriver(engine, clock).warm_up(Plan(warmup_s=5))
    assert steady
    assert 0.4 + 0.3 <= took_s <= 0.4 + 0.5


def _slower(i: int) -> float:
    return 10 * 1.03**i


def _swinging(i: int) -> float:
    return 20.0 if i // 10 % 2 else 10.0


@pytest.mark.parametrize("service_ms", [_slower, _swinging])
def test_warm_up_says_when_it_did_not_settle(service_ms: Callable[[int], float]) -> None:
    """An engine that goes on changing is measured all the same, and the warm-up says that it never agreed."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=1, service_ms=service_ms)
    steady, took_s = ClosedLoopDriver(engine, clock).warm_up(Plan(warmup_s=0.6))
    assert not steady
    assert 0.6 <= took_s < 1


def test_warm_up_runs_every_request_however_short_it_is() -> None:
    """Without any time to warm up each request is still run before it is measured."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=5, service_ms=100, streams=1)
    steady, took_s = ClosedLoopDriver(engine, clock).warm_up(Plan(warmup_s=0))
    assert not steady
    assert set(engine.served) == set(range(5))
    assert took_s == pytest.approx(0.6)


def test_measuring_waits_for_what_still_runs() -> None:
    """After a measurement no request runs."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=6, streams=2)
    _closed(engine, clock, Plan())
    assert not engine._running
    assert len(engine._idle) == 6


def _open(
    *,
    items: int = 100,
    interval_ms: float = 10,
    batch: int = 1,
    stalls: Sequence[tuple[int, int]] = (),
    nireq: int = 1,
    service_ms: Callable[[int], float] | float = 2.0,
    streams: int | None = None,
    group: int = 1,
) -> Run:
    clock = FakeClock(now=5_000 * MS, stalls=[(5_000 * MS + at * MS, long * MS) for at, long in stalls])
    engine = FakeEngine(clock, nireq=nireq, service_ms=service_ms, streams=streams, group=group)
    return open_loop(engine, clock, np.arange(items) * interval_ms / 1000, batch=batch, interval_s=interval_ms / 1000)


def _queue(arrivals_ms: Sequence[float], services_ms: Sequence[float], streams: int) -> list[float]:
    """Latencies of a queue with several servers, in the order of completion: Lindley's recursion."""
    free = [0.0] * streams
    found = []
    for arrival, service in zip(arrivals_ms, services_ms, strict=True):
        done = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, done)
        found.append((done, done - arrival))
    return [latency for _, latency in sorted(found, key=lambda pair: round(pair[0], 6))]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
    st.integers(1, 3),
    st.integers(0, 5),
    st.sampled_from([5, 10, 20]),
)
def test_open_loop_is_a_queue(services: list[int], streams: int, spare: int, interval_ms: int) -> None:
    """Latencies are those of a queue that nobody holds back, however many requests stand before the streams."""
    arrivals = [i * float(interval_ms) for i in range(len(services))]
    run = _open(
        items=len(services),
        interval_ms=interval_ms,
        nireq=streams + spare,
        streams=streams,
        service_ms=lambda i: services[i],
    )
    assert run.latencies_ms.tolist() == pytest.approx(_queue(arrivals, services, streams), abs=1e-5)
    assert run.requests == len(services)
    assert run.late_ms == 0


def test_a_quiet_open_loop_shows_the_service_time() -> None:
    """Under a light load each item takes its service, the generator is never late, and the rate is the arrivals'."""
    run = _open()
    assert run.latencies_ms.tolist() == pytest.approx([2.0] * 100)
    assert run.elapsed_s == pytest.approx(1.0)
    assert (run.late_ms, run.backlog_ms) == (0, 0)


def test_gathering_a_batch_is_counted() -> None:
    """The first item of a batch waits for the others, and its latency says so."""
    run = _open(items=9, batch=4, service_ms=5, nireq=2)
    assert run.latencies_ms.tolist() == pytest.approx([35, 25, 15, 5] * 2)
    assert run.requests == 2


def test_automatic_batching_waits_for_its_group() -> None:
    """Where the runtime gathers the batch, its items wait just as long."""
    run = _open(items=8, group=4, nireq=8, service_ms=5, streams=1)
    assert sorted(run.latencies_ms) == pytest.approx([5, 5, 15, 15, 25, 25, 35, 35])


def test_items_that_wait_for_a_free_request_are_counted() -> None:
    """Waiting for a request is part of the latency: with one request at twice the load it grows by a service a time."""
    run = _open(items=5, service_ms=20)
    assert run.latencies_ms.tolist() == pytest.approx([20, 30, 40, 50, 60])
    assert run.late_ms == 0


def _stalled(i: int) -> float:
    return 1000.0 if i == 50 else 2.0


@pytest.mark.parametrize("nireq", [1, 2, 8])
def test_a_stall_of_the_engine_is_not_hidden(nireq: int) -> None:
    """One inference of a second delays all that arrive meanwhile; that is the engine's doing, not the generator's."""
    run = _open(items=400, service_ms=_stalled, streams=1, nireq=nireq)
    expected = _queue([i * 10.0 for i in range(400)], [_stalled(i) for i in range(400)], 1)
    assert run.latencies_ms.tolist() == pytest.approx(expected)
    assert max(run.latencies_ms) == pytest.approx(1000)
    assert np.sum(run.latencies_ms > 500) > 50
    assert run.late_ms == 0
    assert run.backlog_ms == 0


def test_requests_that_come_back_together_do_not_make_the_generator_late() -> None:
    """After a wait for two requests that end at once, the second is free at once: it was not the generator's fault."""
    run = _open(items=10, nireq=2, service_ms=lambda i: (1000.0, 990.0)[i] if i < 2 else 1.0)
    assert run.late_ms == 0
    assert max(run.latencies_ms) == pytest.approx(1000)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_stall_of_the_generator_is_not_hidden(batch: int) -> None:
    """A generator that sleeps for a second too long delays the items, and says by how much it was late."""
    run = _open(items=400, batch=batch, nireq=4, stalls=[(500, 1000)])
    assert max(run.latencies_ms) >= 1000
    assert np.sum(run.latencies_ms > 500) >= 50
    assert run.late_ms > 900
    assert run.backlog_ms == 0


def test_a_late_generator_before_a_busy_engine() -> None:
    """Where no request was free anyway, a late generator changed nothing and is not blamed."""
    run = _open(items=3, nireq=1, service_ms=1000, stalls=[(10, 100)])
    assert run.latencies_ms.tolist() == pytest.approx([1000, 1990, 2980])
    assert run.late_ms == 0


@pytest.mark.parametrize("nireq", [1, 4, 200])
def test_backlog_grows_under_too_much_load(nireq: int) -> None:
    """A load of twice the capacity is seen to grow, also where there are more requests than items to hold it."""
    run = _open(items=100, service_ms=20, nireq=nireq, streams=1)
    assert run.backlog_ms == pytest.approx(800)
    assert run.elapsed_s == pytest.approx(2.0)


@pytest.mark.parametrize("service_ms", [1.0, 9.9, 10.0])
@pytest.mark.parametrize("nireq", [1, 3])
def test_no_backlog_at_or_below_capacity(service_ms: float, nireq: int) -> None:
    """Up to the capacity itself nothing grows."""
    assert _open(service_ms=service_ms, nireq=nireq).backlog_ms == 0


def test_a_busy_neighbour_is_no_backlog() -> None:
    """An engine that becomes slower once, and keeps up, has no growing backlog."""
    run = _open(service_ms=lambda i: 2.0 if i < 60 else 8.0)
    assert run.backlog_ms == 0


@pytest.mark.parametrize("items", [1, 2, 3, 7])
def test_short_open_loops(items: int) -> None:
    """A handful of items is measured without a fuss."""
    run = _open(items=items)
    assert len(run.latencies_ms) == items
    assert run.elapsed_s > 0
    assert run.backlog_ms == 0


def test_open_loop_order_is_that_of_completion() -> None:
    """A request that overtakes another one comes first."""
    run = _open(items=2, nireq=2, service_ms=lambda i: (50.0, 5.0)[i])
    assert run.latencies_ms.tolist() == pytest.approx([5, 50])


def _scheduled(
    load: OpenLoop,
    items: int,
    *,
    seed: int = 0,
    batch: int = 1,
    nireq: int = 1,
    service_ms: Callable[[int], float] | float = 10.0,
    stalls: Sequence[tuple[int, int]] = (),
    patience_s: float = math.inf,
) -> Run:
    """An open loop before one server."""
    clock = FakeClock(stalls=[(at * MS, long * MS) for at, long in stalls])
    engine = FakeEngine(clock, nireq=nireq, service_ms=service_ms, streams=1)
    arrivals = load.arrivals_s(items, seed=seed)
    return open_loop(engine, clock, arrivals, batch=batch, interval_s=1 / load.rate_per_s, patience_s=patience_s)


LOADS = [ConstantRate(interval_s=0.02), Poisson(rate_per_s=50), Streams(cameras=5, frames_per_s=10)]


@pytest.mark.parametrize("nireq", [1, 4])
@pytest.mark.parametrize("rate_per_s", [50, 80])
def test_poisson_matches_the_theory(rate_per_s: float, nireq: int) -> None:
    """One server of fixed service: the mean response is s + rho s / (2 (1 - rho)), M/D/1, within its error."""
    service_s, batches = 0.01, 50
    run = _scheduled(Poisson(rate_per_s=rate_per_s), 100_000, seed=7, nireq=nireq)
    busy = rate_per_s * service_s
    expected = 1000 * (service_s + busy * service_s / (2 * (1 - busy)))
    means = run.latencies_ms.reshape(batches, -1).mean(axis=1)
    error = float(means.std(ddof=1)) / math.sqrt(batches)
    assert error < 0.03 * expected
    assert run.latencies_ms.mean() == pytest.approx(expected, abs=3 * error)
    assert run.late_ms == 0


@pytest.mark.parametrize("load", LOADS)
def test_irregular_arrivals_are_a_queue(load: OpenLoop) -> None:
    """Whatever the schedule, latencies are those of Lindley's recursion over it."""
    run = _scheduled(load, 400, service_ms=15, nireq=3)
    arrivals = np.floor(load.arrivals_s(400, seed=0) * 1e9) / 1e6
    assert run.latencies_ms.tolist() == pytest.approx(_queue(arrivals.tolist(), [15.0] * 400, 1), abs=1e-5)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("batch", [1, 4])
def test_no_schedule_hides_a_stalled_generator(load: OpenLoop, batch: int) -> None:
    """A generator that stalls for a second delays what arrives meanwhile by up to that second, on every schedule."""
    run = _scheduled(load, 400, batch=batch, nireq=8, service_ms=1, stalls=[(2000, 1000)])
    assert max(run.latencies_ms) >= 900
    assert np.sum(run.latencies_ms > 500) >= 15
    assert run.late_ms > 500


@pytest.mark.parametrize("load", LOADS)
def test_no_schedule_hides_the_gathering_of_a_batch(load: OpenLoop) -> None:
    """Before an idle server each item's latency is its wait for the last of its batch, and the service."""
    run = _scheduled(load, 42, batch=4, nireq=8, service_ms=0.5)
    arrivals = load.arrivals_s(40, seed=0).reshape(-1, 4)
    waits = 1000 * (arrivals[:, -1:] - arrivals) + 0.5
    assert run.latencies_ms.tolist() == pytest.approx(waits.ravel().tolist(), abs=0.6)
    assert run.requests == 10


@pytest.mark.parametrize(("cameras", "sustained"), [(1, True), (2, True), (3, True), (4, False), (8, False)])
def test_cameras_before_one_server(cameras: int, sustained: bool) -> None:
    """A server of 10 ms serves three cameras of 30 frames/s at their joint rate, and falls behind with four."""
    load = Streams(cameras=cameras, frames_per_s=30)
    run = _scheduled(load, 60 * cameras)
    assert (run.backlog_ms == 0) == sustained
    assert run.requests / run.elapsed_s == pytest.approx(min(30 * cameras, 100), rel=0.06)


@pytest.mark.parametrize(("rate_per_s", "most", "least"), [(50, 0.02, 0.0), (80, 0.05, 0.0), (125, 1.0, 0.95)])
def test_a_rush_is_no_backlog(rate_per_s: float, most: float, least: float) -> None:
    """In short blocks at random arrivals, a load is called growing where it is above capacity and hardly ever below."""
    grew = [
        _scheduled(Poisson(rate_per_s=rate_per_s), int(3 * rate_per_s), seed=seed).backlog_ms > 1000 / rate_per_s
        for seed in range(200)
    ]
    assert least <= np.mean(grew) <= most


class BlockingEngine:
    """One request whose start returns at its end."""

    nireq = 1

    def __init__(self, clock: FakeClock, service_ms: float) -> None:
        self._clock = clock
        self._service_ms = service_ms

    def wait_idle(self) -> int:
        return 0

    def is_idle(self) -> bool:
        return True

    def start(self) -> None:
        self._clock.now += round(self._service_ms * MS)

    def latency_ms(self, request: int) -> float:
        return self._service_ms

    def wait_all(self) -> None:
        pass


def test_a_blocking_start_in_a_closed_loop() -> None:
    """A synchronous caller's closed loop is exact: its throughput is one by its service time."""
    clock = FakeClock()
    driver = ClosedLoopDriver(BlockingEngine(clock, 10), clock)
    driver.warm_up(Plan())
    run = driver.measure(Plan())
    assert run.requests / run.elapsed_s == pytest.approx(100)
    assert set(run.latencies_ms) == {10}
    assert _occupancy(run, 1) == pytest.approx(1)


@pytest.mark.parametrize("stall_ms", [0, 1000])
def test_a_blocking_start_in_an_open_loop(stall_ms: int) -> None:
    """What waits for a synchronous caller is delayed by services alone; only a stall makes the generator late."""
    clock = FakeClock(stalls=[(2000 * MS, stall_ms * MS)])
    arrivals = Poisson(rate_per_s=80).arrivals_s(400, seed=1)
    run = open_loop(BlockingEngine(clock, 10), clock, arrivals, batch=1, interval_s=1 / 80)
    expected = _queue((np.floor(arrivals * 1e9) / 1e6).tolist(), [10.0] * 400, 1)
    if stall_ms == 0:
        assert run.latencies_ms.tolist() == pytest.approx(expected, abs=1e-5)
        assert run.late_ms == 0
    else:
        assert max(run.latencies_ms) > 1000
        assert run.late_ms > 900


def test_a_load_far_above_capacity_is_given_up() -> None:
    """What a system that is far behind has not begun in time is left out, and the backlog tells."""
    run = _scheduled(Poisson(rate_per_s=10_000), 10_000, patience_s=3)
    assert run.requests == pytest.approx(400, abs=10)
    assert run.elapsed_s == pytest.approx(4, abs=0.1)
    assert run.backlog_ms > 1000


def test_impatience_leaves_one_item() -> None:
    """However late the first item is served, it is measured."""
    run = _scheduled(ConstantRate(interval_s=0.01), 3, service_ms=10_000, stalls=[(0, 5000)], patience_s=0)
    assert run.latencies_ms.tolist() == [15_000]


def test_system_clock() -> None:
    """The host's clock never goes back, sleeps at least until the moment, and not at all for one that has passed."""
    clock = SystemClock()
    before = clock.now_ns()
    clock.sleep_until(before - 10**15)
    assert clock.watched_ns == 0
    moment = clock.now_ns() + 2 * MS
    clock.sleep_until(moment)
    assert clock.now_ns() >= moment > before
    assert 0 <= clock.watched_ns <= clock.now_ns() - before
    assert math.isclose(clock.now_ns(), time.perf_counter_ns(), abs_tol=3600e9)


def test_the_end_is_read_while_requests_still_run() -> None:
    """What is read at the end stands for what was counted: as many requests run then as at the beginning."""
    clock = FakeClock()
    engine = FakeEngine(clock, nireq=4, service_ms=10.0, streams=1)
    driver = ClosedLoopDriver(engine, clock)
    driver.warm_up(Plan())
    running: list[int] = []
    driver.measure(Plan(), at_end=lambda: running.append(len(engine._running)))
    assert running == [3]
    assert not engine._running


@pytest.mark.parametrize("interval_ms", [500.0, 2000.0])
def test_a_single_item_counts_for_the_time_between_items(interval_ms: float) -> None:
    """At a rate so low that one item fits, its throughput is the load's and not one by its latency."""
    run = _open(items=1, interval_ms=interval_ms)
    assert run.requests / run.elapsed_s == pytest.approx(1000 / interval_ms)
