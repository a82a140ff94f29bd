"""What a model is, as far as a search and a deployment need to know."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ovtune.caveat import Caveat
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
_LOCATION = re.compile(rb"\x0a\x08location\x12(?=.)", re.DOTALL)
"""A protobuf message's first field, the text ``location``, and the tag of its second, whose length comes next."""
_MORE = 0x80
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
        one_batch: Why it is run with a batch of 1 alone, in words; "" where it takes larger ones.
        auto_batchable: Whether automatic batching can engage on it.
        unbatched_on: The devices on which it was seen not to engage all the same.
        single: Those of the precisions, other files of the model, that take a batch of 1 alone.
        stateful: Whether it keeps a state from one inference to the next.
        output_bytes: What the outputs of one item take; 0 where their sizes follow from the values.
        compressed: Whether it has weights of whole numbers that are turned into others as it runs.
        caches: Whether it keeps keys and values of attention from one inference to the next.
        outputs: The shapes of its outputs, in the model's order; -1 is a size that follows from the values.
    """

    name: str
    path: str
    sha256: str
    inputs: tuple[Input, ...]
    precisions: tuple[str, ...] = ("FP32", "FP16")
    batch_sizes: tuple[int, ...] = (1,)
    one_batch: str = ""
    auto_batchable: bool = False
    unbatched_on: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    stateful: bool = False
    output_bytes: int = 0
    compressed: bool = False
    caches: bool = False
    outputs: tuple[tuple[int, ...], ...] = ()

    @property
    def item_bytes(self) -> int:
        """What the inputs and outputs of one item take."""
        return sum(size_of(i.element_type, i.shape) for i in self.inputs) + self.output_bytes

    def batches_on(self, device: str) -> bool:
        """Whether automatic batching engages on ``device``."""
        return self.auto_batchable and device not in self.unbatched_on

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What could not be searched on it, or not be run as in an application."""
        found = []
        if self.stateful:
            found.append(Caveat(kind="state_reset"))
        if self.one_batch:
            found.append(Caveat(kind="one_batch", parameters={"reason": self.one_batch}))
        elif self.unbatched_on:
            found.append(Caveat(kind="auto_batching_silent", parameters={"devices": ", ".join(self.unbatched_on)}))
        return tuple(found)


def size_of(element_type: str, shape: tuple[int, ...]) -> int:
    """The bytes of a tensor."""
    return math.prod(shape) * _BYTES.get(element_type, 4)


def name_of(path: str) -> str:
    """The name of the model at ``path``: the file's without its ending, or the built-in model's."""
    return path.removeprefix(DEMO_PREFIX) if path.startswith(DEMO_PREFIX) else Path(path).stem


def digest(path: str) -> str:
    """The SHA-256 over a model's files: the given one, the weights beside it, or a whole directory.

    The weights of an ONNX model are those that it names (external data), wherever they lie. What the files are called
    does not count, but for their kind, and their places inside a directory.
    A built-in model's digest is that of its name: its weights follow from it.

    Raises:
        ModelError: there is nothing at ``path``, it is empty, or it cannot be read.
    """
    if path.startswith(DEMO_PREFIX):
        return hashlib.sha256(path.encode()).hexdigest()
    total = hashlib.sha256()
    try:
        for role, file in _files(Path(path)):
            total.update(role.encode() + b"\0")
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise ModelError(
            f"model {path} cannot be read ({error.strerror}): check the path and its permissions"
        ) from error
    return total.hexdigest()


def _files(path: Path) -> list[tuple[str, Path]]:
    """A model's files, each with what it is to the model, however the model is called."""
    if path.is_dir():
        files = sorted((p.relative_to(path).as_posix(), p) for p in path.rglob("*") if p.is_file())
        if not files:
            raise ModelError(f"model {path} is an empty directory: give a model file or a SavedModel directory")
        return files
    if not path.exists():
        raise ModelError(f"model {path} does not exist: check the path, or use a built-in one such as demo:mobilenet")
    if path.stat().st_size == 0:
        raise ModelError(f"model {path} is empty: export or download it again")
    weights = [file for file in dict.fromkeys(_weights(path)) if file.is_file()]
    return [(path.suffix, path), *((f"weights {number}", file) for number, file in enumerate(weights))]


def _weights(path: Path) -> list[Path]:
    """The files that may hold a model's weights beside it, an ONNX model's external data by its usual names."""
    match path.suffix:
        case ".xml":
            return [path.with_suffix(".bin")]
        case ".pdmodel":
            return [path.with_suffix(".pdiparams")]
        case ".onnx":
            usual = (
                path.with_name(path.name + ".data"),
                path.with_name(path.name + "_data"),
                path.with_suffix(".data"),
            )
            return [*_external(path), *usual]
        case _:
            return []


def _external(path: Path) -> list[Path]:
    """The files that an ONNX model names as those of its external data: entries of a key ``location`` and a value."""
    data = path.read_bytes()
    found = []
    for match in _LOCATION.finditer(data):
        length, end = data[match.end()], match.end() + 1
        if length >= _MORE:
            length, end = length - _MORE + _MORE * data[end], end + 1
        found.append(path.parent / data[end : end + length].decode(errors="replace"))
    return found
