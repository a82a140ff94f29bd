import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from ovtune import engine
from ovtune.backend import reason
from ovtune.compiled import Compiled
from ovtune.config import Config
from ovtune.content import Content, Feed
from ovtune.engine import Prepared, QueueEngine, SyncEngine, engine_for, infer_items
from ovtune.measurement import Block, Plan
from ovtune.model import Input
from ovtune.network import reshaped
from ovtune.runtime import Runtime
from ovtune.trial import Order, visit
from ovtune.workload import ClosedLoop, ConstantRate, Workload
from tests import models
from tests.real import assert_readable, run_once

pytestmark = pytest.mark.runtime

PLAN = Plan(duration_s=0.05, warmup_s=0.05, least_requests=4, longest_s=2.0)
WRITING_S = 0.01
ALL = [
    Config(device="CPU", nireq=1),
    Config(device="CPU", nireq=2, batch_size=2),
    Config(device="CPU", nireq=1, api="sync"),
    Config(device="CPU", nireq=1, api="sync", batch_size=2),
    Config(device="BATCH:CPU(2)", nireq=2),
]


def compiled(network: ov.Model, config: Config) -> Compiled:
    return Runtime({}).compile(reshaped(network, batch_size=config.batch_size, shapes={}), config)


def items(count: int) -> Content:
    """Items of which each holds its own number."""
    return Content(items=[(np.full((1, 4), float(number), np.float32),) for number in range(count)])


def seen(running: Any, starts: int) -> list[list[float]]:
    """What stood in the inputs of each request that was started, one row an item."""
    found = []
    for _ in range(starts):
        request = running.requests[running.wait_idle()]
        running.start()
        running.wait_all()
        found.append(request.get_input_tensor(0).data[:, 0].tolist())
    return found


class TestCopying:
    """Items that are written into the requests, again before each start."""

    @pytest.mark.parametrize("api", ["async", "sync"])
    def test_the_items_come_in_turn(self, api: Any) -> None:
        """Each start runs the next item, and after the last one the first."""
        config = Config(device="CPU", nireq=1, api=api)
        running = engine_for(compiled(models.typed(ov.Type.f32, (1, 4)), config), config, items(3), copying=True)
        assert isinstance(running, Prepared)
        assert seen(running, 5) == [[0], [1], [2], [0], [1]]

    def test_a_batch_takes_as_many_as_it_holds(self) -> None:
        """With a batch of two, a request runs two items after the other."""
        config = Config(device="CPU", nireq=1, batch_size=2)
        running = engine_for(compiled(models.dense((1, 8)), config), config, wide(4), copying=True)
        assert seen(running, 3) == [[0, 1], [2, 3], [0, 1]]

    def test_requests_of_automatic_batching_share_the_items_out(self) -> None:
        """Each request of a group takes the next item, as single requests do."""
        config = Config(device="BATCH:CPU(2)", nireq=2)
        running = engine_for(compiled(models.dense((1, 8)), config), config, wide(4), copying=True)
        for _ in range(2):
            running.wait_idle()
            running.start()
        running.wait_all()
        assert sorted(float(r.get_input_tensor(0).data[0, 0]) for r in running.requests) == [0, 1]

    @pytest.mark.parametrize("kind", ["f16", "bf16", "i64", "boolean", "u4", "f8e4m3"])
    def test_every_type_is_written(self, kind: str) -> None:
        """What is written before a start is what is written once, type by type, bit by bit."""
        config = Config(device="CPU", nireq=2)
        answer = compiled(models.typed(getattr(ov.Type, kind), (1, 64)), config)
        once = [r.get_output_tensor(0) for r in ran(engine_for(answer, config, Content(seed=3)), 2)]
        again = [r.get_output_tensor(0) for r in ran(engine_for(answer, config, Content(seed=3), copying=True), 2)]
        assert [t.data.tolist() for t in once] == [t.data.tolist() for t in again]

    @pytest.mark.parametrize("workload", [ClosedLoop(), ConstantRate(interval_s=0.002)], ids=["closed", "open"])
    @pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.device}, {c.api}, batch {c.batch_size}")
    def test_it_is_in_the_measured_time(
        self, config: Config, workload: Workload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every latency holds the writing, and no more is served than it lets through."""

        class Slow(engine._Writer):
            def __call__(self, request: Any) -> None:
                time.sleep(WRITING_S)
                super().__call__(request)

        monkeypatch.setattr(engine, "_Writer", Slow)
        found = measured(config, workload, copying=True)
        assert found.latencies_ms.min() >= 1000 * WRITING_S
        assert found.throughput_per_s <= config.batch_size / WRITING_S

    @pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.device}, {c.api}, batch {c.batch_size}")
    def test_it_is_left_out_unless_asked_for(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without it, inputs are written once and nothing stands in front of a start."""
        monkeypatch.delattr(engine, "_Writer")
        assert measured(config, ClosedLoop(), copying=False).items > 0
        running = engine_for(compiled(models.dense(), config), config, Content())
        assert isinstance(running, QueueEngine | SyncEngine)


class TestState:
    """Models that keep a state."""

    @pytest.mark.parametrize("api", ["async", "sync"])
    def test_each_start_begins_anew(self, api: Any) -> None:
        """The sum over all inferences, kept as a state, is that of one: it is reset before each of them."""
        config = Config(device="CPU", nireq=1, api=api)
        running = engine_for(compiled(models.stateful(), config), config, Content(seed=1))
        for request in ran(running, 3):
            assert np.array_equal(request.get_output_tensor(0).data, request.get_input_tensor(0).data)

    def test_compared_items_begin_anew(self) -> None:
        """Outputs that are compared are those of first steps, whatever ran before."""
        config = Config(device="CPU", nireq=2)
        answer = compiled(models.stateful(), config)
        running = engine_for(answer, config, items(8))
        ran(running, 5)
        found = infer_items(answer, running, items(8), config=config, items=8, time_s=10, limit_s=20)
        assert all(float(values[0, 0]) == number for number, (values,) in found)


def wide(count: int) -> Content:
    return Content(items=[(np.full((1, 8), float(number), np.float32),) for number in range(count)])


def ran(running: Any, starts: int) -> Iterator[Any]:
    """The requests, after so many starts."""
    for _ in range(starts):
        running.wait_idle()
        running.start()
    running.wait_all()
    return iter(running.requests)


def measured(config: Config, workload: Workload, *, copying: bool) -> Block:
    feed = Feed(inputs=(Input(name="x", element_type="f32", shape=(1, 256)),), copying=copying)
    order = Order(files={"FP32": "demo:mlp"}, plugins={}, workload=workload, config=config, plan=PLAN, feed=feed)
    found = visit(order)
    assert isinstance(found, Block)
    return found


def test_content_of_files(tmp_path: Path) -> None:
    """The items of files reach the requests, one after the other."""
    np.save(tmp_path / "x.npy", np.arange(8, dtype=np.float32).repeat(8).reshape(8, 8))
    feed = Feed(inputs=(Input(name="x", element_type="f32", shape=(1, 8)),), files=(str(tmp_path / "x.npy"),))
    config = Config(device="CPU", nireq=2, batch_size=2)
    running = engine_for(compiled(models.dense(), config), config, feed.content(0, places=4))
    given = [request.get_input_tensor(0).data[:, 0].tolist() for request in running.requests]
    assert given == [[0, 1], [2, 3]]


class TestQueue:
    """The requests of a queue and their inputs."""

    @pytest.mark.parametrize("kind", ["f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2"])
    def test_reals(self, core: Runtime, kind: str) -> None:
        """Inputs of real types hold many different values from 0 to 1."""
        _, seen = run_once(core, models.typed(getattr(ov.Type, kind)))
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert seen.mean() > 0.02
        assert len(np.unique(seen)) > 20

    @pytest.mark.parametrize("kind", ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"])
    def test_integers(self, core: Runtime, kind: str) -> None:
        """Inputs of integer types hold many different values from 0 to 127, which are token ids everywhere."""
        given, seen = run_once(core, models.typed(getattr(ov.Type, kind)))
        assert np.array_equal(given, seen)
        assert seen.min() >= 0
        assert seen.max() <= 127
        assert len(np.unique(seen)) > 20

    @pytest.mark.parametrize("kind", ["u4", "i4"])
    def test_packed(self, core: Runtime, kind: str) -> None:
        """Inputs of types below a byte are filled in their packed form."""
        _, seen = run_once(core, models.typed(getattr(ov.Type, kind), (2, 63)))
        assert len(np.unique(seen)) > 10

    def test_booleans(self, core: Runtime) -> None:
        """Boolean inputs hold both values."""
        given, seen = run_once(core, models.typed(ov.Type.boolean))
        assert set(np.unique(seen)) == {0.0, 1.0}
        assert np.array_equal(given, seen)

    def test_requests_differ(self, core: Runtime) -> None:
        """Each request has inputs of its own: one that all share would stay hot in the cache."""
        answer = core.compile(models.dense(), Config(device="CPU", nireq=3))
        engine = QueueEngine(answer, Config(device="CPU", nireq=3), Content(seed=5))
        given = [np.array(request.get_input_tensor(0).data) for request in engine.requests]
        assert not np.array_equal(given[0], given[1])
        assert not np.array_equal(given[1], given[2])
        again = QueueEngine(answer, Config(device="CPU", nireq=3), Content(seed=5))
        assert np.array_equal(given[2], again.requests[2].get_input_tensor(0).data)

    def test_failure(self, core: Runtime) -> None:
        """An inference that fails raises the runtime's error, whose reason is readable."""
        with pytest.raises(RuntimeError) as caught:
            run_once(core, models.failing())
        assert "conflicts with the reshape pattern" in reason(caught.value)
        assert_readable(reason(caught.value))


class TestSync:
    """The request of a synchronous caller."""

    def test_runs(self, core: Runtime) -> None:
        """A start gives the output of the inputs that were written once, and its time; then the request is free."""
        config = Config(device="CPU", nireq=1, api="sync")
        engine = engine_for(core.compile(models.typed(ov.Type.f32), config), config, Content(seed=3))
        assert isinstance(engine, SyncEngine)
        assert engine.wait_idle() == 0
        engine.start()
        assert engine.is_idle()
        assert engine.latency_ms(0) > 0
        request = engine.requests[0]
        assert np.array_equal(request.get_input_tensor(0).data, request.get_output_tensor(0).data)
        engine.wait_all()

    def test_failure(self, core: Runtime) -> None:
        """An inference that fails raises the runtime's error."""
        config = Config(device="CPU", nireq=1, api="sync")
        with pytest.raises(RuntimeError, match="conflicts with the reshape pattern"):
            engine_for(core.compile(models.failing(), config), config, Content()).start()

    def test_async(self, core: Runtime) -> None:
        """The other interface has a queue of the config's size."""
        config = Config(device="CPU", nireq=3)
        engine = engine_for(core.compile(models.dense(), config), config, Content())
        assert isinstance(engine, QueueEngine)
        assert engine.nireq == 3
