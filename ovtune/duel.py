"""The winner of a search against the strongest baseline: fresh pairs of blocks, and what they allow to say.

Looking at the data while it comes in and stopping when it pleases makes equal things look different. So the looks
are set beforehand, and the error is shared out over them (Bonferroni): the intervals of all looks hold together with
probability 1 - ``ALPHA``. The last look gets most of it, since it has the most pairs to use it with.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from ovtune import stats
from ovtune.estimate import energies
from ovtune.goal import Goal, Prefer
from ovtune.measurement import Block, LatencyMetric, count_of, share_of

ALPHA = 0.05
LEAST_PAIRS = 8
"""A signed-rank interval has bounds from here on, at the level that any look of a first duel has."""
MOST_PAIRS = 400
MORE = 1.5
"""How many times the pairs of a duel that stayed open there must be time for, before another one is fought."""
SHARE = 0.65
"""Of the time of elimination and duel together, what the duel has at least."""
_LOOKS = 3
_MANY = 1000
"""A difference that is so many times smaller than the reach of one pair is none."""
_SHARES: Mapping[int, tuple[float, ...]] = {1: (1.0,), 2: (0.3, 0.7), 3: (0.16, 0.24, 0.6)}
"""How the looks share ``ALPHA``, by how many there are."""

Work = Literal["CPU time", "energy"]
Standing = Literal["better", "trade", "equal", "worse", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio candidate / baseline with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Where a duel stands.

    Attributes:
        standing: What may be said: ``equal`` (every ratio lies within the margin), ``better`` (the objective is
            shown to gain, and nothing else loses more than the margin), ``trade`` (the objective is shown to gain,
            and something else is shown to lose, or at the last look may still lose more than the margin), ``worse``
            (the objective is shown to lose), ``undecided``.
        pairs: The pairs that it rests on.
        prefer: What it is about.
        metric: The latency that was compared.
        work: What an inference costs: ``energy`` where the host tells it of every block, else ``CPU time``.
        throughput: The ratio of the throughputs.
        latency: The ratio of the latencies.
        cost: The ratio of the work per inference.
        more_pairs: How many pairs would about decide it, or None where it is decided or nothing can be said.
    """

    standing: Standing
    pairs: int
    prefer: Prefer
    metric: LatencyMetric
    work: Work
    throughput: Ratio
    latency: Ratio
    cost: Ratio
    more_pairs: int | None


def looks(cap: int) -> tuple[int, ...]:
    """The numbers of pairs at which a duel of at most ``cap`` pairs is looked at: a third, two thirds, all.

    Of one that has fewer than three times the least pairs, only half and all, or only all: each look takes its share
    of the error, which a small one needs.
    """
    cap = min(cap, MOST_PAIRS)
    count = max(min(_LOOKS, cap // LEAST_PAIRS), 1)
    return tuple(math.ceil(cap * k / count) for k in range(1, count + 1))


def needed(ahead: float, deviation: float) -> int:
    """The pairs after which a true lead is mostly shown, on logarithms: in nine of ten duels.

    From the reach of a normal interval at the level of the last look, 2.2 deviations / sqrt(pairs), and 1.3 for chance.
    """
    if ahead <= 0:
        return MOST_PAIRS
    return min(max(math.ceil((3.5 * deviation / ahead) ** 2), 2 * LEAST_PAIRS), MOST_PAIRS)


def likely(planned: Sequence[int], pairs: int, ahead: float, deviation: float) -> int:
    """The look after ``pairs`` by which a true difference, on logarithms, is as likely as not to have been shown.

    The last one where it is not likely by any: the intervals of the first looks reach 2.5 deviations / sqrt(pairs).
    """
    enough = (2.5 * deviation / ahead) ** 2 if ahead else math.inf
    return next((look for look in planned if look > pairs and look >= enough), planned[-1])


def least(alpha: float) -> int:
    """The fewest pairs whose signed-rank interval has bounds at the level ``alpha``: 2 in 2^pairs cases are beyond."""
    return math.ceil(math.log2(2 / alpha))


def level(planned: Sequence[int], pairs: int, *, earlier: int = 0) -> float:
    """The error that the last of the ``planned`` looks that ``pairs`` have reached may make.

    A duel that is fought after ``earlier`` ones that stayed open may err half as often as each before it.
    """
    reached = sum(look <= pairs for look in planned)
    return ALPHA * 0.5**earlier * _SHARES[len(planned)][max(reached, 1) - 1]


def order(pair: int) -> tuple[Literal["candidate", "baseline"], Literal["candidate", "baseline"]]:
    """Which side goes first in a pair: A B, B A, A B, ... so that a drift of the host falls on both alike."""
    return ("candidate", "baseline") if pair % 2 == 0 else ("baseline", "candidate")


def score(
    pairs: Sequence[tuple[Block, Block]],
    *,
    prefer: Prefer,
    goal: Goal,
    alpha: float,
    last: bool,
) -> Score:
    """What ``pairs`` of (candidate, baseline) blocks say about ``prefer``, at a look that may err by ``alpha``.

    The latency is compared pair by pair, as the quantile of what each block has: the goal's where every block has a
    sample above it, else p50. The values that are published come from pooled samples.
    """
    metric = compared(pairs, goal.latency)
    throughput, latency = gains(pairs, "throughput", metric), -gains(pairs, "latency", metric)
    work, cost = costs(pairs)
    gain = gains(pairs, prefer, metric)
    gain_low, gain_high = stats.signed_rank_interval(gain, alpha=alpha)
    throughput_low, throughput_high = stats.signed_rank_interval(throughput, alpha=alpha)
    latency_low, latency_high = stats.signed_rank_interval(latency, alpha=alpha)
    worse, better = math.log(1 - goal.margin), math.log(1 + goal.margin)

    standing: Standing = "undecided"
    if min(throughput_low, latency_low, gain_low) > worse and max(throughput_high, latency_high, gain_high) < better:
        standing = "equal"
    elif gain_low > 0 and throughput_low > worse and latency_high < better:
        standing = "better"
    elif gain_low > 0 and (throughput_high < 0 or latency_low > 0 or last):
        standing = "trade"
    elif gain_high < 0:
        standing = "worse"
    return Score(
        standing=standing,
        pairs=len(pairs),
        prefer=prefer,
        metric=metric,
        work=work,
        throughput=_ratio(throughput, throughput_low, throughput_high),
        latency=_ratio(latency, latency_low, latency_high),
        cost=_ratio(cost, *stats.signed_rank_interval(cost, alpha=alpha)),
        more_pairs=_more_pairs(gain, (gain, throughput, latency), goal.margin) if standing == "undecided" else None,
    )


def compared(pairs: Sequence[tuple[Block, Block]], wanted: LatencyMetric) -> LatencyMetric:
    """The latency by which single blocks are compared: ``wanted`` where each has a sample above it, else p50."""
    fewest = min((count_of(block.latencies, wanted) for pair in pairs for block in pair), default=0)
    return wanted if fewest * (1 - share_of(wanted)) >= 1 - 1e-9 else "p50"


def costs(pairs: Sequence[tuple[Block, Block]]) -> tuple[Work, stats.Array]:
    """What the inferences cost, as logarithms of the pairs' ratios: energy where every block tells it."""
    work, logs = _works([block for pair in pairs for block in pair])
    return work, logs[0::2] - logs[1::2]


def _works(blocks: Sequence[Block]) -> tuple[Work, stats.Array]:
    """What an inference costs in each block, as a logarithm: energy where all of them tell it."""
    used = energies(blocks)
    if len(used) == len(blocks):
        return "energy", used
    return "CPU time", np.log([max(block.cpu_ms_per_inference, 1e-9) for block in blocks])


def worths(blocks: Sequence[Block], prefer: Prefer, metric: LatencyMetric) -> stats.Array:
    """How good each block is for ``prefer``, as a logarithm; for ``efficiency`` by energy where all of them tell it."""
    match prefer:
        case "throughput":
            return np.array([math.log(b.throughput_per_s) for b in blocks])
        case "latency":
            return np.array([-math.log(b.latency_ms(metric)) for b in blocks])
        case "balanced":
            return worths(blocks, "throughput", metric) + worths(blocks, "latency", metric)
        case "efficiency":
            return -_works(blocks)[1]
        case _:
            assert_never(prefer)


def gains(pairs: Sequence[tuple[Block, Block]], prefer: Prefer, metric: LatencyMetric) -> stats.Array:
    """By how much the first block of each pair is the better one for ``prefer``, as a logarithm."""
    told = worths([block for pair in pairs for block in pair], prefer, metric)
    return told[0::2] - told[1::2]


def _ratio(logs: stats.Array, low: float, high: float) -> Ratio:
    return Ratio(value=math.exp(stats.location(logs)), low=math.exp(low), high=math.exp(high))


def _more_pairs(gain: stats.Array, compared: Sequence[stats.Array], margin: float) -> int:
    """The pairs after which intervals as wide as today's differences decide, in the way that takes fewer.

    Either the gain lies clear of 0, or all ratios lie inside the margin. From the width of a normal interval, 2.2
    deviations / sqrt(pairs), at the level of the last look.
    """
    shown = _pairs_for(gain, abs(stats.location(gain)))
    alike = max(_pairs_for(logs, margin - abs(stats.location(logs))) for logs in compared)
    return max(min(shown, alike) - len(gain), LEAST_PAIRS)


def _pairs_for(logs: stats.Array, distance: float) -> int:
    reach = 2.2 * stats.scale(logs)
    return math.ceil((reach / distance) ** 2) if distance > reach / _MANY else _MANY**2
