"""The command that searches."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ovtune import option
from ovtune.cli.console import INTERRUPTED, NARROW, interrupts, leave, place_of, progress, show
from ovtune.errors import OvtuneError

if TYPE_CHECKING:
    from ovtune.place import Place
    from ovtune.result import Result


def search(
    model: option.Model = None,
    *,
    trials: option.Trials = 50,
    timeout: option.Timeout = None,
    patience: option.Patience = None,
    like: option.Like = None,
    only_front: option.OnlyFront = False,
    study: option.StudyName = None,
    load: option.Load = None,
    device: option.Device = None,
    plugin: option.Plugins = None,
    shape: option.ShapeTexts = None,
    variant: option.Variants = None,
    int8: option.Int8 = None,
    inputs: option.Inputs = None,
    include_input_copy: option.InputCopy = False,
    space: option.Space = None,
    sets: option.Sets = None,
    fixes: option.Fixes = None,
    cpus: option.Cpus = None,
    beside: option.Beside = None,
    latency: option.LatencyChoice = "p95",
    prefer: option.PreferChoice = None,
    max_latency: option.MaxLatency = None,
    min_throughput: option.MinThroughput = None,
    max_memory: option.MaxMemory = None,
    max_error: option.MaxError = None,
    deadline: option.Deadline = None,
    margin: option.Margin = "2%",
    confirm: option.Confirm = None,
    soak: option.Soak = None,
    seed: option.Seed = 0,
    replay: option.ReplayFile = None,
    dry_run: option.DryRun = False,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Search for the best configuration of MODEL, or go on with its study."""
    from ovtune import host, outline, session, terminal, unit, wanted, workload
    from ovtune.budget import Budget
    from ovtune.goal import Goal
    from ovtune.preparation import Wish

    limits = option.limits(max_latency, min_throughput, max_memory, max_error, deadline)
    request = session.Search(
        wish=Wish(
            model=model,
            workload=workload.parse(load) if load is not None else None,
            device_strings=tuple(dict.fromkeys(device or ())),
            plugins=option.plugins(plugin),
            shapes=option.shapes(shape),
            variants=option.variants(variant),
            int8=int8,
            inputs=tuple(inputs or ()),
            copying=include_input_copy,
            space=wanted.read(space, sets or (), fixes or ()),
            cpu_set=host.read_cpus(cpus) if cpus is not None else None,
            beside=beside,
            like=like,
        ),
        study=study,
        goal=Goal(latency=latency, prefer=prefer or "balanced", margin=unit.fraction(margin), **limits),
        usual=prefer is None,
        budget=Budget(
            trials=trials,
            timeout_s=unit.duration_s(timeout) if timeout is not None else None,
            patience=patience,
            only_front=only_front,
            confirm_s=unit.duration_s(confirm) if confirm is not None else None,
            soak_s=unit.duration_s(soak) if soak is not None else None,
            seed=seed,
        ),
        wait=wait,
        replay=replay,
    )
    if dry_run:
        setup = session.outline(request, place_of(studies, storage))
        if as_json:
            print(json.dumps(outline.document(setup, request.goal, request.budget)))
        else:
            show(outline.table(setup, request.goal, request.budget))
        return
    with interrupts() as interrupted, progress(request, quiet=quiet) as emit:
        try:
            result, files = session.run(
                request, place_of(studies, storage), emit=emit, stopping=lambda: interrupted.is_set
            )
        except OvtuneError as error:
            if not interrupted.is_set:
                raise
            leave(f"interrupted: {error}", INTERRUPTED)
    if as_json:
        print(files.best.read_text(encoding="utf-8"), end="")
    else:
        show(terminal.summary(result, str(files.best), str(files.report)))
        if only_front:
            _show_moves(result, place_of(studies, storage))
    if interrupted.is_set:
        raise typer.Exit(INTERRUPTED)


def _show_moves(result: "Result", place: "Place") -> None:
    """Shows what moved since the study whose front alone was measured, where that is still there."""
    from ovtune import terminal
    from ovtune.comparison import compare
    from ovtune.errors import StudyError
    from ovtune.result import conclude

    lead = result.study.setup.lead
    if lead is None:
        return
    with place.open() as store:
        try:
            before = store.load(lead.study)
        except StudyError:
            return
    show(terminal.moves(compare(conclude(before, result.goal), result), (lead.study, result.study.name)), width=NARROW)
