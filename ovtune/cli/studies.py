"""The commands about what was searched."""

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovtune import option
from ovtune.cli.console import NARROW, place_of, say, show

if TYPE_CHECKING:
    from ovtune.place import Place


def report(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Write the report of STUDY anew."""
    from ovtune import whole
    from ovtune.place import page
    from ovtune.result import conclude

    place = place_of(studies, storage)
    with place.open() as store:
        known = store.load(study)
    target = out or place.folder / study / "report.html"
    whole.write(target, page(conclude(known, known.goal)))
    print(target)
    if open_:
        webbrowser.open(target.resolve().as_uri())


def compare(
    first: Annotated[str, typer.Argument(help="A study's name, or FOLDER/NAME for one of another folder.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write the page.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: option.AsJson = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Compare two studies: who wins for each goal, what changed around them, and what is more than noise."""
    from ovtune import report, terminal, whole
    from ovtune.comparison import compare, tree
    from ovtune.errors import UsageError
    from ovtune.result import conclude

    known = []
    names = (first.rstrip("/"), second.rstrip("/"))
    for name in names:
        place, own = _named(name, studies, storage)
        with place.open() as store:
            known.append(store.load(own))
    if known[0] == known[1]:
        raise UsageError(f"{names[0]} and {names[1]} are the same study: name two different ones")
    found = compare(*(conclude(study, study.goal) for study in known))
    target = out or studies / known[0].name / f"against-{known[1].name}.html"
    whole.write(target, report.render_comparison(found, names))
    if as_json:
        print(json.dumps(tree(found, names)))
    else:
        show(terminal.comparison(found, names), width=NARROW)
        print(target)
    if open_:
        webbrowser.open(target.resolve().as_uri())


def _named(name: str, studies: Path, storage: str | None) -> "tuple[Place, str]":
    """The place and the own name of a study that is named ``NAME`` or ``FOLDER/NAME``."""
    from ovtune.errors import UsageError
    from ovtune.place import Place

    folder, _, own = name.rpartition("/")
    if not own:
        raise UsageError("a study's name is empty: give NAME, or FOLDER/NAME for one of another folder")
    if not folder:
        return place_of(studies, storage), own
    place = Place(folder=Path(folder), named=True)
    # The shell completes a study of the studies folder to the folder of its files; the database may be elsewhere.
    if not place.exists and (studies / own).is_dir() and place.folder.resolve() == studies.resolve():
        return place_of(studies, storage), own
    return place, own


def best(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    *,
    prefer: option.PreferChoice = None,
    max_latency: option.MaxLatency = None,
    min_throughput: option.MinThroughput = None,
    max_memory: option.MaxMemory = None,
    max_error: option.MaxError = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the document there.")] = None,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """Print the best config of STUDY for another goal, from what is known."""
    from dataclasses import replace

    from ovtune import document, whole
    from ovtune.errors import UsageError
    from ovtune.goal import usual
    from ovtune.recommendation import document_of
    from ovtune.result import conclude
    from ovtune.workload import Capacity

    with place_of(studies, storage).open() as store:
        known = store.load(study)
    limits = option.limits(max_latency, min_throughput, max_memory, max_error)
    if isinstance(known.setup.workload, Capacity) and (prefer is not None or limits):
        raise UsageError(
            f"study {study} asks how much is served within its own limit: search again for another one, "
            "with --study and another name"
        )
    if "max_error" in limits and not known.outputs:
        raise UsageError(f"study {study} holds no outputs that were compared: leave --max-error out")
    goal = replace(known.goal, **limits)
    goal = replace(goal, prefer=prefer or (goal.prefer if max_latency is None else usual(goal)))
    result = conclude(known, goal)
    text = document.text_of(document_of(result))
    if out is None:
        print(text, end="")
    else:
        whole.write(out, text)
    say(f"{result.verdict.kind}: {result.recommended.words}: {result.verdict.text}")


def studies(
    *,
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Delete this study's data.")] = None,
    as_json: option.AsJson = False,
    studies: option.Studies = Path("studies"),
    storage: option.Storage = None,
) -> None:
    """List the studies, or delete one."""
    from dataclasses import asdict

    from ovtune import terminal

    with place_of(studies, storage).open() as store:
        if delete is not None:
            store.delete(delete)
            print(f"deleted {delete}; its files in {studies / delete} were left")
            return
        found = store.summaries()
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        show(terminal.studies(found))
