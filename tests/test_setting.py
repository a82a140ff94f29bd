import itertools
import subprocess
import sys
from dataclasses import replace

import openvino as ov
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.config import Config, Scalar, parameters
from ovtune.environment import Device, Topology
from ovtune.measurement import Block, Plan
from ovtune.setting import LEFT_OUT, SETTINGS, SIZES, Scene, Setting, Size, offered, up_to, with_settings
from ovtune.trial_process import TrialProcess
from ovtune.wanted import OWN
from ovtune.workload import ClosedLoop
from tests import fake

NAMES = tuple(s.name for s in SETTINGS)
CPU = Device(name="CPU", full_name="Test CPU", streams=4, settings=NAMES)
GPU = Device(
    name="GPU.1", full_name="Test GPU", capabilities=("FP32", "FP16"), precision="f32", streams=2, settings=NAMES
)
HOST = Topology(cpus=4, cores=4, memory_bytes=8 * 2**30)


def of(
    text: str, *devices: Device, size: Size = "full", topology: Topology = HOST, **traits: bool
) -> dict[str, object]:
    """What is offered on a device string, for a model with certain traits."""
    return dict(offered(text, devices, topology, replace(fake.MODEL, **traits), size))  # type: ignore[arg-type]


@given(st.integers(1, 300))
def test_steps(top: int) -> None:
    """Starts at 1, ends at the top, and no step is more than twice the one before."""
    steps = up_to(top)
    assert (steps[0], steps[-1]) == (1, top)
    assert all(low < high <= 2 * low for low, high in itertools.pairwise(steps))


def test_sizes_hold_each_other() -> None:
    """A larger space varies what a smaller one does, and more."""
    found = [of("CPU", CPU, size=size) for size in SIZES]
    assert found[0] == {}
    assert found[1].keys() == {"NUM_STREAMS", "INFERENCE_NUM_THREADS"}
    assert found[1].items() < found[2].items()


def test_values_follow_the_processor() -> None:
    """Streams and threads go up to what there is; hyper-threading, core types and sockets count where there are any."""
    plain = of("CPU", CPU)
    assert plain["NUM_STREAMS"] == (1, 2, 3, 4)
    assert not {"ENABLE_HYPER_THREADING", "SCHEDULING_CORE_TYPE", "MODEL_DISTRIBUTION_POLICY"} & plain.keys()
    rich = of("CPU", CPU, topology=Topology(cpus=8, cores=4, memory_bytes=8 * 2**30, sockets=2, hybrid=True))
    assert rich["ENABLE_HYPER_THREADING"] == (False, True)
    assert rich["SCHEDULING_CORE_TYPE"] == ("PCORE_ONLY", "ECORE_ONLY")
    assert rich["MODEL_DISTRIBUTION_POLICY"] == ("TENSOR_PARALLEL",)
    assert rich["INFERENCE_NUM_THREADS"] == (1, 2, 3, 4, 6, 8)


def test_what_a_device_does_not_list_is_left_alone() -> None:
    """Only properties that the device says can be set are searched."""
    bare = replace(CPU, settings=("NUM_STREAMS",))
    assert of("CPU", bare).keys() == {"NUM_STREAMS"}
    assert of("NPU", CPU) == {}


def test_an_alias_of_a_plugin_is_of_its_kind() -> None:
    """A CPU plugin registered under another name has the settings of a CPU."""
    assert "NUM_STREAMS" in of("CPUX", replace(CPU, name="CPUX"), size="standard")


def test_lists_have_their_own_settings_and_their_devices() -> None:
    """AUTO's policies and fallbacks, and what acts in a list for each device that it may use; in a full space alone."""
    found = of("AUTO:GPU.1,CPU", CPU, GPU)
    assert {"SCHEDULE_POLICY", "MODEL_PRIORITY", "ENABLE_STARTUP_FALLBACK", "ENABLE_RUNTIME_FALLBACK"} <= found.keys()
    assert {"GPU.1.NUM_STREAMS", "CPU.NUM_STREAMS", "CPU.INFERENCE_NUM_THREADS"} <= found.keys()
    assert {name for name in of("AUTO", CPU, GPU) if "." in name} == {name for name in found if "." in name}
    assert "CPU.TBB_PARTITIONER" not in found
    assert of("AUTO:GPU.1,CPU", CPU, GPU, size="standard") == {}
    assert found == of("MULTI:GPU.1,CPU", CPU, GPU)


def test_precisions_of_each_device_in_a_list() -> None:
    """Each device can be asked for the precisions that it does not take by itself, where there is another device."""
    found = of("AUTO:GPU.1,CPU", replace(CPU, capabilities=("FP32", "BF16"), precision="bf16"), GPU)
    assert found["CPU.INFERENCE_PRECISION_HINT"] == ("f32",)
    assert found["GPU.1.INFERENCE_PRECISION_HINT"] == ("f16",)
    alone = of("AUTO:CPU", replace(CPU, capabilities=("FP32", "BF16"), precision="bf16"))
    assert "CPU.INFERENCE_PRECISION_HINT" not in alone


def test_fallbacks_need_something_to_fall_back_to() -> None:
    """Of one device there is none; the start-up helper is a CPU behind the first device; state cannot move."""
    fallbacks = {"ENABLE_STARTUP_FALLBACK", "ENABLE_RUNTIME_FALLBACK"}
    assert not fallbacks & of("AUTO:-GPU", CPU, GPU).keys()
    assert fallbacks & of("AUTO:CPU,GPU.1", CPU, GPU).keys() == {"ENABLE_RUNTIME_FALLBACK"}
    assert fallbacks & of("AUTO:-CPU", CPU, GPU, replace(GPU, name="GPU.0")).keys() == {"ENABLE_RUNTIME_FALLBACK"}
    assert not fallbacks & of("AUTO:GPU.1,CPU", CPU, GPU, stateful=True).keys()


def test_a_split_over_devices_can_be_by_pipeline() -> None:
    """HETERO is asked for a pipeline where there is more than CPUs, and its devices have their own settings."""
    found = of("HETERO:GPU.1,CPU", CPU, GPU)
    assert found["MODEL_DISTRIBUTION_POLICY"] == ("PIPELINE_PARALLEL",)
    assert "CPU.NUM_STREAMS" in found
    assert "SCHEDULE_POLICY" not in found
    assert "MODEL_DISTRIBUTION_POLICY" not in of("HETERO:CPU,CPUX", CPU, replace(CPU, name="CPUX"))


def test_settings_of_language_models() -> None:
    """Dynamic quantization is searched where weights are compressed, caches' precision where there are caches."""
    names = {"DYNAMIC_QUANTIZATION_GROUP_SIZE", "KV_CACHE_PRECISION"}
    assert not names & of("CPU", CPU).keys()
    assert names & of("CPU", CPU, compressed=True).keys() == {"DYNAMIC_QUANTIZATION_GROUP_SIZE"}
    assert names & of("GPU.1", GPU, caches=True).keys() == {"KV_CACHE_PRECISION"}


def test_a_gpu_by_its_plain_name() -> None:
    """``GPU`` is the first GPU, and has its settings."""
    assert of("GPU", CPU, GPU) == of("GPU.1", CPU, GPU) != {}


def test_batching_by_itself_can_be_turned_off() -> None:
    """No device lists ALLOW_AUTO_BATCHING, which the core takes for GPUs."""
    assert of("GPU", replace(GPU, settings=())) == {"ALLOW_AUTO_BATCHING": (False,)}


@pytest.mark.runtime
@pytest.mark.parametrize("device", ["CPU", "AUTO", "MULTI", "BATCH", "HETERO"])
def test_every_property_is_searched_or_has_a_reason(device: str) -> None:
    """Whatever the runtime lists as settable is a parameter of the search, or stands with the reason why it is none."""
    supported = ov.Core().get_property(device, "SUPPORTED_PROPERTIES")
    settable = {name for name, access in supported.items() if access == "RW"}
    assert settable
    assert settable - {s.name for s in SETTINGS} - {*OWN, "PERFORMANCE_HINT"} - LEFT_OUT.keys() == set()


def test_nothing_is_both_searched_and_left_out() -> None:
    """A reason to leave out what is searched would be wrong."""
    assert not LEFT_OUT.keys() & {s.name for s in SETTINGS}
    assert all(LEFT_OUT.values())


@pytest.mark.runtime
@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.kind == "CPU"], ids=lambda s: s.name)
def test_a_cpu_takes_each_value(setting: Setting) -> None:
    """Every value that could be tried on some CPU runs, whatever this host is."""
    model = replace(fake.MODEL, compressed=True, caches=True)
    rich = Topology(cpus=4, cores=2, memory_bytes=8 * 2**30, sockets=2, hybrid=True)
    device = replace(CPU, capabilities=("FP32", "BF16", "FP16"))
    values = setting.values(Scene(device=device, topology=rich, model=model, others=(GPU,)))
    assert values
    evaluator = TrialProcess(files={"FP32": "demo:mlp"}, plugins={}, workload=ClosedLoop())
    hint: dict[str, Scalar] = {"PERFORMANCE_HINT": "THROUGHPUT"} if "REQUESTS" in setting.name else {}
    for value in values:
        config = Config(device="CPU", nireq=4, properties={**hint, setting.name: value})
        outcome = evaluator.evaluate(config, Plan(duration_s=0.02, warmup_s=0.02, least_requests=4, longest_s=1.0))
        assert isinstance(outcome, Block), outcome


_RESERVING = """
import os, openvino as ov
from ovtune import demo
core = ov.Core()
bare = core.compile_model(demo.build("mlp"), "CPU")
kept = core.compile_model(demo.build("mlp"), "CPU", {"ENABLE_CPU_RESERVATION": True})
for name in ("NUM_STREAMS", "INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING"):
    assert bare.get_property(name) == kept.get_property(name), name
try:
    core.compile_model(demo.build("mlp"), "CPU")
except RuntimeError as error:
    print(error, flush=True)
os._exit(0)
"""


@pytest.mark.runtime
def test_a_reservation_takes_the_cpus_of_later_models() -> None:
    """Why ENABLE_CPU_RESERVATION is left out: alone a model runs as without it, and the next one finds no CPU left.

    In a process of its own, since the CPUs stay taken.
    """
    done = subprocess.run([sys.executable, "-c", _RESERVING], capture_output=True, text=True, check=True, timeout=60)
    assert "No CPU resources available" in done.stdout


def test_settings_go_where_they_belong() -> None:
    """A plain name is a property; one of a device in a list goes under DEVICE_PROPERTIES, beside what is there."""
    base = Config(device="AUTO:GPU.1,CPU", nireq=2, properties={"DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1}}})
    found = with_settings(base, {"MODEL_PRIORITY": "LOW", "GPU.1.NUM_STREAMS": 2})
    assert found.properties == {
        "MODEL_PRIORITY": "LOW",
        "DEVICE_PROPERTIES": {"CPU": {"NUM_STREAMS": 1}, "GPU.1": {"NUM_STREAMS": 2}},
    }
    assert parameters(found)["GPU.1.NUM_STREAMS"] == 2
    assert with_settings(base, {}) == base
