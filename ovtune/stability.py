"""Whether a config's speed can be relied on: from block to block, and from its neighbours in the space."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ovtune import stats
from ovtune.estimate import Estimate

_WIDER = 2.0
_CHANCE = 0.01
_LOW = 0.25
_NARROW = 1e-3
_CLIFF = 0.8
_LEAST_BLOCKS = 8


def unstable(config: stats.Array, reference: stats.Array) -> float | None:
    """How many times wider a config's blocks spread than the reference's in the same rounds, where that is shown.

    Of both the logarithms of what counts, one per block. The spread is that between their 10 % and 90 % quantiles. It
    is shown to be wider where it is twice as wide or more, and the blocks' distances from their median exceed the
    reference's by more than chance (Mann and Whitney's test, one-sided, at 1 %).

    Returns:
        The ratio of the spreads; None where it is not shown to be wider, or fewer than 8 blocks of each tell it.
    """
    if min(len(config), len(reference)) < _LEAST_BLOCKS:
        return None
    widths = [float(np.subtract(*np.quantile(logs, (0.9, 0.1)))) for logs in (config, reference)]
    ratio = widths[0] / max(widths[1], _NARROW)
    away = [np.abs(logs - np.median(logs)) for logs in (config, reference)]
    return ratio if ratio >= _WIDER and stats.exceeds(away[0], away[1]) < _CHANCE else None


def low_ratio(config: stats.Array, reference: stats.Array) -> float:
    """The ratio of what three of four blocks reach, from logarithms: what an unstable config is judged by."""
    return math.exp(float(np.quantile(config, _LOW) - np.quantile(reference, _LOW)))


def off_the_cliff(equals: Sequence[Estimate], known: Iterable[Estimate]) -> Estimate:
    """Of estimates that are equal within their errors, best first, the first that does not stand on a cliff.

    A config stands on one where the next larger number of infer requests, or the next larger batch, that was measured
    with everything else alike has a fifth less throughput or still less: more work at a time should cost none. The
    first of all where every one does.
    """
    everyone = list(known)
    return next((estimate for estimate in equals if not _on_cliff(estimate, everyone)), equals[0])


def _on_cliff(estimate: Estimate, known: Sequence[Estimate]) -> bool:
    for name in ("nireq", "batch_size"):
        own = getattr(estimate.config, name)
        alike = {getattr(e.config, name): e for e in known if _alike(e, estimate, name)}
        larger = {value: e for value, e in alike.items() if value > own}
        if larger and larger[min(larger)].throughput_per_s.value < _CLIFF * estimate.throughput_per_s.value:
            return True
    return False


def _alike(one: Estimate, other: Estimate, but: str) -> bool:
    """Whether two configs differ in nothing ``but`` that."""
    if "sync" in (one.config.api, other.config.api):
        return False
    return replace(one.config, **{but: getattr(other.config, but)}) == other.config
