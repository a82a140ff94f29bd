"""What talks to OpenVINO, with :mod:`ovtune.engine`: devices, models, compilation, effective settings.

What the runtime raises leaves here as :class:`ModelError` or :class:`DeviceError`, cut down to the sentence that
tells something.
"""

import contextlib
import hashlib
import json
import math
import re
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ovtune import demo
from ovtune.backend import ov
from ovtune.config import Config, Property, Scalar
from ovtune.environment import Device
from ovtune.errors import DeviceError, ModelError, OvtuneError, StorageError
from ovtune.model import DEMO_PREFIX, Input, Model, digest, name_of, size_of

VERSION: str = ov.get_version().partition("-")[0]
_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_ONE_BATCH = ": search it with batch 1"
_MEMORY = ("GPU_DEVICE_TOTAL_MEM_SIZE", "NPU_DEVICE_TOTAL_MEM_SIZE")
_NOT_SETTINGS = frozenset({"SUPPORTED_PROPERTIES", "NETWORK_NAME", "RUNTIME_REQUIREMENTS"})
_NOT_SPEED = _NOT_SETTINGS | {
    "CACHE_DIR",
    "PERFORMANCE_HINT_NUM_REQUESTS",
    "LOADED_FROM_CACHE",
    "LOG_LEVEL",
    "PERF_COUNT",
}
_LIST = "MULTI_DEVICE_PRIORITIES"
_PLACES = re.compile(
    r"(Error: )?Exception from \S+:\d+:|Check '[^\n]*' failed at \S+:\d+:|FrontEnd API failed with [^\n]*"
)
_REASON_LENGTH = 300
_SMALL = frozenset({"i4", "u4", "i8", "u8"})
_EXACT: Mapping[str, Scalar] = {
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "KV_CACHE_PRECISION": "f32",
}
_STARTS_UP_ELSEWHERE = ("AUTO", "MULTI")
STARTUP_S = 30.0
"""How long AUTO is given to leave the device that it starts up on."""
_STARTUP_POLL_S = 0.02


class Runtime:
    """An OpenVINO core with the plugins that the user registered.

    Args:
        plugins: Further device names, each with the library that serves it, such as
            ``{"CPUX": "openvino_intel_cpu_plugin"}``.

    Raises:
        DeviceError: a plugin cannot be registered or loaded.
    """

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self._core = ov.Core()
        for name, library in plugins.items():
            with _translated(DeviceError, f"plugin {name}={library} cannot be registered"):
                self._core.register_plugin(library, name)
                self._core.get_versions(name)  # registering alone never looks at the library

    def devices(self) -> tuple[Device, ...]:
        """The devices that the runtime lists, each as it describes itself."""
        return tuple(self._device(name) for name in self._core.available_devices)

    def read(self, path: str) -> ov.Model:
        """The model at ``path``, a file, a SavedModel directory or ``demo:NAME``.

        Raises:
            ModelError: the runtime cannot read it.
        """
        if path.startswith(DEMO_PREFIX):
            return demo.build(path.removeprefix(DEMO_PREFIX))
        with _translated(ModelError, f"model {path} cannot be read", "give a model that OpenVINO reads"):
            return self._core.read_model(path)

    def compile(self, network: ov.Model, config: Config, *, cache: str | None = None) -> "Compiled":
        """``network``, already of the config's batch and shapes, compiled as ``config`` says.

        With a ``cache`` folder, what was compiled alike before is taken from there, or else put there; except for
        AUTO, which would leave out its start-up device and be another config.

        Raises:
            DeviceError: the runtime refuses.
        """
        settings = {name: _spelled(name, value) for name, value in config.properties.items()}
        what, todo = f"{config.device} refuses {settings}", "choose other settings or another device"
        if not settings:
            what, todo = f"{config.device} does not take the model", "choose another device"
        with _translated(DeviceError, what, todo):
            if cache is not None and not config.device.startswith(_STARTS_UP_ELSEWHERE):
                self._core.set_property({"CACHE_DIR": cache})
            compiled = self._core.compile_model(network, config.device, settings)
        return Compiled(compiled, config)

    def exact(self) -> Config:
        """The config whose outputs others are compared with: the CPU where there is one, in full precision.

        The CPU quantizes activations of compressed weights, and keeps caches of attention, in fewer bits even where
        its inference precision is f32.
        """
        names = self._core.available_devices
        device = next((name for name in names if name == "CPU"), names[0])
        known = self._supported(device)
        return Config(device=device, properties={k: v for k, v in _EXACT.items() if k in known}, nireq=1)

    def rough(self) -> Config:
        """As :meth:`exact`, in bf16 where the device has it."""
        exact = self.exact()
        if "BF16" not in self._device(exact.device).capabilities:
            return exact
        return replace(exact, properties={"INFERENCE_PRECISION_HINT": "bf16"})

    def unknown(self, config: Config) -> tuple[str, ...]:
        """The config's properties that none of its devices knows: AUTO drops them without a word."""
        scheduler, _, rest = config.device.partition(":")
        listed = [part.strip().partition("(")[0] for part in rest.split(",") if part and not part.startswith("-")]
        names = {scheduler, *(listed or self._core.available_devices)}
        known = {str(key) for name in names for key in self._supported(name)}
        return tuple(name for name in config.properties if name not in known | {"DEVICE_PROPERTIES"})

    def auto_batches(self, network: ov.Model, device: str) -> bool:
        """Whether automatic batching engages on ``network``; it stays silent where it does not."""
        try:
            compiled = self.compile(network, Config(device=f"BATCH:{device}(2)", nireq=2))
        except DeviceError:
            return False
        joined = compiled.joined
        if joined is not None:
            return joined == 2
        alone = self.compile(network, Config(device=device, nireq=1))
        return compiled.optimal_nireq >= 2 * alone.optimal_nireq

    def _settable(self, name: str) -> tuple[str, ...]:
        with contextlib.suppress(RuntimeError):
            supported = self._core.get_property(name, "SUPPORTED_PROPERTIES")
            return tuple(sorted(key for key, access in supported.items() if access == "RW"))
        return ()

    def _supported(self, name: str) -> list[str]:
        with contextlib.suppress(RuntimeError):
            return list(self._core.get_property(name, "SUPPORTED_PROPERTIES"))
        return []

    def _device(self, name: str) -> Device:
        def read(key: str) -> Any:
            with contextlib.suppress(RuntimeError, TypeError):
                return _plain(self._core.get_property(name, key))
            return None

        streams = read("RANGE_FOR_STREAMS")
        return Device(
            name=name,
            full_name=str(read("FULL_DEVICE_NAME") or name),
            driver=str(read("NPU_DRIVER_VERSION") or read("GPU_DRIVER_VERSION") or ""),
            capabilities=tuple(read("OPTIMIZATION_CAPABILITIES") or ()),
            precision=str(read("INFERENCE_PRECISION_HINT") or "f32"),
            streams=int(streams[1]) if streams else 1,
            settings=self._settable(name),
            tiles=int(read("NPU_MAX_TILES") or 1),
            memory_bytes=next((int(size) for name in _MEMORY if (size := read(name))), None),
        )


class Compiled:
    """A compiled model and the config that it was asked for."""

    def __init__(self, compiled: ov.CompiledModel, config: Config) -> None:
        self.model = compiled
        self._config = config

    def asked_as(self, config: Config) -> "Compiled":
        """The same compiled model as the answer to a config that differs in what compiling does not look at: nireq."""
        return Compiled(self.model, config)

    def leave_startup(self, timeout_s: float = STARTUP_S) -> bool:
        """Waits until AUTO has left the device that it starts up on; until then its advice is that one's.

        Returns:
            Whether it has left it within ``timeout_s``.
        """
        until = time.perf_counter() + timeout_s
        while any(name.startswith("(") for name in self.execution_devices):
            if time.perf_counter() >= until:
                return False
            time.sleep(_STARTUP_POLL_S)
        return True

    @property
    def optimal_nireq(self) -> int:
        """How many infer requests the runtime advises."""
        return int(self.model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    @property
    def joined(self) -> int | None:
        """How many requests automatic batching joins: 1 where it did not engage, None where that cannot be told.

        What is asked for is not read back, but the graph that runs has inputs of as many items.
        """
        if "AUTO_BATCH_TIMEOUT" not in self.model.get_property("SUPPORTED_PROPERTIES"):
            return 1
        with contextlib.suppress(RuntimeError):
            own, running = (_items_of(graph) for graph in (self.model, self.model.get_runtime_model()))
            ratios = {running[name] // own[name] for name in own.keys() & running.keys()}
            return max(ratios, default=None)
        return None

    @property
    def execution_devices(self) -> list[str]:
        """The devices that serve at this moment; in parentheses the one that AUTO starts up on."""
        return [str(name) for name in self.model.get_property("EXECUTION_DEVICES")]

    @property
    def from_cache(self) -> bool:
        """Whether it was taken from a cache of compiled models."""
        return bool(self.model.get_property("LOADED_FROM_CACHE"))

    def effective(self) -> dict[str, object]:
        """Every setting that can be read back, as plain JSON values."""
        settings: dict[str, object] = {}
        for name in sorted(self.model.get_property("SUPPORTED_PROPERTIES")):
            with contextlib.suppress(RuntimeError, TypeError):
                settings[name] = _plain(self.model.get_property(name))
        return _without(settings, _NOT_SETTINGS)

    def effective_key(self, effective: Mapping[str, object]) -> str:
        """A digest that configs share which the runtime runs in the same way.

        What cannot be read back counts as asked for. FP16 and FP32 weights are one on the CPU, which converts
        both to its inference precision. The orders of one list of AUTO are one where the same devices serve: once they
        have started up, the others are only there in case that they fail.
        """
        kind = self._config.device.partition(":")[0]
        on_cpu = all("CPU" in name for name in self.execution_devices)
        visible = set(_names(effective))
        config = self._config
        speed = {
            "device": kind if kind == "AUTO" else config.device,
            "nireq": config.nireq,
            "batch_size": config.batch_size,
            "shapes": config.shapes,
            "api": config.api,
            "precision": "any" if on_cpu and config.precision in {"FP32", "FP16"} else config.precision,
            "unseen": {k: v for k, v in config.properties.items() if k not in visible},
            "effective": _without(effective, _NOT_SPEED) | self._devices_behind(effective),
        }
        return hashlib.sha256(json.dumps(speed, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def _devices_behind(self, effective: Mapping[str, object]) -> dict[str, object]:
        """AUTO's list, in an order that matters only where its devices serve at once."""
        if not self._config.device.startswith("AUTO") or self._config.hint == "CUMULATIVE_THROUGHPUT":
            return {}
        return {_LIST: sorted(str(effective.get(_LIST, "")).split(","))}

    def queue(self) -> ov.AsyncInferQueue:
        """A queue of the config's size."""
        return ov.AsyncInferQueue(self.model, self._config.nireq)


def reshaped(network: ov.Model, *, batch_size: int, shapes: Mapping[str, Sequence[int]]) -> ov.Model:
    """``network`` with concrete ``shapes`` for its dynamic inputs, and ``batch_size`` in dimension 0 of each input.

    Raises:
        ModelError: it does not take them, has no such input, or its outputs do not grow with the batch.
    """
    _check_names(network, shapes)
    for port in network.inputs:
        _check_shape(port, shapes)
    wanted = {port: _wanted(port, shapes) for port in network.inputs}
    open_inputs = [_name(port) for port, shape in wanted.items() if -1 in shape]
    if open_inputs:
        raise ModelError(f"the model's inputs {', '.join(open_inputs)} are dynamic: give each a shape")
    if any(_shape(port.partial_shape) != shape for port, shape in wanted.items()):
        asked = " ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
        with _translated(ModelError, f"the model does not take the shapes {asked}", "give others"):
            network.reshape({port: list(shape) for port, shape in wanted.items()})
    if batch_size == 1:
        return network
    alone = [_shape(port.partial_shape) for port in network.outputs]
    with _translated(ModelError, f"the model does not take a batch of {batch_size}", _ONE_BATCH.removeprefix(": ")):
        network.reshape({port: [batch_size * n for n in s[:1]] + list(s[1:]) for port, s in wanted.items()})
    batched = [_shape(port.partial_shape) for port in network.outputs]
    if not all(_grew(old, new, batch_size) for old, new in zip(alone, batched, strict=True)):
        raise ModelError(f"the model's outputs do not follow a batch of {batch_size}{_ONE_BATCH}")
    return network


def inspect(runtime: Runtime, path: str, shapes: Mapping[str, Sequence[int]]) -> Model:
    """What the model at ``path`` is and takes with ``shapes`` for its dynamic inputs, found out by trying.

    Raises:
        ModelError: it cannot be read or given these shapes, has other inputs of unknown size, or takes text.
    """
    sha256 = digest(path)
    network = runtime.read(path)
    _check_shapes(network, path, shapes)
    network = reshaped(network, batch_size=1, shapes=shapes)
    inputs = tuple(
        Input(name=_name(port), element_type=port.element_type.to_string(), shape=_shape(port.partial_shape))
        for port in network.inputs
    )
    texts = [i.name for i in inputs if i.element_type == "string"]
    if texts:
        raise ModelError(
            f"model {path} takes text ({', '.join(texts)}): cut it behind its tokenizer, so that it takes numbers"
        )
    batch_sizes, one_batch = _batches(network, inputs)
    return Model(
        name=name_of(path),
        path=path,
        sha256=sha256,
        inputs=inputs,
        precisions=_precisions(network),
        batch_sizes=batch_sizes,
        one_batch=one_batch,
        auto_batchable=not one_batch,
        stateful=bool(network.get_variables()),
        output_bytes=sum(
            size_of(port.element_type.to_string(), tuple(port.shape))
            for port in network.outputs
            if port.partial_shape.is_static
        ),
        compressed=_compressed(network),
        caches=bool(network.get_variables())
        and any(node.get_type_name() == "ScaledDotProductAttention" for node in network.get_ops()),
        outputs=tuple(_shape(port.partial_shape) for port in network.outputs),
    )


def _batches(network: ov.Model, inputs: Sequence[Input]) -> tuple[tuple[int, ...], str]:
    """The batches that a model of static inputs takes, found by trying on copies; and why it takes 1 alone, or ""."""
    if network.get_variables():
        return (1,), "a batch of sequences would need a state for each"
    if not inputs:
        return (1,), "the model has no input"
    for port in inputs:
        if port.shape[:1] != (1,):
            return (1,), f"the model's input {port.name} {list(port.shape)} has no batch of 1 in dimension 0"
    sizes = [1]
    for size in _BATCH_SIZES[1:]:
        try:
            reshaped(network.clone(), batch_size=size, shapes={})
        except ModelError as error:
            return tuple(sizes), str(error).removesuffix(_ONE_BATCH) if size == _BATCH_SIZES[1] else ""
        sizes.append(size)
    return tuple(sizes), ""


def _check_shape(port: ov.Output, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that a shape that an input is given has its rank and keeps the sizes that are fixed in a dynamic one."""
    own, wanted = port.partial_shape, _wanted(port, shapes)
    if own.rank.is_dynamic or wanted == _shape(own):
        return
    if len(wanted) != len(_shape(own)) or (own.is_dynamic and not own.compatible(ov.PartialShape(list(wanted)))):
        raise ModelError(
            f"input {_name(port)} is {own.to_string()}, which {list(wanted)} does not fit: "
            f"give another shape, as in {_example(port)}"
        )


def _example(port: ov.Output) -> str:
    """An option that gives a dynamic input a shape: 1 where any size will do, else the least that will."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return f'--shape "{_name(port)}[1]"'
    return f'--shape "{_name(port)}[{",".join(str(max(d.get_min_length(), 1)) for d in shape)}]"'


def _check_names(network: ov.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that every shape is for an input."""
    unknown = set(shapes) - {name for port in network.inputs for name in {_name(port), *port.get_names()}}
    if unknown:
        names = ", ".join(_name(port) for port in network.inputs)
        raise ModelError(f"the model has no input {', '.join(sorted(unknown))}: name one of {names or 'none'}")


def _check_shapes(network: ov.Model, path: str, shapes: Mapping[str, Sequence[int]]) -> None:
    """Checks that every dynamic input is given a shape."""
    _check_names(network, shapes)
    dynamic = [port for port in network.inputs if port.partial_shape.is_dynamic]
    missing = [port for port in dynamic if not {_name(port), *port.get_names()} & shapes.keys()]
    if missing:
        names = ", ".join(f"{_name(port)} {port.partial_shape.to_string()}" for port in missing)
        what, whom = ("a dynamic input", "it") if len(missing) == 1 else ("dynamic inputs", "each")
        raise ModelError(
            f"model {path} has {what} {names}: give {whom} a shape, as in {' '.join(map(_example, missing))}"
        )


def save(network: ov.Model, path: Path, precision: str) -> None:
    """Writes ``network`` as an IR with ``FP32`` weights (as they are) or ``FP16`` ones.

    Raises:
        StorageError: there is no such directory, no right to write in it, or no room.
    """
    with _translated(StorageError, f"model {path} cannot be written", "make room, or choose another directory"):
        ov.save_model(network, path, compress_to_fp16=precision == "FP16")


def with_weights(runtime: Runtime, network: ov.Model, precision: str) -> ov.Model:
    """``network`` with its weights in ``precision``: compressed through a temporary file where they are wider."""
    if precision != "FP16" or "FP32" not in _precisions(network):
        return network
    with tempfile.TemporaryDirectory(prefix="ovtune-") as folder:
        save(network, Path(folder) / "model.xml", precision)
        return runtime.read(str(Path(folder) / "model.xml"))


def _precisions(network: ov.Model) -> tuple[Literal["FP32", "FP16"], ...]:
    """FP32 and FP16 where there are FP32 weights of any size, else FP16 alone where the weights are that."""
    types: dict[str, int] = {}
    for node in network.get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_output_element_type(0).to_string()
            types[kind] = types.get(kind, 0) + int(np.prod(list(node.get_output_shape(0)), dtype=np.int64))
    return ("FP16",) if types.get("f16", 0) > types.get("f32", 0) else ("FP32", "FP16")


def _compressed(network: ov.Model) -> bool:
    """Whether there is a constant of small whole numbers that is converted where it is used."""
    return any(
        node.get_type_name() == "Convert"
        and node.input_value(0).get_node().get_type_name() == "Constant"
        and node.get_input_element_type(0).to_string() in _SMALL
        and math.prod(node.get_input_shape(0)) > 1
        for node in network.get_ops()
    )


def _spelled(name: str, value: Property) -> object:
    """A property as every plugin takes it: the GPU's takes a number of streams as text alone."""
    if isinstance(value, Mapping):
        return {device: {key: _spelled(key, one) for key, one in inner.items()} for device, inner in value.items()}
    return str(value) if name == "NUM_STREAMS" else value


def _name(port: ov.Output) -> str:
    names = sorted(port.get_names())
    return str(names[0] if names else port.get_node().get_friendly_name())


def _shape(shape: ov.PartialShape) -> tuple[int, ...]:
    if shape.rank.is_dynamic:
        return (-1,)
    return tuple(int(d.get_length()) if d.is_static else -1 for d in shape)


def _items_of(graph: Any) -> dict[str, int]:
    """The size of dimension 0 of each input of a graph that has one, by the input's name in the graph."""
    shapes = {port.get_node().get_friendly_name(): _shape(port.partial_shape) for port in graph.inputs}
    return {name: shape[0] for name, shape in shapes.items() if shape and shape[0] > 0}


def _wanted(port: ov.Output, shapes: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """The shape that is asked for an input, by any of its names, or else its own."""
    asked = [shapes[name] for name in (_name(port), *sorted(port.get_names())) if name in shapes]
    return tuple(asked[0]) if asked else _shape(port.partial_shape)


def _grew(alone: tuple[int, ...], batched: tuple[int, ...], batch_size: int) -> bool:
    """Whether an output holds one item after the other: dimension 0 grew with the batch, and nothing else did."""
    return bool(alone) and alone[0] > 0 and batched == (batch_size * alone[0], *alone[1:])


def _plain(value: Any) -> Any:
    """A property's value as plain JSON: enums by name, element types by theirs, sets in order."""
    if isinstance(value, ov.Type):
        return value.to_string()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(v)) for v in value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(getattr(value, "name", value))


def _names(settings: Mapping[str, object]) -> Iterator[str]:
    for name, value in settings.items():
        yield name
        if isinstance(value, Mapping):
            yield from _names(value)


def _without(settings: Mapping[str, object], names: frozenset[str]) -> dict[str, object]:
    return {
        name: _without(value, names) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name not in names
    }


@contextlib.contextmanager
def _translated(kind: type[OvtuneError], what: str, todo: str = "check its name and path") -> Iterator[None]:
    """Turns what the runtime raises into ``kind``: what failed, the runtime's own reason, what to do."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, OSError) as error:
        raise kind(f"{what} ({reason(error)}): {todo}") from error


def reason(error: BaseException) -> str:
    """The sentence of a runtime's error that tells something, on one line, without the places in its sources."""
    text = " ".join(_PLACES.sub(" ", str(error)).split())
    return textwrap.shorten(text, _REASON_LENGTH, placeholder=" …") or type(error).__name__
