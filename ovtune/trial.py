"""One visit to one config in this process: read, compile, warm up, measure, and say what was doubtful."""

import contextlib
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import psutil
from numpy.typing import NDArray

from ovtune import agreement, doubt, measurement
from ovtune.agreement import Agreement, Comparison
from ovtune.backend import reason
from ovtune.cap import thread_cap, threads_of
from ovtune.caveat import Caveat
from ovtune.compiled import STARTUP_S, Compiled
from ovtune.config import Config
from ovtune.content import Content, Feed
from ovtune.driver import ClosedLoopDriver, SystemClock, first_inference_ms, open_loop
from ovtune.energy import Meter
from ovtune.engine import ITEMS, Requests, engine_for, infer_items
from ovtune.environment import cpu_quota
from ovtune.errors import DeviceError, MeasurementError, ModelError
from ovtune.evaluator import Infeasible, Outcome, SameAs
from ovtune.heat import Thermometer
from ovtune.measurement import Block, Plan
from ovtune.network import reshaped
from ovtune.runtime import Runtime
from ovtune.timeline import Recorder
from ovtune.workload import ClosedLoop, OpenLoop, Workload

_COMPARING_S = 1.0
_PATIENCE_S = 20.0
_TIME_SHARE = 0.8
_STARTUP_PAUSE_S, _STARTUP_SLOWER = 0.02, 1.1
"""Between two requests while AUTO starts up; about fifty of them in its whole time."""
_UNTIL_EXIT: list[object] = []
"""What is never taken apart: with automatic batching that can take a whole batch timeout, or hang for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a visit is given.

    Attributes:
        files: For each precision, the model's file or built-in name.
        plugins: Further device names and the libraries that serve them.
        workload: The load.
        config: The config to visit.
        plan: How.
        beside: The process group that runs in the background on purpose, or None.
        cache: The folder of compiled models, or None.
        feed: What the model is fed with.
        reference: The file of the reference's outputs, to compare these with; None to leave that.
    """

    files: Mapping[str, str]
    plugins: Mapping[str, str]
    workload: Workload
    config: Config
    plan: Plan
    beside: int | None = None
    cache: str | None = None
    feed: Feed = field(default_factory=Feed)
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """What was seen before the measurement."""

    idle_bytes: int
    compile_ms: float
    first_inference_ms: float
    joined: int | None
    doubts: tuple[Caveat, ...]


def visit(order: Order) -> Outcome:
    """Makes one visit; what the runtime refuses is an :class:`Infeasible` with its reason.

    Raises:
        MeasurementError: the runtime took the config and failed while it ran.
    """
    config = order.config
    runtime = Runtime(order.plugins)
    idle_bytes = _resident_bytes()
    try:
        network = reshaped(
            runtime.read(order.files[config.precision]), batch_size=config.batch_size, shapes=config.shapes
        )
        began = time.perf_counter()
        compiled = runtime.compile(network, config, cache=order.cache)
        compile_ms = 1000 * (time.perf_counter() - began)
    except (ModelError, DeviceError) as error:
        return Infeasible(reason=str(error))
    del network
    noticed = [Caveat(kind="key_dropped", parameters={"name": name}) for name in runtime.unknown(config)]
    quota, threads = cpu_quota(), threads_of(config.properties)
    if quota is not None and threads == thread_cap():
        figures = {"quota": quota, "cpus": len(os.sched_getaffinity(0)), "threads": threads}
        noticed.append(Caveat(kind="threads_capped", parameters=figures))
    try:
        return _run(order, compiled, idle_bytes, compile_ms, tuple(noticed))
    except RuntimeError as error:
        raise MeasurementError(f"{config.device} failed while it ran ({reason(error)}): try another config") from error


def _run(
    order: Order, compiled: Compiled, idle_bytes: int, compile_ms: float, noticed: tuple[Caveat, ...]
) -> Block | SameAs | Infeasible:
    """Everything that runs inferences; ends early where the config turns out to be one that has been measured."""
    config, plan = order.config, order.plan
    began = time.perf_counter()
    requests = engine_for(compiled, config, _content(order, plan.seed), copying=order.feed.copying)
    _UNTIL_EXIT.extend((compiled, requests))
    engine = Recorder(requests, SystemClock())
    joined = compiled.joined
    group = _group(config, joined)
    engine.serves(compiled.execution_devices)
    first_ms = first_inference_ms(engine, SystemClock(), group=group)
    doubts = (*noticed, *_leave_startup(compiled, engine, group))
    key = compiled.effective_key(compiled.effective())
    owner = plan.shared.get(key)
    if owner is not None and owner != config.key:
        outputs, _ = _compared(order, compiled, requests, _left_s(began, plan))
        return _unless_nonsense(SameAs(config_key=owner, effective_key=key, outputs=outputs))
    opening = _Opening(
        idle_bytes=idle_bytes, compile_ms=compile_ms, first_inference_ms=first_ms, joined=joined, doubts=doubts
    )
    block = _measured(order, compiled, engine, opening)
    outputs, why = _compared(order, compiled, requests, _left_s(began, plan))
    noticed = (Caveat(kind="not_compared", parameters={"reason": why}),) if why else ()
    return _unless_nonsense(replace(block, outputs=outputs, caveats=(*block.caveats, *noticed)))


def _group(config: Config, joined: int | None) -> int:
    """How many requests complete together; 1 where the requests do not come to whole groups."""
    size = config.auto_batch_size if joined is None else joined
    return size if config.nireq % size == 0 else 1


def _content(order: Order, seed: int) -> Content:
    return order.feed.content(seed, places=max(order.config.nireq * order.config.batch_size, ITEMS))


def _unless_nonsense(found: Block | SameAs) -> Block | SameAs | Infeasible:
    outputs = found.outputs
    if outputs is None or not outputs.nonsense:
        return found
    return Infeasible(
        reason=f"its outputs have nothing to do with those of {outputs.reference} ({outputs.words}): "
        "the device computes the model wrongly, or it is another model"
    )


def _left_s(began: float, plan: Plan) -> float:
    """What is left of the time of a visit, some of which its answer takes."""
    return max(1.0, _TIME_SHARE * plan.timeout_s - (time.perf_counter() - began))


def _compared(order: Order, compiled: Compiled, engine: Requests, left_s: float) -> tuple[Agreement | None, str]:
    """How far the outputs are from the reference's, or why nobody knows: the last thing that is done with the requests.

    Neither where nobody asks. What was measured is not lost by anything that goes wrong here.
    """
    if order.reference is None:
        return None, ""
    try:
        reference = agreement.read(order.reference)
        if reference.reason:
            return None, reference.reason
        comparison = Comparison(reference)
        for number, outputs in infer_items(
            compiled,
            engine,
            _content(order, 0),
            config=order.config,
            items=len(reference.items),
            time_s=_COMPARING_S,
            limit_s=min(_PATIENCE_S, left_s),
        ):
            comparison.add(number, outputs)
    except (RuntimeError, TypeError, ValueError, OSError, MemoryError) as error:
        return None, reason(error)
    return comparison.result, ""


def _measured(order: Order, compiled: Compiled, engine: Recorder, opening: _Opening) -> Block:
    config, plan = order.config, order.plan
    doubts: list[Caveat] = list(opening.doubts)
    occupancy: float | None = None
    clock = SystemClock()
    closed = ClosedLoopDriver(engine, clock, group=_group(config, opening.joined))
    steady, warmup_s = closed.warm_up(plan)
    if not steady:
        doubts.append(Caveat(kind="not_steady", parameters={"warmup_s": warmup_s}))
    served_at_first = compiled.execution_devices
    engine.serves(served_at_first)
    match order.workload:
        case ClosedLoop():
            started_at, watch = time.time(), _Watch(order.beside)
            run = closed.measure(plan, at_end=watch.stop)
            items = run.requests * config.batch_size
            occupancy = doubt.occupancy_of(config, run)
        case schedule:
            engine.wait_all()
            arrivals, batch = schedule_s(schedule, plan, config), config.batch_size
            started_at, watch = time.time(), _Watch(order.beside)
            gap_s = 1 / schedule.rate_per_s
            run = open_loop(engine, clock, arrivals, batch=batch, interval_s=gap_s, patience_s=plan.longest_s)
            watch.stop()
            items = len(run.latencies_ms)
    effective, served_at_last = compiled.effective(), compiled.execution_devices
    engine.serves(served_at_last)
    if served_at_last != served_at_first:
        names = {"first": ", ".join(served_at_first), "last": ", ".join(served_at_last)}
        doubts.append(Caveat(kind="switched_device", parameters=names))
    if watch.others_busy > measurement.CONTENDED:
        doubts.append(Caveat(kind="contention", parameters={"others": watch.others_busy}))
    if watch.throttled:
        doubts.append(Caveat(kind="throttled", parameters={"events": watch.throttled}))
    if run.requests < plan.least_requests:
        doubts.append(Caveat(kind="few_samples", parameters={"samples": run.requests}))
    joined = config.auto_batch_size if opening.joined is None else opening.joined
    if isinstance(order.workload, ClosedLoop):
        doubts += doubt.of_closed_loop(config, run, joined, effective)
    else:
        doubts += doubt.of_open_loop(config, order.workload, run, joined, effective)
    doubts += doubt.of_settings(config, effective)
    doubts += doubt.of_batching(config, opening.joined)
    doubts += doubt.of_devices(config, effective, served_at_last)
    return Block(
        started_at=started_at,
        elapsed_s=run.elapsed_s,
        items=items,
        samples=measurement.pack(run.latencies_ms),
        cpu_s=max(0.0, watch.cpu_s - clock.watched_ns / 1e9),
        compile_ms=opening.compile_ms,
        compile_cached=compiled.from_cache,
        first_inference_ms=opening.first_inference_ms,
        memory_bytes=max(0, _resident_bytes() - opening.idle_bytes),
        occupancy=occupancy,
        others_busy=watch.others_busy,
        effective=effective,
        effective_key=compiled.effective_key(effective),
        energy_j=watch.energy_j,
        frequency_mhz=watch.frequency_mhz,
        caveats=tuple(doubts),
        timeline=measurement.pack(engine.times_ms()),
        served=engine.servings(),
    )


def _leave_startup(compiled: Compiled, engine: Recorder, group: int) -> list[Caveat]:
    """Waits until AUTO no longer serves from the device that it starts up on: till then its settings are that one's.

    A request now and then, ever more seldom, shows in the timeline what it does until then.
    """
    until, pause_s = time.perf_counter() + STARTUP_S, _STARTUP_PAUSE_S
    while compiled.starting:
        if time.perf_counter() >= until:
            return [Caveat(kind="startup_helper", parameters={"waited_s": STARTUP_S})]
        for _ in range(group):
            engine.wait_idle()
            engine.start()
        engine.wait_all()
        time.sleep(pause_s)
        pause_s *= _STARTUP_SLOWER
        engine.serves(compiled.execution_devices)
    return []


def schedule_s(schedule: OpenLoop, plan: Plan, config: Config) -> NDArray[np.float64]:
    """When the items of a visit arrive, in seconds from its beginning."""
    return schedule.arrivals_s(_items(schedule, plan, config), seed=plan.seed)


def _items(schedule: OpenLoop, plan: Plan, config: Config) -> int:
    """Items for the plan's time, and for its least requests where its longest time allows, in whole batches."""
    in_time, affordable = (int(schedule.rate_per_s * time_s) for time_s in (plan.duration_s, plan.longest_s))
    wanted = max(in_time, min(plan.least_requests * config.batch_size, affordable), 1)
    return math.ceil(wanted / config.batch_size) * config.batch_size


class _Watch:
    """What the measured time took of this process, of the group that runs beside it, and of the machine.

    From its making on until it is stopped; what still runs then, of as many requests as ran at the beginning, is not
    part of it.
    """

    def __init__(self, beside: int | None) -> None:
        self._group = beside
        self._meter, self._heat = Meter(), Thermometer()
        self._beside = _group_s(beside)
        self._process, self._machine, self._wall = time.process_time(), _busy_s(), time.perf_counter()
        self.cpu_s = self.others_busy = 0.0
        self.energy_j: float | None = None
        self.frequency_mhz: float | None = None
        self.throttled: int | None = None

    def stop(self) -> None:
        """Reads everything."""
        self.cpu_s = time.process_time() - self._process
        capacity_s = (time.perf_counter() - self._wall) * (os.cpu_count() or 1)
        others_s = _busy_s() - self._machine - self.cpu_s - max(0.0, _group_s(self._group) - self._beside)
        self.others_busy = min(1.0, max(0.0, others_s / capacity_s))
        self.energy_j, self.frequency_mhz = self._meter.joules(), self._heat.frequency_mhz()
        self.throttled = self._heat.throttled()


def _resident_bytes() -> int:
    """What this process holds in memory."""
    return int(psutil.Process().memory_info().rss)


def _group_s(group: int | None) -> float:
    """CPU seconds of the processes of a group, and of those that they have waited for."""
    total = 0.0
    for process in psutil.process_iter() if group is not None else ():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group:
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def _busy_s() -> float:
    """CPU seconds that the machine's CPUs were not idle, time stolen by the hypervisor included."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))
