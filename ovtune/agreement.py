"""How far the outputs of a config are from the reference's, on the same inputs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune import whole

Outputs = Sequence[NDArray[Any]]
"""The outputs of a model, one array each; the first dimension counts the items."""
_SAME = 0.01
_NONSENSE = 0.9
"""Below this cosine no precision that is fit for use comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far outputs are from the reference's.

    Attributes:
        reference: What made the reference's, such as ``CPU f32``.
        items: How many items were compared, one that was run several times counted as often.
        max_abs: The largest difference of two values; None where one is no number and the reference's is.
        max_rel: The largest difference as a share of the largest magnitude in that output of the reference, or the
            difference itself where that is zero; None likewise.
        cosine: The least cosine between an item's output and the reference's, -1 to 1, of the outputs that are reals;
            of a single value or of none but zeros it is 1 where they agree and else 0; 1 where there are none.
        top1: The share of the items whose largest value stands in the same place, 0 to 1; None where the model's
            outputs are no class scores: one output of reals with a list of at least two values for each item.
    """

    reference: str
    items: int
    max_abs: float | None
    max_rel: float | None
    cosine: float
    top1: float | None

    @property
    def nonsense(self) -> bool:
        """Whether the outputs have next to nothing to do with the reference's."""
        return self.max_abs is None or self.cosine < _NONSENSE

    @property
    def words(self) -> str:
        """The figures as a person would say them."""
        if self.max_abs is None or self.max_rel is None:
            return "some are no numbers"
        same = "" if self.top1 is None else f", top-1 the same in {self.top1:.0%}"
        return f"off by at most {self.max_abs:.2g}, {self.max_rel:.2%} of the largest; cosine {self.cosine:.6g}{same}"


def compare(reference: Outputs, outputs: Outputs, *, name: str) -> Agreement:
    """How far ``outputs`` are from those of the ``reference``, item by item; ``name`` says what made these.

    Raises:
        ValueError: they have not the same shapes.
    """
    if [r.shape for r in reference] != [o.shape for o in outputs]:
        raise ValueError(f"outputs of shapes {[o.shape for o in outputs]}, not {[r.shape for r in reference]}")
    pairs = [
        (r.reshape(len(r), -1).astype(np.float64), o.reshape(len(o), -1).astype(np.float64))
        for r, o in zip(reference, outputs, strict=True)
    ]
    reals = [pair for pair, r in zip(pairs, reference, strict=True) if r.dtype.kind == "f"]
    differences = [_difference(r, o) for r, o in pairs]
    numbers = all(bool(np.all(np.isfinite(d))) for d in differences)
    shares = [_share(d, r) for d, (r, _) in zip(differences, pairs, strict=True)]
    return Agreement(
        reference=name,
        items=len(pairs[0][0]) if pairs else 0,
        max_abs=max((float(np.max(d, initial=0.0)) for d in differences), default=0.0) if numbers else None,
        max_rel=max(shares, default=0.0) if numbers else None,
        cosine=min((_cosine(r, o) for r, o in reals), default=1.0) if numbers else 0.0,
        top1=_top1(reference[0], outputs[0]) if len(pairs) == len(reals) == 1 else None,
    )


def same_items(single: Outputs, batched: Outputs) -> bool:
    """Whether items give the same in a batch as alone: what is off by more than a hundredth is another answer.

    Places and counts may change by next to nothing in the values that they follow from: where there are reals,
    these are compared alone.

    Raises:
        ValueError: they have not the same shapes.
    """
    reals = [place for place, values in enumerate(single) if values.dtype.kind == "f"] or range(len(single))
    found = compare([single[i] for i in reals], [batched[i] for i in reals], name="single items")
    return found.max_rel is not None and found.max_rel <= _SAME


def write(path: str, name: str, outputs: Outputs) -> None:
    """Keeps the reference's outputs in a file.

    Raises:
        StorageError: it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, np.array(name), *outputs)
    whole.write(Path(path), buffer.getvalue())


def read(path: str) -> tuple[str, list[NDArray[Any]]]:
    """What :func:`write` kept: what made the outputs, and these."""
    with np.load(path) as file:
        name, *outputs = (file[key] for key in file.files)
    return str(name), outputs


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distances of the values; infinite where one of them is no number and the other is not the same."""
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(one - other)
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _share(difference: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    magnitude = float(np.max(np.abs(reference), where=np.isfinite(reference), initial=0.0))
    largest = float(np.max(difference, initial=0.0))
    return largest / magnitude if magnitude > 0 else largest


def _cosine(reference: NDArray[np.float64], outputs: NDArray[np.float64]) -> float:
    """The least one over the items."""
    least = 1.0
    for one, other in zip(reference, outputs, strict=True):
        both = np.isfinite(one) & np.isfinite(other)
        a, b = one[both], other[both]
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        if len(a) < 2 or lengths == 0:
            least = min(least, 1.0 if np.allclose(a, b, rtol=0.1) else 0.0)
        else:
            least = min(least, float(a @ b) / lengths)
    return max(-1.0, least)


def _top1(reference: NDArray[Any], outputs: NDArray[Any]) -> float | None:
    """The share of items whose largest value stands in the same place, where each item's output is one list."""
    if sum(size > 1 for size in reference.shape[1:]) != 1 or len(reference) == 0:
        return None
    places = [np.argmax(np.nan_to_num(a.reshape(len(a), -1), nan=-np.inf), axis=1) for a in (reference, outputs)]
    return float(np.mean(places[0] == places[1]))
