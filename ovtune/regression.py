"""A smooth function over points, from noisy values at some of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LENGTHS = (0.25, 0.5, 1.0, 2.0)


class Regression:
    """A Gaussian process with noise per point, its length and scale chosen by marginal likelihood.

    Matern 5/2 kernel; Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equations 2.25-2.30.

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
        self, points: Array, known: NDArray[np.int_], values: Sequence[float], errors: Sequence[float]
    ) -> None:
        target = np.array(values)
        centre, spread = float(np.mean(target)), max(float(np.std(target)), 0.02)
        target = (target - centre) / spread
        noise = (np.array(errors) / spread) ** 2 + 1e-6
        distance = np.linalg.norm(points[known][:, None] - points[known][None], axis=2)
        fits = [(self._fit(distance / length, target, noise), length) for length in _LENGTHS]
        (_, factor, weights), length = max(fits, key=lambda fit: fit[0][0])
        across = _matern(np.linalg.norm(points[:, None] - points[known][None], axis=2) / length)
        solved = np.linalg.solve(factor, across.T)
        self.mean: Array = centre + spread * (across @ weights)
        self.deviation: Array = spread * np.sqrt(np.maximum(1 - np.sum(solved**2, axis=0), 1e-9))

    @staticmethod
    def _fit(scaled: Array, target: Array, noise: Array) -> tuple[float, Array, Array]:
        factor = np.asarray(np.linalg.cholesky(_matern(scaled) + np.diag(noise)), dtype=np.float64)
        weights: Array = np.linalg.solve(factor.T, np.linalg.solve(factor, target))
        likelihood = -0.5 * float(target @ weights) - float(np.log(np.diag(factor)).sum())
        return likelihood, factor, weights


def _matern(distance: Array) -> Array:
    root = math.sqrt(5) * distance
    value: Array = (1 + root + root**2 / 3) * np.exp(-root)
    return value
