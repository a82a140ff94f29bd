"""The command line: arguments in, one call, results out. The only place that prints and that knows exit codes."""

import contextlib
import json
import os
import signal
import sys
import traceback
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from ovtune import option
from ovtune.errors import OvtuneError, UsageError

if TYPE_CHECKING:
    from ovtune.ledger import Event
    from ovtune.session import Place

app = typer.Typer(
    name="ovtune",
    help="Finds the fastest OpenVINO configuration for a model on this machine.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_FAILED, _USAGE, _SLOWER, _UNDECIDED, _INTERRUPTED = 1, 2, 3, 4, 130
_KEPT = "interrupted: what was measured until now is kept"
_WIDE, _NARROW = 500, 80
_state = {"debug": False}


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    try:
        option.check_text(sys.argv)
        status = app(standalone_mode=False)
        if status == _INTERRUPTED:
            _leave(_KEPT, _INTERRUPTED)
        sys.exit(status)
    except OvtuneError as error:
        _leave(str(error), _USAGE if isinstance(error, UsageError) else _FAILED)
    except KeyboardInterrupt:
        _leave(_KEPT, _INTERRUPTED)
    except OSError as error:
        _leave(f"the output cannot be written ({error.strerror}): check where it goes", _FAILED)
    except Exception as error:  # typer's own errors of usage know their message and their status
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            _leave(f"{error.format_message().rstrip('.')}: see ovtune --help", error.exit_code)
        raise


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Finds the fastest OpenVINO configuration for a model on this machine."""
    _state["debug"] = debug
    if version:
        import ovtune

        print(f"ovtune {ovtune.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def search(
    model: option.Model = None,
    *,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many trials the study shall hold.")] = 50,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Ask for no new trial after this time.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="NAME", help="The study's name.")] = None,
    load: option.Load = None,
    device: option.Device = None,
    plugin: option.Plugins = None,
    cpus: Annotated[
        str | None, typer.Option("--cpus", metavar="LIST", help="Keep what is measured on these CPUs, such as 0-3,8.")
    ] = None,
    beside: Annotated[
        str | None, typer.Option("--beside", metavar="COMMAND", help="Run this in the background of each measurement.")
    ] = None,
    latency: Annotated[option.LatencyOption, typer.Option("--latency", help="The latency objective.")] = "p95",
    prefer: option.PreferChoice = None,
    max_latency: option.MaxLatency = None,
    min_throughput: option.MinThroughput = None,
    max_memory: option.MaxMemory = None,
    margin: Annotated[str, typer.Option("--margin", help="What counts as a difference.")] = "2%",
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="TIME", help="The time that elimination and duel may take.")
    ] = "2m",
    soak: Annotated[
        str | None, typer.Option("--soak", metavar="TIME", help="Then run winner and baseline for so long, each.")
    ] = None,
    seed: option.Seed = 0,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Measure in a recording instead of on this host.")
    ] = None,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Search for the best configuration of MODEL, or go on with its study."""
    from ovtune import host, session, unit, workload
    from ovtune.goal import Goal
    from ovtune.preparation import Wish
    from ovtune.terminal import summary
    from ovtune.tuning import Budget

    parsed = workload.parse(load) if load is not None else None
    limits = option.limits(max_latency, min_throughput, max_memory)
    open_loop = parsed is not None and not isinstance(parsed, workload.ClosedLoop)
    usual: option.PreferOption = "latency" if open_loop else "balanced"
    chosen = prefer or option.preferred(limits, open_loop=open_loop) or usual
    strings = tuple(dict.fromkeys(device or ()))
    request = session.Search(
        wish=Wish(
            model=model,
            workload=parsed,
            device_strings=strings,
            plugins=option.plugins(plugin),
            cpu_set=host.read_cpus(cpus) if cpus is not None else None,
            beside=beside,
        ),
        study=study,
        goal=Goal(latency=latency, prefer=chosen, margin=unit.fraction(margin), **limits),
        budget=Budget(
            trials=trials,
            timeout_s=unit.duration_s(timeout) if timeout is not None else None,
            confirm_s=unit.duration_s(confirm),
            soak_s=unit.duration_s(soak) if soak is not None else None,
            seed=seed,
        ),
        wait=wait,
        replay=replay,
    )
    with _interrupts() as interrupted, _progress(request, quiet=quiet) as emit:
        try:
            result, files = session.run(
                request, _place(studies, storage), emit=emit, stopping=lambda: interrupted.is_set
            )
        except OvtuneError as error:
            if not interrupted.is_set:
                raise
            _leave(f"interrupted: {error}", _INTERRUPTED)
    if as_json:
        print(files.best.read_text(encoding="utf-8"), end="")
    else:
        _results().print(summary(result, str(files.best), str(files.report)))
    if interrupted.is_set:
        raise typer.Exit(_INTERRUPTED)


@app.command()
def report(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Write the report of STUDY anew."""
    from ovtune import document, session
    from ovtune.result import conclude

    place = _place(studies, storage)
    with place.open() as store:
        known = store.load(study)
    target = out or place.folder / study / "report.html"
    document.write(target, session.page(conclude(known, known.goal)))
    print(target)
    if open_:
        webbrowser.open(target.resolve().as_uri())


@app.command()
def best(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    *,
    prefer: option.PreferChoice = None,
    max_latency: option.MaxLatency = None,
    min_throughput: option.MinThroughput = None,
    max_memory: option.MaxMemory = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the document there.")] = None,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Print the best config of STUDY for another goal, from what is known."""
    from dataclasses import replace

    from ovtune import document
    from ovtune.recommendation import document_of
    from ovtune.result import conclude

    with _place(studies, storage).open() as store:
        known = store.load(study)
    limits = option.limits(max_latency, min_throughput, max_memory)
    by_limit = option.preferred(limits, open_loop=known.goal.against == "efficiency")
    goal = replace(known.goal, prefer=prefer or by_limit or known.goal.prefer, **limits)
    result = conclude(known, goal)
    text = document.text_of(document_of(result))
    if out is None:
        print(text, end="")
    else:
        document.write(out, text)
    _say(f"{result.verdict.kind}: {result.recommended.words}: {result.verdict.text}")


@app.command()
def apply(
    config: Annotated[Path, typer.Argument(help="A best.json.")],
    model: Annotated[str | None, typer.Argument(help="The model; by default the one that was measured.")] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where the host is another one.")] = False,
    plugin: option.Plugins = None,
    as_json: option.AsJson = False,
) -> None:
    """Compile MODEL as CONFIG says, run one inference, and show requested beside effective settings."""
    from ovtune import codec, document, terminal
    from ovtune.deploy import Rehearsal, Rehearsed
    from ovtune.trial_process import ask

    document.read(config)
    request = Rehearsal(path=str(config), model=model, strict=strict, plugins=option.plugins(plugin) or {})
    answer = ask("rehearse", codec.dump(request, Rehearsal))
    if as_json:
        print(answer)
        return
    told: Rehearsed = codec.load(answer, Rehearsed)
    _results().print(terminal.settings(told.config, told.effective))
    print(f"one inference ran in {terminal.milliseconds(told.inference_ms)}")
    for warning in told.warnings:
        _say(f"warning: {warning}")


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="A best.json.")],
    model: Annotated[str | None, typer.Argument(help="The model; by default the one that was measured.")] = None,
    *,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="CONFIG", help="Compare with this config, not the baseline.")
    ] = None,
    soak: Annotated[
        str | None, typer.Option("--soak", metavar="TIME", help="Then run each side for so long without a pause.")
    ] = None,
    confirm: Annotated[str, typer.Option("--confirm", metavar="TIME", help="The time that the pairs may take.")] = "2m",
    margin: Annotated[
        str | None, typer.Option("--margin", help="What counts as a difference. Default: as in CONFIG.")
    ] = None,
    plugin: option.Plugins = None,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
) -> None:
    """Measure whether CONFIG still is what it promised: exit 0 it holds, 3 it is slower, 4 not decided in its time."""
    from ovtune import checking, finding, terminal, unit

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

    def tell(made: checking.Visited) -> None:
        if not quiet:
            of = f"/{made.total}" if made.total is not None else ""
            _say(f"block {made.number}{of}: {made.side}: {terminal.outcome_words(made.outcome)}")

    with _interrupts() as interrupted:
        try:
            found = checking.run(request, checking.Watch(emit=tell, stopping=lambda: interrupted.is_set))
        except OvtuneError as error:
            if not interrupted.is_set:
                raise
            _leave(f"interrupted: {error}", _INTERRUPTED)
    if as_json:
        print(json.dumps(finding.tree(found)))
    else:
        _results(_NARROW).print(terminal.check(found.kind, finding.sentence(found), finding.rows(found)))
        for warning in finding.warnings(found):
            _say(f"warning: {warning}")
    if found.interrupted:
        _leave("interrupted: the answer rests on what was measured until then", _INTERRUPTED)
    raise typer.Exit({"holds": 0, "slower": _SLOWER, "undecided": _UNDECIDED}[found.kind])


@app.command()
def record(
    model: option.Model = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The recording, or one to go on with.")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each config is visited.")] = 5,
    configs: option.Configs = None,
    focus: Annotated[int, typer.Option("--focus", min=0, help="How many of the best are visited more often.")] = 0,
    focus_rounds: option.FocusRounds = 0,
    duration: Annotated[str, typer.Option("--duration", metavar="TIME", help="What is measured in a visit.")] = "800ms",
    samples: Annotated[bool, typer.Option("--samples", help="Keep every single latency: a much larger file.")] = False,
    load: option.Load = None,
    device: option.Device = None,
    plugin: option.Plugins = None,
    seed: option.Seed = 0,
    wait: option.Wait = False,
    quiet: option.Quiet = False,
) -> None:
    """Record visits to many configs of MODEL in shuffled rounds, for search --replay."""
    from ovtune import session, terminal, unit, workload
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
        ),
        sweep=Sweep(
            rounds=rounds,
            configs=configs,
            focus=focus,
            focus_rounds=focus_rounds,
            plan=Plan(duration_s=duration_s, longest_s=max(duration_s, Plan().longest_s)),
            samples=samples,
            seed=seed,
        ),
        wait=wait,
    )

    def tell(made: Recorded) -> None:
        if not quiet:
            _say(f"visit {made.number}/{made.total}: {made.config.words}: {terminal.outcome_words(made.outcome)}")

    with _interrupts() as interrupted:
        complete = session.record(taking, emit=tell, stopping=lambda: interrupted.is_set)
    print(out)
    if not complete:
        _say("not complete: the same command goes on with it")
        raise typer.Exit(_INTERRUPTED)


@app.command()
def devices(
    model: Annotated[str | None, typer.Argument(help="Show OpenVINO's own answers for this model, too.")] = None,
    *,
    plugin: option.Plugins = None,
    as_json: option.AsJson = False,
) -> None:
    """Show the devices of this host, and what OpenVINO itself advises on them."""
    from dataclasses import asdict

    from ovtune import preparation, space, terminal

    plugins = option.plugins(plugin) or {}
    seen = preparation.sight(model, plugins)
    found = preparation.advice(model, plugins, space.device_strings(seen.devices)) if model is not None else ((), {})
    if as_json:
        print(json.dumps({**asdict(seen), "advice": [asdict(a) for a in found[0]], "refused": found[1]}))
    else:
        for table in terminal.devices(seen, *found):
            _results().print(table)


@app.command(name="studies")
def list_studies(
    *,
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Delete this study's data.")] = None,
    as_json: option.AsJson = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """List the studies, or delete one."""
    from dataclasses import asdict

    from ovtune import terminal

    with _place(studies, storage).open() as store:
        if delete is not None:
            store.delete(delete)
            print(f"deleted {delete}; its files in {studies / delete} were left")
            return
        found = store.summaries()
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        _results().print(terminal.studies(found))


class _Flag:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.is_set = False


@contextlib.contextmanager
def _interrupts() -> Iterator[_Flag]:
    """The first Ctrl-C sets the flag, the second stops at once."""
    flag = _Flag()

    def stop(_signal: int, _frame: Any) -> None:
        if flag.is_set:
            raise KeyboardInterrupt
        flag.is_set = True
        with contextlib.suppress(RuntimeError):  # it came while a line was being written
            _say("stopping after this measurement; press Ctrl-C again to stop at once")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _progress(request: Any, *, quiet: bool) -> Iterator[Any]:
    """A live view on a terminal, a line per visit elsewhere, nothing when quiet."""
    from rich.live import Live

    from ovtune.terminal import Progress

    progress = Progress(request.goal, request.budget)
    console = Console(stderr=True)

    def tell(event: "Event") -> None:
        line = progress.update(event)
        if line is not None and not quiet and not console.is_terminal:
            print(line, file=sys.stderr, flush=True)

    if quiet or not console.is_terminal:
        yield tell
        return
    with Live(progress, console=console, refresh_per_second=2, transient=True):
        yield tell


def _place(studies: Path, storage: str | None) -> "Place":
    from ovtune.session import Place

    return Place(folder=studies, url=storage)


def _results(width: int = _WIDE) -> Console:
    """Where results are shown: as wide as the terminal, or else by default so wide that no path is broken."""
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else width)


def _leave(message: str, status: int) -> NoReturn:
    if _state["debug"]:
        traceback.print_exc()
    _say(f"ovtune: {message}")
    sys.exit(status)


def _say(text: str) -> None:
    """Prints one line on standard error, whatever stands in ``text``."""
    line = "".join(c if c.isprintable() else " " for c in text)
    print(line, file=sys.stderr, flush=True)
