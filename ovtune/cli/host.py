"""The commands about the host, and what can be recorded on it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ovtune import option
from ovtune.cli.console import INTERRUPTED, interrupts, say, show
from ovtune.errors import UsageError


def record(
    model: option.Model = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The recording, or one to go on with.")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each config is visited.")] = 5,
    configs: option.Configs = None,
    focus: Annotated[int, typer.Option("--focus", min=0, help="How many near the front are visited more often.")] = 0,
    focus_rounds: option.FocusRounds = 0,
    duration: Annotated[str, typer.Option("--duration", metavar="TIME", help="What is measured in a visit.")] = "800ms",
    samples: Annotated[bool, typer.Option("--samples", help="Keep every single latency: a much larger file.")] = False,
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
    seed: option.Seed = 0,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
) -> None:
    """Record visits to many configs of MODEL in shuffled rounds, for search --replay."""
    from ovtune import session, terminal, unit, wanted, workload
    from ovtune.measurement import Plan
    from ovtune.preparation import Wish
    from ovtune.recorder import Recorded, Sweep

    duration_s = unit.duration_s(duration)
    taking = session.Taking(
        out=out,
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
        ),
        sweep=Sweep(
            rounds=rounds,
            configs=configs,
            focus=focus,
            focus_rounds=focus_rounds,
            plan=Plan(
                duration_s=duration_s,
                longest_s=max(duration_s, Plan().longest_s),
                timeout_s=Plan().timeout_s + 4 * duration_s,
            ),
            samples=samples,
            seed=seed,
        ),
        wait=wait,
    )

    def tell(made: Recorded) -> None:
        if not quiet:
            say(f"visit {made.number}/{made.total}: {made.config.words}: {terminal.outcome_words(made.outcome)}")

    with interrupts() as interrupted:
        complete = session.record(taking, emit=tell, stopping=lambda: interrupted.is_set)
    print(out)
    if not complete:
        say("not complete: the same command goes on with it")
        raise typer.Exit(INTERRUPTED)


def devices(
    model: Annotated[str | None, typer.Argument(help="Show OpenVINO's own answers for this model, too.")] = None,
    *,
    device: option.Device = None,
    plugin: option.Plugins = None,
    shape: option.ShapeTexts = None,
    as_json: option.AsJson = False,
) -> None:
    """Show the devices of this host, and what OpenVINO itself makes of each hint on them for MODEL."""
    from dataclasses import asdict

    from ovtune import preparation, terminal

    plugins, shapes = option.plugins(plugin) or {}, option.shapes(shape)
    if shapes is not None and model is None:
        raise UsageError(f"--shape {next(iter(shapes))} is for a model's input: name the model, too")
    seen = preparation.sight(model, plugins, shapes)
    preparation.check_devices(device or (), seen)
    strings = device or [*(d.name for d in seen.devices), *(["AUTO"] if len(seen.devices) > 1 else [])]
    found = preparation.advice(model, plugins, strings, shapes, shown=True) if model is not None else ((), {})
    if as_json:
        print(json.dumps({**asdict(seen), "advice": [asdict(a) for a in found[0]], "refused": found[1]}))
    else:
        for table in terminal.devices(seen, *found):
            show(table)
