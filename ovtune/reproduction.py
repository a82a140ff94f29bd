"""The command line that makes a study again."""

import shlex
from collections.abc import Iterable, Iterator

import numpy as np

from ovtune.budget import Budget
from ovtune.goal import Goal
from ovtune.study import Study
from ovtune.wanted import Wanted
from ovtune.workload import Capacity, ClosedLoop, describe

_USUAL = Goal()


def command_of(study: Study) -> str:
    """What to type for a study like this one: with its model, load, space, goal and what the last search might take.

    Of a recording a study knows the digest alone.
    """
    return shlex.join(["ovtune", "search", *_model(study), *_setup(study), *_goal(study), *_budget(study)])


def _model(study: Study) -> Iterator[str]:
    setup = study.setup
    if setup.recording:
        yield from ("--replay", "RECORDING")
    else:
        yield setup.model.path
    yield from ("--study", study.name)


def _setup(study: Study) -> Iterator[str]:
    setup = study.setup
    if setup.recording:
        return
    load = describe(setup.workload)
    yield from _each("--load", () if load == describe(ClosedLoop()) else (load,))
    yield from _each("--device", setup.device_strings)
    yield from _each("--plugin", (f"{name}={library}" for name, library in setup.plugins.items()))
    yield from _each("--shape", (f"{name}[{','.join(map(str, sizes))}]" for name, sizes in setup.shapes.items()))
    yield from _each("--variant", (f"{name}={variant.path}" for name, variant in setup.variants.items()))
    yield from _each("--input", setup.feed.files)
    yield from ("--include-input-copy",) if setup.feed.copying else ()
    yield from _wanted(setup.wanted)
    yield from _each("--cpus", filter(None, (setup.environment.cpu_set,)))
    yield from _each("--beside", filter(None, (setup.beside,)))
    yield from _each("--like", (setup.lead.study,) if setup.lead is not None else ())


def _each(option: str, values: Iterable[str]) -> Iterator[str]:
    """An option with each of some values."""
    for value in values:
        yield from (option, value)


def _wanted(wanted: Wanted) -> Iterator[str]:
    if wanted.size != Wanted().size:
        yield from ("--space", wanted.size)
    for name, values in wanted.only.items():
        yield from ("--set", f"{name}={','.join(str(value) for value in values)}")


def _goal(study: Study) -> Iterator[str]:
    goal = study.goal
    if goal.latency != _USUAL.latency:
        yield from ("--latency", goal.latency)
    if not isinstance(study.setup.workload, Capacity):
        yield from ("--prefer", goal.prefer)
    limits = (
        ("--max-latency", goal.max_latency_ms, "ms"),
        ("--deadline", goal.deadline_ms, "ms"),
        ("--min-throughput", goal.min_throughput_per_s, "/s"),
        ("--max-memory", goal.max_memory_bytes, "B"),
        ("--max-error", goal.max_error, ""),
        ("--margin", None if goal.margin == _USUAL.margin else goal.margin, ""),
    )
    for name, value, unit in limits:
        if value is not None:
            yield from (name, _positional(value, unit))


def _budget(study: Study) -> Iterator[str]:
    budget = study.budget or Budget(trials=study.trials)
    yield from ("--trials", str(budget.trials))
    times = (("--timeout", budget.timeout_s), ("--confirm", budget.confirm_s), ("--soak", budget.soak_s))
    for name, seconds in times:
        yield from _each(name, () if seconds is None else (_positional(seconds, "s"),))
    yield from _each("--patience", () if budget.patience is None else (str(budget.patience),))
    yield from ("--only-front",) if budget.only_front else ()
    yield from _each("--seed", (str(budget.seed),) if budget.seed else ())


def _positional(value: float, unit: str) -> str:
    """A quantity as options are written: no exponent."""
    return f"{np.format_float_positional(value, trim='-')}{unit}"
