import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ovtune import stats
from ovtune.duel import (
    ALPHA,
    LEAST_PAIRS,
    MOST_PAIRS,
    Score,
    Standing,
    compared,
    gains,
    level,
    looks,
    needed,
    order,
    score,
)
from ovtune.goal import Goal, Prefer
from ovtune.measurement import Block, LatencyMetric, latency_of
from tests.value import summed

GOAL = Goal(latency="mean")
GAIN = np.array([math.log(1.08), 0])


@dataclass
class _Quick:
    """What a duel reads of a block, without the packing that thousands of them would wait for."""

    throughput_per_s: float
    latencies: NDArray[np.float64]
    cpu_ms_per_inference: float = 10.0
    energy_mj_per_inference: float | None = None

    def latency_ms(self, metric: LatencyMetric) -> float:
        return latency_of(self.latencies, metric)


def _pairs(
    throughput: NDArray[np.float64], latency: NDArray[np.float64], cpu: float = 1.0
) -> list[tuple[Block, Block]]:
    """Pairs of blocks whose logarithms of throughput and latency are those of (pair, side)."""
    sides = [
        [
            _Quick(math.exp(float(t)), np.array([math.exp(float(level))]), 10 * (cpu if place == 0 else 1.0))
            for place, (t, level) in enumerate(zip(ts, ls, strict=True))
        ]
        for ts, ls in zip(throughput, latency, strict=True)
    ]
    return [(cast("Block", a), cast("Block", b)) for a, b in sides]


def _noise(generator: np.random.Generator, pairs: int, deviation: float) -> NDArray[np.float64]:
    return generator.normal(0, deviation, (pairs, 2))


def _judge(pairs: list[tuple[Block, Block]], prefer: Prefer = "balanced", cap: int | None = None) -> Score:
    return _looked_at(pairs, prefer, looks(cap or len(pairs)))


def _looked_at(pairs: list[tuple[Block, Block]], prefer: Prefer, planned: tuple[int, ...]) -> Score:
    """What the pairs say at the last of the looks that they reach."""
    last = len(pairs) >= planned[-1]
    return score(pairs, prefer=prefer, goal=GOAL, alpha=level(planned, len(pairs)), last=last)


@given(st.integers(1, 200))
def test_looks(cap: int) -> None:
    """A duel has at most three looks, the last at its cap, none before a decision is possible."""
    planned = looks(cap)
    assert 1 <= len(planned) <= 3
    assert planned == tuple(sorted(set(planned)))
    assert planned[-1] == min(cap, MOST_PAIRS)
    assert all(look >= min(cap, LEAST_PAIRS) for look in planned)


@pytest.mark.parametrize(
    ("cap", "planned"),
    [
        (3, (3,)),
        (8, (8,)),
        (15, (15,)),
        (16, (8, 16)),
        (23, (12, 23)),
        (24, (8, 16, 24)),
        (60, (20, 40, 60)),
        (500, (134, 267, 400)),
    ],
)
def test_looks_are_thirds(cap: int, planned: tuple[int, ...]) -> None:
    """The looks are at a third, at two thirds and at the end; a duel of few pairs has fewer, the smallest only one."""
    assert looks(cap) == planned


@pytest.mark.parametrize(
    ("ahead", "deviation", "pairs"),
    [(0.05, 0.05, 16), (0.05, 0.08, 32), (0.01, 0.1, MOST_PAIRS), (-0.1, 0.05, MOST_PAIRS)],
)
def test_pairs_that_a_lead_needs(ahead: float, deviation: float, pairs: int) -> None:
    """A larger lead needs fewer, by the square; no lead is never shown."""
    assert needed(ahead, deviation) == pairs


@given(st.integers(LEAST_PAIRS, 100))
def test_every_look_can_decide(cap: int) -> None:
    """At each planned look the interval has bounds, though the error is shared out over all of them."""
    planned = looks(cap)
    for look in planned:
        low, high = stats.signed_rank_interval(np.linspace(1, 2, look), alpha=level(planned, look))
        assert math.isfinite(low)
        assert math.isfinite(high)


@given(st.integers(LEAST_PAIRS, 100))
def test_the_looks_share_the_error(cap: int) -> None:
    """Together they make no more than the whole error; the last one, which has the most pairs, may make most of it."""
    planned = looks(cap)
    levels = [level(planned, look) for look in planned]
    assert sum(levels) == pytest.approx(ALPHA)
    assert levels == sorted(levels)


def test_a_further_duel_may_err_half_as_often() -> None:
    """However often an open duel is fought anew, all further ones together err no more than the first."""
    first, *others = (level((8, 16, 24), 24, earlier=earlier) for earlier in range(30))
    assert others[0] == first / 2
    assert sum(others) <= first


def test_order_alternates() -> None:
    """Either side goes first as often as the other: A B, B A, A B, ..."""
    assert [order(pair)[0] for pair in range(4)] == ["candidate", "baseline", "candidate", "baseline"]
    assert all(set(order(pair)) == {"candidate", "baseline"} for pair in range(4))


@pytest.mark.parametrize(
    ("prefer", "throughput", "latency", "cpu", "standing"),
    [
        ("throughput", 1.10, 1.00, 1.0, "better"),
        ("throughput", 1.10, 0.90, 1.0, "better"),
        ("throughput", 1.10, 1.01, 1.0, "better"),
        ("throughput", 1.10, 1.30, 1.0, "trade"),
        ("throughput", 0.95, 0.50, 1.0, "worse"),
        ("throughput", 1.00, 1.00, 1.0, "equal"),
        ("latency", 1.00, 0.90, 1.0, "better"),
        ("latency", 0.80, 0.90, 1.0, "trade"),
        ("latency", 1.50, 1.10, 1.0, "worse"),
        ("balanced", 1.30, 1.10, 1.0, "trade"),
        ("balanced", 1.30, 1.00, 1.0, "better"),
        ("balanced", 1.10, 1.30, 1.0, "worse"),
        ("efficiency", 1.00, 1.00, 0.8, "better"),
        ("efficiency", 0.90, 1.00, 0.8, "trade"),
        ("efficiency", 1.10, 0.90, 1.2, "worse"),
        ("efficiency", 1.00, 1.00, 1.0, "equal"),
    ],
)
def test_standing(prefer: Prefer, throughput: float, latency: float, cpu: float, standing: Standing) -> None:
    """On a quiet host the standing is what the true ratios say; the ratios are candidate by baseline."""
    generator = np.random.default_rng(5)
    pairs = _pairs(
        _noise(generator, 20, 0.001) + np.array([math.log(throughput), 0]),
        _noise(generator, 20, 0.001) + np.array([math.log(latency), 0]),
        cpu,
    )
    # CPU times have no noise here: an equal one is an interval of no width, which lies within any margin.
    found = _judge(pairs, prefer)
    assert found.standing == standing
    assert found.throughput.value == pytest.approx(throughput, rel=0.002)
    assert found.latency.value == pytest.approx(latency, rel=0.002)
    assert found.throughput.low <= found.throughput.value <= found.throughput.high
    assert found.pairs == 20
    assert found.more_pairs is None


def test_efficiency_is_energy_where_it_can_be_read() -> None:
    """Of blocks that all tell their energy, that is what an inference costs; else it is their CPU time."""
    pairs = _pairs(np.zeros((20, 2)), np.zeros((20, 2)), cpu=1.2)

    def with_energy(found: Block, energy_mj: float) -> Block:
        return cast("Block", replace(cast("_Quick", found), energy_mj_per_inference=energy_mj))

    told = [(with_energy(a, 8), with_energy(b, 10)) for a, b in pairs]
    by_energy = _judge(told, "efficiency")
    assert (by_energy.work, by_energy.standing) == ("energy", "better")
    assert by_energy.cost.value == pytest.approx(0.8)
    by_time = _judge([*told[:-1], pairs[-1]], "efficiency")
    assert (by_time.work, by_time.standing) == ("CPU time", "worse")
    assert by_time.cost.value == pytest.approx(1.2)


def _around(centre: float, reach: float, pairs: int = 20) -> NDArray[np.float64]:
    """Differences that lie evenly on both sides of ``centre``, as far as ``reach``, in no order."""
    steps = np.random.default_rng(12).permutation(np.linspace(-1, 1, pairs))
    return (centre + reach * steps)[:, None] * [1.0, 0.0]


def test_a_loss_that_is_possible_is_a_trade() -> None:
    """A shown gain beside a latency that may be worse by more than the margin, or not, ends as a trade."""
    found = _judge(_pairs(_around(math.log(1.1), 0.01), _around(0.01, 0.1)), "throughput")
    assert found.throughput.low > 1.02
    assert found.latency.low < 1
    assert found.latency.high > 1.02
    assert found.standing == "trade"


def test_absence_of_evidence_is_not_equality() -> None:
    """Where noise hides a difference of the margin's size, equal sides are undecided, not equal."""
    generator = np.random.default_rng(7)
    pairs = _pairs(_noise(generator, 20, 0.1), _noise(generator, 20, 0.1))
    found = _judge(pairs)
    assert found.standing == "undecided"
    assert found.more_pairs is not None


def test_too_few_pairs_decide_nothing() -> None:
    """However clear they look, pairs without a bounded interval decide nothing, and their ratio has no bounds."""
    found = _judge(_pairs(np.tile([math.log(2.0), 0], (4, 1)), np.tile([-math.log(2.0), 0], (4, 1))))
    assert found.standing == "undecided"
    assert (found.throughput.low, found.throughput.high) == (0, math.inf)


def test_more_looks_make_each_more_careful() -> None:
    """The same pairs give a wider interval where more looks share the error."""
    generator = np.random.default_rng(8)
    pairs = _pairs(_noise(generator, 20, 0.05), _noise(generator, 20, 0.05))
    one, three = (_looked_at(pairs[:14], "balanced", planned) for planned in ((14,), (8, 14, 20)))
    assert three.throughput.low < one.throughput.low < one.throughput.high < three.throughput.high


def test_more_pairs_follow_the_noise() -> None:
    """Twice the noise needs four times the pairs; a noisy latency takes none where the gain alone will be shown."""
    calm = _around(0, 0.01)
    small, large = (_judge(_pairs(_around(0.03, reach), calm), "throughput", cap=60) for reach in (0.2, 0.4))
    wild = _judge(_pairs(_around(0.03, 0.2), _around(0, 5)), "throughput", cap=60)
    assert wild.more_pairs == small.more_pairs
    assert small.standing == large.standing == "undecided"
    assert small.more_pairs is not None
    assert large.more_pairs is not None
    assert (large.more_pairs + 20) / (small.more_pairs + 20) == pytest.approx(4, rel=0.01)


def _stops(pairs: list[tuple[Block, Block]], prefer: Prefer) -> Score:
    """The duel as a search fights it: looked at as planned, ended by the first look that decides."""
    planned = looks(len(pairs))
    for look in planned:
        found = _looked_at(pairs[:look], prefer, planned)
        if found.standing != "undecided":
            break
    return found


def _host(generator: np.random.Generator, pairs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A shared host: one-sided noise, one block in ten slowed down a lot, and regimes that a pair shares."""
    slowed = np.abs(generator.normal(0, 0.03, (pairs, 2))) + 0.3 * generator.random((pairs, 2)) * (
        generator.random((pairs, 2)) < 0.1
    )
    regime = 0.05 * np.repeat(generator.random((pairs + 4) // 5), 5)[:pairs, None]
    throughput = -slowed - regime
    return throughput, -throughput + generator.normal(0, 0.01, (pairs, 2))


@pytest.mark.parametrize(("prefer", "cap"), [("balanced", 20), ("throughput", 36)])
def test_equal_sides_are_rarely_called_different(prefer: Prefer, cap: int) -> None:
    """Of duels of a config with itself on a noisy host, at most 5 % end as better or trade, with all their looks."""
    generator = np.random.default_rng(9)
    duels = 1000
    standings = [_stops(_pairs(*_host(generator, cap)), prefer).standing for _ in range(duels)]
    false = sum(standing in {"better", "trade"} for standing in standings)
    worse = sum(standing == "worse" for standing in standings)
    assert false / duels <= 0.05
    assert (false + worse) / duels <= 0.05
    assert false + worse > 0  # else the simulation would show nothing


def test_a_difference_of_eight_percent_is_found() -> None:
    """Where 8 % more throughput at 8 % less latency meet 3 % of noise, twenty pairs nearly always show it."""
    generator = np.random.default_rng(10)
    found = [
        _stops(
            _pairs(_noise(generator, 20, 0.03) + GAIN, _noise(generator, 20, 0.03) - GAIN),
            prefer,
        )
        for prefer in ("throughput", "latency", "balanced")
        for _ in range(40)
    ]
    assert sum(one.standing == "better" for one in found) / len(found) >= 0.95
    assert np.median([one.throughput.value for one in found]) == pytest.approx(1.08, rel=0.01)


def test_a_gain_at_the_same_latency_takes_more_pairs() -> None:
    """That the latency is not worse by 2 % must be shown too: with 3 % of noise sixty pairs mostly do."""
    generator = np.random.default_rng(11)
    found = [
        _stops(_pairs(_noise(generator, 60, 0.03) + GAIN, _noise(generator, 60, 0.03)), "throughput") for _ in range(60)
    ]
    assert sum(one.standing == "better" for one in found) / len(found) >= 0.8


def test_summaries_are_compared_by_what_both_sides_tell() -> None:
    """A percentile that one block's summary lacks is not compared: the median is."""
    fight = [(summed(200, p50=1, p95=2), summed(200, p50=1, p95=3))] * 8
    assert score(fight, prefer="latency", goal=Goal(latency="p95"), alpha=0.05, last=True).metric == "p95"
    fight[3] = (summed(200, p50=1), fight[3][1])
    assert score(fight, prefer="latency", goal=Goal(latency="p95"), alpha=0.05, last=True).metric == "p50"


@pytest.mark.parametrize(
    ("prefer", "gain"), [("throughput", 0.2), ("latency", 0.1), ("balanced", 0.3), ("efficiency", math.log(2))]
)
def test_gains(prefer: Prefer, gain: float) -> None:
    """The gain is positive where the first of a pair is better: faster, of less latency, of less CPU time."""
    pairs = _pairs(np.array([[0.2, 0.0]]), np.array([[0.0, 0.1]]), cpu=0.5)
    assert gains(pairs, prefer, "p50") == pytest.approx([gain])


def test_compared_latency() -> None:
    """Single blocks are compared by the asked percentile where each has a sample above it, else by the median."""
    assert compared([(_of(20), _of(20))], "p95") == "p95"
    assert compared([(_of(20), _of(19))], "p95") == "p50"


def _of(samples: int) -> Block:
    return cast("Block", _Quick(100.0, np.ones(samples)))
