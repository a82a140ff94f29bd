"""Which part of what can be searched the user wants: a size, and parameters held to certain values."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovtune.config import APIS, Scalar
from ovtune.errors import UsageError
from ovtune.setting import SIZES, Size

HINTS = ("none", "LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT")
UNSET = "unset"
"""The value of a parameter that a config leaves to the runtime."""
OWN = (
    "hint",
    "nireq",
    "batch_size",
    "auto_batch_size",
    "precision",
    "api",
    "AUTO_BATCH_TIMEOUT",
    "INFERENCE_PRECISION_HINT",
)
"""The parameters that every space has; the others are properties of devices."""
_NAMES: Mapping[str, str] = {name.lower(): name for name in OWN} | {"performance_hint": "hint"}
_COUNTS = frozenset(
    {
        "nireq",
        "batch_size",
        "auto_batch_size",
        "NUM_STREAMS",
        "INFERENCE_NUM_THREADS",
        "PERFORMANCE_HINT_NUM_REQUESTS",
        "NPU_TILES",
    }
)
_TRUTHS = frozenset(
    {
        "ALLOW_AUTO_BATCHING",
        "CPU_DENORMALS_OPTIMIZATION",
        "ENABLE_CPU_PINNING",
        "ENABLE_CPU_RESERVATION",
        "ENABLE_HYPER_THREADING",
        "ENABLE_RUNTIME_FALLBACK",
        "ENABLE_STARTUP_FALLBACK",
        "GPU_DISABLE_WINOGRAD_CONVOLUTION",
        "NPU_RUN_INFERENCES_SEQUENTIALLY",
        "NPU_TURBO",
    }
)
_LEAVABLE = frozenset({"AUTO_BATCH_TIMEOUT", "INFERENCE_PRECISION_HINT"})
"""Which of :data:`OWN` a config may leave to the runtime."""
_WORDS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a space is wanted.

    Attributes:
        size: Which parameters are varied.
        only: The values of parameters that are held to certain ones, at least one each. Names and values are taken in
            other spellings, too (``NIREQ``, ``yes``), and stand here in one.

    Raises:
        UsageError: a parameter has no value, or one that it cannot have, or is none that can be held.
    """

    size: Size = "standard"
    only: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        only: dict[str, tuple[Scalar, ...]] = {}
        for given, values in self.only.items():
            name = _name(given)
            if not values:
                raise UsageError(f"{name} is held to no value: give at least one, as in --set nireq=1,2,4")
            if name in only:
                raise UsageError(f"{name} is held to values twice: name it once")
            only[name] = tuple(dict.fromkeys(_value(name, value) for value in values))
        object.__setattr__(self, "only", only)

    @property
    def words(self) -> str:
        """The size, and what is held to which values."""
        held = (f"{name}={','.join(str(v) for v in values)}" for name, values in self.only.items())
        return ", ".join((self.size, *held))


def read(space: str | None, sets: Sequence[str], fixes: Sequence[str]) -> Wanted | None:
    """What the texts of ``--space``, ``--set`` and ``--fix`` ask for; None where they ask for nothing.

    What ``--set`` and ``--fix`` hold takes the place of what a file says of the same parameter.

    Raises:
        UsageError: one cannot be read, or two of them name one parameter.
    """
    if space is None and not sets and not fixes:
        return None
    wanted = Wanted() if space is None else _named(space)
    only: dict[str, tuple[Scalar, ...]] = {}
    for option, texts in (("--set", sets), ("--fix", fixes)):
        for text in texts:
            name, equals, values = text.partition("=")
            parts = [part.strip() for part in (values.split(",") if option == "--set" else [values])]
            if not (name.strip() and equals and all(parts)):
                example = "nireq=1,2,4" if option == "--set" else "NUM_STREAMS=2"
                raise UsageError(f"{option} {text!r} cannot be read: write NAME=VALUE, as in {option} {example}")
            if _name(name) in only:
                raise UsageError(f"{option} {text!r} names {_name(name)} again: hold it once, as in --set nireq=1,2,4")
            only[_name(name)] = tuple(_scalar(part) for part in parts)
    return Wanted(size=wanted.size, only={**wanted.only, **only})


def _named(space: str) -> Wanted:
    for size in SIZES:
        if space == size:
            return Wanted(size=size)
    if not space.endswith(".toml"):
        raise UsageError(f"space {space!r} is none of {', '.join(SIZES)} and no TOML file: give one of these")
    try:
        tree = tomllib.loads(Path(space).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"space {space} cannot be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise UsageError(f'space {space} is no TOML ({error}): write size = "standard" and a table [only]') from error
    return _of_tree(space, tree)


def _of_tree(name: str, tree: Mapping[str, Any]) -> Wanted:
    unknown = sorted(tree.keys() - {"size", "only"})
    if unknown:
        raise UsageError(f"space {name} has {', '.join(unknown)}: it may have size and a table [only]")
    size, only = tree.get("size", "standard"), tree.get("only", {})
    if size not in SIZES:
        raise UsageError(f"space {name}: size is {size!r}: it is one of {', '.join(SIZES)}")
    if not isinstance(only, Mapping):
        raise UsageError(f"space {name}: only is {only!r}: it is a table, as in [only] nireq = [1, 2, 4]")
    found: dict[str, tuple[Scalar, ...]] = {}
    for key, value in _flattened(only):
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, bool | int | float | str) for v in values):
            raise UsageError(
                f"space {name}: {key} is {value!r}: it is a number, a word, a truth value, or a list of them"
            )
        found[key] = tuple(values)
    try:
        return Wanted(size=size, only=found)
    except UsageError as error:
        raise UsageError(f"space {name}: {error}") from error


def _flattened(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries of a table; ``CPU.NUM_STREAMS`` and ``GPU.1.NUM_STREAMS`` are tables in tables to TOML."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += [(f"{key}.{inner}", one) for inner, one in _flattened(value)]
        else:
            found.append((key, value))
    return found


def _name(given: str) -> str:
    """A parameter's name in its one spelling.

    Raises:
        UsageError: it is said by another option.
    """
    name = given.strip()
    if name.lower() == "device":
        raise UsageError("device is held by --device, which may be repeated, as in --device CPU --device AUTO:GPU,CPU")
    device, dot, key = name.rpartition(".")
    return device + dot + _NAMES.get(key.lower(), key.upper())


def _scalar(text: str) -> Scalar:
    """The number, the truth value or the word that a text stands for."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def _value(name: str, value: Scalar) -> Scalar:
    """A value in its one spelling.

    Raises:
        UsageError: the parameter cannot have it.
    """
    key = name.rpartition(".")[2]
    if value == UNSET and (key not in OWN or key in _LEAVABLE):
        return UNSET
    if key in _COUNTS and not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        raise UsageError(f"{name} is held to {_shown(value)}: it is a whole number of at least 1")
    if key == "AUTO_BATCH_TIMEOUT" and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        raise UsageError(f"{name} is held to {_shown(value)}: it is a whole number of milliseconds")
    if key in _TRUTHS:
        truth = _WORDS.get(str(value).lower(), {"1": True, "0": False}.get(str(value)))
        if truth is None:
            raise UsageError(f"{name} is held to {_shown(value)}: it is true or false")
        return truth
    if key == "hint":
        return _one_of(name, value, HINTS)
    if key == "api":
        return _one_of(name, value, APIS)
    if key == "INFERENCE_PRECISION_HINT":
        return str(value).lower()
    return value


def _one_of(name: str, value: Scalar, choices: Sequence[str]) -> str:
    for choice in choices:
        if choice.lower() == str(value).lower():
            return choice
    raise UsageError(f"{name} is held to {_shown(value)}: it is one of {', '.join(choices)}")


def _shown(value: Scalar) -> str:
    """A value as it was written."""
    return str(value).lower() if isinstance(value, bool) else str(value)
