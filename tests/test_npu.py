"""What is derived from an NPU's properties, transcribed from documentation: nothing here was run on one."""

import pytest

from ovtune.config import Config, parameters
from ovtune.conflict import compatible
from ovtune.device_string import worth_trying
from ovtune.environment import Topology, describe_host
from ovtune.preparation import baselines
from ovtune.setting import LEFT_OUT, SETTINGS, offered
from ovtune.space import Advice, Host, build
from ovtune.wanted import HINTS, Wanted
from ovtune.workload import ClosedLoop
from tests import fake
from tests.npu import NPU, WRITABLE

TOPOLOGY = Topology(cpus=8, cores=8, memory_bytes=16 * 2**30)
STRINGS = worth_trying((fake.CPU, NPU))
HOST = Host(
    devices=(fake.CPU, NPU),
    topology=TOPOLOGY,
    device_strings=STRINGS,
    advice=tuple(
        Advice(device=device, hint=hint, nireq=4, effective={}, effective_key=f"{device} {hint}")
        for device in STRINGS
        for hint in HINTS
        if hint != "CUMULATIVE_THROUGHPUT" or device.startswith("AUTO")
    ),
    refused={},
)


def test_device_strings() -> None:
    """An NPU is searched alone, in AUTO lists in both orders, and left out of them."""
    assert {"NPU", "AUTO:NPU,CPU", "AUTO:CPU,NPU", "AUTO:-NPU"} <= set(STRINGS)


def test_settings_are_its_own() -> None:
    """Tiles, turbo and the compiler's modes are searched on it, and nothing of a CPU or a GPU."""
    found = offered("NPU", HOST.devices, TOPOLOGY, fake.MODEL, "full")
    assert found["NPU_TILES"] == (1, 2)
    assert found["NPU_TURBO"] == (True,)
    assert found["WORKLOAD_TYPE"] == ("EFFICIENT",)
    assert set(found) <= set(WRITABLE)
    assert not {"TBB_PARTITIONER", "GPU_QUEUE_PRIORITY", "INFERENCE_NUM_THREADS"} & set(found)


def test_every_property_is_searched_or_has_a_reason() -> None:
    """What the documentation lists as settable is a parameter of the search, or stands with the reason why not.

    NUM_STREAMS can only be 1 there, MODEL_PRIORITY acts between models. No NPU was asked: there is none here.
    """
    named = {s.name for s in SETTINGS if s.kind == "NPU"} | {"PERFORMANCE_HINT", "NUM_STREAMS", "MODEL_PRIORITY"}
    assert set(WRITABLE) - named - {"ENABLE_CPU_PINNING"} - LEFT_OUT.keys() == set()


def test_it_is_not_asked_for_a_precision() -> None:
    """It computes in f16 alone: there is no other inference precision to ask for."""
    space = build(HOST, fake.MODEL, ClosedLoop(), {})
    alone = [c for c in space.configs if c.device == "NPU"]
    assert alone
    assert not any("INFERENCE_PRECISION_HINT" in c.properties for c in alone)


@pytest.mark.parametrize("seed", range(3))
def test_drawn_configs_break_no_rule(seed: int) -> None:
    """Random configs of the full space go together, and only name what the NPU lists."""
    space = build(HOST, fake.MODEL, ClosedLoop(), {}, Wanted(size="full"))
    for config in space.draw(200, seed=seed):
        assert compatible(parameters(config))
        if config.device == "NPU":
            assert set(config.properties) <= {*WRITABLE}


def test_its_own_answers_are_baselines() -> None:
    """No settings and each hint on it stand beside the CPU's."""
    found = {b.name for b in baselines(HOST, fake.MODEL, {}, chosen=False)}
    assert {"no settings on NPU", "LATENCY hint on NPU", "THROUGHPUT hint on NPU"} <= found


def test_the_environment_names_it() -> None:
    """What was measured on it could be compared with nothing else."""
    assert describe_host("2026.4.1", HOST.devices).devices["NPU"] == NPU.full_name


def test_a_config_for_it_is_said_in_words() -> None:
    """Its settings are shown by OpenVINO's names."""
    config = Config(device="NPU", nireq=4, properties={"NPU_TURBO": True, "NPU_TILES": 2})
    assert config.words == "no hint on NPU, nireq 4, NPU_TILES 2, NPU_TURBO True"
