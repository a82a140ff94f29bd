import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from ovtune import codec, trial
from ovtune.compiled import Compiled
from ovtune.config import APIS, Config, Property
from ovtune.content import Content
from ovtune.engine import QueueEngine
from ovtune.errors import MeasurementError
from ovtune.evaluator import Infeasible, Outcome, SameAs
from ovtune.measurement import Block, Plan
from ovtune.trial import Order, visit
from ovtune.workload import ClosedLoop, ConstantRate, Poisson, Streams, Workload
from tests import models

pytestmark = pytest.mark.runtime

PLAN = Plan(duration_s=0.05, warmup_s=0.1, least_requests=10, longest_s=2.0)
MLP = {"FP32": "demo:mlp", "FP16": "demo:mlp"}
CPU = Config(device="CPU", nireq=2)


def made(
    config: Config = CPU,
    *,
    files: Mapping[str, str] = MLP,
    workload: Workload = ClosedLoop(),  # noqa: B008  (a value)
    plan: Plan = PLAN,
) -> Outcome:
    """A visit in this process."""
    plugins = {"CPUX": "openvino_intel_cpu_plugin"}
    return visit(Order(files=files, plugins=plugins, workload=workload, config=config, plan=plan))


def block(config: Config = CPU, **others: object) -> Block:
    """The block of a visit that must succeed."""
    outcome = made(config, **others)  # type: ignore[arg-type]
    assert isinstance(outcome, Block)
    return outcome


def kinds(found: Block) -> set[str]:
    """What is doubtful about it."""
    return {caveat.kind for caveat in found.caveats}


def texts(found: Block) -> str:
    """Its doubts in words."""
    return "\n".join(caveat.text for caveat in found.caveats)


class TestClosedLoop:
    """Requests that are always in flight."""

    def test_figures_agree(self) -> None:
        """A block counts what it timed: as many samples as requests, and Little's law between them."""
        before = time.time()
        found = block()
        assert before <= found.started_at <= time.time()
        assert found.elapsed_s >= PLAN.duration_s
        assert found.items == len(found.latencies_ms) >= PLAN.least_requests
        assert found.throughput_per_s == pytest.approx(found.items / found.elapsed_s)
        assert (found.latencies_ms > 0).all()
        assert found.occupancy is not None
        assert found.occupancy == pytest.approx(found.throughput_per_s * found.latencies_ms.mean() / 1000 / 2, rel=1e-3)
        assert found.occupancy > 0
        assert 0 <= found.others_busy <= 1
        assert found.compile_ms > 0
        assert found.first_inference_ms > 0
        assert not found.compile_cached
        starts, ends = found.timeline_ms.T
        assert PLAN.least_requests < len(starts) <= 300
        assert starts[0] == 0
        assert (np.diff(starts) >= 0).all()
        assert (ends > starts).all()

    def test_batch(self) -> None:
        """With a batch each request is as many inferences, and a caveat says what a closed loop hides."""
        found = block(Config(device="CPU", nireq=1, batch_size=4))
        assert found.items == 4 * len(found.latencies_ms)
        assert "batch_wait_hidden" in kinds(found)

    @pytest.mark.parametrize("workload", [ClosedLoop(), Poisson(rate_per_s=100)])
    def test_sync(self, workload: Workload) -> None:
        """A synchronous caller is measured like a queue of one, and is no shared config of it."""
        sync, queue = (block(Config(device="CPU", nireq=1, api=api), workload=workload) for api in APIS)
        assert sync.items == len(sync.latencies_ms) >= PLAN.least_requests
        assert (sync.latencies_ms > 0).all()
        assert (sync.occupancy is None) == (workload != ClosedLoop())
        assert sync.occupancy is None or 0 < sync.occupancy <= 1.001
        assert sync.effective == queue.effective
        assert sync.effective_key != queue.effective_key

    def test_json(self) -> None:
        """A block survives the way between processes."""
        found = block()
        again = codec.load(codec.dump(found, Outcome), Outcome)
        assert again == found
        assert json.loads(json.dumps(found.effective)) == found.effective

    def test_named_dynamic_shape(self, tmp_path: Path) -> None:
        """A dynamic model is measured with the shape that the config gives it."""
        path = models.saved(models.dense(ov.PartialShape([-1, 8])), tmp_path)
        config = Config(device="CPU", nireq=1, shapes={"x": (2, 8)})
        assert block(config, files={"FP32": path}).items > 0

    def test_two_inputs(self, tmp_path: Path) -> None:
        """A model of several inputs of several types is measured."""
        assert block(files={"FP32": models.saved(models.two_inputs(), tmp_path)}).items > 0

    def test_second_device(self) -> None:
        """A device of a registered plugin is measured, and AUTO serves from the first of its list."""
        for device in ("CPUX", "AUTO:CPUX,CPU", "AUTO:-CPU"):
            found = block(Config(device=device, nireq=1))
            assert found.effective["EXECUTION_DEVICES"] == ["CPUX"]
            assert "switched_device" not in kinds(found)


class TestOpenLoop:
    """Items that arrive on a schedule."""

    def test_figures_agree(self) -> None:
        """Items arrive on schedule whatever the system does: their number and the time follow from it."""
        found = block(workload=ConstantRate(interval_s=0.01))
        assert found.items == len(found.latencies_ms) == 10
        assert found.elapsed_s >= 0.1
        assert found.occupancy is None
        assert (found.latencies_ms > 0).all()

    def test_batch(self) -> None:
        """With a batch the first items of each wait for its last, and that is part of their latency."""
        found = block(Config(device="CPU", nireq=1, batch_size=4), workload=ConstantRate(interval_s=0.01))
        assert found.items == len(found.latencies_ms) == 40
        assert found.latencies_ms.max() > 30
        assert "partial_batch" in kinds(found)

    def test_not_sustained(self) -> None:
        """A load that no system sustains is told."""
        plan = Plan(duration_s=0.002, warmup_s=0.1, least_requests=10)
        found = block(Config(device="CPU", nireq=1), workload=ConstantRate(interval_s=1e-6), plan=plan)
        assert "not_sustained" in kinds(found)

    @pytest.mark.parametrize("workload", [Poisson(rate_per_s=100), Streams(cameras=4, frames_per_s=25)])
    def test_irregular_arrivals(self, workload: Workload) -> None:
        """Items that arrive at random or from cameras are measured on their schedule, which the plan's seed fixes."""
        found = block(workload=workload)
        assert found.items == len(found.latencies_ms) == 10
        assert found.elapsed_s >= workload.arrivals_s(10, seed=PLAN.seed)[-1]  # type: ignore[union-attr]
        assert found.occupancy is None

    def test_far_above_capacity(self) -> None:
        """A rate that is out of reach is given up after the plan's longest time, and told."""
        plan = Plan(duration_s=0.5, warmup_s=0.1, longest_s=0.2)
        found = block(Config(device="CPU", nireq=1), workload=Poisson(rate_per_s=1e6), plan=plan)
        assert found.items < 500_000
        assert "not_sustained" in kinds(found)


class TestDoubts:
    """What a block says against itself."""

    def test_none_for_what_was_asked(self) -> None:
        """Settings that the runtime takes as asked, in whatever spelling, raise no doubt."""
        properties = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
        found = block(Config(device="CPU", nireq=1, properties=properties))
        assert "effective_differs" not in kinds(found)
        assert "key_dropped" not in kinds(found)

    def test_effective_differs(self) -> None:
        """A setting that the runtime cuts down is told with both values."""
        found = block(Config(device="CPU", nireq=1, properties={"NUM_STREAMS": 1000}))
        assert f"NUM_STREAMS was asked to be 1000 and is {found.effective['NUM_STREAMS']}." in texts(found)

    def test_effective_differs_behind_auto(self) -> None:
        """So is one of a device behind AUTO, be it asked of AUTO or of the device."""
        asked: tuple[dict[str, Property], ...] = (
            {"NUM_STREAMS": 1000},
            {"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1000}}},
        )
        for properties in asked:
            found = block(Config(device="AUTO:CPU", nireq=1, properties=properties))
            assert "CPU.NUM_STREAMS was asked to be 1000 and is " in texts(found)

    def test_as_asked_behind_auto(self) -> None:
        """Settings of a device behind AUTO that are as asked raise no doubt."""
        inner: dict[str, Property] = {
            "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}}
        }
        found = block(Config(device="AUTO:CPU", nireq=1, properties=inner))
        assert not {"effective_differs", "key_dropped"} & kinds(found)

    def test_precision_replaced(self) -> None:
        """A precision that the processor does not compute in is told with the one that takes its place."""
        found = block(Config(device="CPU", nireq=1, properties={"INFERENCE_PRECISION_HINT": "f16"}))
        taken = found.effective["INFERENCE_PRECISION_HINT"]
        told = f"INFERENCE_PRECISION_HINT was asked to be f16 and is {taken}." in texts(found)
        assert told == (taken != "f16")

    def test_batching_never_engaged(self, tmp_path: Path) -> None:
        """Automatic batching that a model does not take runs each request alone, and is told; else it is not.

        Under a hint that advises as many requests as the batch holds, too.
        """
        resnet = models.light("resnet50", tmp_path)
        for device, hint in (("BATCH:CPU(4)", "LATENCY"), ("BATCH:CPU(2)", "THROUGHPUT")):
            config = Config(device=device, nireq=4, properties={"PERFORMANCE_HINT": hint})
            silent = block(config, files={"FP32": resnet})
            assert "auto_batching_inactive" in kinds(silent)
            assert "auto_batching_inactive" not in kinds(block(config))

    def test_fill(self) -> None:
        """At a rate that fills no batch before its timeout, no request runs in a full one, and it is told."""
        config = Config(device="BATCH:CPU(4)", nireq=4, properties={"AUTO_BATCH_TIMEOUT": 1})
        found = block(config, workload=ConstantRate(interval_s=0.02))
        assert {"batch_fill", "partial_batch"} <= kinds(found)
        assert "the first of them waits up to about 1 ms." in texts(found)

    def test_idle_devices(self) -> None:
        """A device of a list that serves nothing is told: these aliases serve from the last one alone."""
        at_once = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
        found = block(Config(device="AUTO:CPUX,CPU", nireq=2, properties=at_once))
        assert "CPUX is in the device list and served nothing: CPU did." in texts(found)
        found = block(Config(device="HETERO:CPU,CPUX", nireq=1))
        assert "CPUX is in the device list and served nothing: CPU did." in texts(found)
        assert "idle_device" not in kinds(block(Config(device="AUTO:CPUX,CPU", nireq=1)))

    def test_dropped(self) -> None:
        """A setting that AUTO drops without a word is told."""
        found = block(Config(device="AUTO:CPU", nireq=1, properties={"NUM_STREEMS": 2}))
        assert "NUM_STREEMS was asked for and the runtime shows no such setting." in texts(found)

    def test_threads_capped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A config that is held to a CPU quota says so, and one whose threads are its own does not."""
        monkeypatch.setattr(trial, "cpu_quota", lambda: 1.5)
        monkeypatch.setattr(trial, "thread_cap", lambda: 1)
        found = block(Config(device="CPU", nireq=1, properties={"INFERENCE_NUM_THREADS": 1}))
        assert "A CPU quota of 1.5 allows fewer CPUs than the " in texts(found)
        assert "threads were capped at 1." in texts(found)
        assert "threads_capped" not in kinds(block(Config(device="CPU", nireq=1)))

    def test_few_samples(self) -> None:
        """A measurement that ends before its least requests says how many there were."""
        plan = Plan(duration_s=0.0, longest_s=0.0, warmup_s=0.1, least_requests=1000)
        found = block(plan=plan)
        assert len(found.latencies_ms) == 1
        assert "few_samples" in kinds(found)

    def test_not_steady(self) -> None:
        """A warm-up without time to settle is told."""
        assert "not_steady" in kinds(block(plan=Plan(duration_s=0.0, warmup_s=0.0, least_requests=1)))

    def test_startup_helper(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An AUTO that never leaves the device that it starts up on is measured there, with a doubt."""
        monkeypatch.setattr(trial, "STARTUP_S", 0.01)
        monkeypatch.setattr(Compiled, "execution_devices", property(lambda self: ["(CPU)"]))
        assert "startup_helper" in kinds(block(Config(device="AUTO:CPU", nireq=1)))

    def test_switched_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A device that changes while it is measured is told with both names."""
        names = iter([["CPU"]] * 3)
        serving = property(lambda self: next(names, ["CPUX"]))
        monkeypatch.setattr(Compiled, "effective_key", lambda self, effective: "key")
        monkeypatch.setattr(Compiled, "execution_devices", serving)
        assert "The serving device changed from CPU to CPUX during" in texts(block(Config(device="AUTO", nireq=1)))


class TestSharing:
    """Configs that run alike."""

    def test_same_as(self) -> None:
        """A config that runs as one that has been measured is not measured again."""
        first = block(Config(device="CPU", nireq=1))
        hinted = Config(device="CPU", nireq=1, properties={"PERFORMANCE_HINT": "LATENCY"})
        plan = Plan(shared={first.effective_key: "the first"})
        assert made(hinted, plan=plan) == SameAs(config_key="the first", effective_key=first.effective_key)

    def test_weights_share(self) -> None:
        """FP16 weights are one with FP32 weights on the CPU."""
        first = block()
        halved = Config(device="CPU", nireq=2, precision="FP16")
        assert isinstance(made(halved, plan=Plan(shared={first.effective_key: CPU.key})), SameAs)

    def test_itself(self) -> None:
        """A config that is visited again is measured again."""
        first = block()
        assert isinstance(made(plan=Plan(duration_s=0.0, warmup_s=0.0, shared={first.effective_key: CPU.key})), Block)

    def test_other(self) -> None:
        """A config that runs otherwise is measured."""
        first = block(Config(device="CPU", nireq=1))
        plan = Plan(duration_s=0.0, warmup_s=0.0, shared={first.effective_key: "the first"})
        assert isinstance(made(plan=plan), Block)


class TestRefusals:
    """Configs that give no block."""

    def test_settings(self) -> None:
        """Settings that the device refuses make the config infeasible, with the device's reason."""
        outcome = made(Config(device="CPU", nireq=1, properties={"NUM_STREEMS": 2}))
        assert isinstance(outcome, Infeasible)
        assert "Unsupported property NUM_STREEMS by CPU plugin" in outcome.reason

    def test_device(self) -> None:
        """So does a device that there is not."""
        outcome = made(Config(device="TPU", nireq=1))
        assert isinstance(outcome, Infeasible)
        assert '"TPU" name is not registered' in outcome.reason

    def test_batch(self, tmp_path: Path) -> None:
        """So does a batch that the model does not take."""
        files = {"FP32": models.light("inception_v1", tmp_path)}
        outcome = made(Config(device="CPU", nireq=1, batch_size=2), files=files)
        assert isinstance(outcome, Infeasible)
        assert outcome.reason.startswith("the model does not take a batch of 2 (")
        assert "\n" not in outcome.reason

    def test_file(self, tmp_path: Path) -> None:
        """So does a file that has become unreadable."""
        (tmp_path / "model.xml").write_text("<net")
        assert isinstance(made(files={"FP32": str(tmp_path / "model.xml")}), Infeasible)

    def test_failing_inference(self, tmp_path: Path) -> None:
        """What compiles and then fails is no property of the config alone: an error with the runtime's reason."""
        files = {"FP32": models.saved(models.failing(), tmp_path)}
        with pytest.raises(MeasurementError, match=r"CPU failed while it ran .*conflicts with the reshape pattern"):
            made(files=files)


def test_inputs_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same inputs in every visit, another seed others."""
    seen: list[np.ndarray] = []

    def spied(compiled: Compiled, config: Config, content: Content, *, copying: bool) -> QueueEngine:
        assert not copying
        engine = QueueEngine(compiled, config, content)
        seen.append(np.array(engine.requests[0].get_input_tensor(0).data))
        return engine

    monkeypatch.setattr(trial, "engine_for", spied)
    for seed in (1, 1, 2):
        block(plan=Plan(duration_s=0.0, warmup_s=0.0, least_requests=1, seed=seed))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
