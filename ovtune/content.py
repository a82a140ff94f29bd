"""What is put into a model's inputs: random values of their type, or the items that the user gave."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune.errors import UsageError
from ovtune.model import Input

ARRAYS, BUNDLES = ".npy", ".npz"
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_RANK, _CHANNELS = 4, (1, 3)
_FULL = 255.0
Item = tuple[NDArray[Any], ...]
"""One item: an array for each input, in the model's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What goes into the inputs.

    Attributes:
        seed: Seeds random values.
        items: The user's items, taken in turn; none for random values.
        coarse: Whether reals are cut to the bits that bf16 has.
    """

    seed: int = 0
    items: Sequence[Item] = ()
    coarse: bool = False

    def generator(self, item: int, port: int) -> np.random.Generator:
        """What draws the random values of one item for one input."""
        return np.random.default_rng([self.seed, item, port])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a model is fed with.

    Attributes:
        inputs: Its inputs, as one item takes them.
        files: The files that hold the items, read by :func:`read`; none for random values.
        copying: Whether an item is written into a request's inputs before each start, in the measured time.
    """

    inputs: tuple[Input, ...] = ()
    files: tuple[str, ...] = ()
    copying: bool = False

    def content(self, seed: int) -> Content:
        """The items, or random values after ``seed``."""
        return Content(seed=seed, items=read(self.files, self.inputs))


def files_of(paths: Sequence[str]) -> tuple[str, ...]:
    """The files of ``--input``: each as it is given, or those in a folder by their names.

    Raises:
        UsageError: there is none, or one of a kind that is not read.
    """
    found: list[Path] = []
    for text in paths:
        path = Path(text)
        inside = sorted(p for p in path.iterdir() if _read_by_us(p)) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"input {text} holds no {ARRAYS}, {BUNDLES} or image: name a folder that does")
        found += inside
    for path in found:
        if not path.is_file():
            raise UsageError(f"input {path} does not exist: check the path")
        if not _read_by_us(path):
            raise UsageError(f"input {path} is none of {ARRAYS}, {BUNDLES}, {', '.join(IMAGES)}: convert it")
    return tuple(str(path.resolve()) for path in found)


def read(files: Sequence[str], inputs: Sequence[Input]) -> tuple[Item, ...]:
    """The items that the files hold, for a model with these inputs, each as one item takes it.

    Raises:
        UsageError: a file cannot be read, or does not fit the inputs.
    """
    return tuple(item for file in files for item in _items(Path(file), inputs))


def _items(path: Path, inputs: Sequence[Input]) -> list[Item]:
    try:
        if path.suffix.lower() in IMAGES:
            return [(_image(path, _only(path, inputs)),)]
        if path.suffix.lower() == ARRAYS:
            return [(item,) for item in _split(np.load(path), _only(path, inputs), path)]
        with np.load(path) as bundle:
            return _joined(path, dict(bundle.items()), inputs)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"input {path} cannot be read ({error}): write it anew with numpy.save or savez") from error


def _joined(path: Path, arrays: Mapping[str, NDArray[Any]], inputs: Sequence[Input]) -> list[Item]:
    missing = [i.name for i in inputs if i.name not in arrays]
    if missing:
        raise UsageError(f"input {path} has no array {missing[0]}: it has {', '.join(arrays) or 'none'}")
    parts = [_split(arrays[i.name], i, path) for i in inputs]
    if len({len(part) for part in parts}) > 1:
        raise UsageError(f"input {path} has {', '.join(str(len(p)) for p in parts)} items: give as many for each input")
    return list(zip(*parts, strict=True))


def _split(array: NDArray[Any], port: Input, path: Path) -> list[NDArray[Any]]:
    """The items in an array: itself, with or without the batch dimension of 1, or one after the other in its first."""
    shape = port.shape
    if array.shape == shape:
        return [array]
    if shape and shape[0] == 1 and array.shape == shape[1:]:
        return [array[None]]
    if shape and shape[0] == 1 and array.shape[1:] == shape[1:] and len(array):
        return [array[i : i + 1] for i in range(len(array))]
    raise UsageError(
        f"input {path} has shape {list(array.shape)}, and {port.name} takes {list(shape)}: reshape it, or stack "
        "several items in its first dimension"
    )


def _only(path: Path, inputs: Sequence[Input]) -> Input:
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs)
        raise UsageError(f"input {path} is for one input, and the model has {len(inputs)}: give an .npz with {names}")
    return inputs[0]


def _image(path: Path, port: Input) -> NDArray[Any]:
    """An image as the input takes it: resized, its channels where the input has them, reals from 0 to 1."""
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError(f"input {path} is an image: install ovtune[images], or give arrays (.npy)") from error
    shape = port.shape
    first = len(shape) == _RANK and shape[1] in _CHANNELS
    if not first and not (len(shape) == _RANK and shape[3] in _CHANNELS):
        raise UsageError(f"input {path} is an image, and {port.name} {list(shape)} takes none: give arrays (.npy)")
    height, width, channels = (shape[2], shape[3], shape[1]) if first else (shape[1], shape[2], shape[3])
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB" if channels > 1 else "L").resize((width, height)))
    pixels = pixels.reshape(height, width, channels)
    values = pixels if port.element_type in {"u8", "i32", "i64"} else (pixels / _FULL).astype(np.float32)
    return (values.transpose(2, 0, 1) if first else values)[None]


def _read_by_us(path: Path) -> bool:
    return path.suffix.lower() in {ARRAYS, BUNDLES, *IMAGES}
