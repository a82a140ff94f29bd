"""A smooth function over points, from noisy values at some of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LENGTHS = (0.25, 0.5, 1.0, 2.0)
_HEIGHTS = (1.0, 4.0)
_FACTORS = (0.25, 0.5, 2.0, 4.0)
_USUAL_FACTOR = 2.0
"""How much longer or shorter than the shared one a parameter's length usually is: one standard deviation."""
_MOST_FITTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Configs as points: one row each, and for each column which parameter it belongs to, from 0."""

    rows: Array
    owners: NDArray[np.int_]

    def __len__(self) -> int:
        return len(self.rows)


class Regression:
    """A Gaussian process with noise per point, its scale and a length for each parameter chosen by what is likely.

    Matern 5/2 kernel; Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equations 2.25-2.30 and
    5.1. A shared length and the height are the likeliest of a few; then each parameter's own length, one after the
    other, the less likely beforehand the further it is from the shared one.

    Args:
        points: What is asked about, one row each.
        known: The rows that were measured.
        values: What was measured there.
        errors: The standard errors of these, in the same unit.

    Attributes:
        mean: What is expected at each point.
        deviation: How sure that is: its standard deviation, in the unit of the values.
    """

    def __init__(
        self, points: Points, known: NDArray[np.int_], values: Sequence[float], errors: Sequence[float]
    ) -> None:
        target = np.array(values)
        centre, spread = float(np.mean(target)), max(float(np.std(target)), 0.02)
        target = (target - centre) / spread
        noise = (np.array(errors) / spread) ** 2 + 1e-6
        # The lengths need no more than some of the points, and each try of one takes a factorisation of all of them.
        some = np.arange(len(known))[:: math.ceil(len(known) / _MOST_FITTED)]
        height, weights = _likeliest(_parts(points, known[some]), target[some], noise[some])
        scaled = points.rows * np.sqrt(weights)[points.owners]
        across = height * _matern(squared_distances(scaled, scaled[known]))
        inverse = np.linalg.inv(across[known] + np.diag(noise))
        self.mean: Array = centre + spread * (across @ (inverse @ target))
        explained = np.einsum("ij,ij->i", across @ inverse, across)
        self.deviation: Array = spread * np.sqrt(np.maximum(height - explained, 1e-9))


def squared_distances(some: Array, others: Array) -> Array:
    """The square of the distance of each row of ``some`` from each of ``others``."""
    product = some @ others.T
    product *= -2
    product += np.square(some).sum(axis=1)[:, None]
    product += np.square(others).sum(axis=1)
    return np.maximum(product, 0, out=product)


def _parts(points: Points, known: NDArray[np.int_]) -> Array:
    """For each parameter the squared distances of the known points in it."""
    rows = points.rows[known]
    columns = (rows[:, points.owners == owner] for owner in range(int(points.owners.max()) + 1))
    return np.stack([squared_distances(column, column) for column in columns])


def _likeliest(parts: Array, target: Array, noise: Array) -> tuple[float, Array]:
    """The height, and the inverse squares of the lengths."""
    together = parts.sum(axis=0)
    tries = [(length, height) for length in _LENGTHS for height in _HEIGHTS]
    told = [_likelihood(height * _matern(together / length**2), target, noise) for length, height in tries]
    length, height = tries[int(np.argmax(told))]
    best, weights, distance = max(told), np.full(len(parts), length**-2), together / length**2
    for place, part in enumerate(parts):
        start = weights[place]
        for factor in _FACTORS:
            moved = distance + (start * factor**2 - start) * part
            likelihood = _likelihood(height * _matern(moved), target, noise)
            likelihood -= 0.5 * (math.log(factor) / math.log(_USUAL_FACTOR)) ** 2
            if likelihood > best:
                best, weights[place] = likelihood, start * factor**2
        distance = distance + (weights[place] - start) * part
    return height, weights


def _likelihood(kernel: Array, target: Array, noise: Array) -> float:
    factor = np.linalg.cholesky(kernel + np.diag(noise))
    half = np.linalg.solve(factor, target)
    return -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())


def _matern(squared: Array) -> Array:
    root = np.sqrt(np.maximum(5 * squared, 0))
    value: Array = (1 + root + root**2 / 3) * np.exp(-root)
    return value
