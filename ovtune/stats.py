"""Statistics that outliers do not move: pure functions on arrays."""

import functools
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@functools.cache
def least_samples(share: float, *, confidence: float = 0.99, over: int = 1) -> int:
    """The fewest samples that say something about the percentile ``share`` (0.99 for p99).

    The smallest n with P(Binomial(n, 1 - share) <= over) <= 1 - confidence: with that confidence more than
    ``over`` samples lie above the percentile. (The rule of MLPerf's load generator.)
    """
    tail = 1 - share

    def too_few(n: int) -> bool:
        return sum(math.comb(n, k) * tail**k * share ** (n - k) for k in range(over + 1)) > 1 - confidence

    high = 1
    while too_few(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_few(middle) else (low, middle)
    return high


@functools.cache
def share_at_most(successes: int, n: int, *, alpha: float) -> float:
    """The upper end of the one-sided interval of a share of which ``successes`` of ``n`` independent draws were seen.

    The largest p with P(Binomial(n, p) <= successes) >= alpha (Clopper and Pearson, Biometrika 26, 1934).
    """
    if successes >= n:
        return 1.0
    k = np.arange(successes + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    ways = factorials[n] - factorials[k] - factorials[n - k]
    low, high = successes / n, 1.0
    for _ in range(50):
        p = (low + high) / 2
        below = float(np.sum(np.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p)))) if p > 0 else 1.0
        low, high = (p, high) if below > alpha else (low, p)
    return high


def share_at_least(successes: int, n: int, *, alpha: float) -> float:
    """The lower end of that interval."""
    return 1.0 - share_at_most(n - successes, n, alpha=alpha)


def location(values: Array) -> float:
    """The Hodges-Lehmann estimate: the median of the means of all pairs, each value with itself included.

    Nearly as exact as the mean on normal values, and unmoved while fewer than 29 % are outliers
    (Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963).
    """
    means = np.sort(_walsh(np.asarray(values, dtype=float)))
    return float(means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2


def scale(values: Array) -> float:
    """The standard deviation as told by the median absolute deviation from the median; 0 for one value."""
    values = np.asarray(values, dtype=float)
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def signed_rank_interval(differences: Array, *, alpha: float) -> tuple[float, float]:
    """The interval for the centre of ``differences`` that Wilcoxon's signed-rank test does not reject at ``alpha``.

    Exact for independent differences that are symmetric about their centre, however heavy their tails (Lehmann,
    Nonparametrics, 1975, section 4.5). Without bounds, (-inf, inf), where there are too few for ``alpha``.
    """
    means = np.sort(_walsh(np.asarray(differences, dtype=float)))
    outside = _signed_rank_quantile(len(differences), alpha / 2)
    if outside == 0:
        return -math.inf, math.inf
    return float(means[outside - 1]), float(means[-outside])


def student_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t with at least 7 degrees of ``freedom``, to half a percent.

    By its expansion about the normal one (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5).
    """
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def at_least(count: int, n: int, share: float) -> float:
    """P(Binomial(n, share) >= count): the chance that so many of ``n`` independent draws, or more, hit ``share``."""
    return math.fsum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count, n + 1))


def batch_means_error(values: Array, *, batches: int = 10) -> float:
    """The standard error of the mean of values that correlate with their neighbours.

    By the means of ``batches`` runs of consecutive values; with fewer than two values per run, as if independent.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return math.inf
    if len(values) < 2 * batches:
        return float(np.std(values, ddof=1)) / math.sqrt(len(values))
    usable = values[: len(values) // batches * batches]
    return float(np.std(usable.reshape(batches, -1).mean(axis=1), ddof=1)) / math.sqrt(batches)


def _walsh(values: Array) -> Array:
    rows, columns = _pairs(len(values))
    means: Array = (values[rows] + values[columns]) / 2
    return means


@functools.lru_cache(maxsize=32)
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of all pairs of ``n`` values, each with itself included."""
    rows, columns = np.triu_indices(n)
    return rows, columns


@functools.cache
def _signed_rank_quantile(n: int, tail: float) -> int:
    """How many of the sorted pair means lie outside on each side: the largest k with P(W <= k - 1) <= ``tail``."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))
    below = np.cumsum(ways) / 2.0**n
    return int(np.searchsorted(below, tail, side="right"))


def effective_count(values: Array) -> float:
    """How many independent values tell as much as these, which correlate with their neighbours: 1 to their number.

    Their number divided by their autocorrelation time, 1 + 2 * (the sum of the autocorrelations) of their ranks, which
    outliers do not move. Summed as long as the sums of neighbouring pairs stay positive (Geyer's initial positive
    sequence, Statistical Science 7, 1992).
    """
    n = len(values)
    if n < 4:
        return float(n)
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return float(n)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places] - (n + 1) / 2
    transform = np.fft.rfft(ranks, 2 * n)
    correlations = np.fft.irfft(np.abs(transform) ** 2)[:n]
    correlations /= correlations[0]
    pairs = correlations[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = pairs[: int(np.argmax(pairs <= 0)) if np.any(pairs <= 0) else len(pairs)]
    time = 2 * float(positive.sum()) - 1
    return n / max(1.0, time)


def exceeds(values: Array, others: Array) -> float:
    """The probability that ``values`` would lie as far above ``others`` by chance alone, one-sided.

    Mann and Whitney's test (Annals of Mathematical Statistics 18, 1947), by its normal approximation, with a
    correction for continuity; good from about 8 of each on.
    """
    n, m = len(values), len(others)
    above = float(np.sum(np.sign(values[:, None] - others) + 1)) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return 0.5 * math.erfc((above - n * m / 2 - 0.5) / deviation / math.sqrt(2))
