"""Making a recording: shuffled rounds over configs of a space, each visit added to the file before the next one."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ovtune import goal as goals
from ovtune.config import Config
from ovtune.errors import UsageError
from ovtune.estimate import Estimate, estimate, spread_of
from ovtune.evaluator import Evaluator, Outcome
from ovtune.measurement import Block, LatencyMetric, Plan
from ovtune.points import requested
from ovtune.recording import Record, block_of, record_of
from ovtune.recording_file import Writer
from ovtune.study import Setup, reason_of

_ATTEMPTS = 2
_FAR = 1e3
_METRIC: LatencyMetric = "p95"
"""The latency by which the best are told, where each of them has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is to be recorded.

    Attributes:
        rounds: How often each config is visited.
        configs: How many configs, baselines included, spread over the space; None for all.
        focus: How many of those nearest to the front are visited more often, beside the baselines.
        focus_rounds: How often those are visited in all.
        plan: How each visit is made.
        samples: Whether every single latency is kept.
        seed: Seeds the choice of the configs and the order of the rounds.

    Raises:
        UsageError: there would be nothing to record.
    """

    rounds: int = 5
    configs: int | None = None
    focus: int = 0
    focus_rounds: int = 0
    plan: Plan = field(default_factory=Plan)
    samples: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1 or (self.configs is not None and self.configs < 1):
            raise UsageError(f"{self.rounds} rounds of {self.configs} configs hold nothing: ask for at least 1 of each")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A visit was added: the ``number``-th of ``total``, and what came of it."""

    number: int
    total: int
    config: Config
    outcome: Outcome


class Recorder:
    """Records what a sweep asks for and the file does not yet hold.

    Args:
        writer: The recording.
        evaluator: What measures.
        setup: What there is to choose from.
        sweep: What is to be recorded.
        clock: Seconds of the Unix epoch.
    """

    def __init__(
        self,
        writer: Writer,
        evaluator: Evaluator,
        setup: Setup,
        sweep: Sweep,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._evaluator = evaluator
        self._sweep = sweep
        self._clock = clock
        self._names = {baseline.config: baseline.name for baseline in setup.baselines}
        self._configs = spread(setup, sweep.configs, seed=sweep.seed)

    @property
    def total(self) -> int:
        """How many visits the whole recording is to hold, those that it has included."""
        sweep, own = self._sweep, len(self._names)
        more = max(0, sweep.focus_rounds - sweep.rounds)
        return sweep.rounds * len(self._configs) + more * (own + min(sweep.focus, len(self._configs) - own))

    def run(self, *, emit: Callable[[Recorded], None], stopping: Callable[[], bool]) -> bool:
        """Visits one config after the other; whether all were visited before the user asked to stop."""
        made = {(record.round, record.config) for record in self._writer.records}
        for number, (round_, config) in enumerate(self._visits(), start=1):
            if (round_, config) in made or self._hopeless(config):
                continue
            if stopping():
                return False
            outcome = self._visit(config, round_)
            emit(Recorded(number=number, total=self.total, config=config, outcome=outcome))
        return True

    def _visits(self) -> Iterator[tuple[int, Config]]:
        """Every round and config, in the order that the seed gives; whom the focus is on is seen when it begins."""
        for round_ in range(max(self._sweep.rounds, self._sweep.focus_rounds)):
            if round_ < self._sweep.rounds:
                members: Sequence[Config] = self._configs
            elif round_ == self._sweep.rounds:
                members = self._best()
            order = np.random.default_rng([self._sweep.seed, round_]).permutation(len(members))
            yield from ((round_, members[int(i)]) for i in order)

    def _hopeless(self, config: Config) -> bool:
        """Whether some visits came to nothing, and none to anything."""
        known = [record.ok for record in self._writer.records if record.config.key == config.key]
        return len(known) >= _ATTEMPTS and not any(known)

    def _visit(self, config: Config, round_: int) -> Outcome:
        header = self._writer.header
        started_s = max(0.0, self._clock() - header.began_at)
        outcome = self._evaluator.evaluate(config, replace(self._sweep.plan, seed=round_))
        if isinstance(outcome, Block):
            record = record_of(outcome, config, header, started_s=started_s, round_=round_)
        else:
            reason, cost_s = reason_of(outcome), outcome.cost_s
            record = Record(round=round_, started_s=started_s, config=config, ok=False, reason=reason, cost_s=cost_s)
        samples_ms = record.samples_ms if self._sweep.samples else None
        self._writer.add(replace(record, baseline=self._names.get(config), samples_ms=samples_ms))
        return outcome

    def _best(self) -> list[Config]:
        """OpenVINO's own answers, and the others' front by the rounds of all, what is the front without it, and so on.

        So whatever may be the best one under any latency limit or preference is among them.
        """
        header, blocks = self._writer.header, dict[Config, list[Block]]()
        for record in self._writer.records:
            if record.ok and record.round < self._sweep.rounds:
                blocks.setdefault(record.config, []).append(block_of(record, header, started_at=0.0))
        between = spread_of(blocks.values())
        rest = [estimate(config, found, between) for config, found in blocks.items() if config not in self._names]
        metric = goals.common_metric(rest, _METRIC)
        best: list[Estimate] = []
        while rest and len(best) < self._sweep.focus:
            layer = goals.front(rest, metric, "throughput")
            rest = [e for e in rest if e not in layer]
            room = min(self._sweep.focus - len(best), len(layer))
            best += [layer[int(i)] for i in np.linspace(0, len(layer) - 1, room).round()]
        return [*self._names, *(e.config for e in best)]


def spread(setup: Setup, count: int | None, *, seed: int) -> list[Config]:
    """OpenVINO's own answers, and as many more configs as make ``count``, each as far as can be from all before it.

    Of a space too large to look at, from a sample.
    """
    own = [baseline.config for baseline in setup.baselines]
    everyone = tuple(dict.fromkeys((*own, *setup.space.candidates((), seed=seed))))
    points = requested(everyone).rows
    ties = np.random.default_rng(seed).random(len(everyone))
    chosen = list(range(len(own)))
    distance = np.full(len(everyone), _FAR)
    for i in chosen:
        distance = np.minimum(distance, np.linalg.norm(points - points[i], axis=1))
    while len(chosen) < min(len(everyone) if count is None else count, len(everyone)):
        distance[chosen] = -math.inf
        chosen.append(int(np.argmax(distance + 1e-6 * ties)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return [everyone[i] for i in chosen]
