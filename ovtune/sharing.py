"""Configs that share one measurement: how many, and whether those that were measured all the same agree.

What the runtime says of itself makes two configs one, and it may leave something out. So now and then a config that
shares is measured after all, beside the one whose measurement it shares. Where they differ, the sharing is undone.
"""

import math
from dataclasses import dataclass

import numpy as np

from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.estimate import spread_of
from ovtune.evaluator import SameAs
from ovtune.measurement import Block
from ovtune.study import CHOOSING, Study, Visit, blocks_by_config

EVERY = 4
"""One pair is checked for each so many trials that shared ..."""
MOST = 3
"""... and no more than this in a study."""
_ROUNDS = 3
_BEYOND = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A config that shared another one's measurement, and what measuring both showed.

    Attributes:
        config: The one that shared.
        owner: The one that was measured.
        logs: How much better the first did in each round, as logarithms: throughput in a closed loop, else p50.
        rounds: How many rounds were begun.
        error: The standard deviation of one of these between equal configs.
        complete: Whether both sides of each round were visited.
    """

    config: Config
    owner: Config
    logs: tuple[float, ...]
    rounds: int
    error: float
    complete: bool

    @property
    def difference(self) -> float:
        """By how much they differ, as a share: in the middle one of the rounds."""
        return math.expm1(abs(float(np.median(self.logs)))) if self.logs else 0.0

    @property
    def settled(self) -> bool:
        """Whether no further round is due: one that is within the noise is enough, a difference takes three."""
        return self.complete and (self.rounds >= _ROUNDS or (bool(self.logs) and not self._beyond))

    @property
    def differs(self) -> bool:
        """Whether they were shown not to be one."""
        return self.settled and len(self.logs) >= _ROUNDS and self._beyond

    @property
    def _beyond(self) -> bool:
        return abs(float(np.median(self.logs))) > _BEYOND * self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What sharing did in a study.

    Attributes:
        saved: How many trials were told by another one's measurement.
        trials: How many trials there were.
        pairs: The pairs that were checked.
    """

    saved: int
    trials: int
    pairs: tuple[Pair, ...]

    @property
    def words(self) -> str:
        """What is to be said of it; "" where nothing was shared."""
        if not self.saved:
            return ""
        told = f"{self.saved} of {self.trials} trials ran exactly as one that was measured, and were not measured again"
        checked = [pair for pair in self.pairs if pair.settled and pair.logs]
        alike = [pair for pair in checked if not pair.differs]
        if alike:
            within = max(pair.difference for pair in alike)
            told += f"; {_counted(len(alike))} measured all the same: within {within:.1%} of each other"
        differing = len(checked) - len(alike)
        return told + (f"; {_counted(differing)} found to differ, and no longer shared" if differing else "")

    def doubts(self, config: Config) -> tuple[Caveat, ...]:
        """What is to be said beside ``config``."""
        return tuple(
            Caveat(
                kind="shared_differs",
                parameters={
                    "other": (pair.owner if pair.config == config else pair.config).words,
                    "difference": pair.difference,
                },
            )
            for pair in self.pairs
            if pair.differs and config in {pair.config, pair.owner}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A visit that is due: ``round`` of all checks, or None for the first one that a config keeps for itself."""

    config: Config
    round: int | None


def sharing_of(study: Study) -> Sharing:
    """What sharing did in ``study``."""
    owners = _owners(study)
    rounds: dict[int, list[Visit]] = {}
    for visit in study.visits:
        if visit.phase == "check":
            rounds.setdefault(visit.round, []).append(visit)
    found: dict[str, list[list[Visit]]] = {}
    for made in rounds.values():
        shared = next((v.config.key for v in made if v.config.key in owners), None)
        if shared is not None:
            found.setdefault(shared, []).append(made)
    return Sharing(
        saved=len({v.trial for v in study.visits if v.trial is not None and isinstance(v.outcome, SameAs)}),
        trials=len({v.trial for v in study.visits if v.trial is not None}),
        pairs=tuple(_pair(study, key, owners[key], made) for key, made in found.items()),
    )


def due(study: Study) -> Due | None:
    """The next visit that checking takes; None while there is no need for one."""
    known = sharing_of(study)
    begun = 1 + max((v.round for v in study.visits if v.phase == "check"), default=-1)
    for pair in known.pairs:
        if not pair.settled:
            return Due(config=pair.config, round=begun) if pair.complete else Due(config=pair.owner, round=begun - 1)
        own = any(v.phase == "reference" and v.config == pair.config for v in study.visits)
        if pair.differs and not own:
            return Due(config=pair.config, round=None)
    owners, checked = _owners(study), {pair.config.key for pair in known.pairs}
    if len(checked) >= MOST or len(owners) < EVERY * (len(checked) + 1):
        return None
    configs = {v.config.key: v.config for v in study.visits}
    fresh = [key for key in owners if key not in checked]
    return Due(config=configs[fresh[-1]], round=begun)


def _owners(study: Study) -> dict[str, str]:
    """For each config that shared, also where that was undone, the key of the one that was measured."""
    return {v.config.key: v.outcome.config_key for v in study.visits if isinstance(v.outcome, SameAs)}


def _pair(study: Study, key: str, owner: str, rounds: list[list[Visit]]) -> Pair:
    """The pair whose rounds these are, each the visits of one or both sides, the last of each counting."""
    configs = {v.config.key: v.config for v in study.visits}
    logs, closed = [], True
    for made in rounds:
        sides = {v.config.key: v.outcome for v in made}
        mine, its = sides.get(key), sides.get(owner)
        if isinstance(mine, Block) and isinstance(its, Block):
            logs.append(_gain(mine) - _gain(its))
            closed = mine.occupancy is not None
    spread = spread_of(blocks_by_config(study.visits, *CHOOSING).values())
    one = spread.throughput if closed else spread.latency["p50"]
    return Pair(
        config=configs[key],
        owner=configs[owner],
        logs=tuple(logs),
        rounds=len(rounds),
        error=math.sqrt(2) * one,
        complete=len({v.config.key for v in rounds[-1]}) == 2,
    )


def _gain(block: Block) -> float:
    """How well a block did, as a logarithm; under a load of its own the throughput only tells the load."""
    return math.log(block.throughput_per_s) if block.occupancy is not None else -math.log(block.latency_ms("p50"))


def _counted(count: int) -> str:
    return "1 pair was" if count == 1 else f"{count} pairs were"
