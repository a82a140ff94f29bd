"""Which part of what can be searched the user wants: a size, and parameters held to certain values."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovtune.config import APIS, Scalar
from ovtune.errors import UsageError
from ovtune.setting import SIZES, Size

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
_COUNTS = frozenset({"nireq", "batch_size", "auto_batch_size"})
_WORDS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a space is wanted.

    Attributes:
        size: Which parameters are varied.
        only: The values of parameters that are held to certain ones, at least one each.

    Raises:
        UsageError: a parameter has no value, or one that it cannot have.
    """

    size: Size = "standard"
    only: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.only.items():
            if not values:
                raise UsageError(f"{name} is held to no value: give at least one, as in --set nireq=1,2,4")
            for value in values:
                _check(name, value)

    @property
    def words(self) -> str:
        """The size, and what is held to which values."""
        held = (f"{name}={','.join(str(v) for v in values)}" for name, values in self.only.items())
        return ", ".join((self.size, *held))


def read(space: str | None, sets: Sequence[str], fixes: Sequence[str]) -> Wanted | None:
    """What the texts of ``--space``, ``--set`` and ``--fix`` ask for; None where they ask for nothing.

    Raises:
        UsageError: one cannot be read.
    """
    if space is None and not sets and not fixes:
        return None
    wanted = Wanted() if space is None else _named(space)
    only = dict(wanted.only)
    for option, texts in (("--set", sets), ("--fix", fixes)):
        for text in texts:
            name, equals, values = text.partition("=")
            parts = values.split(",") if option == "--set" else [values]
            if not (name and equals and all(parts)):
                example = "nireq=1,2,4" if option == "--set" else "NUM_STREAMS=2"
                raise UsageError(f"{option} {text!r} cannot be read: write NAME=VALUE, as in {option} {example}")
            only[name] = tuple(dict.fromkeys(_scalar(part) for part in parts))
    return Wanted(size=wanted.size, only=only)


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
    for key, value in only.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, bool | int | float | str) for v in values):
            raise UsageError(
                f"space {name}: {key} is {value!r}: it is a number, a word, a truth value, or a list of them"
            )
        found[key] = tuple(values)
    return Wanted(size=size, only=found)


def _scalar(text: str) -> Scalar:
    """The number, the truth value or the word that a text stands for."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _check(name: str, value: Scalar) -> None:
    if name in _COUNTS and not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        raise UsageError(f"{name} is held to {value!r}: it is a whole number of at least 1")
    if name == "api" and value not in APIS:
        raise UsageError(f"api is held to {value!r}: it is one of {', '.join(APIS)}")
