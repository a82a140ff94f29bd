import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovtune.measurement import (
    LATENCY_METRICS,
    LatencyMetric,
    Summary,
    count_of,
    latency_of,
    least_samples,
    pack,
    pooled,
    share_of,
)
from tests.value import block, summed


@given(st.lists(st.floats(0, 1e9, width=32), min_size=1, max_size=50))
def test_samples_keep_their_order(latencies: list[float]) -> None:
    """Packed samples come back in the order of time, not sorted, to the last bit of single precision."""
    assert block(latencies).latencies_ms.tolist() == latencies
    assert pack(np.array(latencies)) == block(latencies).samples


def test_derived_figures() -> None:
    """Throughput is items per measured second; the CPU time is shared out over the items."""
    value = block([5.0, 7.0], throughput_per_s=50, items=8, cpu_ms_per_inference=3)
    assert value.elapsed_s == pytest.approx(0.16)
    assert value.throughput_per_s == pytest.approx(50)
    assert value.cpu_ms_per_inference == pytest.approx(3)


@pytest.mark.parametrize(
    ("metric", "value"), [("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("p99.9", 99.9), ("mean", 50)]
)
def test_latency_of(metric: LatencyMetric, value: float) -> None:
    """A percentile is read off between the samples next to it; of 0 to 100, each is its own percentile."""
    shuffled = np.random.default_rng(0).permutation(101).astype(float)
    assert latency_of(shuffled, metric) == pytest.approx(value)


def test_one_sample_is_every_percentile() -> None:
    """A single latency is the value of every metric."""
    assert {latency_of(np.array([4.0]), metric) for metric in LATENCY_METRICS} == {4.0}


@pytest.mark.parametrize(
    ("metric", "count"), [("p90", 64), ("p95", 130), ("p99", 662), ("p99.9", 6636), ("p50", 11), ("mean", 11)]
)
def test_least_samples(metric: LatencyMetric, count: int) -> None:
    """A percentile needs as many samples as MLPerf's rule says; the mean as many as the median."""
    assert least_samples(metric) == count


@pytest.mark.parametrize(("metric", "share"), [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("mean", 0.5)])
def test_share(metric: LatencyMetric, share: float) -> None:
    """The name of a percentile holds its share."""
    assert share_of(metric) == pytest.approx(share)


def test_a_summary_stands_for_samples() -> None:
    """A block without samples tells what its summary does, and counts as many latencies."""
    value = summed(410, p50=3.0, mean=3.5)
    assert value.latencies_ms.size == 0
    assert value.count == 410
    assert (value.latency_ms("p50"), value.latency_ms("mean")) == (3.0, 3.5)
    assert count_of(value.latencies, "p50") == 410
    assert count_of(value.latencies, "p99") == 0
    with pytest.raises(KeyError):
        value.latency_ms("p99")


def test_samples_tell_every_metric() -> None:
    """A block with samples counts them for every metric, and derives each one."""
    value = block([1.0, 2.0, 6.0])
    assert value.count == count_of(value.latencies, "p99.9") == 3
    assert (value.latency_ms("p50"), value.latency_ms("mean")) == (2.0, 3.0)


@pytest.mark.parametrize(("count", "value"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -2.0), (1, math.inf), (1, math.nan)])
def test_a_summary_of_nothing_is_refused(count: int, value: float) -> None:
    """A summary holds at least one latency, and only finite figures above zero."""
    with pytest.raises(ValueError, match="above zero"):
        Summary(count=count, latency_ms={"p50": value})


def test_samples_are_pooled_and_summaries_located() -> None:
    """Samples are joined; as soon as one is a summary, the blocks' own figures are located."""
    parts = [block([float(i)] * 3).latencies for i in (10, 10, 11, 10, 500)]
    assert pooled(parts, "mean") == pytest.approx(108.2)
    parts[1] = summed(3, p50=10.0, mean=10.0).latencies
    assert pooled(parts, "mean") == pytest.approx(10.2, abs=0.3)


def test_pooling_takes_only_what_is_told() -> None:
    """A summary that does not tell a metric takes no part in it."""
    parts = [summed(5, p50=4.0).latencies, summed(5, p50=4.0, p99=9.0).latencies]
    assert pooled(parts, "p99") == pytest.approx(9.0)
