"""The config of a check and its opponent, measured by turns."""

from dataclasses import dataclass, replace

from ovtune import check, duel
from ovtune.check import Judgement
from ovtune.config import Config
from ovtune.errors import DeviceError, MeasurementError
from ovtune.evaluator import Evaluator, Failed, Infeasible, Outcome
from ovtune.ledger import REPEATED, Watch
from ovtune.measurement import Block, Plan
from ovtune.promise import Promise

_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """One visit that was made: the ``number``-th, of at most ``total`` where that is known."""

    number: int
    total: int | None
    side: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What was measured by turns.

    Attributes:
        blocks: The config's blocks.
        others: The opponent's, in pairs with them; empty where there is none.
        looks: The numbers of pairs at which they were to be looked at; empty where the time is too short for any.
        pair_s: What a pair took.
        failures: Why visits came to nothing.
        judgement: What they say; None where not even one pair was made.
        cut: Whether the user stopped them before they were over.
    """

    blocks: tuple[Block, ...]
    others: tuple[Block, ...]
    looks: tuple[int, ...]
    pair_s: float
    failures: tuple[str, ...]
    judgement: Judgement | None
    cut: bool = False


def measured(evaluator: Evaluator, promise: Promise, *, plan: Plan, time_s: float, watch: Watch[Visited]) -> Pairs:
    """Pairs of fresh blocks until a planned look decides, the time is over, or the user stops it.

    The first pair tells what one takes, and so how many there is time for; the looks are planned then, before anything
    is looked at. Where the time ends earlier than planned the last look is taken there.

    Args:
        evaluator: What measures.
        promise: What is checked: the config, and its opponent where there is one.
        plan: How each visit is made.
        time_s: How long all of it may take.
        watch: Who is told of each visit, and may stop it.

    Raises:
        DeviceError: the config or its opponent cannot run here.
        MeasurementError: one of them fails again and again.
    """
    turns = _Turns(evaluator, promise, plan, watch)
    began = watch.clock()
    looks: tuple[int, ...] = ()
    judgement, ended = None, False
    while not ended and not watch.stopping():
        turns.go()
        done = len(turns.blocks)
        spent_s = watch.clock() - began
        pair_s = spent_s / max(turns.rounds, 1)
        if done == 1 and not looks:
            looks = duel.looks(1 + max(int((time_s - spent_s) / max(pair_s, 1e-9)), 0))
            turns.total = looks[-1] * turns.sides
        late = spent_s + pair_s > time_s or turns.rounds >= 2 * (looks or (duel.MOST_PAIRS,))[-1]
        ended = late or (bool(looks) and looks[-1] < check.LEAST_BLOCKS)
        if done and (done in looks or ended):
            judgement = check.judge(promise, turns.blocks, turns.others, looks=len(looks))
            ended = check.over(judgement, last=ended or done == looks[-1])
    if judgement is None and turns.blocks:
        judgement = check.judge(promise, turns.blocks, turns.others, looks=max(len(looks), 1))
    return Pairs(
        blocks=tuple(turns.blocks),
        others=tuple(turns.others),
        looks=looks,
        pair_s=(watch.clock() - began) / max(turns.rounds, 1),
        failures=tuple(turns.failures),
        judgement=judgement,
        cut=watch.stopping() and not ended,
    )


class _Turns:
    """Visits by turns, config first in one pair and opponent first in the next; only whole pairs are kept."""

    def __init__(self, evaluator: Evaluator, promise: Promise, plan: Plan, watch: Watch[Visited]) -> None:
        self.blocks: list[Block] = []
        self.others: list[Block] = []
        self.failures: list[str] = []
        self.rounds = 0
        self.total: int | None = None
        self.sides = 1 if promise.opponent is None else 2
        self._evaluator = evaluator
        self._promise = promise
        self._plan = plan
        self._watch = watch
        self._visits = self._repeats = 0
        self._seen: set[str] = set()

    def go(self) -> None:
        """Makes one pair, or as much of it as can be had."""
        opponent = self._promise.opponent
        made: dict[str, Block] = {}
        order = duel.order(self.rounds) if opponent is not None else ("candidate",)
        for side in order:
            if self._watch.stopping():
                return
            if side == "candidate" or opponent is None:
                block = self._visit("config", self._promise.config)
            else:
                block = self._visit(opponent.name, opponent.config)
            if block is None:
                break
            made[side] = block
        self.rounds += 1
        if len(made) == self.sides:
            self.blocks.append(made["candidate"])
            self.others += [made["baseline"]] if "baseline" in made else []

    def _visit(self, side: str, config: Config) -> Block | None:
        """One visit, made again where other work held it up: for a fifth of all visits at most."""
        block = self._once(side, config)
        if block is not None and block.contended and self._repeats < REPEATED * self._visits:
            self._repeats += 1
            return block if self._watch.stopping() else self._once(side, config)
        return block

    def _once(self, side: str, config: Config) -> Block | None:
        plan = replace(self._plan, seed=self._plan.seed + self.rounds, again=config.key in self._seen)
        outcome = self._evaluator.evaluate(config, plan)
        self._visits += 1
        self._watch.emit(Visited(number=self._visits, total=self.total, side=side, outcome=outcome))
        block = block_of(outcome, side, self.failures, measured=bool(self.blocks))
        self._seen |= {config.key} if block is not None else set()
        return block


def block_of(outcome: Outcome, side: str, failures: list[str], *, measured: bool) -> Block | None:
    """The block that a visit of ``side`` came to; None where it failed, and why is added to ``failures``.

    Raises:
        DeviceError: the side cannot run here.
        MeasurementError: it failed again and again, and nothing was ``measured`` before.
    """
    match outcome:
        case Block():
            return outcome
        case Infeasible(reason=reason):
            raise DeviceError(f"{side} cannot run here ({reason}): search again on this host")
        case Failed(reason=reason):
            failures.append(f"{side}: {reason}")
            if len(failures) >= _MOST_FAILURES and not measured:
                raise MeasurementError(f"{side} failed {len(failures)} times ({reason}): search again on this host")
            return None
        case _:
            raise MeasurementError(f"{side} was not measured ({outcome}): try it again")
