"""What a model is, as far as a search and a deployment need to know."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ovtune.errors import ModelError

DEMO_PREFIX = "demo:"
Shapes = Mapping[str, tuple[int, ...]]
"""A concrete shape for each dynamic input, by its name."""
_BYTES: Mapping[str, int] = {
    "f64": 8,
    "i64": 8,
    "u64": 8,
    "f16": 2,
    "bf16": 2,
    "i16": 2,
    "u16": 2,
    "i8": 1,
    "u8": 1,
    "boolean": 1,
}
PRECISIONS = ("FP32", "FP16")
"""The weights that any model can be run with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a model: its name, its element type (``f32``, ``i64``) and its shape; -1 is a dynamic size."""

    name: str
    element_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and what was found out about it.

    Attributes:
        name: Its file's name without the ending, or a built-in model's name.
        path: What the user gave: a path, or ``demo:NAME``.
        sha256: The digest of the original's files, weights included.
        inputs: Its inputs, in the model's order.
        precisions: The weights that it can be run with: ``FP32`` and ``FP16``, or ``FP16`` alone.
        batch_sizes: The sizes of the batch dimension that it takes; ``(1,)`` where it has none that can change.
        auto_batchable: Whether automatic batching engages on it.
        stateful: Whether it keeps a state from one inference to the next.
        outputs: The shapes of its outputs, in the model's order; -1 is a size that follows from the values.
    """

    name: str
    path: str
    sha256: str
    inputs: tuple[Input, ...]
    precisions: tuple[str, ...] = ("FP32", "FP16")
    batch_sizes: tuple[int, ...] = (1,)
    auto_batchable: bool = False
    stateful: bool = False
    outputs: tuple[tuple[int, ...], ...] = ()

    @property
    def item_bytes(self) -> int:
        """What the inputs of one item take."""
        return sum(math.prod(i.shape) * _BYTES.get(i.element_type, 4) for i in self.inputs)


def name_of(path: str) -> str:
    """The name of the model at ``path``: the file's without its ending, or the built-in model's."""
    return path.removeprefix(DEMO_PREFIX) if path.startswith(DEMO_PREFIX) else Path(path).stem


def digest(path: str) -> str:
    """The SHA-256 over a model's files: the given one, the weights beside it, or a whole directory.

    A built-in model's digest is that of its name: its weights follow from it.

    Raises:
        ModelError: there is nothing at ``path``, it is empty, or it cannot be read.
    """
    if path.startswith(DEMO_PREFIX):
        return hashlib.sha256(path.encode()).hexdigest()
    total = hashlib.sha256()
    try:
        for file in _files(Path(path)):
            total.update(file.name.encode() + b"\0")
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise ModelError(
            f"model {path} cannot be read ({error.strerror}): check the path and its permissions"
        ) from error
    return total.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        if not files:
            raise ModelError(f"model {path} is an empty directory: give a model file or a SavedModel directory")
        return files
    if not path.exists():
        raise ModelError(f"model {path} does not exist: check the path, or use a built-in one such as demo:mobilenet")
    if path.stat().st_size == 0:
        raise ModelError(f"model {path} is empty: export or download it again")
    return [path, *(file for file in _weights(path) if file.is_file())]


def _weights(path: Path) -> list[Path]:
    """The files that may hold a model's weights beside it, an ONNX model's external data by its usual names."""
    match path.suffix:
        case ".xml":
            return [path.with_suffix(".bin")]
        case ".pdmodel":
            return [path.with_suffix(".pdiparams")]
        case ".onnx":
            return [path.with_name(path.name + ".data"), path.with_name(path.name + "_data"), path.with_suffix(".data")]
        case _:
            return []
