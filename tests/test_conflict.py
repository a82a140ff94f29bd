"""Each conflict by itself, and against the real runtime: what it forbids is refused there, or does what it says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ovtune.config import Config, Property, Scalar, parameters
from ovtune.conflict import CONFLICTS, Conflict, broken_by, compatible, related
from ovtune.errors import DeviceError
from ovtune.evaluator import Outcome
from ovtune.measurement import Block, Plan
from ovtune.runtime import Runtime
from ovtune.trial_process import TrialProcess
from ovtune.workload import ClosedLoop

_PLUGINS = {"CPUX": "openvino_intel_cpu_plugin"}
_OFF: dict[str, Scalar] = {"ENABLE_STARTUP_FALLBACK": False, "ENABLE_RUNTIME_FALLBACK": False}
_CUMULATIVE = "CUMULATIVE_THROUGHPUT"


def made(properties: Mapping[str, Property], *, device: str = "CPU", nireq: int = 8) -> Config:
    return Config(device=device, properties=properties, nireq=nireq)


_CLASHES: dict[str, Config] = {
    "streams-within-threads": made({"NUM_STREAMS": 3, "INFERENCE_NUM_THREADS": 2}),
    "streams-within-requests": made({"NUM_STREAMS": 9}),
    "streams-or-latency": made({"NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}),
    "announced-for-throughput": made({"PERFORMANCE_HINT_NUM_REQUESTS": 8, "PERFORMANCE_HINT": "LATENCY"}),
    "announced-as-many": made({"PERFORMANCE_HINT_NUM_REQUESTS": 2, "PERFORMANCE_HINT": "THROUGHPUT"}),
    "announced-or-streams": made(
        {"PERFORMANCE_HINT_NUM_REQUESTS": 8, "NUM_STREAMS": 2, "PERFORMANCE_HINT": "THROUGHPUT"}
    ),
    "accuracy-or-precision": made({"EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_PRECISION_HINT": "f32"}),
    "precision-once": made(
        {"INFERENCE_PRECISION_HINT": "f32", "DEVICE_PROPERTIES": {"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}},
        device="AUTO:CPUX,CPU",
    ),
    "reservation-unbatched": made({"ENABLE_CPU_RESERVATION": True}, device="BATCH:CPU(4)"),
    "policy-needs-cumulative": made({"SCHEDULE_POLICY": "ROUND_ROBIN"}, device="AUTO:CPUX,CPU"),
    "batching-off-for-throughput": made({"ALLOW_AUTO_BATCHING": False}, device="GPU"),
    "fallbacks-off-leave-out-cpus": made(_OFF, device="AUTO:CPUX,CPU"),
}


def test_every_conflict_is_tested() -> None:
    """No conflict stands without a test of its own and one on the runtime, each has a reason, and a name of its own."""
    names = sorted(c.name for c in CONFLICTS)
    assert names == sorted(_CLASHES) == sorted({*_FACTS, *_ON_A_GPU})
    assert all(c.reason for c in CONFLICTS)


@pytest.mark.parametrize("name", sorted(_CLASHES))
def test_a_conflict_forbids_what_it_names_and_nothing_less(name: str) -> None:
    """What clashes is forbidden by just this conflict; with any of the settings left out, it no longer is."""
    config = _CLASHES[name]
    assert [c.name for c in broken_by(parameters(config))] == [name]
    for left_out in config.properties.keys() - {"PERFORMANCE_HINT"}:
        rest = {key: value for key, value in config.properties.items() if key != left_out}
        assert name not in {c.name for c in broken_by(parameters(replace(config, properties=rest)))}


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda c: c.name)
def test_a_conflict_says_what_it_reads(conflict: Conflict) -> None:
    """Parameters that it does not name are nothing to it: counting a space relies on that."""
    flat = parameters(_CLASHES[conflict.name])
    assert conflict.forbids({name: value for name, value in flat.items() if name.rpartition(".")[2] in conflict.reads})
    assert all(related(name) for name in conflict.reads)


@pytest.mark.parametrize(
    ("own", "others", "allowed"),
    [
        ({"NUM_STREAMS": 3, "INFERENCE_NUM_THREADS": 2}, {}, False),
        ({"NUM_STREAMS": 2}, {"INFERENCE_NUM_THREADS": 1}, True),
        ({"NUM_STREAMS": 9}, {}, False),
    ],
)
def test_devices_in_a_list(own: dict[str, Scalar], others: dict[str, Scalar], *, allowed: bool) -> None:
    """Settings of one device in a list clash as they do alone, those of two devices do not."""
    config = made({"DEVICE_PROPERTIES": {"GPU.1": own, "CPU": others}}, device="AUTO:GPU.1,CPU")
    assert compatible(parameters(config)) is allowed


@pytest.mark.parametrize(
    "config",
    [
        made({"ENABLE_RUNTIME_FALLBACK": False}, device="AUTO:CPUX,CPU"),
        made({"ENABLE_STARTUP_FALLBACK": False}, device="AUTO:CPUX,CPU"),
        made(_OFF, device="AUTO"),
        made(_OFF, device="AUTO:-CPU"),
        made({"SCHEDULE_POLICY": "ROUND_ROBIN", "PERFORMANCE_HINT": _CUMULATIVE}, device="AUTO:CPUX,CPU"),
        made({"NUM_STREAMS": 2, "PERFORMANCE_HINT": "THROUGHPUT"}),
        made({"ENABLE_CPU_RESERVATION": True, "ENABLE_CPU_PINNING": False}),
        made({"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "THROUGHPUT"}),
        made({"PERFORMANCE_HINT_NUM_REQUESTS": 2, "PERFORMANCE_HINT": "THROUGHPUT"}, nireq=2),
    ],
    ids=lambda c: c.words,
)
@pytest.mark.runtime
def test_what_can_be_useful_is_allowed(config: Config) -> None:
    """No conflict forbids these, and the runtime takes them and shows what was asked for."""
    assert compatible(parameters(config))
    found = effective(config)
    for name, value in config.properties.items():
        if name in found:
            assert str(found[name]).lower() == str(value).lower()


@pytest.mark.runtime
@pytest.mark.parametrize("name", sorted(name for name in _CLASHES if name != "batching-off-for-throughput"))
def test_on_the_runtime(name: str) -> None:
    """What a conflict forbids is refused by the runtime, or does what the reason says."""
    _FACTS[name]()


def effective(config: Config) -> dict[str, Any]:
    """What the runtime makes of a config, with that of the serving device of a list below it."""
    core = Runtime(_PLUGINS)
    found = core.compile(core.read("demo:mlp"), config).effective()
    inner = found.get("DEVICE_PROPERTIES")
    return (next(iter(inner.values())) if isinstance(inner, Mapping) and inner else {}) | found


def _streams_are_cut() -> None:
    found = effective(made({"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 1}))
    assert (found["NUM_STREAMS"], found["INFERENCE_NUM_THREADS"]) == (1, 1)


def _streams_stand_idle() -> None:
    """The streams are there whatever the requests: one request leaves the others without work."""
    assert effective(made({"NUM_STREAMS": 2}, nireq=1))["NUM_STREAMS"] == 2


def _latency_is_no_hint() -> None:
    latency: dict[str, Property] = {"PERFORMANCE_HINT": "LATENCY"}
    for streams in (1, 2):
        own: dict[str, Property] = {"NUM_STREAMS": streams}
        hinted, bare = effective(made(own | latency)), effective(made(own))
        assert hinted == bare


def _latency_asks_nobody() -> None:
    told = effective(made({"PERFORMANCE_HINT_NUM_REQUESTS": 2, "PERFORMANCE_HINT": "LATENCY"}))
    bare = effective(made({"PERFORMANCE_HINT": "LATENCY"}))
    assert _without_announcement(told) == _without_announcement(bare)


def _one_request_makes_one_stream() -> None:
    """The runtime plans for as many as are announced: with more of them in flight than that, the rest waits."""
    found = effective(made({"PERFORMANCE_HINT_NUM_REQUESTS": 1, "PERFORMANCE_HINT": "THROUGHPUT"}, nireq=4))
    assert (found["NUM_STREAMS"], found["OPTIMAL_NUMBER_OF_INFER_REQUESTS"]) == (1, 1)


def _announcements_cut_streams() -> None:
    found = effective(
        made({"PERFORMANCE_HINT_NUM_REQUESTS": 1, "NUM_STREAMS": 2, "PERFORMANCE_HINT": "THROUGHPUT"}, nireq=1)
    )
    assert found["NUM_STREAMS"] == 1


def _precision_stands() -> None:
    accurate: dict[str, Property] = {"EXECUTION_MODE_HINT": "ACCURACY"}
    alone = effective(made(accurate))
    both = effective(made(accurate | {"INFERENCE_PRECISION_HINT": "f32"}))
    assert (alone["INFERENCE_PRECISION_HINT"], both["INFERENCE_PRECISION_HINT"]) == ("dynamic", "f32")


def _own_precision_stands() -> None:
    for own in ("f32", "bf16"):
        nested: dict[str, Property] = {"DEVICE_PROPERTIES": {"CPUX": {"INFERENCE_PRECISION_HINT": own}}}
        alone, both = (
            effective(made({**nested, **top}, device="AUTO:CPUX,CPU"))
            for top in ({}, {"INFERENCE_PRECISION_HINT": "f32"})
        )
        assert alone["INFERENCE_PRECISION_HINT"] == both["INFERENCE_PRECISION_HINT"]


def _no_cpu_is_left_for_batching() -> None:
    outcome = _visited(_CLASHES["reservation-unbatched"])
    assert isinstance(outcome, Block)
    assert "auto_batching_inactive" in {caveat.kind for caveat in outcome.caveats}


def _policy_cannot_be_read() -> None:
    policy: dict[str, Property] = {"SCHEDULE_POLICY": "ROUND_ROBIN"}
    assert "SCHEDULE_POLICY" not in effective(made(policy, device="AUTO:CPUX,CPU"))
    together = effective(made(policy | {"PERFORMANCE_HINT": _CUMULATIVE}, device="AUTO:CPUX,CPU"))
    assert together["SCHEDULE_POLICY"] == "ROUND_ROBIN"


def _no_device_is_left() -> None:
    hints: tuple[dict[str, Scalar], ...] = ({}, {"PERFORMANCE_HINT": _CUMULATIVE})
    for hint in hints:
        for device in ("AUTO:CPUX,CPU", "AUTO:CPU,CPUX", "AUTO:CPU"):
            with pytest.raises(DeviceError, match="no supported devices"):
                effective(made(_OFF | hint, device=device))


def _visited(config: Config) -> Outcome:
    plan = Plan(duration_s=0.05, warmup_s=0.1, least_requests=8, longest_s=2.0)
    return TrialProcess(files={"FP32": "demo:mlp"}, plugins=_PLUGINS, workload=ClosedLoop()).evaluate(config, plan)


def _without_announcement(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "PERFORMANCE_HINT_NUM_REQUESTS"}


_FACTS: dict[str, Callable[[], None]] = {
    "streams-within-threads": _streams_are_cut,
    "streams-within-requests": _streams_stand_idle,
    "streams-or-latency": _latency_is_no_hint,
    "announced-for-throughput": _latency_asks_nobody,
    "announced-as-many": _one_request_makes_one_stream,
    "announced-or-streams": _announcements_cut_streams,
    "accuracy-or-precision": _precision_stands,
    "precision-once": _own_precision_stands,
    "reservation-unbatched": _no_cpu_is_left_for_batching,
    "policy-needs-cumulative": _policy_cannot_be_read,
    "fallbacks-off-leave-out-cpus": _no_device_is_left,
}
_ON_A_GPU = ("batching-off-for-throughput",)
"""What has its test in test_gpu.py."""
