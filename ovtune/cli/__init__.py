"""The command line: arguments in, one call, results out. The only place that prints and that knows exit codes."""

import sys
from typing import Annotated, Any

import typer

from ovtune import option
from ovtune.cli import console, deployment, host, search, studies
from ovtune.errors import OvtuneError, UsageError

app = typer.Typer(
    name="ovtune",
    help="Finds the fastest OpenVINO configuration for a model on this machine.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    search.search,
    studies.report,
    studies.best,
    studies.compare,
    deployment.apply,
    deployment.check,
    deployment.export,
    host.record,
    host.devices,
    studies.studies,
):
    app.command()(command)
_FAILED, _USAGE = 1, 2
_KEPT = "interrupted: nothing that was measured is lost"


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    try:
        option.check_text(sys.argv)
        status = app(standalone_mode=False)
        if status == console.INTERRUPTED:
            console.leave(_KEPT, console.INTERRUPTED)
        sys.exit(status)
    except OvtuneError as error:
        console.leave(str(error), _USAGE if isinstance(error, UsageError) else _FAILED)
    except KeyboardInterrupt:
        console.leave(_KEPT, console.INTERRUPTED)
    except OSError as error:
        console.leave(f"the output cannot be written ({error.strerror}): check where it goes", _FAILED)
    except Exception as error:  # typer's own errors of usage know their message and their status
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            console.leave(f"{_worded(error, sys.argv)}: see ovtune --help", error.exit_code)
        raise


def _worded(error: Any, arguments: list[str]) -> str:
    """What is wrong about the usage; with the value, which typer leaves out."""
    said = str(error.format_message()).rstrip(".").replace("Value error, ", "")
    for name in getattr(getattr(error, "param", None), "opts", ()):
        for i, argument in enumerate(arguments):
            value = argument.partition("=")[2] if argument.startswith(f"{name}=") else "".join(arguments[i + 1 : i + 2])
            if argument.partition("=")[0] == name:
                return said.replace("Invalid value for", f"Invalid value {value!r} for")
    return said


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Finds the fastest OpenVINO configuration for a model on this machine."""
    console.show_tracebacks(debug)
    if version:
        import ovtune

        print(f"ovtune {ovtune.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
