"""The doubts about a result: values where they are noticed, worded here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

WORDING: Mapping[str, str] = {
    "auto_batching_inactive": "Automatic batching of {size} never engaged: each request runs alone. "
    "The model needs a batch of 1 in dimension 0 of its inputs and outputs.",
    "auto_batching_silent": "Automatic batching was not searched on {devices}: the runtime takes it for this model, "
    "runs it unbatched there, and says nothing.",
    "batch_fill": "About {full:.0%} of the requests ran in full batches of {batch}: "
    "the others waited for the timeout of {timeout_ms:.4g} ms and ran alone.",
    "batch_missed": "{late} of {batches} full batches waited for the timeout of {timeout_ms:.4g} ms: "
    "automatic batching at times misses that a batch is full.",
    "batch_wait_hidden": "Latency in a closed loop does not hold the time that {batch} items need to arrive; "
    "measure with --load interval:T, poisson:R or streams:NxR to see it.",
    "contention": "Other processes used {others:.0%} of this machine while it was measured.",
    "driver_bound": "The infer requests were busy {occupancy:.0%} of the time: "
    "the loop that submits them is measured more than the runtime.",
    "effective_differs": "{name} was asked to be {requested} and is {effective}.",
    "few_samples": "Only {samples} inferences fitted into the measurement.",
    "few_recorded": "The recording holds fresh blocks for {pairs} of the {planned} pairs that the duel had time for.",
    "generator_late": "The load generator was {late_ms:.3g} ms late at p99: the latencies hold that error.",
    "idle_behind": "{name} gets hardly a request: the {nireq} in flight fit onto {served}, which comes before it.",
    "idle_device": "{name} is in the device list and served nothing: {served} did.",
    "key_dropped": "{name} was asked for and the runtime shows no such setting.",
    "not_compared": "Its outputs were not compared with the reference's: {reason}.",
    "not_steady": "The speed had not settled after {warmup_s:.1f} s of warm-up.",
    "not_sustained": "The load of {rate_per_s:.4g}/s was not sustained: the backlog grew to {backlog_ms:.4g} ms.",
    "one_batch": "Only a batch of 1 was searched, without automatic batching: {reason}.",
    "overtaken": "{config} promises more than what was confirmed, but came into no duel.",
    "partial_batch": "Items waited for a batch of {batch} to fill: at {rate_per_s:.4g}/s "
    "the first of them waits up to about {wait_ms:.4g} ms.",
    "partial_group": "Automatic batching of {batch} engaged by itself, and {nireq} requests are no multiple of it: "
    "one batch stays partial and waits for its timeout of {timeout_ms:.4g} ms.",
    "settings_hidden": "{names}: asked for, and automatic batching does not let it be seen whether it acts.",
    "shared_differs": "It was taken to run as {other}, and a check showed a difference of {difference:.0%}: "
    "each is judged by its own measurements.",
    "soak_lost": "Run for {minutes:.3g} min without a pause, it fell behind the baseline that it had beaten.",
    "state_reset": "The model keeps a state from one inference to the next. It was reset before each of them: "
    "what was measured are first steps of a sequence.",
    "startup_helper": "AUTO had not left its start-up device after {waited_s:.1f} s.",
    "switched_device": "The serving device changed from {first} to {last} during the measurement.",
    "throttled": "Heat slowed the processor down {events} times while it was measured.",
    "threads_capped": "A CPU quota of {quota:.3g} allows fewer CPUs than the {cpus} that the runtime sees; "
    "threads were capped at {threads}.",
    "unstable": "Its {objective} spreads {ratio:.1f} times as wide as the baseline's from one measurement to the next; "
    "by what three of four measurements reach, it is {low:.0%} as good.",
    "unconfirmed": "The recommendation was not confirmed against the baseline: {why}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """One doubt about a result.

    Attributes:
        kind: A key of :data:`WORDING`.
        parameters: The figures and names that its wording shows.

    Raises:
        ValueError: the kind is unknown, or the parameters do not fit its wording.
    """

    kind: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            WORDING[self.kind].format(**self.parameters)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"caveat {self.kind!r} cannot be worded with {dict(self.parameters)}") from error

    def __hash__(self) -> int:
        return hash(self.kind)

    @property
    def text(self) -> str:
        """The doubt as a sentence."""
        return WORDING[self.kind].format(**self.parameters)
