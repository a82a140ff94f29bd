"""OpenVINO's real GPU plugin, on Intel's OpenCL CPU runtime: see gpu_on_cpu/README.md."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovtune import codec, survey
from ovtune.config import Config
from ovtune.evaluator import Infeasible, Outcome, SameAs
from ovtune.measurement import Block, Plan
from ovtune.setting import LEFT_OUT, SETTINGS
from ovtune.space import Advice
from ovtune.survey import DeviceQuestion, Question
from ovtune.trial_process import TrialProcess, ask
from ovtune.wanted import OWN
from ovtune.workload import ClosedLoop
from tests import models

pytestmark = pytest.mark.gpu

PLAN = Plan(duration_s=0.05, warmup_s=0.1, least_requests=8, longest_s=2.0, timeout_s=120.0)
LATENCY = {"PERFORMANCE_HINT": "LATENCY"}


@pytest.fixture(autouse=True)
def _children_see_them(two_gpus: None) -> None:
    """Every test here has the two devices."""


def evaluate(config: Config, path: str = "demo:mlp", plan: Plan = PLAN) -> Outcome:
    """A visit in a child process."""
    return TrialProcess(files={"FP32": path, "FP16": path}, plugins={}, workload=ClosedLoop()).evaluate(config, plan)


def block(config: Config, path: str = "demo:mlp") -> Block:
    """The block of a visit that must succeed."""
    outcome = evaluate(config, path)
    assert isinstance(outcome, Block), outcome
    return outcome


def kinds(found: Block) -> set[str]:
    """What is doubtful about it."""
    return {caveat.kind for caveat in found.caveats}


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A model that compiles sooner than the built-in ones."""
    return models.saved(models.dense(), tmp_path)


def advise(device: str, path: str, *, shown: bool = False) -> dict[str, Advice]:
    """OpenVINO's own answers on a device, by hint."""
    question = DeviceQuestion(path=path, plugins={}, device=device, shown=shown)
    answers = codec.load(ask("advise", codec.dump(question, DeviceQuestion), timeout_s=240), survey.AdviceList)
    return {advice.hint: advice for advice in answers}


def test_devices() -> None:
    """Both are listed beside the CPU, each with its own name and default precision."""
    seen: survey.Sight = codec.load(ask("survey", codec.dump(Question(path=None, plugins={}), Question)), survey.Sight)
    named = {device.name: device for device in seen.devices}
    assert set(named) == {"CPU", "GPU.0", "GPU.1"}
    assert named["GPU.0"].full_name != named["GPU.1"].full_name
    assert named["GPU.0"].precision == "f16"
    assert "FP16" in named["GPU.0"].capabilities
    assert named["GPU.0"].streams == 2


def test_visit() -> None:
    """A visit measures on the GPU and reads its settings back; weights are a dimension of their own there."""
    found = block(Config(device="GPU.0", nireq=2))
    assert found.effective["EXECUTION_DEVICES"] == ["GPU.0"]
    assert found.effective["INFERENCE_PRECISION_HINT"] == "f16"
    assert found.items == len(found.latencies_ms) > 0
    halved = Config(device="GPU.0", nireq=2, precision="FP16")
    plan = Plan(duration_s=0.0, warmup_s=0.0, least_requests=1, shared={found.effective_key: "other"})
    assert isinstance(evaluate(halved, plan=plan), Block)


def test_switch() -> None:
    """AUTO serves from the CPU while the GPU compiles; the switch is waited out, and what follows is measured."""
    found = block(Config(device="AUTO:GPU.0,CPU", nireq=1))
    switch = found.served[1].from_ms
    assert [one.devices for one in found.served] == ["(CPU)", "GPU.0"]
    assert 3 <= np.sum(found.timeline_ms[:, 0] < switch) < len(found.timeline_ms)
    assert found.effective["EXECUTION_DEVICES"] == ["GPU.0"]
    assert not {"startup_helper", "switched_device"} & kinds(found)
    hinted = Config(device="AUTO:GPU.0,CPU", nireq=1, properties=LATENCY)
    outcome = evaluate(hinted, plan=Plan(shared={found.effective_key: "the first"}))
    assert isinstance(outcome, SameAs)


def test_priority(small: str) -> None:
    """The order of a list is its priority: the second GPU serves where it comes first."""
    assert block(Config(device="AUTO:GPU.1,GPU.0", nireq=1), small).effective["EXECUTION_DEVICES"] == ["GPU.1"]


def test_all_at_once(small: str) -> None:
    """With CUMULATIVE_THROUGHPUT all devices of the list serve."""
    properties = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
    found = block(Config(device="AUTO:GPU.1,CPU", nireq=6, properties=properties), small)
    assert found.effective["EXECUTION_DEVICES"] == ["GPU.1", "CPU"]


def test_idle_behind(small: str) -> None:
    """With no more requests than the first device of the list takes, the one behind it has nothing to do."""
    properties = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
    found = block(Config(device="AUTO:GPU.1,CPU", nireq=2, properties=properties), small)
    assert [c.parameters["name"] for c in found.caveats if c.kind == "idle_behind"] == ["CPU"]


def test_shown_advice(small: str) -> None:
    """Streams and precision under THROUGHPUT, which automatic batching hides, are there where they are shown."""
    answers = advise("GPU.0", small)
    assert "NUM_STREAMS" not in answers["THROUGHPUT"].effective
    shown = advise("GPU.0", small, shown=True)
    assert shown["THROUGHPUT"].effective["NUM_STREAMS"] == 2
    assert shown["THROUGHPUT"].effective_key == answers["THROUGHPUT"].effective_key


@pytest.mark.usefixtures("two_f32_gpus")
def test_automatic_batching() -> None:
    """Automatic batching engages on the GPU."""
    found = block(Config(device="BATCH:GPU.0(4)", nireq=4, properties={"AUTO_BATCH_TIMEOUT": 100}))
    assert found.effective["EXECUTION_DEVICES"] == ["GPU.0"]
    assert found.items % 4 == 0
    assert "auto_batching_inactive" not in kinds(found)


def test_advice_behind_auto(small: str) -> None:
    """AUTO's advice is that of the GPU, which serves in the end, not that of the CPU, which starts up."""
    alone, auto = advise("GPU.0", small), advise("AUTO:GPU.0,CPU", small)
    assert auto["THROUGHPUT"].nireq == alone["THROUGHPUT"].nireq > 1
    assert auto["THROUGHPUT"].effective["EXECUTION_DEVICES"] == ["GPU.0"]


@pytest.mark.usefixtures("two_f32_gpus")
def test_streams() -> None:
    """The GPU's plugin takes a number of streams as text alone; it is given so, by itself and in a list."""
    assert block(Config(device="GPU.0", nireq=2, properties={"NUM_STREAMS": 2})).effective["NUM_STREAMS"] == 2
    nested = {"DEVICE_PROPERTIES": {"GPU.0": {"NUM_STREAMS": 2}}}
    listed = block(Config(device="HETERO:GPU.0,CPU", nireq=2, properties=nested)).effective
    assert (listed["EXECUTION_DEVICES"], listed["OPTIMAL_NUMBER_OF_INFER_REQUESTS"]) == (["GPU.0"], 2)


@pytest.mark.usefixtures("two_f32_gpus")
def test_batching_by_itself_can_be_turned_off() -> None:
    """Under THROUGHPUT the GPU batches by itself and hides its settings; ALLOW_AUTO_BATCHING keeps it from that.

    Under another hint it changes nothing, and BATCH batches all the same: conflict batching-off-for-throughput.
    """
    throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
    assert "NUM_STREAMS" not in block(Config(device="GPU.0", nireq=4, properties=throughput)).effective
    off = {"ALLOW_AUTO_BATCHING": False}
    assert block(Config(device="GPU.0", nireq=4, properties={**throughput, **off})).effective["NUM_STREAMS"] == 2
    bare, without = (block(Config(device="GPU.0", nireq=1, properties=p)) for p in ({}, off))
    assert bare.effective == without.effective
    batched = block(Config(device="BATCH:GPU.0(4)", nireq=4, properties={**off, "AUTO_BATCH_TIMEOUT": 100}))
    assert "auto_batching_inactive" not in kinds(batched)


def test_a_precision_that_one_device_refuses() -> None:
    """Why a list is only asked for what all its devices compute in: AUTO would not take the GPU, without a word."""
    asked = Config(device="AUTO:CPU,GPU.0", nireq=1, properties={"INFERENCE_PRECISION_HINT": "bf16"})
    assert isinstance(evaluate(replace(asked, device="GPU.0")), Infeasible)
    assert block(asked).effective["EXECUTION_DEVICES"] == ["CPU"]


def test_every_property_is_searched_or_has_a_reason() -> None:
    """What the GPU lists as settable is a parameter of the search, or stands with the reason why it is none."""
    seen: survey.Sight = codec.load(ask("survey", codec.dump(Question(path=None, plugins={}), Question)), survey.Sight)
    gpu = next(device for device in seen.devices if device.name == "GPU.0")
    named = {s.name for s in SETTINGS if s.kind == "GPU"} | {*OWN, "PERFORMANCE_HINT", "MODEL_PRIORITY"}
    assert gpu.settings
    assert set(gpu.settings) - named - LEFT_OUT.keys() == set()


def test_refusal() -> None:
    """A setting that the GPU does not know makes the config infeasible."""
    outcome = evaluate(Config(device="GPU.0", nireq=1, properties={"ENABLE_HYPER_THREADING": True, "NO_SUCH": 1}))
    assert isinstance(outcome, Infeasible)
    assert "NO_SUCH" in outcome.reason or "ENABLE_HYPER_THREADING" in outcome.reason
    assert "\n" not in outcome.reason
