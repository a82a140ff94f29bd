"""A compiled model: what the runtime made of a config."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ovtune.backend import ov
from ovtune.config import Config

_NOT_SETTINGS = frozenset({"SUPPORTED_PROPERTIES", "NETWORK_NAME", "RUNTIME_REQUIREMENTS"})
_NOT_SPEED = _NOT_SETTINGS | {
    "CACHE_DIR",
    "PERFORMANCE_HINT_NUM_REQUESTS",
    "LOADED_FROM_CACHE",
    "LOG_LEVEL",
    "PERF_COUNT",
}
_LIST = "MULTI_DEVICE_PRIORITIES"
STARTUP_S = 30.0
"""How long AUTO is given to leave the device that it starts up on."""
_STARTUP_POLL_S = 0.02


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
        while self.starting:
            if time.perf_counter() >= until:
                return False
            time.sleep(_STARTUP_POLL_S)
        return True

    @property
    def starting(self) -> bool:
        """Whether AUTO still serves from the device that it starts up on."""
        return any(name.startswith("(") for name in self.execution_devices)

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
                settings[name] = plain(self.model.get_property(name))
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


def plain(value: Any) -> Any:
    """A property's value as plain JSON: enums by name, element types by theirs, sets in order."""
    if isinstance(value, ov.Type):
        return value.to_string()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(plain(v)) for v in value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(getattr(value, "name", value))


def shape_of(shape: ov.PartialShape) -> tuple[int, ...]:
    """A shape as numbers: -1 for a size that is not fixed, and alone where even the rank is not."""
    if shape.rank.is_dynamic:
        return (-1,)
    return tuple(int(d.get_length()) if d.is_static else -1 for d in shape)


def _items_of(graph: Any) -> dict[str, int]:
    """The size of dimension 0 of each input of a graph that has one, by the input's name in the graph."""
    shapes = {port.get_node().get_friendly_name(): shape_of(port.partial_shape) for port in graph.inputs}
    return {name: shape[0] for name, shape in shapes.items() if shape and shape[0] > 0}


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
