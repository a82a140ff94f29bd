"""A long run without a pause: what remains of a config once the machine is warm."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ovtune import duel, stats
from ovtune import goal as goals
from ovtune.config import Config
from ovtune.estimate import Spread
from ovtune.evaluator import Evaluator, Outcome
from ovtune.goal import Prefer
from ovtune.measurement import Block, LatencyMetric, Plan

_TENTHS = 10
_REACH = 3.0
"""How many deviations of short blocks two long ones may lie apart by chance.

A long block is steadier than a short one, but the two are minutes apart, and errors are heavy-tailed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one config went through its soak.

    Attributes:
        elapsed_s: How long it was.
        throughput_per_s: Over the whole of it.
        start_per_s: Over the first tenth of what it completed; None in an open loop, where the load sets it.
        end_per_s: Over the last tenth.
        start_ms: The median latency of the first tenth.
        end_ms: That of the last tenth.
        remains: The speed at the end as a share of that at the start: of the throughput, or in an open loop of the
            inverse latency.
        of_short: The speed over the whole of it as a share of that of the short blocks before; None without any.
    """

    elapsed_s: float
    throughput_per_s: float
    start_per_s: float | None
    end_per_s: float | None
    start_ms: float
    end_ms: float
    remains: float
    of_short: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """A soak of a config, and of what it is compared with.

    Attributes:
        config: The config's course.
        opponent: The other one's; None where there is none.
        ratio: How many times as good as the opponent the config is over the whole soak; None without one.
        high: The most that the ratio may be in truth.
    """

    config: Course
    opponent: Course | None = None
    ratio: float | None = None
    high: float | None = None

    def below(self, floor: float) -> bool:
        """Whether the ratio is shown to lie below ``floor``."""
        return self.high is not None and self.high < floor


def plan(usual: Plan, duration_s: float) -> Plan:
    """The plan of a visit that measures ``duration_s`` without a pause, and warms up as ``usual``."""
    longest_s = duration_s + usual.longest_s
    return replace(usual, duration_s=duration_s, longest_s=longest_s, timeout_s=usual.timeout_s + longest_s)


def run(
    evaluator: Evaluator,
    configs: Sequence[Config],
    *,
    usual: Plan,
    duration_s: float,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """A soak of ``duration_s`` seconds of each of ``configs``, one after the other, as any other visit is made.

    Ends before its time with the first that is no block, or where the user asked to stop.
    """
    for config in configs:
        if stopping():
            return
        outcome = evaluator.evaluate(config, plan(usual, duration_s))
        yield outcome
        if not isinstance(outcome, Block):
            return


def course(block: Block, short: Sequence[Block] = ()) -> Course:
    """How a soak went, from its one long block and from the ``short`` blocks of the same config.

    Samples stand in the order of completion. In a closed loop the time that a run of them took is their share of the
    sum of all latencies (Little's law: as many requests are in flight all along), which gives its throughput.
    """
    samples = np.asarray(block.latencies_ms, dtype=float)
    tenth = max(len(samples) // _TENTHS, 1)
    first, last = samples[:tenth], samples[-tenth:]
    start_ms, end_ms = float(np.median(first)), float(np.median(last))
    closed = block.occupancy is not None
    start_per_s, end_per_s = (
        block.throughput_per_s * float(np.mean(samples) / np.mean(part)) for part in (first, last)
    )
    now, before = _speed(block), [_speed(one) for one in short]
    return Course(
        elapsed_s=block.elapsed_s,
        throughput_per_s=block.throughput_per_s,
        start_per_s=start_per_s if closed else None,
        end_per_s=end_per_s if closed else None,
        start_ms=start_ms,
        end_ms=end_ms,
        remains=end_per_s / start_per_s if closed else start_ms / end_ms,
        of_short=now / math.exp(stats.location(np.log(before))) if before else None,
    )


def compare(
    long: tuple[Block, Block], short: Sequence[tuple[Block, Block]], *, prefer: Prefer, metric: LatencyMetric
) -> Soak:
    """The soaks of a config and its opponent beside their ``short`` pairs, compared by ``prefer``.

    Two blocks have no interval of their own: how far they may lie apart by chance is told by how far short blocks of
    each side do, over the time of all pairs.
    """
    ratio = math.exp(float(duel.gains([long], prefer, metric)[0]))
    error = math.hypot(*(_deviation([pair[side] for pair in short], prefer, metric) for side in (0, 1)))
    return Soak(
        config=course(long[0], [pair[0] for pair in short]),
        opponent=course(long[1], [pair[1] for pair in short]),
        ratio=ratio,
        high=ratio * math.exp(_REACH * error),
    )


def _deviation(blocks: Sequence[Block], prefer: Prefer, metric: LatencyMetric) -> float:
    """How far blocks of one config lie apart in what is compared, on a logarithm."""
    if len(blocks) < duel.LEAST_PAIRS:
        energy = all(block.energy_mj_per_inference is not None for block in blocks)
        return goals.deviation(Spread(), prefer, metric, energy=energy)
    return stats.scale(duel.gains([(block, blocks[0]) for block in blocks], prefer, metric))


def _speed(block: Block) -> float:
    return block.throughput_per_s if block.occupancy is not None else 1 / block.latency_ms("p50")
