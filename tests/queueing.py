"""A deterministic evaluator for open loops: one server, a first-come queue, and what batching makes items wait."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ovtune import measurement
from ovtune.caveat import Caveat
from ovtune.config import Config
from ovtune.evaluator import Failed, Outcome
from ovtune.measurement import Block, Plan
from tests.fake import FakeEvaluator


@dataclass
class Queueing(FakeEvaluator):
    """Serves items one after the other in the time that :attr:`truth` says; a closed loop as its base does.

    Attributes:
        waits_ms: What an item of a config waits beside that, at a rate per second.
        breaks: Whether each visit under a load of its own fails.
        plans: The plans of the visits that had a load of their own.
    """

    waits_ms: Callable[[Config, float], float] = lambda _config, _rate: 0.0
    breaks: bool = False
    plans: list[tuple[Config, Plan]] = field(default_factory=list)

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit: what is measured and 1.5 simulated seconds."""
        block = super().evaluate(config, plan)
        if plan.workload is None or plan.workload.kind == "closed" or not isinstance(block, Block):
            return block
        self.plans.append((config, plan))
        if self.breaks:
            return Failed(reason="the process was ended by SIGSEGV")
        rate, service_s = plan.workload.rate_per_s, 1 / self.truth(config)
        arrivals = plan.workload.arrivals_s(max(int(rate * plan.duration_s), 1), seed=plan.seed)
        started = np.maximum.accumulate(arrivals - service_s * np.arange(len(arrivals)))
        completed = started + service_s * (np.arange(len(arrivals)) + 1)
        latencies = 1000 * (completed - arrivals) + self.waits_ms(config, rate)
        self.now_s += plan.duration_s
        growing = Caveat(kind="not_sustained", parameters={"rate_per_s": rate, "backlog_ms": 100.0})
        return replace(
            block,
            elapsed_s=plan.duration_s,
            items=len(arrivals),
            samples=measurement.pack(latencies),
            occupancy=None,
            caveats=(growing,) if rate * service_s > 1 else (),
        )
