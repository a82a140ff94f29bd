"""Values to test with: blocks and estimates made to measure, and Hypothesis strategies for what is stored."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from ovtune.caveat import Caveat
from ovtune.config import Config, Property, Scalar
from ovtune.estimate import Estimate, Quantity, Unavailable
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.measurement import LATENCY_METRICS, Block, LatencyMetric, Serving, Summary, pack


def block(
    latencies_ms: ArrayLike = (10.0,),
    *,
    throughput_per_s: float = 100.0,
    items: int | None = None,
    cpu_ms_per_inference: float = 10.0,
    memory_bytes: int = 1_000_000,
    occupancy: float | None = 1.0,
    caveats: tuple[Caveat, ...] = (),
) -> Block:
    """A block with these samples and this throughput; one item per sample unless told otherwise."""
    samples = np.asarray(latencies_ms, dtype=float)
    count = len(samples) if items is None else items
    return Block(
        started_at=1_700_000_000.0,
        elapsed_s=count / throughput_per_s,
        items=count,
        samples=pack(samples),
        cpu_s=cpu_ms_per_inference * count / 1000,
        compile_ms=80.0,
        compile_cached=False,
        first_inference_ms=5.0,
        memory_bytes=memory_bytes,
        occupancy=occupancy,
        others_busy=0.0,
        effective={},
        effective_key="key",
        cost_s=1.5,
        caveats=caveats,
    )


def summed(count: int, *, throughput_per_s: float = 100.0, items: int | None = None, **ms: float) -> Block:
    """A block that holds only a summary: so many latencies, and the named metrics of them."""
    told = {metric: ms[metric] for metric in LATENCY_METRICS if metric in ms}
    held = block(np.ones(count), throughput_per_s=throughput_per_s, items=items)
    return replace(held, samples=b"", summary=Summary(count=count, latency_ms=told))


def told(
    throughput: float = 100.0,
    latency: float = 10.0,
    *,
    nireq: int = 1,
    cpu_ms: float = 10.0,
    memory: int = 1_000_000,
    sustained: bool = True,
    without: tuple[LatencyMetric, ...] = (),
) -> Estimate:
    """An estimate whose latency metrics all have one value, but for those ``without`` one."""
    return Estimate(
        config=Config(device="CPU", nireq=nireq),
        blocks=1,
        samples=100,
        throughput_per_s=Quantity(value=throughput, error=0.04),
        latency_ms={
            metric: Unavailable(samples=1, needed=2) if metric in without else Quantity(value=latency, error=0.06)
            for metric in LATENCY_METRICS
        },
        cpu_ms_per_inference=Quantity(value=cpu_ms, error=0.05),
        energy_mj_per_inference=None,
        memory_bytes=memory,
        sustained=sustained,
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars: st.SearchStrategy[Scalar] = st.one_of(st.booleans(), st.integers(-(2**70), 2**70), numbers, texts)
properties: st.SearchStrategy[Property] = st.one_of(
    scalars, st.dictionaries(texts, st.dictionaries(texts, scalars, max_size=2), max_size=2)
)
configs = st.builds(
    Config,
    device=texts.filter(bool),
    properties=st.dictionaries(texts, properties, max_size=4),
    nireq=st.integers(1, 10_000),
    batch_size=st.integers(1, 64),
    precision=texts,
    shapes=st.dictionaries(texts, st.lists(st.integers(1, 1000), max_size=4).map(tuple), max_size=2),
) | st.builds(Config, device=st.just("CPU"), nireq=st.just(1), api=st.just("sync"))
_positive = st.floats(1e-6, 1e6)
blocks = st.builds(
    Block,
    started_at=_positive,
    elapsed_s=_positive,
    items=st.integers(1, 10**9),
    samples=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=20).map(lambda v: pack(np.array(v))),
    cpu_s=_positive,
    compile_ms=_positive,
    compile_cached=st.booleans(),
    first_inference_ms=_positive,
    memory_bytes=st.integers(0, 2**40),
    occupancy=st.none() | _positive,
    others_busy=st.floats(0, 1),
    effective=st.dictionaries(texts, st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=3)),
    effective_key=texts,
    cost_s=_positive,
    caveats=st.lists(
        st.builds(lambda n: Caveat(kind="few_samples", parameters={"samples": n}), st.integers(0, 99)), max_size=2
    ).map(tuple),
    energy_j=st.none() | _positive,
    timeline=st.binary(max_size=8),
    served=st.lists(st.builds(Serving, from_ms=st.floats(0, 1e6), devices=texts), max_size=2).map(tuple),
)
summaries = st.builds(
    Summary, count=st.integers(1, 10**9), latency_ms=st.dictionaries(st.sampled_from(LATENCY_METRICS), _positive)
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    blocks,
    st.builds(lambda held, summary: replace(held, samples=b"", summary=summary), blocks, summaries),
    st.builds(SameAs, config_key=texts, effective_key=texts, cost_s=_positive),
    st.builds(Infeasible, reason=texts, cost_s=_positive),
    st.builds(Failed, reason=texts, cost_s=_positive),
)
