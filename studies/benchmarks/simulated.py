"""Recordings made up by a generator, for the benchmarks that read recordings where there is none at hand.

The noise is that of a shared two-core virtual machine, as it was seen over 513 configs: on the logarithm, half of its
variance in a slow regime, the rest from block to block, half normal and half one-sided and heavy; neighbouring blocks
correlate by 0.37 and blocks ten apart by 0.17. A config feels the common regime more or less strongly than others do,
as one thread and all threads do.
"""

import itertools

import numpy as np

from ovtune.config import Config
from ovtune.environment import Environment
from ovtune.model import Input, Model
from ovtune.recording import Header, Record, Recording
from ovtune.stats import Array
from ovtune.workload import ClosedLoop

COST_S = 1.8
_SLOW, _STAYS = 0.40, 0.917
_HEADER = Header(
    model=Model(
        name="simulated",
        path="simulated",
        sha256="0" * 64,
        inputs=(Input(name="image", element_type="f32", shape=(1, 3, 224, 224)),),
        batch_sizes=(1, 2, 4),
    ),
    workload=ClosedLoop(),
    environment=Environment(
        openvino="simulated",
        devices={"CPU": "simulated"},
        cpu="simulated",
        cpus=2,
        quota=None,
        memory_bytes=8 * 2**30,
        system="simulated",
    ),
    created="2026-01-01T00:00:00+00:00",
)
_ANSWERS = {
    Config(device="CPU", nireq=2): "no settings on CPU",
    Config(device="CPU", properties={"PERFORMANCE_HINT": "LATENCY"}, nireq=1): "LATENCY hint on CPU",
    Config(device="CPU", properties={"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=4): "THROUGHPUT hint on CPU",
}


def recording(  # noqa: PLR0913 - what a recording consists of, by name
    seed: int, *, configs: int = 150, rounds: int = 10, focus: int = 36, focus_rounds: int = 80, level: float = 0.05
) -> Recording:
    """A recording in the form of ``ovtune record``: shuffled rounds of all, then of the best few dozen.

    Args:
        seed: Seeds the truth, the noise and the order of the rounds.
        configs: How many configs, OpenVINO's own answers included.
        rounds: How often each is visited.
        focus: How many are visited more often.
        focus_rounds: How often those are visited in all.
        level: The standard deviation of a block's logarithm.
    """
    generator = np.random.default_rng(seed)
    members = _configs(configs)
    speed = 100 * np.exp(generator.normal(0, 0.08, len(members)))
    best = sorted(range(len(members)), key=lambda i: -speed[i] if i >= len(_ANSWERS) else -np.inf)[:focus]
    turns = []
    for round_ in range(max(rounds, focus_rounds)):
        group = range(len(members)) if round_ < rounds else best
        turns += [(round_, int(i)) for i in generator.permutation(np.array(group))]
    noise = level * _unit_noise(generator, len(turns))
    feels = generator.uniform(0.7, 1.3, len(members))
    records, now_s = [], 0.0
    for (round_, i), slower in zip(turns, noise, strict=True):
        record = _record(members[i], speed[i], float(slower * feels[i]), generator)
        cost_s = COST_S * float(generator.uniform(0.9, 1.1))
        records.append(Record(round=round_, started_s=now_s, cost_s=cost_s, **record))
        now_s += cost_s
    return Recording(header=_HEADER, records=tuple(records), sha256=f"{seed:064x}")


def _configs(count: int) -> list[Config]:
    grid = itertools.product((1, 2, 3, 4, 6, 8), (1, 2, 4), (1, 2), (1, 2), ("f32", "bf16"))
    others = [
        Config(
            device="CPU",
            properties={"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": kind},
            nireq=nireq,
            batch_size=batch,
        )
        for nireq, batch, streams, threads, kind in grid
    ]
    return [*_ANSWERS, *others][:count]


def _unit_noise(generator: np.random.Generator, length: int) -> Array:
    """The noise of consecutive blocks as logarithms, of variance about 1 and mostly downwards."""
    shocks = generator.normal(0, (1 - _STAYS**2) ** 0.5, length)
    slow = np.empty(length)
    level = generator.normal()
    for i, shock in enumerate(shocks):
        level = _STAYS * level + shock
        slow[i] = level
    heavy = generator.random(length) < 0.2
    quick = np.where(heavy, -1.7 * generator.exponential(1.0, length), generator.normal(0, 0.4, length))
    return _SLOW**0.5 * slow + quick * ((1 - _SLOW) / np.var(quick)) ** 0.5


def _record(config: Config, speed: float, slower: float, generator: np.random.Generator) -> dict[str, object]:
    throughput = speed * float(np.exp(slower))
    mean_ms = 1000 * config.nireq * config.batch_size / throughput
    elapsed_s = max(0.8, 30 * config.batch_size / throughput)
    tail = float(np.exp(abs(generator.normal(0, 0.04)) - slower / 4))
    factors = {"mean": 1.0, "p50": 0.98, "p90": 1.1 * tail, "p95": 1.2 * tail, "p99": 1.4 * tail**1.5}
    return {
        "config": config,
        "ok": True,
        "throughput_per_s": throughput,
        "latency_ms": {metric: mean_ms * factor for metric, factor in factors.items()},
        "samples": max(30, int(0.8 * throughput / config.batch_size)),
        "elapsed_s": elapsed_s,
        "cpu_s": 0.95 * _HEADER.environment.cpus * elapsed_s,
        "host_busy": 0.97,
        "memory_bytes": 100_000_000,
        "baseline": _ANSWERS.get(config),
    }
