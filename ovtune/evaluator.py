"""The seam between a search and what it measures with."""

from dataclasses import dataclass
from typing import Literal, Protocol

from ovtune.agreement import Agreement
from ovtune.config import Config
from ovtune.measurement import Block, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SameAs:
    """The runtime runs this config exactly as another one that has been measured.

    Attributes:
        config_key: The key of the measured one.
        effective_key: What they share.
        outputs: How far its outputs are from the reference's, where that was looked at: weights of other precision
            run as fast and need not give the same.
        cost_s: What it took to find out.
    """

    config_key: str
    effective_key: str
    outputs: Agreement | None = None
    cost_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """The config cannot run here, and why: it does not compile, does not fit, or is refused."""

    reason: str
    cost_s: float = 0.0
    kind: Literal["infeasible"] = "infeasible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The measurement came to nothing, and why: the process died, hung, or was at fault itself."""

    reason: str
    cost_s: float = 0.0
    kind: Literal["failed"] = "failed"


Outcome = Block | SameAs | Infeasible | Failed


class Evaluator(Protocol):
    """Whatever can be asked what a config does: a fresh child process, a recording, a deterministic fake."""

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit to ``config``, made as ``plan`` says."""
        ...

    def fresh_blocks(self, config: Config, /) -> int | None:
        """How many blocks of ``config`` are left that were not given before; None where it can always be run again."""
        ...
