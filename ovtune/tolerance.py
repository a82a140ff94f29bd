"""Whether the blocks of one config under one load keep a latency limit, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ovtune import stats
from ovtune.measurement import Block

Mark = Literal["open", "holds", "likely", "unlikely", "fails", "overloaded", "hopeless"]
"""``open``: further blocks are due. ``holds`` and ``fails`` are shown, ``likely`` and ``unlikely`` are where the blocks
point. ``overloaded``: fails, since it is not sustained. ``hopeless``: sustained, and not one item was in time."""
HOLDING = frozenset[Mark]({"holds", "likely"})
SHOWN_TO_FAIL = frozenset[Mark]({"fails", "overloaded", "hopeless"})
ALPHA = 0.025
"""The error of each one-sided bound: two looks at the blocks together err in at most 5 % of cases."""
_Z = 1.96
_SEGMENTS = 10
_LEAST_CLUSTERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much lateness is allowed.

    Attributes:
        limit_ms: An item is late when its latency is above this.
        allowed: The share of late items that is allowed: a percentile at most at the limit is nothing else.
            None where the mean latency is what must not be above the limit.
    """

    limit_ms: float
    allowed: float | None

    @property
    def least_samples(self) -> int:
        """How many independent items, none of them late, show that no more than allowed are late."""
        return 30 if self.allowed is None else math.ceil(math.log(ALPHA) / math.log1p(-self.allowed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How blocks are judged.

    Attributes:
        looks: After how many blocks, ascending; after the last of them the answer is no longer open.
        lean: At most this part of what is allowed must have been seen where it is likely to hold.
        persistent: Whether blocks are added up to the last look though it is not likely to hold: to show that it fails.
        quiet: As many blocks without other processes' work stand for all.
    """

    looks: tuple[int, ...]
    lean: float
    persistent: bool
    quiet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the blocks under one load say.

    Attributes:
        mark: Whether it holds.
        blocks: How many blocks were made.
        samples: How many items were judged.
        value: The share of late items; the mean latency in ms where that is limited.
        high: The upper end of its one-sided interval.
        least_ms: The least latency of any item.
    """

    mark: Mark
    blocks: int
    samples: int
    value: float
    high: float
    least_ms: float


def judge(blocks: Sequence[Block], tolerance: Tolerance, rule: Rule, *, joined: int) -> Judgement:
    """What at least one block says.

    Blocks that were made while other processes took the machine are left out where there are enough others; before
    there are, more are asked for, unless not one item was in time: that is not the others' doing.

    Args:
        blocks: The blocks under one load, in the order of time.
        tolerance: What is allowed.
        rule: How it is judged.
        joined: How many items are served together: they count as one.
    """
    quiet = [b for b in blocks if not b.contended]
    used = quiet if len(quiet) >= rule.quiet else blocks
    latencies = [np.asarray(b.latencies_ms, dtype=float) for b in used]
    told = _share(latencies, tolerance, joined) if tolerance.allowed is not None else _mean(latencies)
    value, low, high = told
    allowed = tolerance.limit_ms if tolerance.allowed is None else tolerance.allowed
    unsustained = sum(any(c.kind == "not_sustained" for c in b.caveats) for b in used)
    least_ms = float(min(np.min(part) for part in latencies))
    shown: Mark | None = None
    if 2 * unsustained > len(used):
        shown = "overloaded" if low > allowed or unsustained > 1 else None
        leaning: Mark = "unlikely"
    else:
        leaning = "likely" if value <= rule.lean * allowed else "unlikely"
        if high <= allowed:
            shown = "holds"
        elif low > allowed:
            shown = "hopeless" if least_ms > tolerance.limit_ms else "fails"
    further = shown != "hopeless" and len(quiet) < rule.quiet
    further |= shown is None and (rule.persistent or leaning == "likely")
    due = len(blocks) < rule.looks[-1] and (len(blocks) not in rule.looks or further)
    return Judgement(
        mark="open" if due else shown or leaning,
        blocks=len(blocks),
        samples=sum(len(part) for part in latencies),
        value=value,
        high=high,
        least_ms=least_ms,
    )


def _share(latencies: Sequence[NDArray[np.float64]], tolerance: Tolerance, joined: int) -> tuple[float, float, float]:
    """The share of late items with the ends of its one-sided intervals.

    Late items come in bursts: as many of them count as independent ones would be as scattered over stretches of each
    block, and over the blocks where there are a few (the design effect of cluster sampling; Kish, 1965).
    """
    late = [part > tolerance.limit_ms for part in latencies]
    count = sum(len(part) for part in late)
    share = sum(int(part.sum()) for part in late) / count
    effect = float(joined)
    if 0 < share < 1:
        stretches = [s for part in late for s in np.array_split(part, min(_SEGMENTS, len(part)))]
        effect = max(effect, _design_effect(stretches, share))
        if len(late) >= _LEAST_CLUSTERS:
            effect = max(effect, _design_effect(late, share))
    independent = max(int(count / effect), 1)
    seen = share * independent
    return (
        share,
        stats.share_at_least(math.floor(seen + 1e-9), independent, alpha=ALPHA),
        stats.share_at_most(math.ceil(seen - 1e-9), independent, alpha=ALPHA),
    )


def _design_effect(clusters: Sequence[NDArray[np.bool_]], share: float) -> float:
    """How many times the variance of a share is that of independent items, as clusters of them show it."""
    if len(clusters) < 2:
        return 1.0
    sizes = np.array([len(part) for part in clusters], dtype=float)
    off = np.array([part.sum() for part in clusters]) - share * sizes
    spread = float(np.sum(off**2)) * len(clusters) / (len(clusters) - 1)
    return spread / (share * (1 - share) * float(sizes.sum()))


def _mean(latencies: Sequence[NDArray[np.float64]]) -> tuple[float, float, float]:
    """The mean latency in ms with the ends of its one-sided intervals, from runs of items and from the blocks."""
    value = float(np.mean(np.concatenate(latencies)))
    error = float(np.mean([stats.batch_means_error(part) for part in latencies])) / math.sqrt(len(latencies))
    if len(latencies) >= _LEAST_CLUSTERS:
        means = [float(np.mean(part)) for part in latencies]
        error = max(error, float(np.std(means, ddof=1)) / math.sqrt(len(means)))
    return value, value - _Z * error, value + _Z * error
