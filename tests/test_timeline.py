from dataclasses import replace

import numpy as np

from ovtune.driver import ClosedLoopDriver, Engine, first_inference_ms, open_loop
from ovtune.measurement import Plan, Serving, pack
from ovtune.timeline import MOST, Recorder
from tests.test_driver import MS, BlockingEngine, FakeClock, FakeEngine
from tests.value import block


def test_closed_loop() -> None:
    """Two requests before one stream of 10 ms: each starts as it is free and completes two services later."""
    clock = FakeClock(now=5_000 * MS)
    recorder = Recorder(FakeEngine(clock, nireq=2, service_ms=10, streams=1), clock)
    driver = ClosedLoopDriver(recorder, clock)
    driver.warm_up(Plan(warmup_s=0.3))
    driver.measure(Plan(duration_s=0.1, least_requests=1))
    times = recorder.times_ms()
    assert times[0].tolist() == [0, 10]
    assert times[1].tolist() == [0, 20]
    starts = 10.0 * np.arange(1, len(times) - 1)
    np.testing.assert_allclose(times[2:], np.column_stack((starts, starts + 20)))


def test_open_loop() -> None:
    """Requests start when their items arrive, or as soon as one is free, and complete a latency later."""
    clock = FakeClock()
    recorder = Recorder(FakeEngine(clock, nireq=1, service_ms=15), clock)
    open_loop(recorder, clock, np.array([0.0, 0.01, 0.1]), batch=1, interval_s=0.05)
    np.testing.assert_allclose(recorder.times_ms(), [[0, 15], [15, 30], [100, 115]])


def test_a_blocking_start() -> None:
    """A synchronous caller's requests follow each other without a gap, the first inference among them."""
    clock = FakeClock(now=123)
    recorder = Recorder(BlockingEngine(clock, 10), clock)
    first_inference_ms(recorder, clock, group=1)
    ClosedLoopDriver(recorder, clock).measure(Plan(duration_s=0.05, least_requests=1))
    times = recorder.times_ms()
    starts = 10.0 * np.arange(len(times))
    np.testing.assert_allclose(times, np.column_stack((starts, starts + 10)))


def test_only_the_first_are_noted() -> None:
    """However many requests run, the timeline holds the first few hundred, and the measurement is the same."""
    found = []
    for noted in (True, False):
        clock = FakeClock()
        engine: Engine = FakeEngine(clock, nireq=4, service_ms=2, streams=2)
        recorder = Recorder(engine, clock)
        driver = ClosedLoopDriver(recorder if noted else engine, clock)
        driver.warm_up(Plan())
        run = driver.measure(Plan(duration_s=3))
        found.append((run.requests, run.elapsed_s, run.latencies_ms.tolist()))
        assert len(recorder.times_ms()) == (MOST if noted else 0)
    assert found[0] == found[1]


def test_who_served() -> None:
    """Who serves is noted as often as it changes, from the first start on."""
    clock = FakeClock(now=7 * MS)
    recorder = Recorder(FakeEngine(clock, nireq=1, service_ms=10), clock)
    for devices in (["(CPU)"], ["(CPU)"], ["GPU.0"], ["GPU.0"]):
        recorder.serves(devices)
        first_inference_ms(recorder, clock, group=1)
    assert recorder.servings() == (Serving(from_ms=0, devices="(CPU)"), Serving(from_ms=20, devices="GPU.0"))
    assert Recorder(FakeEngine(clock, nireq=1, service_ms=10), clock).servings() == ()


def test_a_block_keeps_it() -> None:
    """A block gives the pairs back in float32; one that noted nothing has none."""
    pairs = np.array([[0.0, 10.5], [10.5, 21.25]])
    assert replace(block(), timeline=pack(pairs)).timeline_ms.tolist() == pairs.tolist()
    assert block().timeline_ms.shape == (0, 2)
