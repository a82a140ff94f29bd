"""How a study went: what was done, what the host was doing meanwhile, what long runs showed."""

import math
from collections import Counter
from importlib import metadata
from typing import get_args

import numpy as np

from ovtune import stats
from ovtune.measurement import CONTENDED, Block
from ovtune.objective import objective_of
from ovtune.report.number import NONE, number, rounded
from ovtune.report.palette import SERIES
from ovtune.report.plot import Axis, Key, Panel, Plot, Rule, Series, Spot, Table
from ovtune.report.row import Fact
from ovtune.reproduction import command_of
from ovtune.result import Result
from ovtune.study import Phase

_REPEATED = 3


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
        Fact(name="made again by", text=command_of(study)),
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


def course(result: Result) -> Panel:
    """How fast the host was over time: each block beside its config's own location."""
    blocks = _all_blocks(result)
    objective = objective_of(result.goal, [block for _, block in blocks])
    groups: dict[str, list[float]] = {}
    for key, block in blocks:
        groups.setdefault(key, []).append(math.log(objective.of_block(block)))
    middle = {key: stats.location(np.array(logs)) for key, logs in groups.items() if len(logs) >= _REPEATED}
    reference = result.study.setup.reference
    own = None if reference is None else result.study.owner(reference)
    began = min(block.started_at for _, block in blocks)
    others: list[Spot] = []
    ours: list[Spot] = []
    rows = []
    for key, block in blocks:
        if key not in middle:
            continue
        value = objective.of_block(block)
        ratio = math.exp(math.log(value) - middle[key])
        minutes = (block.started_at - began) / 60
        text = f"{minutes:.1f} min: {ratio:.3f} of its own {objective.short}"
        spot = Spot(x=rounded(minutes), y=rounded(ratio), text=text)
        (ours if key == own else others).append(spot)
        if key == own:
            rows.append((f"{minutes:.1f}", f"{number(value)}{objective.unit}", f"{ratio:.3f}"))
    title = "The host's course"
    if not (ours or others):
        return Panel(name="course", title=title, text="No config was visited often enough to show it.")
    series = (
        Series(name="other configs", mark=SERIES["search"], spots=tuple(others)),
        Series(name="the reference", mark=SERIES["reference"], spots=tuple(ours)),
    )
    return Panel(
        name="course",
        title=title,
        text=(
            f"{objective.heading} of each block beside the location of its own config, where that has at least "
            f"{_REPEATED}. "
            "Without noise all dots would lie on the line."
        ),
        plot=Plot(
            label=f"{objective.short} of each block beside its config's location over time",
            x=Axis(title="time (minutes)"),
            y=Axis(title=f"relative {objective.short}"),
            series=series,
            rules=(Rule(at=1.0, strong=True),),
            low=True,
        ),
        keys=(
            Key(mark=SERIES["reference"], text="the reference: no settings, visited again and again"),
            Key(mark=SERIES["search"], text="other configs"),
        ),
        table=Table(columns=("minutes", f"{objective.short} of the reference", "relative"), rows=tuple(rows)),
    )


def contention(result: Result) -> Panel:
    """What other processes took of the machine."""
    blocks = _all_blocks(result)
    began = min(block.started_at for _, block in blocks)
    held = sum(block.contended for _, block in blocks)
    quiet: list[Spot] = []
    busy: list[Spot] = []
    rows = []
    for _, block in blocks:
        minutes, share = (block.started_at - began) / 60, block.others_busy
        spot = Spot(x=rounded(minutes), y=rounded(share), text=f"{minutes:.1f} min: {share:.1%} taken by others")
        (busy if block.contended else quiet).append(spot)
        if block.contended:
            rows.append((f"{minutes:.1f}", f"{share:.1%}"))
    return Panel(
        name="contention",
        title="Other work on the host",
        text=(
            f"The share of the machine's CPU time that other processes took during each block: {held} of {len(blocks)} "
            f"blocks had more than {CONTENDED:.0%}, and count only where their config has no others."
        ),
        plot=Plot(
            label="CPU time taken by other processes over time",
            x=Axis(title="time (minutes)"),
            y=Axis(title="share of the CPU time"),
            series=(
                Series(name="quiet", mark=SERIES["search"], spots=tuple(quiet)),
                Series(name="held up", mark=SERIES["held up"], spots=tuple(busy)),
            ),
            rules=(Rule(at=CONTENDED),),
            low=True,
        ),
        keys=(
            Key(mark=SERIES["held up"], text="held up by other work"),
            Key(mark=SERIES["search"], text="quiet enough"),
        ),
        table=Table(columns=("minutes", "taken by others"), rows=tuple(rows)) if rows else None,
    )


def _all_blocks(result: Result) -> list[tuple[str, Block]]:
    """All blocks with the key of their config, in the order of time, without long runs and those of other loads."""
    visits = result.study.visits
    return [
        (v.config.key, v.outcome)
        for v in visits
        if isinstance(v.outcome, Block) and v.phase != "soak" and v.workload is None
    ]
