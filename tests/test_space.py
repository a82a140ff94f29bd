import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune import space as spaces
from ovtune.config import Config, Scalar, parameters, split_batch
from ovtune.conflict import compatible
from ovtune.device_string import worth_trying
from ovtune.environment import Device, Topology
from ovtune.errors import UsageError
from ovtune.model import Model
from ovtune.rule import RULES
from ovtune.setting import SETTINGS, SIZES, Size, with_settings
from ovtune.space import (
    AUTO_BATCH_TIMEOUTS_MS,
    Advice,
    Host,
    Space,
    build,
    request_counts,
)
from ovtune.wanted import HINTS, Wanted
from ovtune.workload import ClosedLoop, ConstantRate, Workload
from tests import fake

OPEN = ConstantRate(interval_s=0.03)
MODEL = replace(fake.MODEL, precisions=("FP32",), batch_sizes=(1, 2))
ODD = replace(MODEL, auto_batchable=False)
CPU = Device(name="CPU", full_name="Test CPU", capabilities=("FP32", "BF16", "INT8"), precision="bf16")
GPU = Device(name="GPU", full_name="Test GPU", capabilities=("FP32", "FP16", "INT8"), precision="f16")


def _host(*devices: Device, strings: tuple[str, ...] = (), nireq: int = 1) -> Host:
    named = strings or worth_trying(devices)
    advice = tuple(
        Advice(device=device, hint=hint, nireq=nireq, effective={}, effective_key=f"{device} {hint}")
        for device in named
        for hint in HINTS
        if hint != "CUMULATIVE_THROUGHPUT" or device.startswith("AUTO")
    )
    return Host(
        devices=devices,
        topology=Topology(cpus=2, cores=2, memory_bytes=8 * 2**30),
        device_strings=named,
        advice=advice,
        refused={},
    )


ONE, TWO = _host(CPU), _host(CPU, GPU)
POOR = replace(ONE, topology=replace(ONE.topology, memory_bytes=32 * MODEL.item_bytes))


def _cumulative_alone(config: Config, model: Model, load: Workload) -> bool:
    return config.hint == "CUMULATIVE_THROUGHPUT" and "AUTO" not in config.device


def _batch_over_several(config: Config, model: Model, load: Workload) -> bool:
    inner, size = split_batch(config.device)
    return size > 1 and inner.startswith("AUTO")


def _batch_twice(config: Config, model: Model, load: Workload) -> bool:
    return config.auto_batch_size > 1 and config.batch_size > 1


def _batch_without_a_batch(config: Config, model: Model, load: Workload) -> bool:
    return config.auto_batch_size > 1 and not model.auto_batchable


def _partial_batch(config: Config, model: Model, load: Workload) -> bool:
    return config.nireq % config.auto_batch_size != 0


def _timeout_for_nothing(config: Config, model: Model, load: Workload) -> bool:
    acts = config.auto_batch_size > 1 and isinstance(load, ConstantRate)
    return ("AUTO_BATCH_TIMEOUT" in config.properties) != acts


def _crowd(config: Config, model: Model, load: Workload) -> bool:
    return config.nireq * config.batch_size > 32  # 16 for each of the two requests that every device can have


def _sync_for_throughput(config: Config, model: Model, load: Workload) -> bool:
    return config.api == "sync" and "THROUGHPUT" in (config.hint or "")


PRUNED = replace(MODEL, precisions=("FP32", "pruned"), single=("pruned",))


def _batch_of_variant(config: Config, model: Model, load: Workload) -> bool:
    return config.precision in model.single and config.batch_size * config.auto_batch_size > 1


def _crowded_memory(config: Config, model: Model, load: Workload) -> bool:
    return config.nireq * config.batch_size * model.item_bytes * 8 > POOR.topology.memory_bytes


def _state_on_several(config: Config, model: Model, load: Workload) -> bool:
    return model.stateful and config.hint == "CUMULATIVE_THROUGHPUT"


_Sign = Callable[[Config, Model, Workload], bool]
_SIGNS: dict[str, tuple[_Sign, Host, Model, Workload]] = {
    "cumulative-needs-several": (_cumulative_alone, TWO, MODEL, ClosedLoop()),
    "auto-batch-one-device": (_batch_over_several, TWO, MODEL, ClosedLoop()),
    "auto-batch-or-batch": (_batch_twice, ONE, MODEL, ClosedLoop()),
    "auto-batch-model": (_batch_without_a_batch, ONE, ODD, ClosedLoop()),
    "auto-batch-multiples": (_partial_batch, ONE, MODEL, ClosedLoop()),
    "variant-of-one-batch": (_batch_of_variant, ONE, PRUNED, ClosedLoop()),
    "memory": (_crowded_memory, POOR, MODEL, ClosedLoop()),
    "stateful-one-device": (_state_on_several, TWO, replace(MODEL, stateful=True), ClosedLoop()),
    "items-in-flight": (_crowd, ONE, replace(MODEL, batch_sizes=(1, 16)), ClosedLoop()),
    "sync-no-throughput-hint": (_sync_for_throughput, ONE, MODEL, ClosedLoop()),
    "timeout-with-auto-batch": (_timeout_for_nothing, ONE, MODEL, OPEN),
}


@pytest.mark.parametrize("load", [ClosedLoop(), OPEN])
def test_sync_beside_async(load: Workload) -> None:
    """Each config of one request without a throughput hint is offered with both interfaces, and no other one is."""
    configs = build(ONE, MODEL, load, {}).configs
    alone = {c.key for c in configs if c.nireq == 1 and "THROUGHPUT" not in (c.hint or "")}
    sync = {c.key for c in configs if c.api == "sync"}
    assert sync
    assert sync <= alone
    assert {replace(c, api="async").key for c in configs if c.api == "sync"} == alone - sync


def test_batching_that_a_hint_brings_along() -> None:
    """Where a hint makes the device join requests by itself, only whole batches of them are tried under it."""
    joining = tuple(replace(a, joined=4, nireq=4) if a.hint == "THROUGHPUT" else a for a in ONE.advice)
    configs = build(replace(ONE, advice=joining), MODEL, ClosedLoop(), {}).configs
    own = [c.nireq for c in configs if c.auto_batch_size == 1 and c.batch_size == 1 and c.hint == "THROUGHPUT"]
    assert own
    assert all(nireq % 4 == 0 for nireq in own)
    assert any(c.nireq % 4 for c in configs if c.hint == "LATENCY")


def test_every_rule_is_tested() -> None:
    """No rule stands without a test of its own, and no two have one name."""
    assert sorted(rule.name for rule in RULES) == sorted(_SIGNS)
    assert all(rule.reason for rule in RULES)


@pytest.mark.parametrize("name", sorted(_SIGNS))
def test_a_rule_keeps_out_what_it_forbids(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule no config does what it forbids; without it some would: each rule is needed, and is enough."""
    sign, host, model, load = _SIGNS[name]
    assert not any(sign(c, model, load) for c in build(host, model, load, {}).configs)
    monkeypatch.setattr(spaces, "RULES", tuple(rule for rule in RULES if rule.name != name))
    assert any(sign(c, model, load) for c in build(host, model, load, {}).configs)


@pytest.mark.parametrize(
    ("host", "model", "load"),
    [(ONE, MODEL, ClosedLoop()), (ONE, MODEL, OPEN), (ONE, ODD, OPEN), (TWO, MODEL, ClosedLoop()), (TWO, ODD, OPEN)],
)
def test_no_space_holds_what_any_rule_forbids(host: Host, model: Model, load: Workload) -> None:
    """Whatever host, model and load, a space is not empty, holds each config once, and breaks no rule."""
    configs = build(host, model, load, {}).configs
    assert configs
    assert len({c.key for c in configs}) == len(configs)
    for sign, on, *_ in _SIGNS.values():
        assert on is POOR or not any(sign(c, model, load) for c in configs)


def test_the_order_is_fixed() -> None:
    """The same host, model and load give the same configs in the same order."""
    assert build(TWO, MODEL, ClosedLoop(), {}).configs == build(TWO, MODEL, ClosedLoop(), {}).configs


def test_openvinos_own_answers_are_in_the_space() -> None:
    """Each device string's own answers, with the requests that they advise, can be tried."""
    host = _host(CPU, GPU, nireq=10)
    keys = {c.key for c in build(host, MODEL, ClosedLoop(), {}).configs}
    for answer in host.advice:
        properties = {} if answer.hint == "none" else {"PERFORMANCE_HINT": answer.hint}
        assert Config(device=answer.device, properties=properties, nireq=10).key in keys


def test_every_device_string_is_searched() -> None:
    """Orders, exclusions and plain names all have configs; only one device at a time is batched."""
    devices = {c.device for c in build(TWO, MODEL, ClosedLoop(), {}).configs}
    assert set(worth_trying((CPU, GPU))) <= devices
    assert {d for d in devices if d.startswith("BATCH")} == {
        f"BATCH:{d}({n})" for d in ("CPU", "GPU") for n in (2, 4, 8, 16)
    }


def test_a_device_that_refused_is_not_searched() -> None:
    """A device string without an answer of OpenVINO's own, which does not compile, is left out."""
    host = replace(ONE, device_strings=("CPU", "GPU"), refused={"GPU": "no driver"})
    assert {split_batch(c.device)[0] for c in build(host, MODEL, ClosedLoop(), {}).configs} == {"CPU"}


def test_an_asked_batching_is_kept() -> None:
    """A device string that names its automatic batching is searched with that batching alone."""
    host = _host(CPU, strings=("BATCH:CPU(4)",), nireq=4)
    configs = build(host, MODEL, ClosedLoop(), {}).configs
    assert {c.device for c in configs} == {"BATCH:CPU(4)"}
    assert {c.nireq for c in configs} >= {4, 8}


@pytest.mark.parametrize(("load", "expected"), [(ClosedLoop(), set()), (OPEN, set(AUTO_BATCH_TIMEOUTS_MS))])
def test_timeouts_appear_only_under_an_open_loop(load: Workload, expected: set[int]) -> None:
    """In a closed loop no batch stays partial, so its timeout is not searched; in an open one all values are."""
    found = {c.properties.get("AUTO_BATCH_TIMEOUT") for c in build(ONE, MODEL, load, {}).configs} - {None}
    assert found == expected


@given(st.sets(st.integers(1, 200), min_size=1, max_size=5))
def test_request_counts_hold_the_advised(advised: set[int]) -> None:
    """The advised numbers, their halves and their doubles are tried, in ascending order, each once, none below 1."""
    counts = request_counts(advised)
    wanted = {a for n in advised for a in (n // 2, n, 2 * n)} - {0}
    assert wanted <= set(counts)
    assert list(counts) == sorted(set(counts))
    assert counts[0] == 1
    assert counts[-1] <= max(4, 4 * max(advised))


@pytest.mark.parametrize(
    ("advised", "counts"),
    [({1}, (1, 2, 3, 4)), ({2}, (1, 2, 3, 4, 6, 8)), ({5}, (1, 2, 3, 4, 5, 6, 8, 10, 12, 16))],
)
def test_request_counts_have_no_gaps(advised: set[int], counts: tuple[int, ...]) -> None:
    """Between them stand 1, 2, 3, 4, 6, 8, ... up to four times the largest."""
    assert request_counts(advised) == counts


@pytest.mark.parametrize(
    ("device", "precisions"),
    [
        ("CPU", {None, "f32"}),
        ("GPU", {None, "f32"}),
        ("AUTO:GPU,CPU", {None, "f32"}),
        ("BATCH:GPU(4)", {None, "f32"}),
    ],
)
def test_inference_precisions(device: str, precisions: set[str | None]) -> None:
    """A device is not asked for the precision that it takes by itself, and a list only for what all of it take."""
    configs = build(TWO, MODEL, ClosedLoop(), {}).configs
    assert {c.properties.get("INFERENCE_PRECISION_HINT") for c in configs if c.device == device} == precisions


def test_precisions_batches_and_shapes_are_the_models() -> None:
    """Weights and batch sizes are those that the model takes, and every config holds the given shapes."""
    model = replace(MODEL, precisions=("FP16",), batch_sizes=(1, 8))
    configs = build(ONE, model, ClosedLoop(), {"x": (1, 3)}).configs
    assert {c.precision for c in configs} == {"FP16"}
    assert {c.batch_size for c in configs} == {1, 8}
    assert all(c.shapes == {"x": (1, 3)} for c in configs)


def test_a_devices_memory_limits_what_runs_on_it() -> None:
    """What would fill an eighth of a device's memory is left out on the lists that name it, and nowhere else."""
    small = replace(GPU, memory_bytes=4 * 8 * MODEL.item_bytes)
    most: dict[str, int] = {}
    for config in build(_host(CPU, small), MODEL, ClosedLoop(), {}).configs:
        device = split_batch(config.device)[0]
        most[device] = max(most.get(device, 0), config.nireq * config.batch_size)
    assert most["GPU"] == most["AUTO:CPU,GPU"] == 4
    assert most["CPU"] > 4


def test_automatic_batching_is_left_out_where_it_stays_silent() -> None:
    """On a device on which it was seen not to engage it is not searched; on the others it is."""
    model = replace(MODEL, unbatched_on=("GPU",))
    found = {config.device for config in build(TWO, model, ClosedLoop(), {}).configs if config.auto_batch_size > 1}
    assert {split_batch(device)[0] for device in found} == {"CPU"}


def test_dimensions_are_what_differs() -> None:
    """A dimension is a parameter with several values, in ascending order; what is not set stands as such."""
    dimensions = build(ONE, MODEL, OPEN, {}).dimensions
    assert dimensions["batch_size"] == (1, 2)
    assert dimensions["auto_batch_size"] == (1, 2, 4, 8, 16)
    assert dimensions["AUTO_BATCH_TIMEOUT"] == (*AUTO_BATCH_TIMEOUTS_MS, "unset")
    assert dimensions["INFERENCE_PRECISION_HINT"] == ("f32", "unset")
    assert set(dimensions["hint"]) == {"none", "LATENCY", "THROUGHPUT"}
    assert "device" not in dimensions
    assert "precision" not in dimensions
    assert Space(configs=()).dimensions == {}


RICH = replace(
    CPU, streams=2, settings=("NUM_STREAMS", "INFERENCE_NUM_THREADS", "EXECUTION_MODE_HINT", "TBB_PARTITIONER")
)
SETTABLE = _host(RICH)


def _wanted(size: Size, **only: tuple[Scalar, ...]) -> Space:
    return build(SETTABLE, MODEL, ClosedLoop(), {}, Wanted(size=size, only=only))


def _every(space: Space) -> set[str]:
    """The keys of all configs of a space, combined in the plainest way."""
    found = set()
    for base in space.configs:
        names = space.offered(base)
        for pick in itertools.product(*((None, *values) for values in names.values())):
            chosen = {name: value for name, value in zip(names, pick, strict=True) if value is not None}
            config = with_settings(base, chosen)
            if compatible(parameters(config)):
                found.add(config.key)
    return found


class TestSizes:
    def test_each_size_holds_more(self) -> None:
        """A quick space varies device, hint and requests; the larger ones hold it and add to it."""
        quick, standard, full = (_wanted(size) for size in SIZES)
        assert set(quick.dimensions) == {"hint", "nireq"}
        assert {c.key for c in quick.configs} < {c.key for c in standard.configs}
        assert standard.configs == full.configs
        assert quick.size == len(quick.configs) < standard.size < full.size

    @pytest.mark.parametrize("size", ["standard", "full"])
    def test_the_count_is_that_of_all_combinations(self, size: Size) -> None:
        """The number that is told is the number that there is."""
        space = _wanted(size)
        assert space.size == len(_every(space))

    @pytest.mark.parametrize(
        "only",
        [
            {"nireq": (1, 2)},
            {"nireq": (2,), "NUM_STREAMS": (1, 2)},
            {"nireq": (1, 2), "CPU.NUM_STREAMS": (2,), "batch_size": (1,)},
            {"nireq": (2,), "INFERENCE_PRECISION_HINT": ("unset", "f32"), "EXECUTION_MODE_HINT": ("ACCURACY", "unset")},
        ],
    )
    @pytest.mark.parametrize("strings", [("CPU", "GPU"), ("AUTO:GPU,CPU", "GPU"), ("HETERO:GPU,CPU", "BATCH:CPU(2)")])
    def test_the_count_with_devices_and_held_values(
        self, only: Mapping[str, tuple[Scalar, ...]], strings: tuple[str, ...]
    ) -> None:
        """It is so for lists with settings of their own and of their devices, and whatever is held."""
        gpu = replace(GPU, streams=1, settings=("NUM_STREAMS", "GPU_QUEUE_THROTTLE", "EXECUTION_MODE_HINT"))
        host = _host(RICH, gpu, strings=strings, nireq=2)
        if any("." in name for name in only) and not any("," in text for text in strings):
            with pytest.raises(UsageError, match="nothing of CPU, GPU takes it"):
                build(host, MODEL, ClosedLoop(), {}, Wanted(size="full", only=only))
            return
        usual: dict[str, tuple[Scalar, ...]] = {
            "auto_batch_size": (1,),
            "precision": ("FP32",),
            "api": ("async",),
            "batch_size": (1,),
        }
        if any(text.startswith("BATCH") for text in strings):
            usual.pop("auto_batch_size")
        space = build(host, MODEL, ClosedLoop(), {}, Wanted(size="full", only={**usual, **only}))
        every = _every(space)
        assert space.size == len(every)
        assert {c.key for c in space.draw(100, seed=0)} <= every

    def test_what_is_drawn_is_in_the_space(self) -> None:
        """Random configs are members, are drawn alike for one seed, and reach the further settings."""
        space = _wanted("full")
        drawn = space.draw(300, seed=4)
        assert {c.key for c in drawn} <= _every(space)
        assert drawn == space.draw(300, seed=4) != space.draw(300, seed=5)
        assert {name for c in drawn for name in c.properties} >= set(space.settings["CPU"])

    def test_candidates_hold_what_lies_next_to_the_best(self) -> None:
        """Beside a config: each of its settings left out, changed or added, and each other parameter changed."""
        space = _wanted("full")
        best = with_settings(Config(device="CPU", nireq=2), {"NUM_STREAMS": 2, "TBB_PARTITIONER": "AUTO"})
        found = {c.key for c in space.candidates([best], seed=0)}
        assert found <= _every(space)
        choices: tuple[dict[str, Scalar], ...] = (
            {"NUM_STREAMS": 2},
            {"TBB_PARTITIONER": "AUTO"},
            {"NUM_STREAMS": 1, "TBB_PARTITIONER": "AUTO"},
            {"NUM_STREAMS": 2, "TBB_PARTITIONER": "AUTO", "EXECUTION_MODE_HINT": "ACCURACY"},
        )
        for chosen in choices:
            assert with_settings(Config(device="CPU", nireq=2), chosen).key in found
        assert with_settings(Config(device="CPU", nireq=4), {"NUM_STREAMS": 2, "TBB_PARTITIONER": "AUTO"}).key in found

    def test_a_small_space_is_its_own_candidates(self) -> None:
        """Where there are no further settings, nothing has to be drawn."""
        space = _wanted("quick")
        assert space.candidates([], seed=0) == space.configs


class TestHeld:
    def test_only_these_values(self) -> None:
        """A parameter that is held to values has no other, and may have ones that nobody would have tried."""
        space = _wanted("standard", nireq=(2, 5), hint=("THROUGHPUT",))
        assert {c.nireq for c in space.configs} == {2, 5}
        assert {c.hint for c in space.configs} == {"THROUGHPUT"}

    def test_a_held_property_is_always_set(self) -> None:
        """A property that is held to values is never left to the runtime, in a quick space either."""
        for size in SIZES:
            space = _wanted(size, TBB_PARTITIONER=("STATIC",))
            assert {c.properties["TBB_PARTITIONER"] for c in space.configs} == {"STATIC"}
            assert "TBB_PARTITIONER" not in space.settings.get("CPU", {})

    def test_a_quick_space_takes_what_is_asked(self) -> None:
        """Values that are asked for are tried even where the size alone would not vary the parameter."""
        assert {c.batch_size for c in _wanted("quick", batch_size=(1, 2)).configs} == {1, 2}

    def test_unset_is_a_value(self) -> None:
        """``unset`` leaves a precision to the runtime."""
        space = _wanted("standard", INFERENCE_PRECISION_HINT=("unset",))
        assert not any("INFERENCE_PRECISION_HINT" in c.properties for c in space.configs)

    def test_unknown_parameters_are_refused_with_what_is_near(self) -> None:
        """A misspelt name is told, with the names that it may stand for."""
        with pytest.raises(UsageError, match="NUM_STREAMS"):
            _wanted("standard", NUM_STREAM=(2,))

    def test_what_no_device_takes_is_refused(self) -> None:
        """A setting of devices that are not there, or in no list, is told."""
        for name in ("GPU.NUM_STREAMS", "CPU.NUM_STREAMS", "SCHEDULE_POLICY"):
            with pytest.raises(UsageError, match="nothing of CPU takes it"):
                _wanted("standard", **{name: (2,)})

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("batch_size", 3, "choose of 1, 2"),
            ("precision", "int8", "choose of FP32"),
            ("INFERENCE_PRECISION_HINT", "f16", "choose of bf16, f32, unset"),
        ],
    )
    def test_values_that_are_not_here_are_refused(self, name: str, value: Scalar, words: str) -> None:
        """What the model does not take, or no device computes in, is refused with what there is."""
        with pytest.raises(UsageError, match=words):
            _wanted("standard", **{name: (value,)})

    def test_a_batch_that_the_model_does_not_take_is_refused_with_its_reason(self) -> None:
        """A model that is run with a batch of 1 alone says why where another one is asked for."""
        fixed = replace(MODEL, batch_sizes=(1,), one_batch="it has a state")
        with pytest.raises(UsageError, match=r"has not \(it has a state\): choose of 1"):
            build(ONE, fixed, ClosedLoop(), {}, Wanted(only={"batch_size": (2,)}))

    def test_a_property_is_held_where_it_is_taken(self) -> None:
        """What one device takes is held on it and on lists that it is in; other devices are searched without it."""
        host = _host(RICH, replace(GPU, settings=("GPU_QUEUE_THROTTLE",)))
        wanted = Wanted(size="quick", only={"TBB_PARTITIONER": ("STATIC",), "CPU.NUM_STREAMS": (1,)})
        configs = build(host, MODEL, ClosedLoop(), {}, wanted).configs
        with_it = {c.device for c in configs if "TBB_PARTITIONER" in c.properties}
        assert with_it == {"CPU", "AUTO", "AUTO:CPU,GPU", "AUTO:GPU,CPU", "AUTO:-GPU"}
        nested = {c.device for c in configs if "DEVICE_PROPERTIES" in c.properties}
        assert nested == with_it - {"CPU"}

    def test_a_precision_is_held_where_all_devices_have_it(self) -> None:
        """A list is not asked for a precision that one of its devices refuses: AUTO would silently leave that one."""
        wanted = Wanted(only={"INFERENCE_PRECISION_HINT": ("f16",), "auto_batch_size": (1,)})
        assert {c.device for c in build(TWO, MODEL, ClosedLoop(), {}, wanted).configs} == {"GPU", "AUTO:-CPU"}

    def test_what_is_held_for_all_is_free_for_none(self) -> None:
        """A property that is held for all devices of a list is not varied for one of them."""
        host = _host(RICH, replace(GPU, settings=("NUM_STREAMS",)), strings=("AUTO:GPU,CPU",), nireq=2)
        space = build(host, MODEL, ClosedLoop(), {}, Wanted(size="full", only={"NUM_STREAMS": (1,)}))
        assert not any(name.endswith("NUM_STREAMS") for name in space.settings["AUTO:GPU,CPU"])

    def test_values_that_leave_nothing_are_refused(self) -> None:
        """Where no config that makes sense is left, the reason is said."""
        with pytest.raises(UsageError, match=r"a synchronous caller has not.*allow more values"):
            _wanted("standard", hint=("THROUGHPUT",), api=("sync",))
        with pytest.raises(UsageError, match="belongs to BATCH"):
            _wanted("standard", AUTO_BATCH_TIMEOUT=(100,))


def test_a_large_space_is_looked_at_in_parts() -> None:
    """A decision looks at a bounded number of configs however many there are, other ones each time, and any setting."""
    settings = tuple(s.name for s in SETTINGS)
    devices = tuple(
        Device(
            name=f"GPU.{i}", full_name="", capabilities=("FP32", "FP16"), precision="f16", streams=4, settings=settings
        )
        for i in range(3)
    )
    host = _host(*devices, strings=worth_trying(devices, hetero=True), nireq=8)
    space = build(host, MODEL, ClosedLoop(), {}, Wanted(size="full"))
    looks = [{c.key: c for c in space.candidates([], seed=seed)} for seed in range(8)]
    assert all(1000 < len(look) <= 1500 < len(space.configs) for look in looks)
    assert looks[0].keys() != looks[1].keys()
    seen = {name for look in looks for config in look.values() for name in parameters(config)}
    assert seen >= {name for names in space.settings.values() for name in names}


def test_settings_of_a_device_that_waits_are_left_out() -> None:
    """Of AUTO's list the first device serves: settings of the others act only where all of them serve at once."""
    host = _host(RICH, replace(GPU, settings=("NUM_STREAMS",)), strings=("AUTO:GPU,CPU",), nireq=2)
    space = build(host, MODEL, ClosedLoop(), {}, Wanted(size="full"))
    devices: dict[str, set[str]] = {}
    for config in (*space.draw(400, seed=1), *space.candidates(space.draw(3, seed=2), seed=3)):
        own = {name.partition(".")[0] for name in parameters(config) if "." in name}
        devices.setdefault("all" if config.hint == "CUMULATIVE_THROUGHPUT" else "one", set()).update(own)
    assert devices == {"all": {"CPU", "GPU"}, "one": {"GPU"}}
