"""What the options of the commands are, and how their texts are read."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ovtune import unit
from ovtune.errors import UsageError
from ovtune.model import PRECISIONS

_SHAPE = re.compile(r"(.+)\[((?:\s*[1-9]\d{0,8}\s*(?:,|(?=\])))*)\]")
_VARIANT = re.compile(r"[A-Za-z0-9_.-]{1,40}")
Studies = Annotated[Path, typer.Option("--studies", metavar="DIR", help="The folder of studies.")]
Storage = Annotated[
    str | None, typer.Option("--storage", metavar="URL", help="The database's SQLAlchemy URL, instead of a file there.")
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="NAME=LIBRARY", help="Register a plugin under a name (also OVTUNE_PLUGINS)."),
]
Space = Annotated[
    str | None, typer.Option("--space", metavar="SIZE", help="quick, standard (default), full, or a TOML file.")
]
ShapeTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--shape", metavar="NAME[SIZES]", help='The shape of a dynamic input, as "x[1,3,224,224]" (repeatable).'
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME=FILE",
        help="Try another file of the same model, too, as int8=model_int8.xml (repeatable).",
    ),
]
Int8 = Annotated[
    str | None,
    typer.Option(
        "--int8",
        metavar="CALIBRATION",
        help="Try it in eight bits, too: by NNCF from these items (a file or folder).",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="FILE",
        help="Run these items: .npy, .npz, an image (reals take pixels as 0 to 1, integers as 0 to 255) or a folder.",
    ),
]
InputCopy = Annotated[
    bool, typer.Option("--include-input-copy", help="Measure the copy of each item into its request, too.")
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=V1,V2", help="Try only these values of a parameter.")
]
Fixes = Annotated[list[str] | None, typer.Option("--fix", metavar="NAME=VALUE", help="Hold a parameter to this value.")]
Model = Annotated[str | None, typer.Argument(help="A model, or demo:mobilenet, demo:mlp, demo:encoder.")]
Load = Annotated[
    str | None,
    typer.Option(
        "--load",
        help="closed (default), interval:30ms, constant:33/s, poisson:200/s or streams:4x30/s; "
        "how much can be served: poisson:auto with --max-latency, streams:30/s with --deadline.",
    ),
]
Device = Annotated[list[str] | None, typer.Option("--device", help="Take exactly this device string (repeatable).")]
Trials = Annotated[int, typer.Option("--trials", min=1, help="How many trials the study shall hold.")]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="Ask for no new trial after this time.")]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="N",
        min=1,
        help="Stop after N trials in a row without gain. Default: never.",
        show_default=False,
    ),
]
Like = Annotated[str | None, typer.Option("--like", metavar="STUDY", help="Begin with the front of this other study.")]
OnlyFront = Annotated[
    bool, typer.Option("--only-front", help="Measure nothing but that front and OpenVINO's own answers.")
]
StudyName = Annotated[str | None, typer.Option("--study", metavar="NAME", help="The study's name.")]
Cpus = Annotated[
    str | None, typer.Option("--cpus", metavar="LIST", help="Keep what is measured on these CPUs, such as 0-3,8.")
]
Beside = Annotated[
    str | None, typer.Option("--beside", metavar="COMMAND", help="Run this in the background of each measurement.")
]
Margin = Annotated[str, typer.Option("--margin", help="What counts as a difference.")]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", metavar="TIME", help="The time of elimination and duel (2m), or of a capacity (5m)."),
]
Soak = Annotated[
    str | None, typer.Option("--soak", metavar="TIME", help="Then run both sides for so long without a pause.")
]
ReplayFile = Annotated[
    Path | None, typer.Option("--replay", metavar="FILE", help="Measure in a recording instead of on this host.")
]
Configs = Annotated[
    int | None, typer.Option("--configs", min=1, help="How many configs, spread over the space. Default: all.")
]
FocusRounds = Annotated[
    int, typer.Option("--focus-rounds", min=0, help="How often these, and OpenVINO's own answers, are visited.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the space, how many configs it holds and the plan; measure nothing.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seeds what is chosen and in which order.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another ovtune measures on this host.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
PreferOption = Literal["throughput", "latency", "balanced", "efficiency"]
LatencyOption = Literal["p50", "p90", "p95", "p99", "p99.9", "mean"]
LatencyChoice = Annotated[LatencyOption, typer.Option("--latency", help="The latency objective.")]
MaxLatency = Annotated[
    str | None, typer.Option("--max-latency", metavar="TIME", help="Limit of the latency, such as 20ms.")
]
MaxError = Annotated[
    str | None,
    typer.Option(
        "--max-error",
        metavar="SHARE",
        help="Limit of the largest difference of any output value from FP32's, as a share of the largest value in that "
        "output: 0.01 or 1%.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", metavar="TIME", help="When a frame of streams:30/s is late. Default: a frame's time."),
]
MinThroughput = Annotated[
    str | None, typer.Option("--min-throughput", metavar="RATE", help="Limit of the throughput, such as 300/s.")
]
MaxMemory = Annotated[
    str | None, typer.Option("--max-memory", metavar="SIZE", help="Limit of the memory over an idle process, as 500MB.")
]
PreferChoice = Annotated[
    PreferOption | None, typer.Option("--prefer", help="Which point of the front to recommend.", show_default=False)
]


def check_text(arguments: list[str]) -> None:
    """Checks that the arguments are text: requests, documents and databases hold nothing else.

    Raises:
        UsageError: one is not, such as a file's name in another encoding.
    """
    for argument in arguments:
        if argument != argument.encode(errors="replace").decode():
            raise UsageError(f"argument {argument!a} is no UTF-8: rename the file")


def limits(
    max_latency: str | None,
    min_throughput: str | None,
    max_memory: str | None,
    max_error: str | None,
    deadline: str | None = None,
) -> dict[str, Any]:
    """The limits of a goal, those that are given."""
    found: dict[str, Any] = {}
    if max_error is not None:
        found["max_error"] = unit.fraction(max_error)
    if max_latency is not None:
        found["max_latency_ms"] = 1000 * unit.duration_s(max_latency)
    if min_throughput is not None:
        found["min_throughput_per_s"] = unit.rate_per_s(min_throughput)
    if max_memory is not None:
        found["max_memory_bytes"] = unit.size_bytes(max_memory)
    if deadline is not None:
        found["deadline_ms"] = 1000 * unit.duration_s(deadline)
    return found


def shapes(given: list[str] | None) -> dict[str, tuple[int, ...]] | None:
    """The shapes of ``--shape``, by the name of the input; None where none was given.

    Raises:
        UsageError: one cannot be read.
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in given or ():
        match = _SHAPE.fullmatch(text.strip())
        if match is None:
            raise UsageError(f'shape {text!r} cannot be read: write NAME[SIZES], as in "x[1,3,224,224]"')
        if match[1] in found:
            raise UsageError(f"--shape {match[1]} is given twice: give each input one shape")
        found[match[1]] = tuple(int(size) for size in match[2].split(",") if size.strip())
    return found or None


def variants(given: list[str] | None) -> dict[str, str] | None:
    """The files of ``--variant``, by name; None where none was given.

    Raises:
        UsageError: one cannot be read, or has the name of weights that every model has.
    """
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, file = text.partition("=")
        if not (equals and file and _VARIANT.fullmatch(name)):
            raise UsageError(f"variant {text!r} cannot be read: write NAME=FILE, as in int8=model_int8.xml")
        if name.upper() in PRECISIONS:
            raise UsageError(f"variant {name} has the name of weights that every model has: choose another one")
        found[name] = file
    return found or None


def plugins(given: list[str] | None) -> dict[str, str] | None:
    """The plugins of the options, or of ``OVTUNE_PLUGINS`` (``NAME=LIBRARY``, with commas between)."""
    texts = given or [part for part in os.environ.get("OVTUNE_PLUGINS", "").split(",") if part]
    plugins = {}
    for text in texts:
        name, equals, library = text.partition("=")
        if not (name and equals and library):
            raise UsageError(
                f"plugin {text!r} cannot be read: write NAME=LIBRARY, as in CPUX=openvino_intel_cpu_plugin"
            )
        plugins[name] = library
    return plugins or None
