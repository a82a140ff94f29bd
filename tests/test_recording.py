import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ovtune.config import Config
from ovtune.measurement import Block
from ovtune.recording import Header, Record, block_of, record_of
from ovtune.workload import ConstantRate
from tests import fake
from tests.value import block

CONFIG = Config(device="CPU", nireq=2, batch_size=4)
HEADER = fake.recording(rounds=1).header
RECORD = Record(
    round=0,
    started_s=12.5,
    config=CONFIG,
    ok=True,
    throughput_per_s=512.1,
    latency_ms={"mean": 15.0, "p50": 14.0, "p95": 20.0, "p99": None},
    samples=102,
    elapsed_s=0.8,
    cost_s=1.5,
)


def told(record: Record = RECORD, header: Header = HEADER) -> Block:
    return block_of(record, header, started_at=1000.0)


def test_a_record_becomes_a_block_with_a_summary() -> None:
    """The throughput is that of the recording exactly; the latencies are what it tells of them."""
    found = told()
    assert found.throughput_per_s == pytest.approx(512.1, rel=1e-12)
    assert found.items == 410
    assert found.elapsed_s == pytest.approx(0.8, rel=1e-3)
    assert found.count == 102
    assert found.summary is not None
    assert found.summary.latency_ms == {"mean": 15.0, "p50": 14.0, "p95": 20.0}
    assert (found.started_at, found.cost_s, found.effective_key) == (1000.0, 1.5, CONFIG.key)


def test_samples_come_before_their_summary() -> None:
    """Where a recording holds the samples, every statistic is derived from them."""
    found = told(replace(RECORD, samples_ms=(1.0, 2.0, 6.0)))
    assert found.summary is None
    assert found.latencies_ms.tolist() == [1.0, 2.0, 6.0]
    assert found.latency_ms("p50") == 2.0


def test_occupancy_is_derived_in_a_closed_loop() -> None:
    """Requests per second times mean latency over nireq; unknown without a mean, and under another load."""
    assert told().occupancy == pytest.approx(512.1 / 4 * 0.015 / 2)
    assert told(replace(RECORD, latency_ms={"p50": 14.0})).occupancy is None
    assert told(header=replace(HEADER, workload=ConstantRate(interval_s=0.03))).occupancy is None


@pytest.mark.parametrize(
    ("cpu_s", "host_busy", "others"), [(0.8, 0.75, 0.25), (0.8, 0.2, 0.0), (None, 0.9, 0.0), (0.8, None, 0.0)]
)
def test_what_others_used(cpu_s: float | None, host_busy: float | None, others: float) -> None:
    """The machine's busy share without the process's own, where both are told; the host has two CPUs."""
    found = told(replace(RECORD, cpu_s=cpu_s, host_busy=host_busy))
    assert found.others_busy == pytest.approx(others)
    assert found.cpu_s == (cpu_s or 0)


@pytest.mark.parametrize("others_busy", [0.0, 0.3])
def test_a_block_survives_its_recording(others_busy: float) -> None:
    """What is read from a block's record is the block again, as far as a search looks at it."""
    before = replace(block([3.0, 1.0, 2.0], throughput_per_s=30, items=12), others_busy=others_busy, cpu_s=0.1)
    record = record_of(before, CONFIG, HEADER, started_s=4.0, round_=2)
    after = told(record)
    assert (record.round, record.started_s, record.config) == (2, 4.0, CONFIG)
    assert after.latencies_ms.tolist() == before.latencies_ms.tolist()
    for name in ("throughput_per_s", "elapsed_s", "items", "cpu_s", "compile_ms", "memory_bytes", "cost_s"):
        assert getattr(after, name) == pytest.approx(getattr(before, name)), name
    assert after.others_busy == pytest.approx(others_busy)
    shorter = told(replace(record, samples_ms=None))
    assert shorter.latency_ms("mean") == pytest.approx(2.0)
    assert shorter.count == 3


@pytest.mark.parametrize(
    "change",
    [
        {"throughput_per_s": None},
        {"throughput_per_s": 0.0},
        {"elapsed_s": 0.0},
        {"samples": 0},
        {"samples": None},
        {"latency_ms": None},
        {"latency_ms": {"mean": 3.0}},
        {"latency_ms": {"p50": 0.0}},
    ],
)
def test_a_record_without_its_numbers_is_refused(change: Mapping[str, object]) -> None:
    """A visit that is said to be ok has a throughput, a time, samples and a median."""
    with pytest.raises(ValueError, match="it is ok"):
        replace(RECORD, **change)  # type: ignore[arg-type]
    assert not replace(RECORD, ok=False, **change).ok  # type: ignore[arg-type]


def test_what_a_record_tells() -> None:
    """A metric is told by the record itself or by its samples."""
    assert RECORD.tells("p95")
    assert not RECORD.tells("p99")
    assert replace(RECORD, samples_ms=(1.0,)).tells("p99")


def test_when_a_recording_began() -> None:
    """A recording's beginning is an instant, or the epoch where it is not told."""
    assert HEADER.began_at == 1_700_000_000
    assert replace(HEADER, created="").began_at == 0


def test_distinct_configs() -> None:
    """The configs of a recording are told once each, in the order of their first visits."""
    found = fake.recording(rounds=3)
    assert len(found.configs) == len(set(found.configs)) == len(found.records) / 3
    assert found.configs[0] == found.records[0].config
    assert math.isfinite(sum(r.cost_s for r in found.records))
