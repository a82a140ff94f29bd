"""The commands about a config document."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ovtune import option
from ovtune.cli.console import INTERRUPTED, NARROW, interrupts, leave, put, say, show
from ovtune.errors import OvtuneError
from ovtune.tool import Tool

_STATUS = {"holds": 0, "slower": 3, "undecided": 4}


def apply(
    config: Annotated[Path, typer.Argument(help="A best.json.")],
    model: Annotated[str | None, typer.Argument(help="The model; by default the one that was measured.")] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where the host is another one.")] = False,
    max_latency: Annotated[
        str | None,
        typer.Option("--max-latency", metavar="TIME", help="Take the most throughput within this latency."),
    ] = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Where a device is missing, take the best config that can run here.")
    ] = False,
    plugin: option.Plugins = None,
    as_json: option.AsJson = False,
) -> None:
    """Compile MODEL as CONFIG says, run one inference, and show requested beside effective settings."""
    from ovtune import codec, document, doubt, terminal, unit
    from ovtune.deploy import Rehearsal, Rehearsed
    from ovtune.trial_process import ask

    document.read(config)
    request = Rehearsal(
        path=str(config),
        model=model,
        strict=strict,
        plugins=option.plugins(plugin) or {},
        max_latency_ms=None if max_latency is None else 1e3 * unit.duration_s(max_latency),
        fallback=fallback,
    )
    answer = ask("rehearse", codec.dump(request, Rehearsal))
    if as_json:
        print(answer)
        return
    told: Rehearsed = codec.load(answer, Rehearsed)
    show(terminal.settings(told.config, told.effective))
    print(f"one inference ran in {terminal.milliseconds(told.inference_ms)}")
    for caveat in doubt.of_read_back(told.config, told.effective):
        say(f"caveat: {caveat.text}")
    for warning in told.warnings:
        say(f"warning: {warning}")


def export(
    config: Annotated[Path, typer.Argument(help="A best.json.")],
    model: Annotated[str | None, typer.Argument(help="The model; by default the one that was measured.")] = None,
    *,
    to: Annotated[Tool, typer.Option("--to", help="The tool.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to. Default: a folder beside CONFIG.")
    ] = None,
    as_json: option.AsJson = False,
) -> None:
    """Write CONFIG as another tool takes it, and say what that tool cannot express."""
    from ovtune import document, exporting

    known = document.read(config)
    folder = out or config.parent / to
    made = exporting.write(exporting.Request(document=known, path=model or known.model.path, tool=to, folder=folder))
    if as_json:
        tree = {"folder": str(folder), "files": made.files, "command": made.command, "notes": made.notes}
        print(json.dumps(tree))
        return
    for name in made.files:
        put(str(folder / name))
    put(f"run in {folder}: {made.command}")
    for note in made.notes:
        say(f"note: {note}")


def check(
    config: Annotated[Path, typer.Argument(help="A best.json.")],
    model: Annotated[str | None, typer.Argument(help="The model; by default the one that was measured.")] = None,
    *,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="CONFIG", help="Compare with this config, not the baseline.")
    ] = None,
    soak: option.Soak = None,
    confirm: Annotated[str, typer.Option("--confirm", metavar="TIME", help="The time that the pairs may take.")] = "2m",
    margin: Annotated[
        str | None, typer.Option("--margin", help="What counts as a difference. Default: as in CONFIG.")
    ] = None,
    plugin: option.Plugins = None,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the answer as JUnit XML, too.")
    ] = None,
) -> None:
    """Measure whether CONFIG still is what it promised: exit 0 it holds, 3 it is slower, 4 not decided in its time."""
    from ovtune import checking, finding, pairing, terminal, unit, whole
    from ovtune import junit as xml
    from ovtune.ledger import Watch

    request = checking.Request(
        config=config,
        model=model,
        against=against,
        plugins=option.plugins(plugin) or {},
        confirm_s=unit.duration_s(confirm),
        soak_s=unit.duration_s(soak) if soak is not None else None,
        margin=unit.fraction(margin) if margin is not None else None,
        wait=wait,
    )

    def tell(made: pairing.Visited) -> None:
        if not quiet:
            of = f"/{made.total}" if made.total is not None else ""
            say(f"block {made.number}{of}: {made.side}: {terminal.outcome_words(made.outcome)}")

    began = time.monotonic()

    def write(made: Callable[..., str], about: Any) -> None:
        if junit is not None:
            whole.write(junit, made(about, config=str(config), elapsed_s=time.monotonic() - began))

    write(xml.unchecked, "the check was ended before it had an answer")
    with interrupts() as interrupted:
        try:
            found = checking.run(request, Watch(emit=tell, stopping=lambda: interrupted.is_set))
        except OvtuneError as error:
            write(xml.unchecked, str(error))
            if not interrupted.is_set:
                raise
            leave(f"interrupted: {error}", INTERRUPTED)
    write(xml.junit, found)
    if as_json:
        print(json.dumps(finding.tree(found)))
    else:
        show(terminal.check(found.kind, finding.sentence(found), finding.rows(found)), width=NARROW)
        for warning in finding.warnings(found):
            say(f"warning: {warning}")
    if found.interrupted:
        leave("interrupted: the answer rests on what was measured until then", INTERRUPTED)
    raise typer.Exit(_STATUS[found.kind])
