"""Whether today's blocks of a config are what its document promised: pure judgement, nothing is measured here.

Three questions are asked, and a config that keeps every promise is called slower in at most 5 % of checks, all of them
and all looks together: each question has a share of that, and shares it out over the looks that were planned.

*Relative*: the gain over the opponent, block by block in pairs, against what is promised less the margin.

*Absolute*: how many of the config's blocks fell below the interval for the next block. A machine has its days, so this
alone says nothing about the config: it counts only where the config has lost throughput against its opponent too, as
compared with what was measured of both, by more than the margin. Both tests must agree, each at the full level, so
neither a machine that slows both down nor a run of bad luck gives an alarm. Where both are slower alike the machine is
named; where there is no opponent, or it does not tell yet, nothing is decided.

*Limits*: what the goal demands holds on any machine on any day; the whole interval must lie beyond.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ovtune import duel, stats
from ovtune.agreement import share
from ovtune.duel import Ratio, Work
from ovtune.goal import Goal
from ovtune.measurement import Block, LatencyMetric
from ovtune.promise import Promise

Kind = Literal["holds", "slower", "undecided"]
LEAST_BLOCKS = 6
"""With fewer of them no interval has bounds, even where they are looked at once."""
ALPHA_RELATIVE = 0.05
"""Of the two-sided interval of the ratio, of which an alarm takes half; the other two are of one side."""
ALPHA_ABSOLUTE = 0.0125
ALPHA_LIMITS = 0.0125
_BELOW = 0.05
"""The share of blocks that may fall below the interval for the next one.

Twice what its nominal 95 % leave there: blocks' errors are one-sided, and the interval was itself estimated.
"""
_SUSPECT = 0.05
_MOST_FORETOLD = 10 * duel.MOST_PAIRS


@dataclass(frozen=True, slots=True, kw_only=True)
class Absolute:
    """How today's blocks lie to the interval that the next block's throughput was to fall into.

    Attributes:
        standing: ``inside`` (no more fell below than chance allows), ``below`` (more did, and it is the config),
            ``machine`` (more did, and the opponent is slower alike), ``open`` (more did, and it does not show why).
        low: The interval's lower end, in inferences per second.
        high: Its upper end.
        blocks: Today's blocks.
        below: Those below the interval.
        outside: Those outside of it on either side.
        chance: The probability that so many or more fall below.
    """

    standing: Literal["inside", "below", "machine", "open"]
    low: float
    high: float
    blocks: int
    below: int
    outside: int
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What today's blocks say at one look.

    Attributes:
        kind: Whether the promises hold.
        blocks: How many blocks of the config it rests on: as many pairs, where there is an opponent.
        metric: The latency that was compared.
        work: What an inference was counted to cost, where that was compared; what was promised of another is not
            decided.
        ratio: How many times as good as the opponent the config is today; None without one.
        relative: What follows from it.
        absolute: How the blocks lie to the interval for the next one; None where that was not judged.
        broken: The limits that are clearly broken, in words.
        suspects: Whether something looks wrong that is not shown: worth another look, where one is planned.
        more: How many more pairs would about decide the ratio; None where it is decided, or nothing can be said.
    """

    kind: Kind
    blocks: int
    metric: LatencyMetric
    work: Work | None
    ratio: Ratio | None
    relative: Kind | None
    absolute: Absolute | None
    broken: tuple[str, ...]
    suspects: bool
    more: int | None


def judge(promise: Promise, blocks: Sequence[Block], others: Sequence[Block], *, looks: int) -> Judgement:
    """What ``blocks`` of the config, and ``others`` of its opponent measured in pairs with them, say.

    Args:
        promise: What they are compared with.
        blocks: At least one block of the config.
        others: As many of the opponent; empty where there is none.
        looks: How many looks were planned, this one included.
    """
    pairs = list(zip(blocks, others, strict=promise.opponent is not None))
    metric = duel.compared(pairs or [(block, block) for block in blocks], promise.metric)
    work = duel.costs(pairs)[0] if pairs and promise.prefer == "efficiency" else None
    ratio, relative, more = None, None, None
    if promise.opponent is not None:
        ratio, relative, more = _relative(promise, duel.gains(pairs, promise.prefer, metric), looks)
        if promise.work not in {None, work}:
            relative, more = "undecided", None
    absolute = _absolute(promise, blocks, pairs, looks)
    limits = list(_limits(promise, blocks, looks)) if promise.limits else []
    broken = tuple(text for text, shown in limits if shown)
    blamed = absolute is not None and absolute.standing == "below"
    unclear = absolute is not None and absolute.standing == "open"
    kind: Kind = "holds"
    if relative == "slower" or blamed or broken:
        kind = "slower"
    elif relative == "undecided" or unclear or len(blocks) < LEAST_BLOCKS:
        kind = "undecided"
    return Judgement(
        kind=kind,
        blocks=len(blocks),
        metric=metric,
        work=work,
        ratio=ratio,
        relative=relative,
        absolute=absolute,
        broken=broken,
        suspects=len(limits) > len(broken) or (absolute is not None and absolute.chance < _SUSPECT),
        more=more,
    )


def over(judgement: Judgement, *, last: bool) -> bool:
    """Whether a check ends with this judgement: it is the last look, or nothing is left to be settled."""
    return last or judgement.kind == "slower" or (judgement.kind == "holds" and not judgement.suspects)


def _relative(promise: Promise, gains: stats.Array, looks: int) -> tuple[Ratio, Kind, int | None]:
    low, high = stats.signed_rank_interval(gains, alpha=ALPHA_RELATIVE / looks)
    centre, floor = stats.location(gains), math.log(promise.floor)
    ratio = Ratio(value=math.exp(centre), low=math.exp(low), high=math.exp(high))
    if low > floor:
        return ratio, "holds", None
    if high < floor:
        return ratio, "slower", None
    return ratio, "undecided", _more(gains, abs(centre - floor))


def _more(gains: stats.Array, distance: float) -> int | None:
    """The pairs that make an interval as wide as today's differences half as wide as ``distance`` on each side.

    From the width of a normal interval at the level of a look, 2.7 deviations / sqrt(pairs).
    """
    reach = 2.7 * stats.scale(gains)
    if reach > distance * math.sqrt(_MOST_FORETOLD):
        return None
    wanted = math.ceil((reach / distance) ** 2) if distance > 0 else LEAST_BLOCKS
    return max(wanted, duel.LEAST_PAIRS, len(gains) + 1) - len(gains)


def _absolute(
    promise: Promise, blocks: Sequence[Block], pairs: Sequence[tuple[Block, Block]], looks: int
) -> Absolute | None:
    if promise.next_per_s is None:
        return None
    low, high = promise.next_per_s
    below = sum(block.throughput_per_s < low for block in blocks)
    chance = stats.at_least(below, len(blocks), _BELOW)
    standing: Literal["inside", "below", "machine", "open"] = "inside"
    if chance <= ALPHA_ABSOLUTE / looks:
        standing = _blame(promise, pairs, looks)
    return Absolute(
        standing=standing,
        low=low,
        high=high,
        blocks=len(blocks),
        below=below,
        outside=below + sum(block.throughput_per_s > high for block in blocks),
        chance=chance,
    )


def _blame(promise: Promise, pairs: Sequence[tuple[Block, Block]], looks: int) -> Literal["below", "machine", "open"]:
    """Whether the config lost throughput against its opponent, or both are slower alike."""
    if promise.throughput_ratio is None or not pairs:
        return "open"
    floor = math.log(promise.throughput_ratio * (1 - promise.goal.margin))
    low, high = stats.signed_rank_interval(duel.gains(pairs, "throughput", "p50"), alpha=2 * ALPHA_ABSOLUTE / looks)
    if high < floor:
        return "below"
    return "machine" if low > floor else "open"


def _error(goal: Goal, blocks: Sequence[Block]) -> Iterator[tuple[str, bool]]:
    """That the outputs differ too much from the reference's: no reading that chance moves, so one is enough."""
    if goal.max_error is None:
        return
    found = [math.inf if (off := b.outputs.max_rel) is None else off for b in blocks if b.outputs is not None]
    worst = max(found, default=0.0)
    if worst > goal.max_error:
        told = f"differ by {share(worst)} of their largest" if math.isfinite(worst) else "are no numbers in places"
        yield f"outputs {told}, above the limit of {share(goal.max_error)}", True


def _limits(promise: Promise, blocks: Sequence[Block], looks: int) -> Iterator[tuple[str, bool]]:
    """Each limit that today's figures lie beyond, in words, and whether their whole interval does.

    Where single blocks are too short to tell a tail, the median stands for it, which is no higher.
    """
    goal = promise.goal
    metric = duel.compared([(block, block) for block in blocks], goal.latency)
    limits = [goal.max_latency_ms, goal.min_throughput_per_s, goal.max_memory_bytes]
    alpha = 2 * ALPHA_LIMITS / looks / (1 + sum(limit is not None for limit in limits))

    def beyond(values: Sequence[float], limit: float, sign: int) -> tuple[float, bool] | None:
        logs = sign * np.log(np.maximum(values, 1e-9) / limit)
        centre = stats.location(logs)
        if centre <= 0:
            return None
        return limit * math.exp(sign * centre), stats.signed_rank_interval(logs, alpha=alpha)[0] > 0

    if goal.max_latency_ms is not None:
        found = beyond([b.latency_ms(metric) for b in blocks], goal.max_latency_ms, 1)
        if found is not None:
            yield f"{metric} latency is {found[0]:.4g} ms, above the limit of {goal.max_latency_ms:.4g} ms", found[1]
    if goal.min_throughput_per_s is not None:
        found = beyond([b.throughput_per_s for b in blocks], goal.min_throughput_per_s, -1)
        if found is not None:
            limit = f"{goal.min_throughput_per_s:.4g}/s"
            yield f"throughput is {found[0]:.4g}/s, below the limit of {limit}", found[1]
    if goal.max_memory_bytes is not None:
        found = beyond([b.memory_bytes for b in blocks], goal.max_memory_bytes, 1)
        if found is not None:
            limit = f"{goal.max_memory_bytes / 1e6:.4g} MB"
            yield f"memory is {found[0] / 1e6:.4g} MB, above the limit of {limit}", found[1]
    yield from _error(goal, blocks)
    lost = sum(any(caveat.kind == "not_sustained" for caveat in block.caveats) for block in blocks)
    if 2 * lost > len(blocks):
        text = f"the load was not sustained in {lost} of {len(blocks)} blocks"
        yield text, stats.at_least(lost, len(blocks), 0.5) <= alpha / 2
