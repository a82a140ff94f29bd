"""How far the outputs of a config are from the reference's, on the same inputs."""

import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune import whole

Outputs = Sequence[NDArray[Any]]
"""The outputs of a model for one item, one array each."""
_REALS = "f"
_CHUNK = 1 << 20
_REPRESENTABLE = 65504.0
"""The largest number of f16: what lies beyond, such as the filling of a mask, may become infinite there."""
_SIZE_SHARE, _NOISE_TIMES = 0.25, 4.0
SAME, SAME_RANGES = 1e-3, 0.05
"""Up to which share a change may be the rounding of what is the same, and of what was quantized by a batch's range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far outputs are from the reference's.

    Attributes:
        reference: What made the reference's, such as ``CPU f32``.
        items: How many items were compared, one that was run several times counted as often.
        max_abs: The largest difference of two values; None where one is no number and the reference's is another.
        max_rel: The largest difference as a share of the largest magnitude in that output of the reference, over all
            outputs, or the difference itself where that magnitude is zero; None as ``max_abs``. Reals that f16 does
            not hold, such as the filling of a mask, are no measure of the others: a difference of theirs is a share
            of their own magnitude, unless the output has no others. Of integers and booleans the share of the values
            that differ, where that is less.
        cosine: The least cosine between an item's output and the reference's, -1 to 1, of the outputs that are reals;
            None where these have no direction: single values, or nothing but zeros.
        top1: The share of the items whose largest value stands in the same place, 0 to 1; None where the model's
            outputs are no class scores: one output of reals with a list of at least two values for each item.
        nonsense: Whether an output has nothing to do with the reference's, see :class:`Reference`.
    """

    reference: str
    items: int
    max_abs: float | None
    max_rel: float | None
    cosine: float | None
    top1: float | None
    nonsense: bool = False

    @property
    def words(self) -> str:
        """The figures as a person would say them."""
        if self.max_abs is None or self.max_rel is None:
            return "some are no numbers"
        if self.max_abs == 0:
            return "the same"
        direction = "" if self.cosine is None else f"; cosine {self.cosine:.6g}"
        same = "" if self.top1 is None else f", top-1 the same in {self.top1:.0%}"
        return f"off by at most {_short(self.max_abs)}, {share(self.max_rel)} of the largest{direction}{same}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The outputs that others are compared with, or why there are none.

    Outputs have nothing to do with these where a value is no number and should be one, or where their root mean square
    difference for an item is beyond all of: the spread of the reference's values, so that their mean would be nearer; a
    quarter of their size; and four times what low precision does to this output.

    Attributes:
        name: What made them, such as ``CPU f32``.
        items: The outputs of one item after the other.
        noise: For each output the root mean square difference that low precision makes on the reference's device.
        reason: Why there are no items; "" where there are.
    """

    name: str = ""
    items: Sequence[Outputs] = ()
    noise: Sequence[float] = ()
    reason: str = ""


class Comparison:
    """Outputs laid beside those of a reference, one item after the other."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._scales = [_Scale(list(values)) for values in zip(*reference.items, strict=True)]
        self._found = [_Found(scale) for scale in self._scales]
        self._places: list[bool] = []
        self._items = 0

    def add(self, number: int, outputs: Outputs) -> None:
        """Compares the ``outputs`` for the item of that number.

        Raises:
            ValueError: they have not the same shapes.
        """
        expected = self._reference.items[number]
        if [r.shape for r in expected] != [o.shape for o in outputs]:
            shapes = [[list(a.shape) for a in one] for one in (outputs, expected)]
            raise ValueError(f"its outputs are of shapes {shapes[0]} and the reference's of {shapes[1]}")
        for place, (one, other) in enumerate(zip(expected, outputs, strict=True)):
            scale = self._scales[place]
            tally = _Tally(one, other, bound=scale.bound)
            limit = scale.limit(self._reference.noise[place])
            self._found[place].add(tally, limit, judged=one.dtype.kind == _REALS)
        if len(expected) == 1 and _are_scores(expected[0]):
            self._places.append(_same_place(expected[0].ravel(), outputs[0].ravel()))
        self._items += 1

    @property
    def result(self) -> Agreement | None:
        """What was found; None before the first item."""
        if not self._items:
            return None
        cosines = [found.cosine for found in self._found if found.cosine is not None]
        numbers = all(math.isfinite(found.largest) for found in self._found)
        shares = [found.share for found in self._found]
        return Agreement(
            reference=self._reference.name,
            items=self._items,
            max_abs=max((found.largest for found in self._found), default=0.0) if numbers else None,
            max_rel=max(shares, default=0.0) if numbers else None,
            cosine=min(cosines, default=None) if numbers else None,
            top1=sum(self._places) / len(self._places) if self._places else None,
            nonsense=any(found.nonsense for found in self._found),
        )


def noise_of(reference: Sequence[Outputs], rough: Sequence[Outputs]) -> list[float]:
    """For each output the root mean square difference of its worst item; infinite where shapes or numbers differ."""
    worst = [0.0] * len(reference[0])
    for one, other in zip(reference, rough, strict=False):
        for place, (r, o) in enumerate(zip(one, other, strict=True)):
            tally = _Tally(r, o) if r.shape == o.shape else None
            worst[place] = max(worst[place], math.inf if tally is None or tally.broken else tally.off)
    return worst


def settled(once: Sequence[Outputs], again: Sequence[Outputs]) -> bool:
    """Whether two runs of the same items gave the same outputs, but for the order of additions."""
    return change(once, again) < SAME


def change(once: Sequence[Outputs], again: Sequence[Outputs]) -> float:
    """How far two runs of the same items lie apart, as a share of the largest magnitude; infinite for other shapes."""
    comparison = Comparison(Reference(items=once, noise=[0.0] * len(once[0])))
    try:
        for number, outputs in enumerate(again):
            comparison.add(number, outputs)
    except ValueError:
        return math.inf
    found = comparison.result
    return math.inf if found is None or found.max_rel is None else found.max_rel


def write(path: str, reference: Reference) -> None:
    """Keeps a reference in a file.

    Raises:
        StorageError: it cannot be written.
    """
    about = {
        "name": reference.name,
        "noise": list(reference.noise),
        "reason": reference.reason,
        "items": len(reference.items),
    }
    arrays = {f"{i} {k}": values for i, item in enumerate(reference.items) for k, values in enumerate(item)}
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    whole.write(Path(path), buffer.getvalue())


def read(path: str) -> Reference:
    """What :func:`write` kept."""
    with np.load(path) as file:
        about = json.loads(str(file["about"]))
        places = range(len(about["noise"]))
        items = [[file[f"{i} {k}"] for k in places] for i in range(about["items"])]
        del about["items"]
        return Reference(items=items, **about)


def reason_in(path: str) -> str:
    """Why the file holds no outputs; "" where it does."""
    with np.load(path) as file:
        return str(json.loads(str(file["about"]))["reason"])


def share(value: float) -> str:
    """A share in percent, with two digits however small it is."""
    return f"{100 * value:.2g} %" if value < 1 else f"{100 * value:.0f} %"


def _short(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e9 else f"{value:.2g}"


class _Tally:
    """The sums over one output of one item, taken in parts: an output may be as large as the memory.

    A reference's value beyond ``bound`` is measured by itself, in :attr:`beyond`.
    """

    def __init__(self, reference: NDArray[Any], outputs: NDArray[Any], *, bound: float = math.inf) -> None:
        self.largest, self.within, self.beyond = 0.0, 0.0, 0.0
        self.broken = False
        self._bound = bound
        self.differ, self.values = 0, reference.size
        self._dot = self._one = self._other = self._squares = 0.0
        self._counted = 0
        for one, other in zip(_parts(reference), _parts(outputs), strict=True):
            self._add(one, other)

    @property
    def off(self) -> float:
        """The root mean square difference."""
        return math.sqrt(self._squares / self._counted) if self._counted else 0.0

    @property
    def cosine(self) -> float | None:
        """None where one of them has no direction."""
        length = math.sqrt(self._one) * math.sqrt(self._other)
        return max(-1.0, min(1.0, self._dot / length)) if length > 0 and self.values > 1 else None

    def _add(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        with np.errstate(invalid="ignore", over="ignore"):
            distance = np.where(same, 0.0, np.abs(one - other))
        distance[np.isnan(distance)] = np.inf
        self.largest = max(self.largest, float(np.max(distance, initial=0.0)))
        far = np.isfinite(one) & (np.abs(one) > self._bound)
        self.within = max(self.within, float(np.max(distance[~far], initial=0.0)))
        self.beyond = max(self.beyond, float(np.max(distance[far] / np.abs(one[far]), initial=0.0)))
        self.differ += int(np.count_nonzero(~same))
        usual = np.isfinite(one) & (np.abs(one) <= _REPRESENTABLE)
        self.broken |= bool(np.any(usual & ~np.isfinite(other)))
        both = usual & np.isfinite(other)
        a, b = one[both], other[both]
        self._dot += float(a @ b)
        self._one += float(a @ a)
        self._other += float(b @ b)
        self._squares += float(np.sum(distance[both] ** 2))
        self._counted += len(a)


class _Scale:
    """How large the values of one output of the reference are, over all its items.

    Attributes:
        size: The largest magnitude up to ``bound``.
        bound: The magnitude beyond which a value is no measure of the others.
    """

    def __init__(self, items: Sequence[NDArray[Any]]) -> None:
        largest = size = total = squares = 0.0
        count = 0
        for values in (part for item in items for part in _parts(item)):
            finite = values[np.isfinite(values)]
            largest = max(largest, float(np.max(np.abs(finite), initial=0.0)))
            usual = finite[np.abs(finite) <= _REPRESENTABLE]
            size = max(size, float(np.max(np.abs(usual), initial=0.0)))
            total, squares, count = total + float(np.sum(usual)), squares + float(usual @ usual), count + len(usual)
        mean = total / count if count else 0.0
        apart = count > 0 and all(item.dtype.kind == _REALS for item in items)
        self.size, self.bound = (size, _REPRESENTABLE) if apart else (largest, math.inf)
        self._rms = math.sqrt(squares / count) if count else 0.0
        self._spread = math.sqrt(max(0.0, squares / count - mean**2)) if count else 0.0

    def limit(self, noise: float) -> float:
        """From which root mean square difference on an output has nothing to do with this one; of zeros, none.

        Zeros often say that nothing was found, and one more thing that is found at the edge of a threshold is no
        nonsense: neither low precision, which may find nothing either, nor other outputs, whose units are others, tell
        how large it may be.
        """
        if self._rms == 0:
            return math.inf
        return max(self._spread, _SIZE_SHARE * self._rms, _NOISE_TIMES * noise)


class _Found:
    """What was found of one output, over the items, as large as ``scale`` says."""

    def __init__(self, scale: _Scale) -> None:
        self.largest, self.nonsense = 0.0, False
        self._size, self._within, self._beyond = scale.size, 0.0, 0.0
        self.cosine: float | None = None
        self._differ = self._values = 0
        self._exact = False

    def add(self, tally: _Tally, limit: float, *, judged: bool) -> None:
        """Takes an item in; ``judged`` tells whether the output is one of reals."""
        self.largest = max(self.largest, tally.largest)
        self._within, self._beyond = max(self._within, tally.within), max(self._beyond, tally.beyond)
        self._differ, self._values = self._differ + tally.differ, self._values + tally.values
        self._exact = not judged
        if judged:
            self.nonsense |= tally.broken or tally.off >= limit
            if tally.cosine is not None:
                self.cosine = tally.cosine if self.cosine is None else min(self.cosine, tally.cosine)

    @property
    def share(self) -> float:
        """The largest difference as a share of the output's size, or of its own value's where that is beyond."""
        relative = max(self._within / self._size if self._size > 0 else self._within, self._beyond)
        return min(relative, self._differ / self._values) if self._exact and self._values else relative


def _parts(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    flat = np.atleast_1d(values).reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        yield flat[start : start + _CHUNK].astype(np.float64)


def _are_scores(values: NDArray[Any]) -> bool:
    return values.dtype.kind == _REALS and sum(size > 1 for size in values.shape) == 1 and values.size > 1


def _same_place(reference: NDArray[Any], outputs: NDArray[Any]) -> bool:
    """Whether the largest value stands where the reference has its largest, or one that is as large."""
    ours = np.nan_to_num(outputs, nan=-np.inf)
    theirs = np.nan_to_num(reference, nan=-np.inf)
    return bool(theirs[int(np.argmax(ours))] == np.max(theirs))
