"""How much a search may take."""

from dataclasses import dataclass, field

from ovtune.measurement import Plan
from ovtune.workload import Capacity, Load

CONFIRM_S, CAPACITY_S = 120.0, 300.0
"""How long elimination and duel together, or the search for a capacity, may take unless told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a search may take.

    Attributes:
        trials: How many trials the study shall hold.
        timeout_s: When to stop asking for new ones, or None for never.
        patience: After how many trials in a row that gained nothing to stop asking, or None for never.
        only_front: Ask for nothing but OpenVINO's own answers and the front of the study that this one begins with.
        confirm_s: The time that elimination and duel may take together, or the search for a capacity; None for
            what is usual for it.
        soak_s: How long the winner and the baseline then run without a pause, each; None for not at all.
        plan: How each visit is made.
        seed: Seeds the proposals and the order of rounds.
    """

    trials: int
    timeout_s: float | None = None
    patience: int | None = None
    only_front: bool = False
    confirm_s: float | None = None
    soak_s: float | None = None
    plan: Plan = field(default_factory=Plan)
    seed: int = 0

    def confirmation_s(self, load: Load) -> float:
        """The time that is left for what follows the trials of a study under ``load``."""
        if self.confirm_s is not None:
            return self.confirm_s
        return CAPACITY_S if isinstance(load, Capacity) else CONFIRM_S
