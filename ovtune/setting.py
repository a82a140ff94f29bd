"""The properties that a search may set beside the hint and the precision: which there are, where, with which values."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ovtune.config import Config, Scalar
from ovtune.environment import Device, Topology

Size = Literal["quick", "standard", "full"]
SIZES: tuple[Size, ...] = get_args(Size)
Values = Callable[[Device, Topology], tuple[Scalar, ...]]
_LEVELS: tuple[Scalar, ...] = ("LOW", "MEDIUM", "HIGH")
_LISTS = ("AUTO", "MULTI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A property of a kind of device, the size of space from which on it is searched, and its values.

    Attributes:
        name: OpenVINO's name.
        kind: ``CPU``, ``GPU``, ``NPU``, or ``AUTO`` for AUTO's own.
        size: The smallest space that varies it.
        values: The values to try on a device beside leaving it to the runtime; none where it cannot act there.
    """

    name: str
    kind: Literal["CPU", "GPU", "NPU", "AUTO"]
    size: Size
    values: Values


def _always(values: tuple[Scalar, ...]) -> Values:
    return lambda device, topology: values


SETTINGS: tuple[Setting, ...] = (
    Setting(name="NUM_STREAMS", kind="CPU", size="standard", values=lambda d, t: up_to(min(d.streams, t.cpus))),
    Setting(name="INFERENCE_NUM_THREADS", kind="CPU", size="standard", values=lambda d, t: up_to(t.cpus)),
    Setting(name="EXECUTION_MODE_HINT", kind="CPU", size="full", values=_always(("ACCURACY",))),
    Setting(name="ENABLE_CPU_PINNING", kind="CPU", size="full", values=_always((False, True))),
    Setting(
        name="ENABLE_HYPER_THREADING",
        kind="CPU",
        size="full",
        values=lambda d, t: (False, True) if t.cpus > t.cores else (),
    ),
    Setting(
        name="SCHEDULING_CORE_TYPE",
        kind="CPU",
        size="full",
        values=lambda d, t: ("PCORE_ONLY", "ECORE_ONLY") if t.hybrid else (),
    ),
    Setting(name="CPU_DENORMALS_OPTIMIZATION", kind="CPU", size="full", values=_always((True,))),
    Setting(name="TBB_PARTITIONER", kind="CPU", size="full", values=_always(("AUTO", "STATIC"))),
    Setting(name="ENABLE_CPU_RESERVATION", kind="CPU", size="full", values=_always((True,))),
    Setting(
        name="MODEL_DISTRIBUTION_POLICY",
        kind="CPU",
        size="full",
        values=lambda d, t: ("TENSOR_PARALLEL",) if t.sockets > 1 else (),
    ),
    Setting(name="NUM_STREAMS", kind="GPU", size="standard", values=lambda d, t: up_to(d.streams)),
    Setting(name="EXECUTION_MODE_HINT", kind="GPU", size="full", values=_always(("ACCURACY",))),
    Setting(name="GPU_QUEUE_PRIORITY", kind="GPU", size="full", values=_always(_LEVELS)),
    Setting(name="GPU_QUEUE_THROTTLE", kind="GPU", size="full", values=_always(_LEVELS)),
    Setting(name="GPU_HOST_TASK_PRIORITY", kind="GPU", size="full", values=_always(_LEVELS)),
    Setting(name="NPU_TURBO", kind="NPU", size="full", values=_always((True,))),
    Setting(name="WORKLOAD_TYPE", kind="NPU", size="full", values=_always(("EFFICIENT",))),
    Setting(name="NPU_RUN_INFERENCES_SEQUENTIALLY", kind="NPU", size="full", values=_always((True,))),
    Setting(name="NPU_TILES", kind="NPU", size="full", values=lambda d, t: up_to(d.tiles)),
    Setting(
        name="NPU_COMPILATION_MODE_PARAMS",
        kind="NPU",
        size="full",
        values=_always(("optimization-level=0", "optimization-level=2", "performance-hint-override=latency")),
    ),
    Setting(name="SCHEDULE_POLICY", kind="AUTO", size="full", values=_always(("ROUND_ROBIN", "DEVICE_PRIORITY"))),
    Setting(name="ENABLE_STARTUP_FALLBACK", kind="AUTO", size="full", values=_always((False,))),
    Setting(name="ENABLE_RUNTIME_FALLBACK", kind="AUTO", size="full", values=_always((False,))),
    Setting(name="MODEL_PRIORITY", kind="AUTO", size="full", values=_always(_LEVELS)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why some settings never go together: ``forbids`` tells which, by the flat parameters that it ``reads``."""

    name: str
    reads: frozenset[str]
    reason: str
    forbids: Callable[[Mapping[str, Scalar]], bool]


CONFLICTS: tuple[Conflict, ...] = (
    Conflict(
        name="streams-within-threads",
        reads=frozenset({"NUM_STREAMS", "INFERENCE_NUM_THREADS"}),
        reason="a stream has at least one thread: with more streams than threads the runtime makes fewer",
        forbids=lambda flat: _above(flat, "NUM_STREAMS", "INFERENCE_NUM_THREADS"),
    ),
    Conflict(
        name="streams-within-requests",
        reads=frozenset({"NUM_STREAMS", "nireq"}),
        reason="each request keeps one stream busy: with fewer requests than streams, some are idle",
        forbids=lambda flat: _number(flat, "NUM_STREAMS") > int(flat["nireq"]),
    ),
    Conflict(
        name="streams-or-hint",
        reads=frozenset({"NUM_STREAMS", "hint"}),
        reason="NUM_STREAMS takes the place of a hint's own choice of streams",
        forbids=lambda flat: "NUM_STREAMS" in flat and flat["hint"] in {"LATENCY", "THROUGHPUT"},
    ),
    Conflict(
        name="accuracy-or-precision",
        reads=frozenset({"EXECUTION_MODE_HINT", "INFERENCE_PRECISION_HINT"}),
        reason="EXECUTION_MODE_HINT chooses the inference precision, and one that is given takes its place",
        forbids=lambda flat: "EXECUTION_MODE_HINT" in flat and "INFERENCE_PRECISION_HINT" in flat,
    ),
    Conflict(
        name="reservation-pins",
        reads=frozenset({"ENABLE_CPU_RESERVATION", "ENABLE_CPU_PINNING"}),
        reason="ENABLE_CPU_RESERVATION pins threads to the CPUs that it reserves",
        forbids=lambda flat: flat.get("ENABLE_CPU_RESERVATION") is True and flat.get("ENABLE_CPU_PINNING") is False,
    ),
    Conflict(
        name="policy-needs-cumulative",
        reads=frozenset({"SCHEDULE_POLICY", "hint"}),
        reason="SCHEDULE_POLICY shares requests out over devices that run at once: under CUMULATIVE_THROUGHPUT",
        forbids=lambda flat: "SCHEDULE_POLICY" in flat and flat["hint"] != "CUMULATIVE_THROUGHPUT",
    ),
    Conflict(
        name="one-device-has-no-fallback",
        reads=frozenset({"ENABLE_STARTUP_FALLBACK", "ENABLE_RUNTIME_FALLBACK", "device"}),
        reason="there is nothing to fall back to where one device is left",
        forbids=lambda flat: (
            bool({"ENABLE_STARTUP_FALLBACK", "ENABLE_RUNTIME_FALLBACK"} & flat.keys())
            and "," not in str(flat["device"])
            and str(flat["device"]) != "AUTO"
        ),
    ),
)


def compatible(flat: Mapping[str, Scalar]) -> bool:
    """Whether no conflict forbids the parameters of a config to go together."""
    return not any(conflict.forbids(flat) for conflict in CONFLICTS)


def offered(device: str, devices: Iterable[Device], topology: Topology, size: Size) -> dict[str, tuple[Scalar, ...]]:
    """The settings to vary on a device string, each with its values; those of a device in a list as ``DEVICE.NAME``.

    Those that a device does not list among what can be set are left out.
    """
    kind, _, rest = device.partition(":")
    if kind in _LISTS:
        return _of_list(kind, rest, tuple(devices), topology, size)
    own = next((d for d in devices if d.name == device), None)
    return {} if own is None else _of_device(own, topology, size)


def ladder(top: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, ... as far as ``top``."""
    return tuple(sorted({n for k in range(max(top, 1).bit_length()) for n in (2**k, 3 * 2**k) if n <= top}))


def up_to(top: int) -> tuple[int, ...]:
    """The ladder, and ``top`` itself."""
    return tuple(sorted({*ladder(top), top}))


def with_settings(config: Config, chosen: Mapping[str, Scalar]) -> Config:
    """``config`` with further settings, those named ``DEVICE.NAME`` under DEVICE_PROPERTIES."""
    properties = dict(config.properties)
    nested = properties.get("DEVICE_PROPERTIES", {})
    inner = {name: dict(values) for name, values in nested.items()} if isinstance(nested, Mapping) else {}
    for name, value in chosen.items():
        device, dot, key = name.rpartition(".")
        if dot:
            inner.setdefault(device, {})[key] = value
        else:
            properties[name] = value
    if inner:
        properties["DEVICE_PROPERTIES"] = inner
    return Config(
        device=config.device,
        properties=properties,
        nireq=config.nireq,
        batch_size=config.batch_size,
        precision=config.precision,
        shapes=config.shapes,
        api=config.api,
    )


def _of_device(device: Device, topology: Topology, size: Size) -> dict[str, tuple[Scalar, ...]]:
    kind = "CPU" if "CPU" in device.name else device.name.partition(".")[0]
    found = {s.name: s.values(device, topology) for s in SETTINGS if s.kind == kind and _within(s.size, size)}
    return {name: values for name, values in found.items() if values and name in device.settings}


def _of_list(
    kind: str, rest: str, devices: tuple[Device, ...], topology: Topology, size: Size
) -> dict[str, tuple[Scalar, ...]]:
    """AUTO's own settings, and the streams of each device in its list."""
    if not _within("full", size):
        return {}
    known = next((d.settings for d in devices if d.name == kind), ())
    blank = Device(name=kind, full_name=kind)
    own = {s.name: s.values(blank, topology) for s in SETTINGS if s.kind == "AUTO" and (s.name in known or not known)}
    named = [d for d in devices if d.name in rest.split(",")]
    streams = {f"{d.name}.NUM_STREAMS": _of_device(d, topology, size).get("NUM_STREAMS", ()) for d in named}
    return own | {name: values for name, values in streams.items() if values}


def _within(least: Size, size: Size) -> bool:
    return SIZES.index(least) <= SIZES.index(size)


def _number(flat: Mapping[str, Scalar], name: str) -> int:
    return int(flat.get(name, 0))


def _above(flat: Mapping[str, Scalar], name: str, limit: str) -> bool:
    return limit in flat and _number(flat, name) > int(flat[limit])
