"""How a study went: what was done, what the host was doing meanwhile, what long runs showed."""

from collections import Counter
from importlib import metadata
from typing import get_args

from ovtune.measurement import Block
from ovtune.report.number import NONE, number
from ovtune.report.row import Fact
from ovtune.result import Result
from ovtune.study import Phase


def counts_of(result: Result) -> tuple[Fact, ...]:
    """The study in figures, and why it ended."""
    study = result.study
    made = Counter(v.phase for v in study.visits)
    always = ("search", "reference", "elimination", "duel")
    by_phase = {phase: made[phase] for phase in get_args(Phase) if made[phase] or phase in always}
    return (
        Fact(name="study", text=study.name),
        Fact(name="begun", text=study.created),
        Fact(name="trials", text=str(study.trials)),
        *(Fact(name="begun with", text=lead.details) for lead in (study.setup.lead,) if lead is not None),
        *(Fact(name="shared", text=text) for text in (result.sharing.words,) if text),
        Fact(name="configs measured", text=str(len(result.estimates))),
        Fact(name="configs in the space", text=f"{study.setup.space.size:,}"),
        Fact(name="visits", text=", ".join(f"{count} in the {phase}" for phase, count in by_phase.items() if count)),
        *_soak(result),
        *_host(result),
        Fact(name="ended because", text=study.stopped or NONE),
        Fact(name="ovtune", text=version()),
    )


def _soak(result: Result) -> tuple[Fact, ...]:
    """What the long runs showed."""
    if result.soak is None:
        return ()
    runs = {"soak": result.soak.config, "soak of the baseline": result.soak.opponent}
    return tuple(
        Fact(
            name=name,
            text=f"{run.elapsed_s:.0f} s without a pause at {number(run.throughput_per_s)}/s; "
            f"{run.remains:.0%} of the speed at its start remained",
        )
        for name, run in runs.items()
        if run is not None
    )


def _host(result: Result) -> tuple[Fact, ...]:
    """What the host was doing meanwhile: others' work, and the processor's frequency where it is told."""
    blocks = [v.outcome for v in result.study.visits if isinstance(v.outcome, Block)]
    held_up = sum(block.contended for block in blocks)
    facts = [Fact(name="held up by other work", text=f"{held_up} of {len(blocks)} measurements")]
    told = [block.frequency_mhz for block in blocks if block.frequency_mhz is not None]
    if told:
        facts.append(Fact(name="processor frequency", text=f"{min(told):.0f} to {max(told):.0f} MHz"))
    return tuple(facts)


def version() -> str:
    """The version of ovtune that writes the report."""
    try:
        return metadata.version("ovtune")
    except metadata.PackageNotFoundError:
        return "from a checkout"
