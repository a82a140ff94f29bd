"""The configuration that is searched, measured and deployed."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Api = Literal["async", "sync"]
APIS: tuple[Api, ...] = get_args(Api)
Scalar = bool | int | float | str
Property = Scalar | Mapping[str, Mapping[str, Scalar]]
"""A property's value; ``DEVICE_PROPERTIES`` alone is a mapping: device to properties."""

_BATCH = re.compile(r"BATCH:([^()]+)\(([1-9]\d*)\)")
_WORDS = {
    "NUM_STREAMS": "streams",
    "INFERENCE_NUM_THREADS": "threads",
    "INFERENCE_PRECISION_HINT": "inference precision",
    "AUTO_BATCH_TIMEOUT": "batch timeout (ms)",
}


class _Keyed:
    """Room for a key that is made once: a large space asks thousands of configs for theirs, again and again."""

    __slots__ = ("_key",)
    _key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(_Keyed):
    """One complete way to run a model: exactly what a deployment applies.

    Two configs are equal when their :attr:`key` is.

    Attributes:
        device: The device string given to the runtime, such as ``AUTO:GPU,CPU`` or ``BATCH:CPU(4)``.
        properties: The properties given with the compilation, by OpenVINO's own names.
        nireq: Infer requests in flight, at least 1.
        batch_size: The model's own batch dimension, at least 1; automatic batching is not counted.
        precision: The weights: ``FP32``, ``FP16``, or the name of a variant of the model.
        shapes: A concrete shape for each input of a dynamic model, by input name.
        api: ``async`` for a queue, ``sync`` for one request that is run and waited for.

    Raises:
        ValueError: a number below 1, an empty device, or ``sync`` with more than one request.
    """

    device: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    nireq: int
    batch_size: int = 1
    precision: str = "FP32"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    api: Api = "async"

    def __post_init__(self) -> None:
        if not self.device:
            raise ValueError("device is empty: name one, such as CPU")
        for name in ("nireq", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.api == "sync" and self.nireq != 1:
            raise ValueError(f"api sync runs one request, not nireq {self.nireq}")
        object.__setattr__(self, "properties", dict(sorted(self.properties.items())))
        object.__setattr__(self, "shapes", {k: tuple(v) for k, v in sorted(self.shapes.items())})

    @property
    def key(self) -> str:
        """The canonical form: equal configs, and only they, have the same one."""
        try:
            return self._key
        except AttributeError:
            values = {name: getattr(self, name) for name in self.__slots__}
            object.__setattr__(self, "_key", json.dumps(values, sort_keys=True, separators=(",", ":")))
            return self._key

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Config) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def hint(self) -> str | None:
        """The performance hint, or None where none is given."""
        value = self.properties.get("PERFORMANCE_HINT")
        return None if value is None else str(value)

    @property
    def auto_batch_size(self) -> int:
        """How many requests automatic batching joins; 1 where it is not asked for."""
        return split_batch(self.device)[1]

    @property
    def words(self) -> str:
        """The config as a person would say it, without the parts that are at their default."""
        device, auto_batch = split_batch(self.device)
        parts = [f"{self.hint} hint on {device}" if self.hint else f"no hint on {device}"]
        parts.append("synchronous" if self.api == "sync" else f"nireq {self.nireq}")
        if self.batch_size > 1:
            parts.append(f"batch {self.batch_size}")
        if auto_batch > 1:
            parts.append(f"automatic batching of {auto_batch}")
        if self.precision != "FP32":
            parts.append(f"{self.precision} weights")
        for name, value in self.properties.items():
            if isinstance(value, Mapping):
                parts += [
                    f"{of} {_WORDS.get(key, key)} {one}" for of, inner in value.items() for key, one in inner.items()
                ]
            elif name != "PERFORMANCE_HINT":
                parts.append(f"{_WORDS.get(name, name)} {value}")
        return ", ".join(parts)


@functools.lru_cache(maxsize=1024)
def split_batch(device: str) -> tuple[str, int]:
    """The device under automatic batching and its size: ``BATCH:CPU(4)`` gives ``("CPU", 4)``, others 1."""
    match = _BATCH.fullmatch(device)
    return (match[1], int(match[2])) if match else (device, 1)


def parameters(config: Config) -> dict[str, Scalar]:
    """The config as flat parameters, as a search varies them; a property that is not set is absent."""
    device, auto_batch = split_batch(config.device)
    flat: dict[str, Scalar] = {
        "device": device,
        "hint": config.hint or "none",
        "nireq": config.nireq,
        "batch_size": config.batch_size,
        "auto_batch_size": auto_batch,
        "precision": config.precision,
        "api": config.api,
    }
    for name, value in config.properties.items():
        if isinstance(value, Mapping):
            flat |= {f"{inner}.{key}": item for inner, items in value.items() for key, item in items.items()}
        elif name != "PERFORMANCE_HINT":
            flat[name] = value
    return flat


def shown(value: object) -> str:
    """A property's value as text, a list with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def spelled(value: object) -> str:
    """A property's value in one spelling, to compare it: the runtime takes YES and true for one."""
    text = shown(value).lower()
    return {"yes": "true", "no": "false"}.get(text, text)


def as_compiled(properties: Mapping[str, Property]) -> dict[str, object]:
    """Properties as every plugin takes them: the GPU's takes a number of streams as text alone."""
    return {
        name: {device: as_compiled(inner) for device, inner in value.items()}
        if isinstance(value, Mapping)
        else str(value)
        if name == "NUM_STREAMS"
        else value
        for name, value in properties.items()
    }
