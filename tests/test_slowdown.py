import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from ovtune import slowdown
from ovtune.config import Config
from ovtune.estimate import Estimate, Quantity, estimate, spread_of
from ovtune.measurement import Block
from ovtune.slowdown import steadied
from tests.value import block

CPU_MS = 5.0
NOISE = 0.15


def made(config: Config, busy: float, slowed: float, *, cpu_ms: float = CPU_MS, follows: float = 1.0) -> Block:
    """A block of a config that keeps so many CPUs busy, slowed by a factor, as a logarithm."""
    held = block(
        [config.nireq * cpu_ms / busy * math.exp(follows * slowed)] * 30,
        throughput_per_s=1000 * busy / cpu_ms * math.exp(-follows * slowed),
        cpu_ms_per_inference=cpu_ms * math.exp(slowed),
    )
    return replace(held, effective={"EXECUTION_DEVICES": ["CPU"], "NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2})


Known = tuple[dict[str, Estimate], dict[str, Sequence[Block]]]


def known(blocks: dict[Config, list[Block]]) -> Known:
    """The estimates of some configs by their own blocks alone, and the blocks, by key."""
    spread = spread_of(blocks.values())
    return {c.key: estimate(c, made, spread) for c, made in blocks.items()}, {c.key: b for c, b in blocks.items()}


def study(seed: int, *, often: int = 6, make: Callable[[Config, float, float], Block] = made) -> Known:
    """Twelve configs that run alike, of which the first was measured often and the others once."""
    generator = np.random.default_rng(seed)
    configs = [Config(device="CPU", nireq=n) for n in range(1, 13)]
    return known(
        {
            c: [make(c, busy(c), float(generator.normal(0, NOISE))) for _ in range(1 if i else often)]
            for i, c in enumerate(configs)
        }
    )


def busy(config: Config) -> float:
    """How many CPUs a config keeps busy."""
    return min(1 + 0.1 * config.nireq, 2.0)


def off(estimates: dict[str, Estimate]) -> np.ndarray:
    """How far the throughputs are off, as logarithms."""
    return np.array([math.log(e.throughput_per_s.value / (1000 * busy(e.config) / CPU_MS)) for e in estimates.values()])


def test_configs_that_run_alike_tell_what_slowed_each() -> None:
    """All take the same CPU time per inference, so that together they tell by how much each block was slowed."""
    raw, mended = [], []
    for seed in range(40):
        estimates, blocks = study(seed)
        raw.append(off(estimates))
        mended.append(off(steadied(estimates, blocks)))
    assert np.std(mended) < 0.6 * np.std(raw)
    assert abs(np.mean(mended)) < 0.02


@pytest.mark.parametrize(("follows", "most"), [(1.0, 250), (0.5, 250), (1.0, 6)])
def test_errors_are_as_large_as_they_say(monkeypatch: pytest.MonkeyPatch, follows: float, most: int) -> None:
    """Where the spread is known, as many configs as of normal ones lie within one and two; also where few tell of all.

    Each takes a little more or less CPU time than the others, as configs that run alike do.
    """
    monkeypatch.setattr(slowdown, "_MOST", most)
    far = []
    for seed in range(70):
        generator = np.random.default_rng([seed, 1])
        own = {n: float(o) for n, o in enumerate(generator.normal(0, 0.03, 12), start=1)}

        def make(config: Config, busy: float, slowed: float, own: Mapping[int, float] = own) -> Block:
            return made(config, busy, slowed, cpu_ms=CPU_MS * math.exp(own[config.nireq]), follows=follows)

        estimates, blocks = study(seed, often=40, make=make)
        found = steadied(estimates, blocks)
        errors = np.array([e.throughput_per_s.error for e in found.values()])
        assert np.all(errors <= [e.throughput_per_s.error for e in estimates.values()])
        far.append(np.abs(off(found) + list(own.values())) / errors)
    within = [float(np.mean(np.concatenate(far) <= times)) for times in (1, 2)]
    assert 0.6 <= within[0] <= 0.76
    assert 0.91 <= within[1] <= 0.975


def test_what_many_blocks_tell_of_a_config_is_its_own() -> None:
    """Of two that run alike one takes a tenth more CPU time: the more often they are measured, the surer it is told."""
    generator = np.random.default_rng(3)
    costs = {n: CPU_MS * (1.1 if n == 1 else 1.0) for n in range(1, 9)}
    blocks = {
        Config(device="CPU", nireq=n): [
            made(Config(device="CPU", nireq=n), 1.5, float(s), cpu_ms=cost) for s in generator.normal(0, 0.08, 60)
        ]
        for n, cost in costs.items()
    }
    found = list(steadied(*known(blocks)).values())
    assert found[1].throughput_per_s.value / found[0].throughput_per_s.value == pytest.approx(1.1, rel=0.03)


def test_no_more_is_taken_out_than_the_blocks_were_slowed_by() -> None:
    """Where throughput falls by more than CPU time rises, something else is at work, too, which is left as it is."""
    as_much = steadied(*study(2, often=30))
    estimates, blocks = study(2, often=30, make=lambda config, busy, slowed: made(config, busy, slowed, follows=2.0))
    for key, found in steadied(estimates, blocks).items():
        assert found.cpu_ms_per_inference.value == pytest.approx(as_much[key].cpu_ms_per_inference.value, rel=0.01)


def test_latency_and_cpu_time_move_with_the_throughput() -> None:
    """How many CPUs are busy, and how many inferences are under way, is as it was measured, for each percentile."""
    estimates, blocks = study(3)
    later = {key: {m: q for m, q in e.latency_ms.items() if isinstance(q, Quantity)} for key, e in estimates.items()}
    for key, found in steadied(estimates, blocks).items():
        told = estimates[key]
        latency, was = found.latency_ms["p50"], told.latency_ms["p50"]
        assert isinstance(latency, Quantity)
        assert isinstance(was, Quantity)
        for metric, quantity in later[key].items():
            moved = found.latency_ms[metric]
            assert isinstance(moved, Quantity)
            assert moved.value / quantity.value == pytest.approx(latency.value / was.value)
        products = found.throughput_per_s.value * np.array([latency.value, found.cpu_ms_per_inference.value])
        as_measured = told.throughput_per_s.value * np.array([was.value, told.cpu_ms_per_inference.value])
        assert products == pytest.approx(as_measured)
        assert latency.error < was.error


def test_what_does_not_follow_stays_as_it_is() -> None:
    """A device that works by itself, or a given load: CPU time tells nothing of how fast a config is."""

    def alone(config: Config, busy: float, slowed: float) -> Block:
        return made(config, busy, slowed, follows=0.0)

    estimates, blocks = study(1, make=alone)
    assert [e.throughput_per_s for e in steadied(estimates, blocks).values()] == [
        e.throughput_per_s for e in estimates.values()
    ]


def test_each_device_follows_in_its_own_way() -> None:
    """Where a CPU slows with its CPU time and another device does not, only the CPU's configs are mended."""
    generator = np.random.default_rng(5)
    blocks = {}
    for device, follows in (("CPU", 1.0), ("GPU", 0.0)):
        for n in range(1, 9):
            config = Config(device=device, nireq=n)
            some = [
                replace(made(config, 1.5, slowed, follows=follows), effective={"EXECUTION_DEVICES": [device]})
                for slowed in generator.normal(0, NOISE, 3)
            ]
            blocks[config] = some
    estimates, by_key = known(blocks)
    for key, found in steadied(estimates, by_key).items():
        same = found.throughput_per_s.value == pytest.approx(estimates[key].throughput_per_s.value, rel=1e-9)
        assert same == (found.config.device == "GPU")


def test_what_costs_more_is_not_taken_for_slowed() -> None:
    """Configs at another precision take twice the CPU time: they stay half as fast."""
    generator = np.random.default_rng(2)
    blocks = {}
    for n in range(1, 9):
        for precision, cpu_ms in (("bf16", CPU_MS), ("f32", 2 * CPU_MS)):
            config = Config(device="CPU", nireq=n, properties={"INFERENCE_PRECISION_HINT": precision})
            some = [made(config, 1.5, float(s), cpu_ms=cpu_ms) for s in generator.normal(0, 0.03, 3)]
            read_back = {**some[0].effective, "INFERENCE_PRECISION_HINT": precision}
            blocks[config] = [replace(one, effective=read_back) for one in some]
    found = steadied(*known(blocks))
    speeds = {
        precision: np.mean(
            [
                e.throughput_per_s.value
                for e in found.values()
                if e.config.properties["INFERENCE_PRECISION_HINT"] == precision
            ]
        )
        for precision in ("bf16", "f32")
    }
    assert speeds["bf16"] / speeds["f32"] == pytest.approx(2, rel=0.03)


def test_of_very_many_configs_some_tell_of_all() -> None:
    """Beyond a few hundred configs each still comes closer to the truth than its own block does."""
    generator = np.random.default_rng(8)
    configs = [Config(device="CPU", nireq=n) for n in range(1, 601)]
    estimates, blocks = known(
        {c: [made(c, busy(c), float(s)) for s in generator.normal(0, NOISE, 1 + 9 * (c.nireq == 1))] for c in configs}
    )
    raw, mended = off(estimates), off(steadied(estimates, blocks))
    assert np.std(mended[::3]) < 0.4 * np.std(raw[::3])
    assert np.std(mended[1::3]) < 0.4 * np.std(raw[1::3])


def test_a_quiet_host_is_believed() -> None:
    """Where blocks of a config hardly differ there is nothing to mend, whatever CPU times there are."""
    configs = [Config(device="CPU", nireq=n) for n in range(1, 9)]
    generator = np.random.default_rng(4)
    estimates, blocks = known(
        {
            c: [made(c, busy(c), 0.001 * s, cpu_ms=CPU_MS + c.nireq % 3) for s in generator.normal(size=3)]
            for c in configs
        }
    )
    for key, found in steadied(estimates, blocks).items():
        assert found.throughput_per_s.value == pytest.approx(estimates[key].throughput_per_s.value, rel=2e-3)


def test_without_cpu_times_or_with_few_configs_nothing_changes() -> None:
    """A recording may tell no CPU time, or not of each block, and of four configs none is known to run like another."""
    estimates, blocks = study(1)
    few = dict(list(estimates.items())[:4])
    assert steadied(few, blocks) == few
    silent = {key: [replace(one, cpu_s=0.0) for one in some] for key, some in blocks.items()}
    untold = {key: estimate(e.config, silent[key], spread_of(silent.values())) for key, e in estimates.items()}
    assert steadied(untold, silent) == untold
    key = next(iter(blocks))
    partly = {**blocks, key: [replace(blocks[key][0], cpu_s=0.0), *blocks[key][1:]]}
    assert steadied(estimates, partly) == estimates
    assert steadied({}, {}) == {}
