import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.config import Config, Scalar, parameters
from ovtune.environment import Device, Topology
from ovtune.setting import CONFLICTS, SETTINGS, SIZES, compatible, offered, up_to, with_settings

NAMES = tuple(s.name for s in SETTINGS)
CPU = Device(name="CPU", full_name="Test CPU", streams=4, settings=NAMES)
GPU = Device(name="GPU.1", full_name="Test GPU", streams=2, settings=NAMES)
HOST = Topology(cpus=4, cores=4, memory_bytes=8 * 2**30)

_CLASHES: dict[str, dict[str, Scalar]] = {
    "streams-within-threads": {"NUM_STREAMS": 3, "INFERENCE_NUM_THREADS": 2},
    "streams-within-requests": {"NUM_STREAMS": 9},
    "streams-or-hint": {"NUM_STREAMS": 1, "PERFORMANCE_HINT": "THROUGHPUT"},
    "accuracy-or-precision": {"EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_PRECISION_HINT": "f32"},
    "reservation-pins": {"ENABLE_CPU_RESERVATION": True, "ENABLE_CPU_PINNING": False},
    "policy-needs-cumulative": {"SCHEDULE_POLICY": "ROUND_ROBIN", "PERFORMANCE_HINT": "LATENCY"},
    "one-device-has-no-fallback": {"ENABLE_RUNTIME_FALLBACK": False},
}


def made(properties: dict[str, Scalar], *, device: str = "CPU", nireq: int = 8) -> Config:
    return Config(device=device, properties=properties, nireq=nireq)


def test_every_conflict_is_tested() -> None:
    """No conflict stands without a test of its own, each has a reason, and no two have one name."""
    assert sorted(c.name for c in CONFLICTS) == sorted(_CLASHES)
    assert all(c.reason for c in CONFLICTS)


@pytest.mark.parametrize("name", sorted(_CLASHES))
def test_a_conflict_forbids_what_it_names_and_nothing_less(name: str) -> None:
    """What clashes is forbidden by just this conflict; with any of the settings left out, no longer."""
    clash = _CLASHES[name]
    flat = parameters(made(clash))
    assert [c.name for c in CONFLICTS if c.forbids(flat)] == [name]
    for left_out in clash.keys() - {"PERFORMANCE_HINT"}:
        rest = {key: value for key, value in clash.items() if key != left_out}
        assert name not in [c.name for c in CONFLICTS if c.forbids(parameters(made(rest)))]


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda c: c.name)
def test_a_conflict_says_what_it_reads(conflict: object) -> None:
    """Parameters that it does not name are nothing to it: counting a space relies on that."""
    rule = next(c for c in CONFLICTS if c is conflict)
    flat = parameters(made(_CLASHES[rule.name]))
    assert rule.forbids({name: value for name, value in flat.items() if name in rule.reads})


def test_lists_have_what_one_device_has_not() -> None:
    """Fallbacks mean something for AUTO over several devices, a policy under CUMULATIVE_THROUGHPUT."""
    several = made({"ENABLE_RUNTIME_FALLBACK": False}, device="AUTO:GPU.1,CPU")
    together = made({"SCHEDULE_POLICY": "ROUND_ROBIN", "PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}, device="AUTO")
    assert compatible(parameters(several))
    assert compatible(parameters(together))


@given(st.integers(1, 300))
def test_steps(top: int) -> None:
    """Starts at 1, ends at the top, and no step is more than twice the one before."""
    steps = up_to(top)
    assert (steps[0], steps[-1]) == (1, top)
    assert all(low < high <= 2 * low for low, high in itertools.pairwise(steps))


def test_sizes_hold_each_other() -> None:
    """A larger space varies what a smaller one does, and more."""
    found = [offered("CPU", (CPU,), HOST, size) for size in SIZES]
    assert found[0] == {}
    assert found[1].keys() == {"NUM_STREAMS", "INFERENCE_NUM_THREADS"}
    assert found[1].items() < found[2].items()


def test_values_follow_the_processor() -> None:
    """Streams and threads go up to what there is; hyper-threading, core types and sockets count where there are any."""
    plain = offered("CPU", (CPU,), HOST, "full")
    assert plain["NUM_STREAMS"] == (1, 2, 3, 4)
    assert not {"ENABLE_HYPER_THREADING", "SCHEDULING_CORE_TYPE", "MODEL_DISTRIBUTION_POLICY"} & plain.keys()
    rich = offered("CPU", (CPU,), Topology(cpus=8, cores=4, memory_bytes=8 * 2**30, sockets=2, hybrid=True), "full")
    assert rich["ENABLE_HYPER_THREADING"] == (False, True)
    assert rich["SCHEDULING_CORE_TYPE"] == ("PCORE_ONLY", "ECORE_ONLY")
    assert rich["MODEL_DISTRIBUTION_POLICY"] == ("TENSOR_PARALLEL",)
    assert rich["INFERENCE_NUM_THREADS"] == (1, 2, 3, 4, 6, 8)


def test_what_a_device_does_not_list_is_left_alone() -> None:
    """Only properties that the device says can be set are searched."""
    bare = replace(CPU, settings=("NUM_STREAMS",))
    assert offered("CPU", (bare,), HOST, "full").keys() == {"NUM_STREAMS"}
    assert offered("NPU", (CPU,), HOST, "full") == {}


def test_an_alias_of_a_plugin_is_of_its_kind() -> None:
    """A CPU plugin registered under another name has the settings of a CPU."""
    assert "NUM_STREAMS" in offered("CPUX", (replace(CPU, name="CPUX"),), HOST, "standard")


def test_lists_have_their_own_settings_and_their_devices_streams() -> None:
    """AUTO's policies and fallbacks, and streams for each device that it names."""
    found = offered("AUTO:GPU.1,CPU", (CPU, GPU), HOST, "full")
    assert {"SCHEDULE_POLICY", "MODEL_PRIORITY", "GPU.1.NUM_STREAMS", "CPU.NUM_STREAMS"} <= found.keys()
    assert offered("AUTO:GPU.1,CPU", (CPU, GPU), HOST, "standard") == {}


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
