"""What the latency is weighed against: throughput, or under a given load what an inference costs."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from ovtune.estimate import Estimate, Quantity
from ovtune.goal import Goal
from ovtune.measurement import Block

_LEAST = 1e-9
"""Stands for a cost of nothing, which has no logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One of these: what it is called, how it is read, and which way is better.

    Attributes:
        key: Its name in JSON.
        short: Its name where there is little room.
        name: Its name.
        unit: What stands behind a value.
        title: What stands on an axis.
        more: Whether more of it is better.
    """

    key: Literal["throughput", "cpu_time", "energy"]
    short: str
    name: str
    unit: str
    title: str
    more: bool

    @property
    def heading(self) -> str:
        """Its short name at the beginning of a sentence."""
        return self.short[0].upper() + self.short[1:]

    @property
    def best_words(self) -> str:
        """The best of it, as in ``most throughput``."""
        return f"{'most' if self.more else 'least'} {self.short}"

    @property
    def prefix(self) -> str:
        """What stands before a value beside a latency: the name of what else would be taken for another latency."""
        return "" if self.more else f"{self.short} "

    def of(self, told: Estimate) -> Quantity:
        """It as an estimate tells it."""
        match self.key:
            case "throughput":
                return told.throughput_per_s
            case "cpu_time":
                return told.cpu_ms_per_inference
            case "energy":
                if told.energy_mj_per_inference is None:
                    raise TypeError("energy is not available for every config")
                return told.energy_mj_per_inference
            case _:
                assert_never(self.key)

    def of_block(self, told: Block) -> float:
        """It as one block reads it."""
        match self.key:
            case "throughput":
                return told.throughput_per_s
            case "cpu_time":
                return max(told.cpu_ms_per_inference, _LEAST)
            case "energy":
                return max(told.energy_mj_per_inference or 0.0, _LEAST)
            case _:
                assert_never(self.key)

    def merit(self, value: float) -> float:
        """How good a value is, as a logarithm."""
        return math.log(value) if self.more else -math.log(value)

    def best(self, values: Iterable[float]) -> float:
        """The best of at least one value."""
        return max(values, key=self.merit)

    def share(self, value: float, best: float) -> float:
        """How much of the ``best`` a value comes to, 0 to 1."""
        return value / best if self.more else best / value


THROUGHPUT = Objective(
    key="throughput",
    short="throughput",
    name="throughput",
    unit="/s",
    title="throughput (inferences/s)",
    more=True,
)
CPU_TIME = Objective(
    key="cpu_time",
    short="CPU time",
    name="CPU time per inference",
    unit=" ms",
    title="CPU time per inference (ms)",
    more=False,
)
ENERGY = Objective(
    key="energy",
    short="energy",
    name="energy per inference",
    unit=" mJ",
    title="energy per inference (mJ)",
    more=False,
)


def objective_of(goal: Goal, told: Collection[Estimate | Block]) -> Objective:
    """What ``goal`` weighs the latency against: of the costs the energy, where all that is ``told`` tells it."""
    if goal.against == "throughput":
        return THROUGHPUT
    return ENERGY if told and all(one.energy_mj_per_inference is not None for one in told) else CPU_TIME
