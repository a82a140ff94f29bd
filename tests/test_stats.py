import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune import stats

_values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)


@pytest.mark.parametrize(("share", "count"), [(0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_least_samples_are_those_of_mlperf(share: float, count: int) -> None:
    """The counts are MLPerf's published ones for one sample over the bound."""
    assert stats.least_samples(share) == count


@given(st.floats(0.4, 0.98), st.sampled_from([0.9, 0.99]), st.integers(0, 2))
def test_least_samples_is_the_least(share: float, confidence: float, over: int) -> None:
    """That many samples say it with the asked confidence, and one less does not."""

    def doubt(n: int) -> float:
        return sum(math.comb(n, k) * (1 - share) ** k * share ** (n - k) for k in range(over + 1))

    count = stats.least_samples(share, confidence=confidence, over=over)
    assert doubt(count) <= 1 - confidence < doubt(count - 1)


@given(_values)
def test_location_is_the_median_of_pair_means(values: list[float]) -> None:
    """The Hodges-Lehmann estimate is what its definition says, each value paired with itself included."""
    means = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    middle = len(means) // 2
    expected = means[middle] if len(means) % 2 else (means[middle - 1] + means[middle]) / 2
    assert stats.location(np.array(values)) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(_values, st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_location_moves_with_its_values(values: list[float], shift: float, factor: float) -> None:
    """Shifting and stretching all values shifts and stretches their location."""
    moved = stats.location(np.array(values) * factor + shift)
    assert moved == pytest.approx(stats.location(np.array(values)) * factor + shift, rel=1e-9, abs=1e-6)


def test_location_does_not_follow_outliers() -> None:
    """A quarter of the values may be anywhere: the location stays within the others."""
    values = np.array([*np.linspace(9.9, 10.1, 12), 1e9, 1e9, 1e9, 1e9])
    assert 9.9 <= stats.location(values) <= 10.1


@pytest.mark.parametrize(("values", "scale"), [([3.0], 0), ([1, 2, 3, 4, 5], 1.4826), ([0, 0, 0, 1e9], 0)])
def test_scale(values: list[float], scale: float) -> None:
    """The scale is the median absolute deviation in units of a normal's deviation, 0 where there is nothing to see."""
    assert stats.scale(np.array(values)) == pytest.approx(scale)


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.05, 0.05 / 2, 0.05 / 3, 0.01])
@pytest.mark.parametrize("n", range(1, 9))
def test_signed_rank_level_is_exact(n: int, alpha: float) -> None:
    """Over all signs of any magnitudes the centre is missed by the largest share that alpha allows, and no more."""
    magnitudes = np.array([2.0**k for k in range(n)])
    signs = [np.array(chosen) for chosen in itertools.product((-1, 1), repeat=n)]
    ranks = np.arange(1, n + 1)
    sums = np.array([int(ranks[chosen > 0].sum()) for chosen in signs])
    attainable = [2 * float(np.mean(sums <= most)) for most in range(-1, n * (n + 1) // 4 + 1)]
    missed = 0
    for chosen in signs:
        low, high = stats.signed_rank_interval(chosen * magnitudes, alpha=alpha)
        missed += not low <= 0 <= high
    assert missed / 2**n == max(level for level in attainable if level <= alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_signed_rank_coverage_under_heavy_tails(alpha: float) -> None:
    """Cauchy noise, which has not even a mean, is covered as often as promised and not much more often."""
    generator = np.random.default_rng(1)
    draws, n = 3000, 14
    hits = 0
    for values in generator.standard_cauchy((draws, n)):
        low, high = stats.signed_rank_interval(values + 5, alpha=alpha)
        hits += low <= 5 <= high
    error = math.sqrt(alpha * (1 - alpha) / draws)
    assert 1 - alpha - 3 * error <= hits / draws <= 1 - alpha + 0.01 + 3 * error


@given(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=20), st.floats(-1e3, 1e3))
def test_signed_rank_interval_holds_and_follows_its_location(values: list[float], shift: float) -> None:
    """The interval holds the location, moves with the values, and widens with confidence."""
    array = np.array(values)
    low, high = stats.signed_rank_interval(array, alpha=0.05)
    assert low <= stats.location(array) <= high
    wider = stats.signed_rank_interval(array, alpha=0.02)
    assert wider[0] <= low <= high <= wider[1]
    moved = stats.signed_rank_interval(array + shift, alpha=0.05)
    assert moved == pytest.approx((low + shift, high + shift), abs=1e-9)


@pytest.mark.parametrize(("n", "bounded"), [(0, False), (1, False), (5, False), (6, True), (40, True)])
def test_too_few_differences_have_no_bounds(n: int, *, bounded: bool) -> None:
    """At 5 % five differences are too few for any bound, and six are enough: 2 / 2^6 is below 0.05."""
    low, high = stats.signed_rank_interval(np.linspace(1, 2, n), alpha=0.05)
    assert math.isfinite(low) == bounded
    assert math.isfinite(high) == bounded


def test_signed_rank_agrees_with_the_published_table() -> None:
    """The critical values are those of Wilcoxon's table, two-sided 5 %: T is the largest sum that rejects."""
    table = {6: 0, 8: 3, 10: 8, 15: 25, 20: 52, 25: 89, 30: 137, 50: 434}
    for n, largest in table.items():
        values = np.cumsum(np.linspace(1, 2, n))
        means = sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))
        low, high = stats.signed_rank_interval(values, alpha=0.05)
        assert (low, high) == pytest.approx((means[largest], means[-largest - 1]))


@pytest.mark.parametrize(("freedom", "quantile"), [(7, 2.365), (10, 2.228), (13, 2.160), (20, 2.086), (59, 2.001)])
def test_student_quantile_agrees_with_the_published_table(freedom: int, quantile: float) -> None:
    """The points are those of Student's table."""
    assert stats.student_quantile(freedom) == pytest.approx(quantile, rel=0.005)


def test_batch_means_error_of_independent_values() -> None:
    """Of values without a memory it is about the deviation by the root of the count."""
    values = np.random.default_rng(2).normal(0, 1, (200, 500))
    told = np.array([stats.batch_means_error(row) for row in values])
    assert math.sqrt(float(np.mean(told**2))) == pytest.approx(1 / math.sqrt(500), rel=0.1)


def test_batch_means_error_sees_correlation() -> None:
    """Of values that remember their neighbours it is the true error of their mean, several times the naive one."""
    generator = np.random.default_rng(3)
    noise = generator.normal(0, 1, (300, 2000))
    values = np.zeros_like(noise)
    for step in range(1, noise.shape[1]):
        values[:, step] = 0.9 * values[:, step - 1] + noise[:, step]
    truth = float(np.std(values.mean(axis=1)))
    told = math.sqrt(float(np.mean([stats.batch_means_error(row) ** 2 for row in values])))
    naive = float(np.mean(np.std(values, axis=1))) / math.sqrt(noise.shape[1])
    assert told == pytest.approx(truth, rel=0.15)
    assert told > 3 * naive


def test_batch_means_error_of_few_values() -> None:
    """One value tells nothing about its error, a few are taken as independent, a rest that fills no run is left out."""
    assert stats.batch_means_error(np.array([1.0])) == math.inf
    assert stats.batch_means_error(np.array([1.0, 3.0])) == pytest.approx(1.0)
    runs = np.repeat(np.arange(10.0), 5)
    expected = float(np.std(np.arange(10), ddof=1)) / math.sqrt(10)
    assert stats.batch_means_error(runs) == pytest.approx(expected)
    assert stats.batch_means_error(np.append(runs, [1e9] * 4)) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "n", "chance"), [(0, 5, 1.0), (5, 5, 1 / 32), (1, 5, 31 / 32), (3, 4, 5 / 16)])
def test_the_chance_of_so_many_hits(count: int, n: int, chance: float) -> None:
    """The upper tail of the binomial distribution, here of a fair coin."""
    assert stats.at_least(count, n, 0.5) == pytest.approx(chance)


def test_effective_count_of_independent_values() -> None:
    """Independent values count nearly in full, and never more; equal ones do, too."""
    generator = np.random.default_rng(5)
    counts = [stats.effective_count(generator.pareto(1.5, 500)) for _ in range(40)]
    assert 400 < np.mean(counts) <= 500
    assert max(counts) <= 500
    assert stats.effective_count(np.ones(50)) == 50
    assert [stats.effective_count(np.arange(float(n))) for n in (0, 1, 3)] == [0, 1, 3]


@pytest.mark.parametrize("carried", [0.5, 0.8, 0.95])
def test_effective_count_of_an_autoregression(carried: float) -> None:
    """Values of which each carries a share of the last one count (1 - share) / (1 + share) of their number."""
    generator = np.random.default_rng(6)
    values = np.zeros(40_000)
    for i in range(1, len(values)):
        values[i] = carried * values[i - 1] + generator.normal()
    expected = len(values) * (1 - carried) / (1 + carried)
    assert stats.effective_count(np.exp(values)) == pytest.approx(expected, rel=0.2)


def test_exceeds_is_uniform_where_nothing_differs() -> None:
    """Of equal samples one in twenty exceeds at 5 %; one that lies clearly above is found."""
    generator = np.random.default_rng(7)
    chances = np.array([stats.exceeds(generator.normal(size=10), generator.normal(size=12)) for _ in range(2000)])
    assert np.mean(chances < 0.05) == pytest.approx(0.05, abs=0.015)
    assert stats.exceeds(generator.normal(3, 1, 12), generator.normal(0, 1, 12)) < 1e-3
    assert stats.exceeds(np.ones(9), np.ones(9)) == pytest.approx(0.5, abs=0.05)
