"""What is put into a model's inputs: random values of their type, or the items that the user gave."""

import hashlib
import itertools
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune.errors import UsageError
from ovtune.model import Input, size_of

ARRAYS, BUNDLES = ".npy", ".npz"
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_RANK, _CHANNELS = 4, (1, 3)
_FULL = 255.0
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names of pixels with at most eight bits a channel: others it would cut off, not scale."""
_MOST_FILES = 10_000
_COPIED_BYTES = 256 * 2**20
_LARGE_BYTES = 64 * 2**20
_BROKEN = (OSError, ValueError, EOFError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What NumPy and Pillow raise at files that are not what they seem to be."""
_TYPES: Mapping[str, str] = {
    **{f"{kind}{8 * size}": f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    "f64": "f8",
    "f32": "f4",
    "f16": "f2",
    "bf16": "f4",
    "boolean": "?",
}
"""NumPy's name of the type that holds an input's values; it has none for the others."""
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
        digests: Their content's, in the same order.
        copying: Whether an item is written into a request's inputs before each start, in the measured time.
    """

    inputs: tuple[Input, ...] = ()
    files: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    copying: bool = False

    def content(self, seed: int, *, places: int) -> Content:
        """The items, or random values after ``seed``.

        As many as there are ``places`` for in all requests; where they are written anew before each start, as many as
        fit into 256 MiB, and at least that many.
        """
        item_bytes = sum(size_of(i.element_type, i.shape) for i in self.inputs)
        most = max(places, _COPIED_BYTES // max(item_bytes, 1)) if self.copying else places
        return Content(seed=seed, items=tuple(itertools.islice(read(self.files, self.inputs), most)))

    @property
    def sha256(self) -> str | None:
        """One digest of all files' content; None for random values."""
        return hashlib.sha256(" ".join(self.digests).encode()).hexdigest() if self.files else None


def feed_of(paths: Sequence[str], inputs: Sequence[Input], *, copying: bool = False) -> Feed:
    """What these files and folders feed a model with such inputs with; all is read once, so that it is known to fit.

    Raises:
        UsageError: a file cannot be read, or does not fit the inputs; or there are none.
    """
    files = files_of(paths)
    if files and not inputs:
        raise UsageError(f"input {paths[0]} cannot be given: the model has no inputs; leave it out")
    deque(read(files, inputs), maxlen=0)
    return Feed(inputs=tuple(inputs), files=files, digests=digests(files), copying=copying)


def files_of(paths: Sequence[str]) -> tuple[str, ...]:
    """The files of ``--input``: each as it is given, or those in a folder by their names.

    Raises:
        UsageError: there is none, or one of a kind that is not read.
    """
    found: list[Path] = []
    for text in paths:
        path = Path(text)
        try:
            inside = sorted(p for p in path.iterdir() if _read_by_us(p)) if path.is_dir() else [path]
        except OSError as error:
            raise UsageError(f"input {text} cannot be read ({error.strerror}): check its permissions") from error
        if not inside:
            raise UsageError(f"input {text} holds no {ARRAYS}, {BUNDLES} or image: name a folder that does")
        found += inside
    if len(found) > _MOST_FILES:
        raise UsageError(f"inputs {', '.join(paths)} are {len(found)} files: give at most {_MOST_FILES}")
    for path in found:
        if not path.is_file():
            raise UsageError(f"input {path} does not exist: check the path")
        if not _read_by_us(path):
            raise UsageError(f"input {path} is none of {ARRAYS}, {BUNDLES}, {', '.join(IMAGES)}: convert it")
    return tuple(str(path.resolve()) for path in found)


def read(files: Sequence[str], inputs: Sequence[Input]) -> Iterator[Item]:
    """The items that the files hold, for a model with these inputs, each as one takes it, read when asked for.

    Reals are rounded to the input's precision; what else would change a value is refused.

    Raises:
        UsageError: a file cannot be read, or does not fit the inputs.
    """
    return (item for file in files for item in _items(Path(file), inputs))


def digests(files: Sequence[str]) -> tuple[str, ...]:
    """For each file the first half of its content's SHA-256.

    Raises:
        UsageError: one cannot be read.
    """
    found = []
    for path in files:
        try:
            with Path(path).open("rb") as stream:
                found.append(hashlib.file_digest(stream, "sha256").hexdigest()[:32])
        except OSError as error:
            raise UsageError(f"input {path} cannot be read ({error.strerror}): check the path") from error
    return tuple(found)


def _items(path: Path, inputs: Sequence[Input]) -> Iterator[Item]:
    try:
        if path.suffix.lower() in IMAGES:
            yield (_image(path, _only(path, inputs)),)
        elif path.suffix.lower() == ARRAYS:
            for values in _split(_array(path), _only(path, inputs), path):
                yield (_fitting(values, inputs[0], path),)
        else:
            with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as bundle:
                yield from _joined(path, dict(bundle.items()), inputs)
    except _BROKEN as error:
        todo = "save it anew" if path.suffix.lower() in IMAGES else "write it anew with numpy.save or savez"
        raise UsageError(f"input {path} cannot be read ({error}): {todo}") from error


def _array(path: Path) -> NDArray[Any]:
    """The array of a file; a large one is not read before its items are."""
    array = np.load(path, mmap_mode="r" if path.stat().st_size > _LARGE_BYTES else None, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise UsageError(f"input {path} holds several arrays: name it {BUNDLES}")
    return array


def _joined(path: Path, arrays: Mapping[str, NDArray[Any]], inputs: Sequence[Input]) -> Iterator[Item]:
    if len(arrays) == len(inputs) == 1:
        arrays = {inputs[0].name: next(iter(arrays.values()))}
    missing = [i.name for i in inputs if i.name not in arrays]
    if missing:
        raise UsageError(f"input {path} has no array {missing[0]}: it has {', '.join(arrays) or 'none'}")
    parts = [_split(arrays[i.name], i, path) for i in inputs]
    if len({len(part) for part in parts}) > 1:
        raise UsageError(f"input {path} has {', '.join(str(len(p)) for p in parts)} items: give as many for each input")
    for item in zip(*parts, strict=True):
        yield tuple(_fitting(values, port, path) for values, port in zip(item, inputs, strict=True))


def _split(array: NDArray[Any], port: Input, path: Path) -> list[NDArray[Any]]:
    """The items in an array: itself, with or without the batch dimension of 1, or one after the other in its first."""
    shape = port.shape
    if array.shape == shape:
        return [array]
    if shape and shape[0] == 1 and array.shape == shape[1:]:
        return [array[None]]
    if shape and shape[0] == 1 and array.shape[1:] == shape[1:] and len(array):
        return [array[i : i + 1] for i in range(len(array))]
    todo = "reshape it, or stack several items in its first dimension" if shape[:1] == (1,) else "give one item a file"
    raise UsageError(f"input {path} has shape {list(array.shape)}, and {port.name} takes {list(shape)}: {todo}")


def _fitting(array: NDArray[Any], port: Input, path: Path) -> NDArray[Any]:
    """The array in the type that holds the input's values.

    Raises:
        UsageError: it has other values than that type, or the input's type is one that no array holds.
    """
    if port.element_type not in _TYPES:
        raise UsageError(f"input {path} cannot be given: NumPy has no {port.element_type}, as {port.name} takes")
    target = np.dtype(_TYPES[port.element_type])
    if array.dtype.kind not in "biuf":
        raise UsageError(f"input {path} holds {array.dtype}, and {port.name} takes {port.element_type}: convert it")
    with np.errstate(invalid="ignore", over="ignore"):
        found = array.astype(target)
        if array.dtype.kind == target.kind == "f":
            lost = np.isfinite(array) & ~np.isfinite(found)
        else:
            lost = (found != array) | (found.astype(array.dtype) != array)
    if lost.any():
        raise UsageError(
            f"input {path} holds {array[lost].flat[0]} ({array.dtype}), which {port.name} cannot take as "
            f"{port.element_type}: convert it"
        )
    return found


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
    try:
        with Image.open(path) as image:
            if image.mode not in _MODES:
                raise UsageError(
                    f"input {path} has pixels of mode {image.mode}, which are not of 8 bits a channel: "
                    "convert it to 8 bits, or give arrays (.npy)"
                )
            pixels = np.asarray(image.convert("RGB" if channels > 1 else "L").resize((width, height)))
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    pixels = pixels.reshape(height, width, channels)
    real = "f" in port.element_type
    values = _fitting((pixels / _FULL).astype(np.float32) if real else pixels, port, path)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if first else values)[None]


def _read_by_us(path: Path) -> bool:
    return path.suffix.lower() in {ARRAYS, BUNDLES, *IMAGES}
