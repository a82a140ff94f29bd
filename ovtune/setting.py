"""The properties that a search may set beside the hint and the precision: which there are, where, with which values.

:data:`SETTINGS` holds what is searched, :data:`LEFT_OUT` what devices list besides, each with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ovtune.config import Config, Scalar
from ovtune.device_string import is_cpu, is_list, kind_of, used_by
from ovtune.environment import Device, Topology
from ovtune.model import Model

Size = Literal["quick", "standard", "full"]
SIZES: tuple[Size, ...] = get_args(Size)
_PRECISIONS: Mapping[str, str] = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the values of a setting follow from.

    Attributes:
        device: The device that is set, or the scheduler (``AUTO``, ``HETERO``) where it is that one's own setting.
        others: The devices beside it in a list.
        topology: The processor.
        model: The model.
    """

    device: Device
    topology: Topology
    model: Model
    others: tuple[Device, ...] = ()


Values = Callable[[Scene], tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A property of a kind of device, the size of space from which on it is searched, and its values.

    Attributes:
        name: OpenVINO's name.
        kind: ``CPU``, ``GPU``, ``NPU``; ``AUTO`` or ``HETERO`` for what these two take themselves.
        size: The smallest space that varies it.
        values: The values to try on a device beside leaving it to the runtime; none where it cannot act there.
        place: Where it is set: on a device ``alone``, on a device in a ``list``, or on ``both``.
        listed: Whether the device lists it among what can be set; the core itself takes what none does.
    """

    name: str
    kind: Literal["CPU", "GPU", "NPU", "AUTO", "HETERO"]
    size: Size
    values: Values
    place: Literal["alone", "list", "both"] = "alone"
    listed: bool = True


def _always(values: tuple[Scalar, ...]) -> Values:
    return lambda scene: values


def _where(wanted: Callable[[Scene], bool], values: tuple[Scalar, ...]) -> Values:
    return lambda scene: values if wanted(scene) else ()


def precisions(device: Device) -> tuple[str, ...]:
    """The inference precisions that a device can be asked for."""
    return tuple(sorted({_PRECISIONS[c] for c in device.capabilities if c in _PRECISIONS}))


def ladder(top: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, ... as far as ``top``."""
    return tuple(sorted({n for k in range(max(top, 1).bit_length()) for n in (2**k, 3 * 2**k) if n <= top}))


def up_to(top: int) -> tuple[int, ...]:
    """The ladder, and ``top`` itself."""
    return tuple(sorted({*ladder(top), top}))


def _own_precisions(scene: Scene) -> tuple[Scalar, ...]:
    """For a device beside others: where there are none, the hint for all devices says the same."""
    return tuple(p for p in precisions(scene.device) if p != scene.device.precision) if scene.others else ()


def _cpu_streams(scene: Scene) -> tuple[int, ...]:
    return up_to(min(scene.device.streams, scene.topology.cpus))


_ANNOUNCED = "PERFORMANCE_HINT_NUM_REQUESTS"
_QUANTIZED = _where(lambda s: s.model.compressed, (0, 64, 128))
_CACHED = _where(lambda s: s.model.caches, ("f16", "u8"))
_COMPILING = ("optimization-level=0", "optimization-level=2", "performance-hint-override=latency")

SETTINGS: tuple[Setting, ...] = (
    Setting(name="NUM_STREAMS", kind="CPU", size="standard", values=_cpu_streams, place="both"),
    Setting(
        name="INFERENCE_NUM_THREADS", kind="CPU", size="standard", values=lambda s: up_to(s.topology.cpus), place="both"
    ),
    Setting(name="INFERENCE_PRECISION_HINT", kind="CPU", size="full", values=_own_precisions, place="list"),
    Setting(name=_ANNOUNCED, kind="CPU", size="full", values=_cpu_streams),
    Setting(name="EXECUTION_MODE_HINT", kind="CPU", size="full", values=_always(("ACCURACY",))),
    Setting(name="ENABLE_CPU_PINNING", kind="CPU", size="full", values=_always((False, True)), place="both"),
    Setting(
        name="ENABLE_HYPER_THREADING",
        kind="CPU",
        size="full",
        values=_where(lambda s: s.topology.cpus > s.topology.cores, (False, True)),
    ),
    Setting(
        name="SCHEDULING_CORE_TYPE",
        kind="CPU",
        size="full",
        values=_where(lambda s: s.topology.hybrid, ("PCORE_ONLY", "ECORE_ONLY")),
    ),
    Setting(name="CPU_DENORMALS_OPTIMIZATION", kind="CPU", size="full", values=_always((True,))),
    Setting(name="TBB_PARTITIONER", kind="CPU", size="full", values=_always(("AUTO", "STATIC"))),
    Setting(
        name="MODEL_DISTRIBUTION_POLICY",
        kind="CPU",
        size="full",
        values=_where(lambda s: s.topology.sockets > 1, ("TENSOR_PARALLEL",)),
    ),
    Setting(name="DYNAMIC_QUANTIZATION_GROUP_SIZE", kind="CPU", size="full", values=_QUANTIZED),
    Setting(name="KV_CACHE_PRECISION", kind="CPU", size="full", values=_CACHED),
    Setting(name="NUM_STREAMS", kind="GPU", size="standard", values=lambda s: up_to(s.device.streams), place="both"),
    Setting(name="INFERENCE_PRECISION_HINT", kind="GPU", size="full", values=_own_precisions, place="list"),
    Setting(name=_ANNOUNCED, kind="GPU", size="full", values=lambda s: up_to(2 * s.device.streams)),
    Setting(name="EXECUTION_MODE_HINT", kind="GPU", size="full", values=_always(("ACCURACY",))),
    Setting(name="ALLOW_AUTO_BATCHING", kind="GPU", size="full", values=_always((False,)), listed=False),
    Setting(name="GPU_QUEUE_PRIORITY", kind="GPU", size="full", values=_always(("LOW", "HIGH"))),
    Setting(name="GPU_QUEUE_THROTTLE", kind="GPU", size="full", values=_always(("LOW", "HIGH")), place="both"),
    Setting(name="GPU_HOST_TASK_PRIORITY", kind="GPU", size="full", values=_always(("LOW", "HIGH"))),
    Setting(name="GPU_DISABLE_WINOGRAD_CONVOLUTION", kind="GPU", size="full", values=_always((True,))),
    Setting(name="ENABLE_CPU_PINNING", kind="GPU", size="full", values=_always((True,))),
    Setting(name="DYNAMIC_QUANTIZATION_GROUP_SIZE", kind="GPU", size="full", values=_QUANTIZED),
    Setting(name="KV_CACHE_PRECISION", kind="GPU", size="full", values=_CACHED),
    Setting(name=_ANNOUNCED, kind="NPU", size="full", values=_always((1, 2, 4, 8))),
    Setting(name="NPU_TURBO", kind="NPU", size="full", values=_always((True,))),
    Setting(name="WORKLOAD_TYPE", kind="NPU", size="full", values=_always(("EFFICIENT",))),
    Setting(name="NPU_RUN_INFERENCES_SEQUENTIALLY", kind="NPU", size="full", values=_always((True,))),
    Setting(name="NPU_TILES", kind="NPU", size="full", values=lambda s: up_to(s.device.tiles)),
    Setting(name="NPU_COMPILATION_MODE_PARAMS", kind="NPU", size="full", values=_always(_COMPILING)),
    Setting(
        name="SCHEDULE_POLICY", kind="AUTO", size="full", values=_where(lambda s: len(s.others) > 1, ("ROUND_ROBIN",))
    ),
    Setting(
        name="ENABLE_STARTUP_FALLBACK",
        kind="AUTO",
        size="full",
        values=_where(lambda s: any(is_cpu(d.name) for d in s.others[1:]) and not s.model.stateful, (False,)),
    ),
    Setting(
        name="ENABLE_RUNTIME_FALLBACK",
        kind="AUTO",
        size="full",
        values=_where(lambda s: len(s.others) > 1 and not s.model.stateful, (False,)),
    ),
    Setting(name="MODEL_PRIORITY", kind="AUTO", size="full", values=_always(("LOW", "HIGH"))),
    Setting(
        name="MODEL_DISTRIBUTION_POLICY",
        kind="HETERO",
        size="full",
        values=_where(lambda s: not all(is_cpu(d.name) for d in s.others), ("PIPELINE_PARALLEL",)),
    ),
)

_MEASURING = "measures or logs, and makes nothing faster"
_SAME_THING = "is another name for, or a part of, what is searched"
_ONE_MODEL = "acts between several models of one process; a config is measured and deployed by itself"
_RARE = "acts on one kind of operation, and is on where that gains"
_LOADING = "acts on loading and compiling alone"
LEFT_OUT: Mapping[str, str] = {
    "ACTIVATIONS_SCALE_FACTOR": "belongs to a model, which names it itself where f16 would overflow",
    "CACHE_DIR": _LOADING,
    "CACHE_MODE": _LOADING,
    "COMPILATION_NUM_THREADS": _LOADING,
    "CONFIG_FILE": "names a file of debug settings",
    "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": "acts on 8-bit weights that are nearly all zero, on AMX, alone",
    "DEVICES_UTILIZATION_THRESHOLD": "chooses the device by the load of the moment, which no measurement can repeat",
    "DEVICE_BIND_BUFFER": "is documented nowhere, and cannot be read back",
    "DEVICE_ID": "is said by the device string",
    "ENABLE_CPU_RESERVATION": _ONE_MODEL,
    "ENABLE_TENSOR_PARALLEL": _SAME_THING,
    "ENABLE_WEIGHTLESS": _LOADING,
    "GPU_ENABLE_LARGE_ALLOCATIONS": "lets a model run that needs buffers of more than 4 GB, and is slower",
    "GPU_ENABLE_LOOP_UNROLLING": _RARE,
    "GPU_ENABLE_LORA_OPERATION": _RARE,
    "GPU_ENABLE_SDPA_OPTIMIZATION": _RARE,
    "KEY_CACHE_GROUP_SIZE": _SAME_THING,
    "KEY_CACHE_PRECISION": _SAME_THING,
    "LOG_LEVEL": _MEASURING,
    "LOW_POWER_DEVICE": "saves energy by the load of the moment, which no measurement can repeat",
    "MULTI_DEVICE_PRIORITIES": "is said by the device string",
    "NPU_COMPILER_DYNAMIC_QUANTIZATION": _RARE,
    "NPU_COMPILER_TYPE": "is part of the installation, which a study is bound to",
    "NPU_DEFER_WEIGHTS_LOAD": _LOADING,
    "NPU_PLATFORM": "names another NPU to compile for",
    "NPU_QDQ_OPTIMIZATION": _RARE,
    "OFFLOAD_RATIO": "lets a model run that does not fit into the GPU's memory, and is slower",
    "PERF_COUNT": _MEASURING,
    "PERF_CURVE_TABLE": "chooses the device by the load of the moment, which no measurement can repeat",
    "VALUE_CACHE_GROUP_SIZE": _SAME_THING,
    "VALUE_CACHE_PRECISION": _SAME_THING,
    "WEIGHTS_PATH": _LOADING,
}
"""The properties that devices list as settable and that no space varies, each with the reason.

``--set`` and ``--fix`` take them all the same. MODEL_PRIORITY of a GPU sets its GPU_QUEUE_PRIORITY and
GPU_HOST_TASK_PRIORITY at once; NUM_STREAMS of an NPU can only be 1.
"""


def offered(
    text: str, devices: Sequence[Device], topology: Topology, model: Model, size: Size
) -> dict[str, tuple[Scalar, ...]]:
    """The settings to vary on a device string, each with its values; those of a device in a list as ``DEVICE.NAME``.

    Those that a device does not list among what can be set are left out.
    """
    used = used_by(text, devices)
    if not is_list(text):
        return _of_device(Scene(device=used[0], topology=topology, model=model), size, "alone") if used else {}
    kind = kind_of(text)
    scheduler = next((d for d in devices if d.name == kind), Device(name=kind, full_name=kind))
    own = _of_device(Scene(device=scheduler, topology=topology, model=model, others=used), size, "alone")
    if not _within("full", size):
        return own
    for device in used:
        others = tuple(other for other in used if other != device)
        scene = Scene(device=device, topology=topology, model=model, others=others)
        own |= {f"{device.name}.{name}": values for name, values in _of_device(scene, size, "list").items()}
    return own


def with_settings(config: Config, chosen: Mapping[str, Scalar]) -> Config:
    """``config`` with further settings, those named ``DEVICE.NAME`` under DEVICE_PROPERTIES."""
    if not chosen:
        return config
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
    return replace(config, properties=properties)


def _of_device(scene: Scene, size: Size, place: Literal["alone", "list"]) -> dict[str, tuple[Scalar, ...]]:
    kind = "CPU" if is_cpu(scene.device.name) else kind_of(scene.device.name).replace("MULTI", "AUTO")
    found = {
        s.name: s.values(scene)
        for s in SETTINGS
        if s.kind == kind and s.place in {place, "both"} and _within(s.size, size) and _taken(s, scene.device)
    }
    return {name: values for name, values in found.items() if values}


def _taken(setting: Setting, device: Device) -> bool:
    """Whether a device takes a setting; of the schedulers it is known without asking them."""
    return setting.kind in {"AUTO", "HETERO"} or not setting.listed or setting.name in device.settings


def _within(least: Size, size: Size) -> bool:
    return SIZES.index(least) <= SIZES.index(size)
