import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune import measurement, stats
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.estimate import Quantity, Spread, Unavailable, estimate, spread_of
from ovtune.measurement import LATENCY_METRICS, Block, Latencies, LatencyMetric
from tests.value import block, summed

CONFIG = Config(device="CPU", nireq=2)
SPREAD = Spread()
LATE = Caveat(kind="not_sustained", parameters={"rate_per_s": 33, "backlog_ms": 50})


def _quantity(found: Quantity | Unavailable) -> Quantity:
    assert isinstance(found, Quantity)
    return found


def test_interval_of_a_quantity() -> None:
    """An interval is symmetric on a logarithm: as many times below the value as above."""
    quantity = Quantity(value=100, error=0.1)
    assert quantity.low == pytest.approx(100 / math.exp(0.196))
    assert quantity.high == pytest.approx(100 * math.exp(0.196))


def test_throughput_is_a_robust_location_on_a_logarithm() -> None:
    """One block that somebody else slowed down to nothing hardly moves the throughput."""
    blocks = [block(throughput_per_s=value) for value in (100, 101, 99, 100, 102, 1)]
    value = estimate(CONFIG, blocks, SPREAD).throughput_per_s.value
    assert value == pytest.approx(math.exp(stats.location(np.log([100, 101, 99, 100, 102, 1]))))
    assert 99 < value < 101


def test_percentiles_are_those_of_the_pooled_samples() -> None:
    """A percentile is read from all blocks' samples together, not averaged over the blocks."""
    shuffled = np.random.default_rng(0).permutation(100)
    blocks = [block(shuffled), block(100 + shuffled)]
    found = estimate(CONFIG, blocks, SPREAD)
    assert found.samples == 200
    assert _quantity(found.latency_ms["p50"]).value == pytest.approx(99.5)
    assert _quantity(found.latency_ms["p95"]).value == pytest.approx(189.05)
    assert _quantity(found.latency_ms["mean"]).value == pytest.approx(99.5)


@pytest.mark.parametrize(("metric", "needed"), [("p90", 64), ("p95", 130), ("p99", 662)])
def test_a_tail_without_samples_is_unavailable(metric: LatencyMetric, needed: int) -> None:
    """A percentile is told from its least samples on; before, it says how many there are and how many it needs."""
    short = estimate(CONFIG, [block(np.ones(needed - 1))], SPREAD).latency_ms[metric]
    assert short == Unavailable(samples=needed - 1, needed=needed)
    assert isinstance(short, Unavailable)
    assert short.text == f"{needed - 1} of {needed} samples"
    assert _quantity(estimate(CONFIG, [block(np.ones(needed))], SPREAD).latency_ms[metric]).value == 1


def test_one_sample_tells_the_middle() -> None:
    """The median and the mean are told from a single sample on, however unsure."""
    found = estimate(CONFIG, [block([7.0])], SPREAD)
    assert _quantity(found.latency_ms["p50"]).value == 7
    assert _quantity(found.latency_ms["mean"]).value == 7
    assert math.isfinite(found.throughput_per_s.error)


@pytest.mark.parametrize(
    ("config", "samples", "items", "independent"),
    [
        (Config(device="CPU", nireq=4), 128, 128, 128),
        (Config(device="CPU", nireq=4, batch_size=4), 128, 128, 32),  # open loop: a sample per item
        (Config(device="CPU", nireq=4, batch_size=4), 128, 512, 128),  # closed loop: a sample per request
        (Config(device="BATCH:CPU(4)", nireq=4), 128, 128, 32),
        (Config(device="BATCH:CPU(16)", nireq=16), 10, 10, 1),
    ],
)
def test_what_finishes_together_counts_once(config: Config, samples: int, items: int, independent: int) -> None:
    """The items of one batch are one sample of the tail, whether the client or the runtime joined them."""
    found = estimate(config, [block(np.ones(samples), items=items)], SPREAD)
    assert found.latency_ms["p95"] == Unavailable(samples=independent, needed=130)


@given(st.integers(1, 12), st.floats(0.001, 0.3), st.floats(0.001, 0.3))
def test_the_error_has_a_part_between_blocks(count: int, throughput: float, latency: float) -> None:
    """However many samples a block holds, the error keeps the spread between blocks, by the root of their number."""
    samples = 10 + np.sin(np.arange(400))
    blocks = [block(samples) for _ in range(count)]
    found = estimate(CONFIG, blocks, Spread(throughput=throughput, latency=dict.fromkeys(LATENCY_METRICS, latency)))
    within = stats.batch_means_error(samples) / float(np.mean(samples))
    for quantity, between in ((found.throughput_per_s, throughput), (_quantity(found.latency_ms["p50"]), latency)):
        assert quantity.error >= between / math.sqrt(count)
        assert quantity.error == pytest.approx(math.hypot(between, within) / math.sqrt(count), rel=1e-4)


def test_costs_are_told_with_care() -> None:
    """CPU time is a robust location; memory is the most that any block took."""
    blocks = [block(cpu_ms_per_inference=c, memory_bytes=m) for c, m in ((4, 10), (4, 30), (4, 20), (400, 10))]
    found = estimate(CONFIG, blocks, SPREAD)
    assert found.cpu_ms_per_inference.value == pytest.approx(4, rel=0.01)
    assert found.memory_bytes == 30


def test_the_work_has_an_error_of_its_own() -> None:
    """Blocks that keep to a given load tell its throughput for sure, and still differ in what an inference costs."""
    times = [4 * math.exp(0.2 * math.sin(3 * i)) for i in range(40)]
    blocks = [replace(block(cpu_ms_per_inference=ms), energy_j=ms**2 / 1000) for ms in times]
    spread = spread_of([blocks])
    assert spread.throughput < 0.02
    assert 1.5 * 0.1 < 1.5 * spread.cpu_time < spread.energy
    found = estimate(CONFIG, blocks[:10], spread)
    assert found.cpu_ms_per_inference.error == pytest.approx(spread.cpu_time / math.sqrt(10))
    assert found.energy_mj_per_inference is not None
    assert found.energy_mj_per_inference.error == pytest.approx(spread.energy / math.sqrt(10))
    assert spread_of([[replace(b, energy_j=None) for b in blocks]]).energy == Spread().energy


def test_a_block_without_cpu_time_is_bearable() -> None:
    """A block so short that no CPU time was counted tells nothing of it, nor of how far others lie apart."""
    nothing, something = block(cpu_ms_per_inference=0), block(cpu_ms_per_inference=4)
    assert estimate(CONFIG, [nothing], SPREAD).cpu_ms_per_inference.value < 1e-6
    assert estimate(CONFIG, [nothing, something], SPREAD).cpu_ms_per_inference.value == pytest.approx(4)
    assert spread_of([[nothing, something]]).cpu_time == Spread().cpu_time


@pytest.mark.parametrize(("late", "of", "sustained"), [(0, 1, True), (1, 1, False), (1, 2, True), (2, 3, False)])
def test_a_load_is_sustained_unless_most_blocks_failed(late: int, of: int, *, sustained: bool) -> None:
    """One block that fell behind among others does not make a config infeasible; most of them do."""
    blocks = [block(caveats=(LATE,) if i < late else ()) for i in range(of)]
    assert estimate(CONFIG, blocks, SPREAD).sustained == sustained


def test_spread_is_the_prior_until_something_is_repeated() -> None:
    """Configs that were visited once say nothing about the spread between blocks."""
    assert spread_of([]) == Spread()
    assert spread_of([[block(throughput_per_s=1)], [block(throughput_per_s=1000)]]) == Spread()


def _repeats(generator: np.random.Generator, *, groups: int, size: int, noise: float) -> list[list[Block]]:
    return [
        [
            block(
                [10 * math.exp(generator.normal(0, noise))], throughput_per_s=100 * math.exp(generator.normal(0, noise))
            )
            for _ in range(size)
        ]
        for _ in range(groups)
    ]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("noise", [0.01, 0.15])
def test_spread_is_learned_without_bias(size: int, noise: float) -> None:
    """From many repeats the spread is the true one, also where each config was visited only two or three times."""
    found = spread_of(_repeats(np.random.default_rng(size), groups=2400 // size, size=size, noise=noise))
    assert found.throughput == pytest.approx(noise, rel=0.12)
    assert found.latency["p50"] == pytest.approx(noise, rel=0.12)


def test_spread_leans_on_the_prior_while_repeats_are_few() -> None:
    """Two equal readings do not make a noiseless host, and two wild ones no hopeless one."""
    calm = spread_of([[block(), block()]])
    wild = spread_of([[block(throughput_per_s=100), block(throughput_per_s=300)]])
    assert 0.8 * Spread().throughput < calm.throughput < Spread().throughput
    assert Spread().throughput < wild.throughput < abs(math.log(3))


def test_spread_does_not_follow_outliers() -> None:
    """A few contended blocks among many repeats leave the spread where it was."""
    quiet = _repeats(np.random.default_rng(1), groups=60, size=4, noise=0.03)
    contended = [
        [*group[:-1], block([40.0], throughput_per_s=20)] if i % 6 == 0 else group for i, group in enumerate(quiet)
    ]
    assert spread_of(contended).throughput < 1.35 * spread_of(quiet).throughput


def test_summaries_tell_percentiles_once_their_samples_suffice() -> None:
    """The counts of summaries are summed up; a percentile is the robust location of what the blocks tell."""
    few = estimate(CONFIG, [summed(60, p50=5, p95=8)] * 2, SPREAD)
    enough = estimate(CONFIG, [summed(60, p50=5, p95=p95) for p95 in (8, 8, 8, 80)], SPREAD)
    assert few.samples == 120
    assert few.latency_ms["p95"] == Unavailable(samples=120, needed=130)
    assert _quantity(enough.latency_ms["p95"]).value == pytest.approx(8)


def test_what_no_summary_tells_is_unavailable() -> None:
    """A metric that is in no summary has no samples at all, and the mean is then none either."""
    found = estimate(CONFIG, [summed(9000, p50=5)], SPREAD)
    assert found.latency_ms["p99.9"] == Unavailable(samples=0, needed=6636)
    assert found.latency_ms["mean"] == Unavailable(samples=0, needed=1)


def test_summaries_leave_the_part_between_blocks() -> None:
    """Without samples there is no error within a block to add: the spread of the repeats holds both."""
    found = estimate(CONFIG, [summed(60, p50=5, mean=5)] * 4, SPREAD)
    assert found.throughput_per_s.error == pytest.approx(SPREAD.throughput / 2)
    assert _quantity(found.latency_ms["p50"]).error == pytest.approx(SPREAD.latency["p50"] / 2)


def test_spread_is_learned_from_summaries_too() -> None:
    """Repeats that only summaries tell of show how far blocks lie apart."""
    wild = spread_of([[summed(10, p50=5), summed(10, p50=9)]] * 9)
    assert wild.latency["p50"] > 2 * Spread().latency["p50"]


def test_a_tail_counts_independent_samples() -> None:
    """Samples that follow their neighbours tell less: the same ones in a slow drift do not suffice for a tail."""
    values = np.random.default_rng(3).normal(10, 1, 200)
    shuffled, drifting = (estimate(CONFIG, [block(v)], SPREAD).latency_ms["p95"] for v in (values, np.sort(values)))
    assert _quantity(shuffled).value == pytest.approx(np.quantile(values, 0.95))
    assert isinstance(drifting, Unavailable)
    assert drifting.samples < 65


def test_a_tail_spreads_more_between_blocks() -> None:
    """Each metric has the spread that its own repeats show; before there are any, a tail's is wider."""
    assert SPREAD.latency["p99"] > SPREAD.latency["p95"] > SPREAD.latency["p50"]
    generator = np.random.default_rng(4)
    groups = [
        [block(10 + np.concatenate([np.zeros(90), np.full(10, generator.uniform(1, 20))])) for _ in range(4)]
        for _ in range(20)
    ]
    found = spread_of(groups)
    assert found.latency["p50"] < 0.04
    assert found.latency["p95"] > 0.2


def test_blocks_are_looked_into_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What blocks tell is kept for the next estimate of the very same ones, and with one more it is told anew."""
    pooled = []

    def noting(parts: Sequence[Latencies], metric: LatencyMetric) -> float:
        pooled.append(metric)
        return measurement.pooled(parts, metric)

    monkeypatch.setattr("ovtune.estimate.pooled", noting)
    blocks = [block(np.arange(1, 201) + shift) for shift in (0, 100)]
    first = estimate(CONFIG, blocks, SPREAD)
    known = len(pooled)
    wider = estimate(CONFIG, list(blocks), Spread(throughput=0.5))
    assert len(pooled) == known > 0
    assert wider.latency_ms == first.latency_ms
    assert wider.throughput_per_s.error > first.throughput_per_s.error
    more = estimate(CONFIG, [*blocks, block(np.arange(1, 201) + 500)], SPREAD)
    assert len(pooled) > known
    assert _quantity(more.latency_ms["p50"]).value > _quantity(first.latency_ms["p50"]).value
