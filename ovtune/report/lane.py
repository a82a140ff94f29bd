"""The first requests of a visit as a chart shows them: in lanes, by the batches that they completed in."""

import math
from dataclasses import dataclass

import numpy as np

from ovtune.measurement import Block
from ovtune.report.number import number

_MOST = 160
_TOGETHER = 0.25
"""Requests that end, one after the other, within so much of the shortest request's time were one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The first requests, in the order of their starts.

    Attributes:
        begin_ms: When each started, from the first start.
        end_ms: When each was done.
        lane: The lane that it is drawn in: no two that overlap share one.
        batch: Its batch, counted from 0 in the order of completion.
        served: Which devices served, each with the moment from which on.
        words: The same in words.
    """

    begin_ms: tuple[float, ...]
    end_ms: tuple[float, ...]
    lane: tuple[int, ...]
    batch: tuple[int, ...]
    served: tuple[tuple[float, str], ...]
    words: str


def lanes_of(block: Block, size: int | None) -> Lanes | None:
    """The first requests of a visit; None where nobody noted them.

    Args:
        block: What was measured.
        size: How many requests the runtime joins to a batch at most, or None where that is not known.
    """
    times = block.timeline_ms[:_MOST].astype(float)
    if len(times) == 0:
        return None
    begin, end = times.T
    batch = _batches(begin, end, size)
    return Lanes(
        begin_ms=tuple(_short(value) for value in begin),
        end_ms=tuple(_short(value) for value in end),
        lane=_lanes(begin, end),
        batch=tuple(int(value) for value in batch),
        served=tuple((_short(one.from_ms), _named(one.devices)) for one in block.served),
        words=_words(begin, end, batch, block),
    )


def _batches(begin: np.ndarray, end: np.ndarray, size: int | None) -> np.ndarray:
    """The batch of each request: of those that end together, as many as make one."""
    apart = _TOGETHER * float(np.min(end - begin)) if size != 1 else -1.0
    batch = np.empty(len(end), dtype=int)
    current, held, last = -1, 0, -math.inf
    for place in np.argsort(end, kind="stable"):
        if end[place] - last > apart or held == size:
            current, held = current + 1, 0
        batch[place], held, last = current, held + 1, end[place]
    return batch


def _lanes(begin: np.ndarray, end: np.ndarray) -> tuple[int, ...]:
    """For each request the first lane that is free when it starts."""
    free: list[float] = []
    found = []
    for start, stop in zip(begin, end, strict=True):
        lane = next((i for i, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [stop]
        found.append(lane)
    return tuple(found)


def _words(begin: np.ndarray, end: np.ndarray, batch: np.ndarray, block: Block) -> str:
    count, batches = len(begin), int(batch.max()) + 1
    took = number(float(np.median(end - begin)))
    said = f"The first {count} requests took {number(float(end.max()))} ms, {took} ms each at the median"
    if batches <= count / 2:
        said += f"; they were done in {batches} batches"
    served = [one for one in block.served if one.devices]
    if len(served) == 1:
        said += f"; served by {_named(served[0].devices)}"
    elif served:
        said += "; served by " + ", then ".join(
            f"{_named(one.devices)}{f' from {number(one.from_ms)} ms on' if one.from_ms else ''}" for one in served
        )
    return f"{said}."


def _named(devices: str) -> str:
    """The devices in words: AUTO gives the one that serves until its choice is ready in parentheses."""
    return f"{devices[1:-1]} standing in" if devices.startswith("(") else devices


def _short(value: float) -> float:
    return float(f"{value:.5g}")
