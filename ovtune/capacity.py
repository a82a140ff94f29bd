"""How much a config serves within a latency limit: which load to try next, and what the tried ones say. Pure functions.

Loads stand on a ladder of numbers: of cameras, or of rates on one geometric scale that all configs share. On it the
highest number that holds is sought by bisection, judged anew by fresh blocks, and lowered until those agree; then the
lowest number is, since automatic batching may keep few items waiting. Everything follows from the visits of a study,
so that a search that was cut off goes on where it stood.
"""

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.goal import Goal
from ovtune.measurement import share_of
from ovtune.tolerance import HOLDING, SHOWN_TO_FAIL, Mark, Tolerance
from ovtune.workload import (
    Capacity,
    Load,
    Poisson,
    PoissonCapacity,
    Streams,
    StreamsCapacity,
    Workload,
    describe,
)

LATE_SHARE = 0.01
"""The share of its cameras' frames that a box may serve late."""
RATIO = 1.049
"""The step of the scale of rates: what holds and what does not lie at most 5 % apart, rounded figures included."""
_DOWN, _UP = 1.4, 1.2
_HOPELESS = 2
_BELOW, _ABOVE, _REACH = 0.8, 2.0, 32
_LOWEST_S, _LONGEST_S = 20.0, 60.0
_SHORT_S, _USUAL_S, _ITEMS, _LIMITS, _VERIFYING = 0.5, 2.0, 20_000, 10, 2
_MOST_CAMERAS, _LEAST_PER_S, _MOST_PER_S = 10_000, 1 / 3600, 1e6

Stage = Literal["capacity", "verification"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A number of the ladder of which another block is due: to seek, or to verify what was found."""

    number: float
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The numbers from ``low`` to ``high`` hold, both verified; ``low`` is None where the low end was not asked for.

    ``above`` is the least number over ``high`` that was shown not to hold; None where none was.
    """

    low: float | None
    high: float
    above: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No number was found that holds: none that was tried, or none of which fresh blocks could show it."""

    why: Literal["hopeless", "fails", "unverified"]


Step = Try | Found | Nothing


def bound(goal: Goal, load: Load) -> Goal:
    """The goal, completed by what ``load`` asks for.

    Raises:
        UsageError: the capacity has no limit, or one of another kind; or there is a deadline and no such capacity.
    """
    match load:
        case StreamsCapacity(frames_per_s=rate):
            if goal.max_latency_ms is not None:
                raise UsageError(f"--max-latency is no limit of load {describe(load)}: give --deadline, such as 33ms")
            return replace(goal, prefer="throughput", deadline_ms=goal.deadline_ms or 1000 / rate)
        case _ if goal.deadline_ms is not None:
            raise UsageError(
                f"--deadline {goal.deadline_ms:g}ms is for a number of cameras, not for load {describe(load)}: "
                "ask for --load streams:30/s, or limit the latency with --max-latency"
            )
        case PoissonCapacity():
            if goal.max_latency_ms is None:
                raise UsageError(
                    "load poisson:auto asks which rates keep a latency: name it with --max-latency, such as 20ms"
                )
            return replace(goal, prefer="throughput")
        case _:
            return goal


def tolerance_of(goal: Goal, load: Capacity) -> Tolerance:
    """What ``goal``, completed by :func:`bound`, allows."""
    if isinstance(load, StreamsCapacity):
        return Tolerance(limit_ms=goal.deadline_ms or 1000 / load.frames_per_s, allowed=LATE_SHARE)
    allowed = None if goal.latency == "mean" else 1 - share_of(goal.latency)
    return Tolerance(limit_ms=goal.max_latency_ms or math.inf, allowed=allowed)


def load_at(load: Capacity, number: float) -> Streams | Poisson:
    """The load of a visit at a number of the ladder."""
    match load:
        case PoissonCapacity():
            return Poisson(rate_per_s=number)
        case StreamsCapacity(frames_per_s=rate):
            return Streams(cameras=int(number), frames_per_s=rate)
        case _:
            assert_never(load)


def number_of(workload: Workload | None) -> float | None:
    """The number of the ladder whose load this is."""
    match workload:
        case Poisson(rate_per_s=rate):
            return rate
        case Streams(cameras=cameras):
            return float(cameras)
        case _:
            return None


def joined_by(config: Config) -> int:
    """How many items a config serves together."""
    return config.batch_size * config.auto_batch_size


def seconds(load: Capacity, wanted: Try, tolerance: Tolerance, joined: int) -> float:
    """How long a block is: enough independent items to show that it holds, and several limits; to verify, longer."""
    rate = load_at(load, wanted.number).rate_per_s
    usual_s = min(_USUAL_S, max(_SHORT_S, _ITEMS / rate)) * (_VERIFYING if wanted.stage == "verification" else 1)
    limits_s = _LIMITS * min(tolerance.limit_ms / 1000, _USUAL_S)
    return min(_LONGEST_S, max(usual_s, limits_s, tolerance.least_samples * joined / rate))


def ladder(
    load: Capacity, throughput_per_s: float, tolerance: Tolerance, joined: int, tried: Iterable[float] = ()
) -> tuple[tuple[float, ...], float]:
    """The numbers to seek in, ascending, and the one to begin with, for a config of that closed-loop throughput.

    The lowest is one at which a block has enough items within 20 s, or further down where the config is slow.
    """
    enough_per_s = max(tolerance.least_samples * joined / _LOWEST_S, throughput_per_s / _REACH)
    wanted_per_s = (enough_per_s, _BELOW * throughput_per_s, _ABOVE * throughput_per_s)
    match load:
        case StreamsCapacity(frames_per_s=each):
            numbers, first = _counts(*(rate / each for rate in wanted_per_s), most=_MOST_PER_S / each)
        case PoissonCapacity():
            numbers, first = _rates(*wanted_per_s)
        case _:
            assert_never(load)
    every = tuple(sorted({*numbers, *tried}))
    return every, min(max(first, every[0]), every[-1])


def _counts(enough: float, first: float, high: float, *, most: float) -> tuple[list[float], float]:
    """All numbers of cameras from the lowest to the highest, and the one to begin with."""
    limit = max(1, min(_MOST_CAMERAS, math.floor(most)))
    begin = min(max(1, math.floor(first)), limit)
    low = min(math.ceil(enough), max(1, begin // 4))
    return [float(n) for n in range(low, min(max(begin + 1, math.ceil(high)), limit) + 1)], float(begin)


def _rates(enough: float, first: float, high: float) -> tuple[list[float], float]:
    """The rungs of the common scale from the lowest to the highest, and the one to begin with."""
    begin = _exponent(first)
    low = min(_exponent(enough), begin - math.ceil(math.log(4) / math.log(RATIO)))
    rungs = [_rung(k) for k in range(low, max(begin + 1, _exponent(high)) + 1)]
    return [rate for rate in rungs if _LEAST_PER_S <= rate <= _MOST_PER_S], _rung(begin)


def step(
    numbers: Sequence[float],
    first: float,
    sought: Mapping[float, Mark],
    verified: Mapping[float, Mark],
    *,
    low_end: bool,
) -> Step:
    """What to do next, from what is known.

    Args:
        numbers: The ladder, ascending.
        first: Where to begin on it.
        sought: The marks of the numbers that were tried.
        verified: The marks that fresh blocks gave to what was found.
        low_end: Whether the low end is wanted, too.
    """
    for number in (n for n, mark in sought.items() if mark == "open"):
        return Try(number=number, stage="capacity")
    for number in (n for n, mark in verified.items() if mark == "open"):
        return Try(number=number, stage="verification")
    if not sought:
        return Try(number=first, stage="capacity")
    top = _top(numbers, sought)
    if not isinstance(top, Found):
        return top
    proved = _proved(numbers, top.high, sought, verified)
    if not isinstance(proved, Found):
        return proved
    failing = [n for n, m in (*sought.items(), *verified.items()) if m in SHOWN_TO_FAIL and n > proved.high]
    found = replace(proved, above=min(failing, default=None))
    return _low_end(numbers, found, sought, verified) if low_end else found


def _top(numbers: Sequence[float], sought: Mapping[float, Mark]) -> Step:
    """The highest number that blocks point to, found by steps down, up, and between."""
    holding = [n for n, mark in sought.items() if mark in HOLDING]
    if not holding:
        return _any(numbers, sought)
    top = max(holding)
    over = min((n for n, mark in sought.items() if mark not in HOLDING and n > top), default=None)
    place = numbers.index(top)
    if over is None:
        if top == numbers[-1]:
            return Found(low=None, high=top, above=None)
        return Try(number=_at_least(numbers, max(top * _UP, numbers[place + 1])), stage="capacity")
    between = numbers[place + 1 : numbers.index(over)]
    if between:
        return Try(number=between[len(between) // 2], stage="capacity")
    return Found(low=None, high=top, above=None)


def _any(numbers: Sequence[float], sought: Mapping[float, Mark]) -> Step:
    """Where to look while nothing holds: further down, and then above where it was not overloaded."""
    lowest, highest = min(sought), max(sought)
    if sum(mark == "hopeless" for mark in sought.values()) >= _HOPELESS or sought.get(numbers[0]) == "hopeless":
        return Nothing(why="hopeless")
    if lowest > numbers[0]:
        below = bisect.bisect_right(numbers, lowest / _DOWN)
        return Try(number=numbers[max(below - 1, 0)], stage="capacity")
    if sought[highest] != "overloaded" and highest < numbers[-1]:
        return Try(number=_at_least(numbers, max(highest * _UP, numbers[numbers.index(highest) + 1])), stage="capacity")
    return Nothing(why="fails")


def _proved(numbers: Sequence[float], top: float, sought: Mapping[float, Mark], verified: Mapping[float, Mark]) -> Step:
    """The highest number that fresh blocks show to hold: from the top down in growing steps, then between."""
    floor = max((n for n, m in sought.items() if m not in HOLDING and n < top), default=-math.inf)
    upper = {n: m for n, m in verified.items() if n > floor and not _of_low_end(n, verified)}
    held = [n for n, mark in upper.items() if mark == "holds"]
    refuted = [n for n, mark in upper.items() if mark != "holds"]
    if held:
        best = max(held)
        between = [n for n in numbers if best < n < min((r for r in refuted if r > best), default=best)]
        if between:
            return Try(number=between[len(between) // 2], stage="verification")
        return Found(low=None, high=best, above=None)
    if not refuted:
        return Try(number=top, stage="verification")
    left = [n for n in numbers if floor < n < min(refuted)]
    if not left:
        return Nothing(why="unverified")
    return Try(number=left[max(len(left) - 2 ** (len(refuted) - 1), 0)], stage="verification")


def _of_low_end(number: float, verified: Mapping[float, Mark]) -> bool:
    """Whether a number was verified for the low end: it did not hold, and a higher one does."""
    return verified[number] != "holds" and any(n > number and m == "holds" for n, m in verified.items())


def _low_end(
    numbers: Sequence[float], found: Found, sought: Mapping[float, Mark], verified: Mapping[float, Mark]
) -> Step:
    """The lowest number that holds: the lowest there is, or where the bisection up to the high end leads."""
    if verified.get(numbers[0]) == "holds":
        return replace(found, low=numbers[0])
    if numbers[0] not in verified:
        return Try(number=numbers[0], stage="verification")
    below = max(
        n
        for n in {*sought, *verified}
        if n < found.high and (sought.get(n, "holds") not in HOLDING or verified.get(n, "holds") != "holds")
    )
    low = min(n for n in (*(n for n, mark in sought.items() if mark in HOLDING), found.high) if n > below)
    between = [n for n in numbers if below < n < low]
    if between:
        return Try(number=between[len(between) // 2], stage="capacity")
    if verified.get(low) == "holds":
        return replace(found, low=low)
    return Try(number=low, stage="verification")


def _exponent(rate: float) -> int:
    return round(math.log(rate) / math.log(RATIO))


def _rung(exponent: int) -> float:
    """A rate of the common scale, to four figures: one that can be read, written and asked for again."""
    return float(f"{RATIO**exponent:.4g}")


def _at_least(numbers: Sequence[float], number: float) -> float:
    """The least rung that is not below ``number``, or the highest of all."""
    return numbers[min(bisect.bisect_left(numbers, number), len(numbers) - 1)]
