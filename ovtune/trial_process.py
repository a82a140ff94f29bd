"""The evaluator that measures for real, each visit in a fresh child process."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ovtune import child, codec
from ovtune.beside import running
from ovtune.config import Config
from ovtune.content import Feed
from ovtune.errors import DeviceError, MeasurementError, ModelError, OvtuneError
from ovtune.evaluator import Failed, Infeasible, Outcome
from ovtune.measurement import Plan
from ovtune.trial import Order, schedule_s
from ovtune.workload import ClosedLoop, Workload

_ERRORS: Mapping[str, type[OvtuneError]] = {kind.__name__: kind for kind in OvtuneError.__subclasses__()}
_REFUSED = {ModelError.__name__, DeviceError.__name__}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProcess:
    """Measures configs of one model under one load.

    Attributes:
        files: For each precision, the model's file or built-in name.
        plugins: Further device names and the libraries that serve them.
        workload: The load, where a plan names no other.
        keep_open: File descriptors that each child inherits, such as the host's lock.
        beside: A command that runs in the background of every visit, or None.
        cache: The folder where the compiled models of configs that are measured again are kept, or None.
        feed: What the model is fed with.
        reference: The file of the reference's outputs, which those of each config are compared with once; or None.
    """

    files: Mapping[str, str]
    plugins: Mapping[str, str]
    workload: Workload
    keep_open: Sequence[int] = ()
    beside: str | None = None
    cache: str | None = None
    feed: Feed = field(default_factory=Feed)
    reference: str | None = None

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """One visit; a child that dies, hangs, or fails behind its compilation is a :class:`Failed` that says how."""
        began = time.perf_counter()
        with running(self.beside, keep_open=self.keep_open) as beside:
            order = Order(
                files=self.files,
                plugins=self.plugins,
                workload=plan.workload or self.workload,
                config=config,
                plan=plan,
                beside=beside.process.pid if beside is not None else None,
                cache=self.cache if plan.again else None,
                feed=self.feed,
                reference=None if plan.again else self.reference,
            )
            timeout_s = plan.timeout_s + _schedule_s(order)
            answer = child.call("visit", codec.dump(order, Order), timeout_s=timeout_s, keep_open=self.keep_open)
            died = beside.obituary if beside is not None else None
        cost_s = time.perf_counter() - began
        if died:
            return Failed(reason=died, cost_s=cost_s)
        match answer:
            case child.Answer(value=value):
                outcome: Outcome = codec.load(value, Outcome)
                return replace(outcome, cost_s=cost_s)
            case child.Refusal(kind=kind, message=message) if kind in _REFUSED:
                return Infeasible(reason=message, cost_s=cost_s)
            case child.Refusal(message=reason) | child.Death(reason=reason):
                return Failed(reason=reason, cost_s=cost_s)

    def fresh_blocks(self, _config: Config, /) -> None:
        """None: a host runs a config as often as it is asked to."""


def _schedule_s(order: Order) -> float:
    """How long the arrivals of a visit take: at a low rate the first one alone may take longer than a timeout."""
    if isinstance(order.workload, ClosedLoop):
        return 0.0
    return float(schedule_s(order.workload, order.plan, order.config)[-1])


def ask(task: str, request: str, *, timeout_s: float = 120.0) -> str:
    """What a task other than a visit answers, from a fresh child process.

    Raises:
        OvtuneError: as the task raised it, a ModelError, a DeviceError or another.
        MeasurementError: the child died or hung.
    """
    match child.call(task, request, timeout_s=timeout_s):
        case child.Answer(value=value):
            return value
        case child.Refusal(kind=kind, message=message):
            raise _ERRORS.get(kind, OvtuneError)(message)
        case child.Death(reason=reason):
            raise MeasurementError(f"asking the runtime ({task}) failed: {reason}: try it again")
